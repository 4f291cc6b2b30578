"""The genetic algorithm: who survives, and that no twins live."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from baselines.genetic_algorithm import GeneticAlgorithm
from nasbench.spaces.nb201 import NB201

SPACE = NB201()


def test_the_best_of_parents_and_children_survive():
    searcher = GeneticAlgorithm(SPACE, seed=0, population_size=6)
    rng = np.random.default_rng(0)
    survivors: list[float] = []
    for _ in range(30):
        children = []
        for _ in range(6):
            trial = searcher.ask()
            children.append(float(rng.random()))
            searcher.tell(trial, children[-1])
        survivors = sorted(survivors + children, reverse=True)[:6]
        assert sorted((accuracy for accuracy, _ in searcher._parents), reverse=True) == survivors


def test_no_twins_among_parents_and_their_children():
    searcher = GeneticAlgorithm(SPACE, seed=1, population_size=8)
    for _ in range(40):
        generation = [searcher.ask() for _ in range(8)]
        alive = [architecture for _, architecture in searcher._parents] + [t.architecture for t in generation]
        assert len(set(alive)) == len(alive)
        for trial in generation:
            searcher.tell(trial, trial.architecture.count(3) / 6)


def test_children_take_from_two_parents():
    searcher = GeneticAlgorithm(SPACE, seed=2, population_size=2, crossover_probability=1, mutation_probability=0)
    parents = [(0, 0, 0, 0, 0, 0), (4, 4, 4, 4, 4, 4)]
    searcher._parents = [(0.5, parent) for parent in parents]
    children = {searcher._child() for _ in range(300)}
    assert all(set(child) <= {0, 4} for child in children)
    # One stretch of one in the other: at most two changes along the six decisions.
    assert all(sum(a != b for a, b in pairwise(child)) <= 2 for child in children)
    assert len(children) > 10


def test_mutation_alone_changes_one_decision():
    searcher = GeneticAlgorithm(SPACE, seed=3, population_size=2, crossover_probability=0, mutation_probability=1)
    searcher._parents = [(0.5, (1, 2, 3, 4, 0, 1))] * 2
    for _ in range(100):
        assert sum(a != b for a, b in zip(searcher._child(), (1, 2, 3, 4, 0, 1), strict=True)) == 1


@pytest.mark.parametrize(
    "arguments", [{"population_size": 1}, {"crossover_probability": 1.1}, {"mutation_probability": -0.1}]
)
def test_refuses_settings_that_make_no_sense(arguments):
    with pytest.raises(ValueError, match=r"population_size|probabilities"):
        GeneticAlgorithm(SPACE, seed=0, **arguments)
