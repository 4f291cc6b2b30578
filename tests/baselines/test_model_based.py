"""What the searchers that learn a surrogate share: nothing twice, batches, large spaces, and better than chance."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from baselines.models.model_based import ModelBasedSearch
from nasbench import Architecture, Budget, SearchSpace, Trial, load, registry, run
from nasbench.analysis import random_search_law, regret_curves
from nasbench.search import Rules
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.spaces.nb_macro import NBMacro

SEARCHERS = ["bananas", "gp_expected_improvement", "tree_confidence_bound"]
FAST: dict[str, dict[str, Any]] = {
    "bananas": {"encoding": "graph", "predictor": "gaussian_process"},
    "gp_expected_improvement": {},
    "tree_confidence_bound": {},
}


def make(name: str, space: SearchSpace, seed: int, **arguments: Any) -> Any:
    return registry.find("searchers", name)(space, seed=seed, **{**FAST[name], **arguments})


def depth(architecture: Architecture) -> float:
    """A landscape with one peak, the last choice everywhere."""
    return sum(architecture) / 100


@pytest.mark.parametrize("name", SEARCHERS)
def test_asks_in_batches(name):
    """Between two batches nothing that is told changes what is asked; the next batch depends on it."""

    def second_batch(accuracy: float, when: int) -> list[Trial]:
        searcher = make(name, NB201(), 3, initial=6, batch=4)
        for _ in range(6):
            trial = searcher.ask()
            searcher.tell(trial, depth(trial.architecture))
        for i in range(4):
            trial = searcher.ask()
            searcher.tell(trial, accuracy if i == when else depth(trial.architecture))
        return [searcher.ask() for _ in range(4)]

    def first_batch(accuracy: float) -> list[Trial]:
        searcher = make(name, NB201(), 3, initial=6, batch=4)
        for _ in range(6):
            trial = searcher.ask()
            searcher.tell(trial, depth(trial.architecture))
        asked = []
        for _ in range(4):
            asked.append(searcher.ask())
            searcher.tell(asked[-1], accuracy)
        return asked

    assert first_batch(0.0) == first_batch(0.9)
    assert len({tuple(second_batch(accuracy, 0)) for accuracy in (0.0, 0.1, 0.9)}) > 1


@pytest.mark.parametrize("name", SEARCHERS)
def test_never_asks_for_what_was_evaluated(name):
    """Neither by itself nor by others, who may be ahead of a batch that is already out."""
    space = NB201()
    searcher, rng = make(name, space, 5, batch=5), np.random.default_rng(5)
    known: set[Architecture] = set()
    for step in range(60):
        trial = searcher.ask()
        assert trial.architecture not in known
        known.add(trial.architecture)
        searcher.tell(trial, depth(trial.architecture))
        if step % 3 == 0:
            other = space.mutate(trial.architecture, rng)
            known.add(other)
            searcher.tell(Trial(other), depth(other))


@pytest.mark.parametrize("name", SEARCHERS)
def test_forms_of_one_network_that_share_a_row_are_one(name):
    """NAS-Bench-101 has one record for all isomorphic cells; it is also too large to be enumerated."""
    space = NB101()
    searcher = make(name, space, 0)
    asked = []
    for _ in range(50):
        asked.append(searcher.ask())
        parameters = space.parameters(asked[-1].architecture)
        searcher.tell(asked[-1], min(1.0, parameters / 5e7))
    assert len({space.key(trial.architecture) for trial in asked}) == 50
    sizes = [space.parameters(trial.architecture) for trial in asked]
    assert np.median(sizes[30:]) > 2 * np.median(sizes[:10]), "it does not climb"


class Indifferent(ModelBasedSearch):
    """Every candidate is worth the same."""

    def _scores(self, known, accuracies, candidates):
        return np.zeros(len(candidates))


def late(searcher: Any, workers: int, n: int) -> list[Architecture]:
    """Ask n times, and tell in random order what is out, so many at a time; return what was asked for."""
    rng, out, asked = np.random.default_rng(0), [], []
    for _ in range(n):
        asked.append(searcher.ask().architecture)
        out.append(asked[-1])
        if len(out) == workers:
            architecture = out.pop(int(rng.integers(workers)))
            searcher.tell(Trial(architecture), depth(architecture))
    return asked


@pytest.mark.parametrize("name", SEARCHERS)
def test_with_eight_trials_out_nothing_is_asked_for_twice(name):
    asked = late(make(name, NB201(), 4), 8, 60)
    assert len({*asked}) == 60
    assert np.mean([*map(depth, asked[40:])]) > np.mean([*map(depth, asked[:10])]) + 0.02, "it does not climb"


@pytest.mark.parametrize("name", ["gp_expected_improvement", "tree_confidence_bound"])
def test_no_two_forms_of_one_network_are_out_at_once(name):
    """Both have the same features, so that a surrogate that was told nothing since would ask for the second too."""
    space = NB201()
    searcher = make(name, space, 2, initial=5)
    for _ in range(5):
        trial = searcher.ask()
        searcher.tell(trial, 1 - depth(trial.architecture))  # the best networks are empty, and have the most forms
    networks = [space.key(searcher.ask().architecture) for _ in range(8)]
    assert len({*networks}) == 8


def test_a_network_that_was_told_may_come_in_another_form():
    """In NAS-Bench-201 each has an accuracy of its own."""
    forms = [(0, 0, i, 0, 3, 0) for i in range(3)]  # of which nothing reaches the output
    assert len({NB201().key(cell) for cell in forms}) == 1
    searcher = Indifferent(NB201(), 0, 2, 1)
    out = searcher.ask()
    others = searcher._new(np.array([out.architecture, *forms], np.uint8))
    assert len(others) == 1
    searcher._running = [forms[0]]
    assert not len(searcher._new(np.array(forms, np.uint8)))
    assert len(searcher._new(np.array(forms, np.uint8), every_form=True)) == 3
    searcher.tell(Trial(forms[0]), 0.5)
    assert [tuple(row) for row in searcher._new(np.array(forms, np.uint8)).tolist()] in ([forms[1]], [forms[2]])


@pytest.mark.parametrize("name", SEARCHERS)
def test_goes_on_from_a_pickle_with_the_same_trials(name):
    searcher = make(name, NB201(), 4)
    late(searcher, 3, 30)
    copy = pickle.loads(pickle.dumps(searcher))
    assert late(searcher, 3, 20) == late(copy, 3, 20)


def test_batches_of_trees_grow_with_what_is_known():
    """With a tenth, and two at least: the forest is grown for 2 of 15, of 20, for 3 of 30, and so on."""
    searcher = make("tree_confidence_bound", NB201(), 0)
    sizes = []
    for n in (5, 15, 20, 30, 47, 100):
        while len(searcher._architectures) < n:
            trial = searcher.ask()
            searcher.tell(trial, depth(trial.architecture))
        searcher._queue.clear()
        sizes.append(len(searcher._best_candidates()))
    assert sizes == [2, 2, 2, 3, 4, 10]


class Tiny(NB201):
    """The first 125 architectures of NAS-Bench-201."""

    choices = (1, 1, 1, 5, 5, 5)


@pytest.mark.parametrize("name", SEARCHERS)
def test_finds_what_is_left_and_goes_on_when_nothing_is(name):
    space = Tiny()
    searcher = make(name, space, 0)
    everything = list(map(tuple, space.decode(np.arange(space.size)).tolist()))
    for architecture in everything[:-3]:
        searcher.tell(Trial(architecture), depth(architecture))
    asked = []
    for _ in range(12):
        asked.append(searcher.ask().architecture)
        searcher.tell(Trial(asked[-1]), 0.5)
    assert set(asked[:3]) == set(everything[-3:])
    assert all(space.is_valid(architecture) for architecture in asked)


def test_chance_decides_between_equal_scores():
    """Not the order of keys, which are codes in NAS-Bench-Macro: the first decision is drawn evenly."""
    counts = np.zeros(3)
    for r in range(150):
        searcher = Indifferent(NBMacro(), [6, r], 2, 5)
        for i in range(2):
            searcher.tell(searcher.ask(), i / 2)
        for _ in range(5):
            counts[searcher.ask().architecture[0]] += 1
    assert stats.chisquare(counts).pvalue > 1e-3


def test_of_equally_good_architectures_the_first_is_the_better():
    searcher = Indifferent(NB201(), 7, 4, 1)
    told = [searcher.ask() for _ in range(4)]
    for trial, accuracy in zip(told, (0.5, 0.7, 0.7, 0.5), strict=True):
        searcher.tell(trial, accuracy)
    assert [tuple(row) for row in searcher._best(4).tolist()] == [told[i].architecture for i in (1, 2, 0, 3)]


@pytest.mark.parametrize("name", SEARCHERS)
def test_beats_random_search(name):
    """Five searches, noiseless: their median is at the level that random search has after five times as many."""
    table = load("nasbench201")
    histories = [
        run(make(name, table.space, r), table, Budget(40), seed=[r, 1], rules=Rules(observe="mean")) for r in range(5)
    ]
    final = regret_curves(histories, table, [40])[:, 0]
    assert np.median(final) < random_search_law(table, [200]).mean[0]


@pytest.mark.parametrize("name", SEARCHERS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": 0}, "initial and batch must be at least 1, got 0 and"),
        ({"batch": 0}, "initial and batch must be at least 1, got .* and 0"),
    ],
)
def test_refuses_settings_that_make_no_sense(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        make(name, NB201(), 0, **arguments)


@pytest.mark.parametrize("name", ["gp_expected_improvement", "tree_confidence_bound"])
def test_refuses_to_learn_again_when_less_is_known(name):
    with pytest.raises(ValueError, match=r"growth .*negative.*got .*-0\.1"):
        make(name, NB201(), 0, growth=-0.1)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("bananas", "encoding"), ("gp_expected_improvement", "encodings"), ("tree_confidence_bound", "encoding")],
)
def test_refuses_encodings_that_do_not_exist(name, argument):
    with pytest.raises(
        ValueError, match="encoding must be one of graph, paths, truncated_paths, choices, got 'pictures'"
    ):
        make(name, NB201(), 0, **{argument: ["pictures"] if argument == "encodings" else "pictures"})


@pytest.mark.parametrize("name", SEARCHERS)
def test_without_scikit_learn_it_says_what_to_install(name):
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from nasbench import registry, errors\n"
        f"try: registry.find('searchers', {name!r})\n"
        "except errors.MissingPackageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "need scikit-learn, which is not installed: pip install 'nasbench-suite[surrogates]'" in done.stdout
