"""Aging evolution, after algorithm 1 of Real et al. 2019."""

from __future__ import annotations

import pytest
from scipy import stats

from baselines.regularized_evolution import RegularizedEvolution
from nasbench.spaces.nb201 import NB201

SPACE = NB201()


def differing(a, b):
    return sum(x != y for x, y in zip(a, b, strict=True))


def test_children_are_one_mutation_of_a_living_member_and_the_oldest_dies():
    searcher = RegularizedEvolution(SPACE, seed=0, population_size=5, sample_size=2)
    told = []
    for i in range(200):
        trial = searcher.ask()
        if i >= 5:
            living = told[-5:]
            assert any(differing(trial.architecture, member) == 1 for member in living)
        told.append(trial.architecture)
        searcher.tell(trial, (i * 37 % 100) / 100)


def test_a_tournament_of_many_takes_the_best():
    searcher = RegularizedEvolution(SPACE, seed=1, population_size=4, sample_size=200)
    members = []
    for i in range(4):
        trial = searcher.ask()
        members.append(trial.architecture)
        searcher.tell(trial, [0.2, 0.9, 0.1, 0.3][i])
    # Two hundred draws with replacement from four miss the best with probability (3/4)**200.
    children = [searcher.ask().architecture for _ in range(50)]
    assert all(differing(child, members[1]) == 1 for child in children)


def test_even_the_best_dies_of_age():
    searcher = RegularizedEvolution(SPACE, seed=2, population_size=3, sample_size=50)
    best = None
    for i in range(60):
        trial = searcher.ask()
        if i == 0:
            best = trial.architecture
        if i > 4:
            assert (1.0, best) not in list(searcher._population)
        searcher.tell(trial, 1.0 if i == 0 else 0.5)


def test_chance_decides_between_equally_good_parents():
    """Not age, nor the place in the population."""
    searcher = RegularizedEvolution(SPACE, seed=3, population_size=4, sample_size=3)
    members = [(i,) * 6 for i in range(4)]
    searcher._asked = 4
    searcher._population.extend((0.5, member) for member in members)
    counts = [0] * 4
    for _ in range(2000):
        child = searcher.ask().architecture
        counts[[differing(child, member) for member in members].index(1)] += 1
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("sizes", [(0, 3), (10, 0)])
def test_refuses_settings_that_make_no_sense(sizes):
    with pytest.raises(ValueError, match="must be at least 1"):
        RegularizedEvolution(SPACE, seed=0, population_size=sizes[0], sample_size=sizes[1])
