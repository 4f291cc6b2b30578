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


def test_refuses_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="initial must be at least 1"):
        LocalSearch(SPACE, seed=0, initial=0)
