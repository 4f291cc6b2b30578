"""UCT against UCB1 computed anew from the history at every step, and against what is proved of it."""

from __future__ import annotations

import itertools
import math
import pickle
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from baselines.tree_search import TreeSearch
from nasbench import SearchSpace, Trial
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract


class Small(SearchSpace):
    name = "small"
    choices = (3, 1, 4, 2)


class Long(SearchSpace):
    name = "long"
    choices = (2,) * 30


class Constrained(SearchSpace):
    """Of 24 vectors those that sum to an even number."""

    name = "constrained"
    choices = (3, 1, 4, 2)
    constrained = True

    def is_valid(self, architecture):
        return super().is_valid(architecture) and sum(architecture) % 2 == 0

    def sample(self, rng):
        while True:
            drawn = super().sample(rng)
            if self.is_valid(drawn):
                return drawn


class TestContract(SearcherContract):
    @pytest.fixture
    def make_searcher(self):
        return lambda space, seed: TreeSearch(space, seed=seed)


def allowed(space, visited, rewards, prefix, exploration):
    """The choices that UCB1 allows after a prefix, from all that was visited and told: slow, and without a tree.

    Args:
        space: The search space.
        visited: Every architecture that was tried, in order; also those that are out, and those that are none.
        rewards: Every accuracy that was told, with its architecture.
        prefix: The first decisions.
        exploration: The factor of the bound.
    """
    depth = len(prefix)
    below = [one for one in visited if one[:depth] == prefix]
    leaves = math.prod(space.choices[depth + 1 :])
    worst, best = (min(r for _, r in rewards), max(r for _, r in rewards)) if rewards else (0, 0)
    bounds = {}
    for choice in range(space.choices[depth]):
        start = (*prefix, choice)
        n = sum(one[: depth + 1] == start for one in below)
        told = [r for one, r in rewards if one[: depth + 1] == start]
        if len({one for one in below if one[: depth + 1] == start}) == leaves:
            continue  # nothing is left there
        if n == 0:
            bounds[choice] = math.inf
            continue
        mean = (sum(told) + (n - len(told)) * worst) / n
        bounds[choice] = mean + exploration * (best - worst) * math.sqrt(2 * math.log(len(below)) / n)
    return {choice for choice, bound in bounds.items() if bound >= max(bounds.values()) - 1e-12}


@pytest.mark.parametrize("exploration", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("space", [Small(), Constrained()], ids=lambda space: space.name)
def test_every_decision_is_one_that_ucb1_allows(space, workers, exploration):
    landscape = np.random.default_rng(1)
    for seed in range(5):
        searcher = TreeSearch(space, seed=seed, exploration=exploration)
        visited, rewards, out, architectures = [], [], [], set()
        before = Counter()
        for _ in range(sum(map(space.is_valid, itertools.product(*map(range, space.choices))))):
            tried = record_visits(searcher)
            architecture = searcher.ask().architecture
            for one in tried:  # the last is the one that was asked for; those before it were no architectures
                for depth in range(len(one)):
                    assert one[depth] in allowed(space, visited, rewards, one[:depth], exploration)
                visited.append(one)
            assert visited[-1] == architecture
            architectures.add(architecture)
            before[architecture] += 1
            out.append(architecture)
            if len(out) == workers:
                one = out.pop(int(landscape.random() * workers))
                rewards.append((one, landscape.random()))
                searcher.tell(Trial(one), rewards[-1][1])
        assert max(before.values()) == 1, "proposed twice"
        assert space.is_valid(searcher.ask().architecture), "exhausted: random from now on"


def record_visits(searcher):
    tried, visit = [], type(searcher)._visit
    searcher._visit = lambda architecture: (tried.append(architecture), visit(searcher, architecture))
    return tried


def test_visits_concentrate_and_the_mean_regret_falls():
    """A deterministic additive landscape. Kocsis & Szepesvari's theorem 3: the mean of the rewards comes near the
    optimum as O(log n / n), so that later evaluations are better than those before. Only the first six decisions
    count, so that good architectures do not run out."""
    weights = np.array([6, 5, 4, 3, 2, 1, *[0] * 24]) / 21
    quarters, shares = [], []
    for seed in range(10):
        searcher, regrets = TreeSearch(Long(), seed=seed, exploration=0.3), []
        for _ in range(1600):
            trial = searcher.ask()
            regrets.append(1 - float(weights @ trial.architecture))
            searcher.tell(trial, 1 - regrets[-1])
        quarters.append(np.mean(np.reshape(regrets, (4, 400)), axis=1))
        shares.append(searcher._root.children[1].visits / 1600)
    mean = np.mean(quarters, axis=0)
    assert (np.diff(mean) < 0).all(), mean
    assert mean[3] < 0.5 * mean[0] < 0.5 * 0.5, mean  # at random it is one half
    assert min(shares) > 0.8


def test_without_exploration_the_best_known_way_is_followed():
    searcher = TreeSearch(Small(), seed=0, exploration=0.0)
    for _ in range(3):  # one below each first choice
        trial = searcher.ask()
        searcher.tell(trial, [0.1, 0.9, 0.5][trial.architecture[0]])
    assert searcher.ask().architecture[0] == 1


def test_what_is_out_sends_others_elsewhere():
    """A virtual loss: asked for at once, several architectures spread over the choices; told one by one they do not."""

    def seconds(at_once):
        searcher = TreeSearch(NB201(), seed=3, exploration=0.05)
        for _ in range(5):
            trial = searcher.ask()
            searcher.tell(trial, [0.5, 0.9, 0.5, 0.5, 0.5][trial.architecture[0]])
        found = []
        for _ in range(20):
            trial = searcher.ask()
            found.append(trial.architecture[0])
            if not at_once:
                searcher.tell(trial, 0.9 if found[-1] == 1 else 0.5)
        return Counter(found)

    assert seconds(False)[1] == 20
    assert len(seconds(True)) == 5


def test_chance_decides_between_choices_that_were_never_tried():
    firsts = np.array([TreeSearch(NB201(), seed=[7, r]).ask().architecture for r in range(2000)])
    for column in firsts.T:
        assert stats.chisquare(np.bincount(column, minlength=5)).pvalue > 1e-4


def test_accuracies_may_be_of_any_scale():
    """Only the range counts: the same search of accuracies that are squeezed and moved."""

    def trials(scale, offset):
        searcher = TreeSearch(Small(), seed=2)
        found = []
        for _ in range(20):
            found.append(searcher.ask())
            searcher.tell(found[-1], offset + scale * (sum(found[-1].architecture) % 4 / 4))
        return found

    assert trials(1.0, 0.0) == trials(0.25, 0.5)


def test_a_pickled_searcher_goes_on_as_the_first():
    one = TreeSearch(NB201(), seed=5)
    out = [one.ask() for _ in range(9)]
    for trial in out[:6]:
        one.tell(trial, sum(trial.architecture) / 24)
    other = pickle.loads(pickle.dumps(one))
    for _ in range(200):
        trial = one.ask()
        assert other.ask() == trial
        for searcher in (one, other):
            searcher.tell(trial, sum(trial.architecture) / 24)


@pytest.mark.parametrize("exploration", [-0.1, math.inf, math.nan])
def test_refuses_settings_that_make_no_sense(exploration):
    with pytest.raises(ValueError, match="exploration must be finite and not negative"):
        TreeSearch(NB201(), seed=0, exploration=exploration)
