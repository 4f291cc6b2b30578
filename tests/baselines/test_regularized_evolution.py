"""Aging evolution, after algorithm 1 of Real et al. 2019."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from baselines.regularized_evolution import RegularizedEvolution
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import EDGES, NB201

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


def test_without_replacement_a_tournament_has_different_members_and_the_youngest_of_equals_wins():
    """NASBench.ipynb: random.sample, sorted by place and then by accuracy, of which the last is taken."""
    searcher = RegularizedEvolution(SPACE, seed=3, population_size=4, sample_size=4, replacement=False)
    members = [(i,) * 6 for i in range(4)]
    searcher._asked = 4
    searcher._population.extend(zip((0.5, 0.9, 0.9, 0.1), members, strict=True))
    assert all(differing(searcher.ask().architecture, members[2]) == 1 for _ in range(50))


def test_each_set_of_members_is_as_likely_without_replacement():
    searcher = RegularizedEvolution(SPACE, seed=3, population_size=4, sample_size=2, replacement=False)
    members = [(i,) * 6 for i in range(4)]
    searcher._asked = 4
    searcher._population.extend(zip((0.1, 0.2, 0.3, 0.4), members, strict=True))
    counts = [0] * 4
    for _ in range(3000):
        child = searcher.ask().architecture
        counts[[differing(child, member) for member in members].index(1)] += 1
    # Of six pairs none, one, two and three have this member as the better one.
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], [500, 1000, 1500]).pvalue > 1e-3


def test_starts_with_fewer_and_grows_as_naszilla_does():
    searcher = RegularizedEvolution(SPACE, seed=5, **RegularizedEvolution.presets["naszilla"])
    sizes = []
    for i in range(60):
        children = searcher._asked >= 10
        assert children == (i >= 10)
        searcher.tell(searcher.ask(), i % 7 / 7)
        sizes.append(len(searcher._population))
    # naszilla's loop: append, then remove the oldest where there are 30 or more.
    population, expected = [], []
    for i in range(60):
        population.append(i)
        if i >= 10 and len(population) >= 30:
            population.pop(0)
        expected.append(len(population))
    assert sizes == expected


def children(space, mutation, parent, n=6000):
    searcher = RegularizedEvolution(space, seed=6, population_size=1, sample_size=1, mutation=mutation)
    searcher.tell(searcher.ask(), 0.5)
    searcher._population[0] = (0.5, parent)
    return np.array([searcher.ask().architecture for _ in range(n)])


def test_the_mutation_of_nats_bench_draws_a_node_first():
    """regularized_ea.py: a node, one of its incoming edges, another operation: edges have 1/3, 1/6, 1/6, 1/9 three
    times."""
    parent = (0, 1, 2, 3, 4, 0)
    changed = children(SPACE, "nats", parent) != parent
    assert (changed.sum(axis=1) == 1).all()
    incoming = [sum(target == node for _, target in EDGES) for _, node in EDGES]
    expected = np.array([6000 / 3 / count for count in incoming])
    assert stats.chisquare(changed.sum(axis=0), expected).pvalue > 1e-3
    operations = children(SPACE, "nats", (2,) * 6)
    assert stats.chisquare(np.bincount(operations[operations != 2])[[0, 1, 3, 4]]).pvalue > 1e-3


def test_the_mutation_of_nats_bench_in_the_size_space_may_draw_the_old_width():
    found = children(NatsSSS(), "nats", (3,) * 5, n=8000)
    assert stats.binomtest((found == 3).all(axis=1).sum(), 8000, 1 / 8).pvalue > 1e-3
    assert stats.chisquare(np.bincount(np.argmax(found != 3, axis=1)[(found != 3).any(axis=1)])).pvalue > 1e-3


def test_the_mutation_of_naszilla_changes_each_operation_by_itself():
    """cell_201.py: rate / (6 - 2) = 1/4 each, so that no change has (3/4)**6."""
    found = (children(SPACE, "naszilla", (0, 1, 2, 3, 4, 0)) != (0, 1, 2, 3, 4, 0)).sum(axis=1)
    expected = stats.binom(6, 1 / 4).pmf(range(7)) * 6000
    assert (
        stats.chisquare(
            [*np.bincount(found, minlength=7)[:5], (found > 4).sum()], [*expected[:5], expected[5:].sum()]
        ).pvalue
        > 1e-3
    )


def test_the_mutation_of_naszilla_in_nb101_flips_each_edge_once_in_21():
    """mutations.py: 1/21 and 1/5, until valid; from a cell that few changes make invalid."""
    space = NB101()
    parent = space.parse("0>1,1>2,2>6 conv3x3,conv3x3,conv3x3,conv3x3,conv3x3")
    found = children(space, "naszilla", parent, n=4000)
    assert all(space.is_valid(tuple(child)) for child in found.tolist())
    changed = found != np.array(parent)
    # An operation never makes a cell invalid.
    assert stats.binomtest(int(changed[:, 21:].sum()), 5 * 4000, 1 / 5).pvalue > 1e-3
    assert stats.binomtest(int(changed[:, EDGE_4_5].sum()), 4000, 1 / 21).pvalue > 1e-3


EDGE_4_5 = 14  # 0>1 is edge 0, 4>5 the last of the fifteen before those into vertex 6; it leads nowhere here


@pytest.mark.parametrize(("space", "mutation"), [(NatsSSS(), "naszilla"), (NB101(), "nats")])
def test_spaces_that_a_source_does_not_know_have_their_own_mutation(space, mutation):
    parent = space.sample(np.random.default_rng(0))
    assert (children(space, mutation, parent, n=50) == children(space, "space", parent, n=50)).all()


@pytest.mark.parametrize("sizes", [(0, 3), (10, 0)])
def test_refuses_settings_that_make_no_sense(sizes):
    with pytest.raises(ValueError, match="must be at least 1"):
        RegularizedEvolution(SPACE, seed=0, population_size=sizes[0], sample_size=sizes[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"initial": 0}, "initial must be at least 1, or None"),
        ({"mutation": "swap"}, "mutation must be one of space, nats, naszilla"),
    ],
)
def test_refuses_other_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        RegularizedEvolution(SPACE, seed=0, **arguments)
