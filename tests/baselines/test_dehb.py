"""DEHB: its brackets, populations, promotions and children, by hand and by law.

The package dehb 0.1.2 pins numpy below 2 and is not compared with here. Beside it, on NAS-Bench-201 with made-up epochs
7, 22, 67 and 200, the regrets after 10,000 and 40,000 epochs were the same within the noise of 60 searches.
"""

from __future__ import annotations

import pickle
from itertools import permutations

import numpy as np
import pytest
from _toy import Toy, gaps
from scipy import stats

from baselines.dehb import DEHB
from nasbench.search import run
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract
from nasbench.testing.searcher import made
from nasbench.types import Budget, Fidelity, Trial

SPACE = NB201()
POWERS = [Fidelity(108, epoch) for epoch in (4, 12, 36, 108)]
FIRST_ROUND = [27, 9, 3, 1, 9, 3, 1, 6, 2, 4]
"""Trials of HpBandSter's four brackets for epochs 4, 12, 36 and 108, rung by rung."""


class TestContract(SearcherContract):
    @pytest.fixture
    def make_searcher(self):
        return lambda space, seed: made(DEHB, space, seed)


def value(architecture, fidelity=None):
    """A landscape in which few are equal."""
    return sum((i + 1) * choice for i, choice in enumerate(architecture)) / 84


def fresh(space=SPACE, **arguments):
    return DEHB(space, seed=0, fidelities=POWERS, **arguments)


def played(n):
    """Return a searcher after n trials on one worker, and these."""
    searcher, trials = fresh(), []
    for _ in range(n):
        trials.append(searcher.ask())
        searcher.tell(trials[-1], value(trials[-1].architecture))
    return searcher, trials


def test_the_brackets_are_those_of_hpbandster():
    history = run(fresh(), Toy(SPACE, POWERS, value), Budget(2 * sum(FIRST_ROUND)), seed=0)
    rungs = [4, 12, 36, 108, 12, 36, 108, 36, 108, 108]
    assert history.epochs.tolist() == 2 * np.repeat(rungs, FIRST_ROUND).tolist()
    assert history.cost.sum() == 2 * sum(FIRST_ROUND)
    assert history.seconds.tolist() == history.epochs.tolist()  # each is a training of its own


def test_each_rung_has_a_population_as_large_as_the_largest_bracket_needs():
    assert [len(population.points) for population in fresh()._populations] == [27, 9, 6, 4]


def test_no_member_is_ever_replaced_by_a_worse_one():
    searcher, out = fresh(), []
    rng = np.random.default_rng(0)
    for _ in range(600):
        before = [population.accuracies.copy() for population in searcher._populations]
        out.append(searcher.ask())
        if len(out) > 5:
            trial = out.pop(int(rng.integers(5)))
            searcher.tell(trial, value(trial.architecture))
        for population, accuracies in zip(searcher._populations, before, strict=True):
            assert (population.accuracies >= accuracies).all()
    for population in searcher._populations:
        architectures = map(searcher._architecture, population.points)
        assert population.accuracies == pytest.approx([value(architecture) for architecture in architectures])


def test_members_take_turns():
    searcher, trials = played(27)
    points = searcher._populations[0].points
    assert [searcher._architecture(point) for point in points] == [trial.architecture for trial in trials]


def test_in_the_first_round_the_best_of_the_rung_below_are_promoted():
    _, trials = played(27 + 9 + 3 + 1)
    for start, entered, promoted in ((0, 27, 9), (27, 9, 3), (36, 3, 1)):
        rung = [trial.architecture for trial in trials[start : start + entered]]
        best = sorted(rung, key=lambda architecture: -value(architecture))[:promoted]
        assert [trial.architecture for trial in trials[start + entered :][:promoted]] == best


def test_who_is_in_the_population_is_not_promoted_again():
    """The second bracket's children meet the first one's promotions on their rung; those that went on are left out."""
    searcher, trials = played(27 + 9 + 3 + 1 + 9 + 3)
    above = {trial.architecture for trial in trials[36:39]}
    members = [searcher._architecture(point) for point in searcher._populations[1].points]
    expected = [a for a in sorted(members, key=lambda a: -value(a)) if a not in above][:3]
    assert [trial.architecture for trial in trials[-3:]] == expected


def test_where_all_were_promoted_the_best_is_promoted_again():
    searcher = fresh()
    below, above = searcher._populations[2:]
    below.points[:] = above.points[0]
    below.accuracies[:] = [0.1, 0.3, 0.2, 0.0, 0.0, 0.0]
    assert above.promoted_from(below, 2).tolist() == above.points[0].tolist()


def test_from_the_second_round_on_all_are_children():
    searcher, _ = played(sum(FIRST_ROUND))

    def never(*arguments):
        raise AssertionError("promoted")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("baselines.dehb._Population.promoted_from", never)
        for _ in range(2 * sum(FIRST_ROUND)):
            trial = searcher.ask()
            searcher.tell(trial, value(trial.architecture))


def pool_of(*points):
    return np.array(points, float)


def test_a_mutant_is_one_plus_half_the_difference_of_two_others():
    searcher, pool = fresh(), pool_of([0, 1, 2, 3, 4, 0], [1, 1, 1, 1, 1, 1], [4, 3, 2, 1, 0, 2])
    possible = {tuple(a + 0.5 * (b - c)) for a, b, c in permutations(pool)}
    mutants = {tuple(searcher._mutant(pool, np.full(6, 9.0))) for _ in range(200)}
    assert mutants == possible


def test_the_member_is_not_among_the_parents_of_the_mutant():
    searcher = fresh(mutation_factor=1.0)
    pool = pool_of([0] * 6, [1] * 6, [2] * 6, [40] * 6)
    sums = {searcher._mutant(pool, pool[3])[0] for _ in range(200)}
    assert sums == {a + b - c for a, b, c in permutations([0, 1, 2])}


def test_a_pool_that_is_too_small_is_filled_up_from_all_populations():
    searcher = fresh()
    for population in searcher._populations:
        population.points[:] = 2.0
    assert searcher._child(np.full(6, 3.0), pool_of([2] * 6)).tolist().count(2.0) >= 1
    assert set(searcher._child(np.full(6, 3.0), pool_of([2] * 6)).tolist()) <= {2.0, 3.0}


@pytest.mark.parametrize(("crossover", "changed"), [(0.0, 1.0), (0.5, 3 + 1 / 64), (1.0, 6.0)])
def test_how_many_decisions_come_from_the_mutant(crossover, changed):
    """Binomial, and one where it would be none, which happens once in 64 times with a chance of one half."""
    searcher = fresh(crossover=crossover)
    member, pool = np.full(6, 3.0), pool_of([1] * 6, [1] * 6, [1] * 6)
    counts = [(searcher._child(member, pool) == 1).sum() for _ in range(4000)]
    assert np.mean(counts) == pytest.approx(changed, abs=0.1)
    assert min(counts) >= 1


def test_what_leaves_the_box_is_drawn_anew():
    searcher = fresh(crossover=1.0)
    drawn = []
    for outside in (-1, 6):
        pool = pool_of([outside] * 6, [outside] * 6, [outside] * 6)
        drawn += [searcher._child(np.full(6, 2.0), pool) for _ in range(300)]
    assert stats.kstest(np.ravel(drawn), "uniform", (0, 5)).pvalue > 1e-4


def test_points_are_rounded_down_to_choices():
    points = pool_of([0, 0.99, 1, 3, 4.99, 5])
    assert fresh()._architecture(points[0]) == (0, 0, 1, 3, 4, 4)
    for choices in (2, 3, 5, 7, 8, 49):  # each whole number is its own choice
        whole = np.arange(choices, dtype=float)
        searcher = fresh()
        searcher._box = np.full(choices, float(choices))
        assert searcher._architecture(whole) == tuple(range(choices))


def test_an_equally_good_newcomer_replaces_the_member():
    population = fresh()._populations[3]
    for accuracy, replaced in ((0.5, True), (0.5, True), (0.4, False)):
        newcomer = np.random.default_rng(int(100 * accuracy)).random(6)
        population.points[0] = -1.0
        population.offer(0, newcomer, accuracy)
        assert (population.points[0] == newcomer).all() == replaced


def test_in_a_constrained_space_it_asks_for_architectures_alone():
    space = NB101()
    history = run(fresh(space), Toy(space, POWERS, lambda a, f: sum(a) / 40), Budget(150), seed=0)
    assert all(space.is_valid(tuple(row)) for row in history.architectures.tolist())


@pytest.mark.parametrize("workers", [4, 100])
def test_no_worker_ever_waits(workers):
    history = run(fresh(), Toy(SPACE, POWERS, value), Budget(20_000 / workers, "seconds"), seed=0, workers=workers)
    assert not gaps(history, workers).any()


def test_what_was_not_asked_for_changes_nothing():
    def play(disturb):
        searcher, trials = fresh(), []
        for _ in range(100):
            trials.append(searcher.ask())
            if disturb:
                searcher.tell(Trial((4,) * 6), 1.0)
            searcher.tell(trials[-1], value(trials[-1].architecture))
        return trials

    assert play(disturb=True) == play(disturb=False)


def test_is_pickled_while_trials_are_out():
    searcher, _ = played(100)
    asked = [searcher.ask() for _ in range(60)]
    copy = pickle.loads(pickle.dumps(searcher))
    for each in (searcher, copy):
        for trial in asked[::-1]:
            each.tell(trial, value(trial.architecture))
    assert [searcher.ask() for _ in range(200)] == [copy.ask() for _ in range(200)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mutation_factor": 0.0}, r"mutation_factor must be in \(0, 2\] and crossover in \[0, 1\], got 0\.0 and 0\.5"),
        ({"crossover": 1.1}, r"got 0\.5 and 1\.1"),
        ({"eta": 1}, "eta must be a whole number of at least 2, got 1"),
    ],
)
def test_refuses_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        fresh(**arguments)
