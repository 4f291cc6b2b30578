"""Local search on landscapes whose every step is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from baselines.local_search import LocalSearch
from nasbench.spaces.nb201 import NB201

SPACE = NB201()


def test_climbs_a_hill_without_local_optima():
    """One peak: the sum of choices. At most 24 neighbours before each of at most 24 improvements."""
    searcher = LocalSearch(SPACE, seed=0)
    for _ in range(10 + 24 * 24):
        trial = searcher.ask()
        searcher.tell(trial, sum(trial.architecture) / 24)
        if trial.architecture == (4,) * 6:
            return
    pytest.fail("did not reach the only peak")


def test_moves_on_the_first_improvement_and_visits_every_neighbour_before_a_restart():
    searcher = LocalSearch(SPACE, seed=1, initial=3)
    starts = []
    for i in range(3):
        trial = searcher.ask()
        starts.append(trial.architecture)
        searcher.tell(trial, [0.1, 0.3, 0.2][i])
    expected = set(SPACE.neighbors(starts[1])) - set(starts)
    seen = set()
    for _ in range(len(expected)):  # none of them is better: a local optimum
        trial = searcher.ask()
        seen.add(trial.architecture)
        searcher.tell(trial, 0.0)
    assert seen == expected
    restart = [searcher.ask() for _ in range(3)]
    for trial, accuracy in zip(restart, (0.05, 0.01, 0.02), strict=True):
        searcher.tell(trial, accuracy)
    # The climb starts from the best of the new three, though the old optimum was better.
    better = searcher.ask()
    assert better.architecture in SPACE.neighbors(restart[0].architecture)
    searcher.tell(better, 0.06)
    assert searcher.ask().architecture in SPACE.neighbors(better.architecture)


def test_an_equal_neighbour_is_no_improvement_and_the_first_of_equals_is_climbed_from():
    """As in naszilla, which sorts the start by loss (stable) and moves where the loss is smaller."""
    searcher = LocalSearch(SPACE, seed=4, initial=3)
    starts = [searcher.ask() for _ in range(3)]
    for trial, accuracy in zip(starts, (0.2, 0.3, 0.3), strict=True):
        searcher.tell(trial, accuracy)
    for _ in range(24 - sum(trial.architecture in SPACE.neighbors(starts[1].architecture) for trial in starts)):
        trial = searcher.ask()
        assert trial.architecture in SPACE.neighbors(starts[1].architecture)
        searcher.tell(trial, 0.3)


def test_visits_neighbours_in_random_order():
    """As naszilla does, whose get_neighborhood shuffles: each of the 24 comes first equally often."""
    first = []
    for r in range(2400):
        searcher = LocalSearch(SPACE, seed=[5, r], initial=1)
        searcher.tell(searcher.ask(), 0.5)
        first.append(SPACE.neighbors(searcher._best[1]).index(searcher.ask().architecture))
    assert stats.chisquare(np.bincount(first, minlength=24)).pvalue > 1e-3


def test_never_pays_twice():
    searcher = LocalSearch(SPACE, seed=2)
    asked = []
    for i in range(3000):
        trial = searcher.ask()
        asked.append(trial.architecture)
        searcher.tell(trial, (hash(trial.architecture) + i) % 1000 / 1000)
    assert len(set(asked)) == 3000


def start(searcher, accuracies):
    trials = [searcher.ask() for _ in accuracies]
    for trial, accuracy in zip(trials, accuracies, strict=True):
        searcher.tell(trial, accuracy)
    return [trial.architecture for trial in trials]


def test_a_climb_ends_only_when_all_its_answers_have_come():
    """With several workers: the last neighbours are out when the next start begins, and one of them is better."""
    searcher = LocalSearch(SPACE, seed=6, initial=2)
    starts = start(searcher, (0.3, 0.2))
    expected = set(SPACE.neighbors(starts[0])) - set(starts)
    neighbors = [searcher.ask() for _ in expected]
    assert {trial.architecture for trial in neighbors} == expected
    for trial in neighbors[:-2]:
        searcher.tell(trial, 0.1)
    early = searcher.ask()  # of the next start: two neighbours are still out
    assert early.architecture not in SPACE.neighbors(starts[0])
    searcher.tell(early, 0.9)  # though better than all, it does not move this climb
    searcher.tell(neighbors[-2], 0.4)
    moved = searcher.ask()
    assert moved.architecture in SPACE.neighbors(neighbors[-2].architecture)


def test_a_late_answer_of_an_old_climb_is_none_of_the_new_one():
    searcher = LocalSearch(SPACE, seed=7, initial=2)
    starts = start(searcher, (0.5, 0.2))
    for _ in set(SPACE.neighbors(starts[0])) - set(starts):
        searcher.tell(searcher.ask(), 0.4)
    # The local optimum of 0.5 is left. Of the new start 0.1 is the best, and climbed from though 0.4 was told before.
    again = start(searcher, (0.05, 0.1))
    assert searcher.ask().architecture in SPACE.neighbors(again[1])


def test_what_was_drawn_early_is_part_of_the_next_start():
    searcher = LocalSearch(SPACE, seed=8, initial=3)
    starts = start(searcher, (0.5, 0.2, 0.2))
    neighbors = [searcher.ask() for _ in set(SPACE.neighbors(starts[0])) - set(starts)]
    early = [searcher.ask() for _ in range(2)]  # told after the climb has ended, and before
    searcher.tell(early[0], 0.3)
    for trial in neighbors:
        searcher.tell(trial, 0.1)
    third = searcher.ask()
    searcher.tell(third, 0.05)
    assert searcher.ask().architecture in SPACE.neighbors(early[0].architecture)
    searcher.tell(early[1], 0.4)  # a late answer of this start: better, so the climb moves there
    assert searcher.ask().architecture in SPACE.neighbors(early[1].architecture)


@pytest.mark.parametrize("workers", [1, 4, 40])
def test_every_climb_ends_at_a_local_optimum(workers):
    """Whatever the number of workers and the order of answers: where it restarts no neighbour was better."""
    rng = np.random.default_rng(workers)
    values = {}
    searcher = LocalSearch(SPACE, seed=9, initial=3)
    out, tops = [], []
    restart = searcher._start_again
    searcher._start_again = lambda: (tops.append(searcher._best), restart())
    for _ in range(1500):
        while len(out) < workers:
            out.append(searcher.ask())
        trial = out.pop(int(rng.random() * len(out)))
        values[trial.architecture] = (
            sum(c * w for c, w in zip(trial.architecture, (3, 1, 4, 1, 5, 9), strict=True)) % 17
        )
        searcher.tell(trial, values[trial.architecture])
    assert len(tops) > 5
    for value, top in tops:
        assert value == values[top] == max(values.get(one, 0) for one in (top, *SPACE.neighbors(top)))


def test_whole_neighbourhoods_of_naslib():
    """optimizers/discrete/ls: all neighbours, then to the best of them; later starts have one architecture."""
    searcher = LocalSearch(SPACE, seed=10, **LocalSearch.presets["naslib"])
    starts = start(searcher, [0.3, *[0.2] * 9])
    first = set(SPACE.neighbors(starts[0])) - set(starts)
    told = {}
    for i in range(len(first)):
        trial = searcher.ask()
        told[trial.architecture] = 0.4 + 0.01 * (i % 7)
        searcher.tell(trial, told[trial.architecture])
    assert set(told) == first
    best = max(told, key=lambda one: told[one])  # of equals the first
    second = set(SPACE.neighbors(best)) - set(starts) - first - {starts[0]}
    for _ in second:
        trial = searcher.ask()
        assert trial.architecture in second
        searcher.tell(trial, told[best])  # as good is no improvement
    again = searcher.ask()
    assert again.architecture not in SPACE.neighbors(best)
    searcher.tell(again, 0.01)
    assert searcher.ask().architecture in SPACE.neighbors(again.architecture)


def test_the_preset_of_naszilla_is_the_default():
    searcher = LocalSearch(SPACE, seed=0)
    assert {name: getattr(searcher, name) for name in LocalSearch.presets["naszilla"]} == LocalSearch.presets[
        "naszilla"
    ]


@pytest.mark.parametrize("arguments", [{"initial": 0}, {"restart": 0}])
def test_refuses_settings_that_make_no_sense(arguments):
    with pytest.raises(ValueError, match="initial must be at least 1, and restart so or None"):
        LocalSearch(SPACE, seed=0, **arguments)
