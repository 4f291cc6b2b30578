"""The genetic algorithm: the laws of its steps, and a second implementation of all of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import count, islice
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

from baselines.genetic_algorithm import GeneticAlgorithm
from nasbench import Architecture, Budget, Trial, load, run
from nasbench.search import Rules
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201

SPACE = NB201()
MANY = 4000


def expected(counts: dict[object, int], law: dict[object, float]) -> None:
    """Counts agree with a law of probabilities."""
    assert set(counts) <= set(law)
    total = sum(counts.values())
    observed = [counts.get(key, 0) for key in law]
    assert stats.chisquare(observed, [total * p for p in law.values()]).pvalue > 1e-3


def test_mutation_changes_each_decision_with_probability_one_sixth():
    """So that (5/6)^6 = .335 of the children stay as they are; another value is drawn uniformly."""
    searcher = GeneticAlgorithm(SPACE, seed=3)
    before = (1, 2, 3, 4, 0, 1)
    children = [child for _ in range(MANY // 10) for child in searcher._mutated([before] * 10)]
    changes = [[(i, new) for i, new in enumerate(child) if new != before[i]] for child in children]
    law = {k: comb(6, k) * 5 ** (6 - k) / 6**6 for k in range(7)}
    assert law[0] == pytest.approx(0.335, abs=1e-3)
    few = Counter(min(len(change), 3) for change in changes)
    expected(few, {k: law[k] for k in range(3)} | {3: sum(law[k] for k in range(3, 7))})
    which = Counter(pair for change in changes for pair in change)
    expected(which, {(i, new): 1 / 24 for i in range(6) for new in range(5) if new != before[i]})


def test_crossover_exchanges_a_stretch_between_two_different_inner_cuts():
    """Cuts after decision 1, 2, 3 or 4, as of range(1, length - 1) in the script: six stretches, equally likely."""
    searcher = GeneticAlgorithm(SPACE, seed=2)
    zeros, fours = (0,) * 6, (4,) * 6
    drawn: Counter[object] = Counter()
    for _ in range(MANY):
        first, second = searcher._exchange(zeros, fours)
        assert all({a, b} == {0, 4} for a, b in zip(first, second, strict=True)), "what one has the other lacks"
        drawn[first] += 1
    stretches = [(a, b) for a in range(1, 5) for b in range(a + 1, 5)]
    expected(drawn, {zeros[:a] + fours[a:b] + zeros[b:]: 1 / 6 for a, b in stretches})


def test_a_tenth_of_the_pairs_is_copied():
    searcher = GeneticAlgorithm(SPACE, seed=4)
    searcher._population = [(0.5, (i % 5,) * 6) for i in range(10)]
    numbers = count(5)  # children that are never the same, in place of crossed ones
    searcher._exchange = lambda first, second: ((next(numbers),), (next(numbers),))  # type: ignore[method-assign]
    crossed = [sum(len(child) == 1 for child in searcher._crossed()) // 2 for _ in range(MANY // 5)]
    assert abs(sum(crossed) / MANY - 0.9) < 4 * np.sqrt(0.09 / MANY)


def test_survival_is_won_in_pairs():
    """Of 20 with different accuracies number k from the top meets one of the 20 - k worse with chance (20 - k) / 19."""
    searcher = GeneticAlgorithm(SPACE, seed=5)
    pool = [(accuracy / 20, (0,) * 6) for accuracy in range(20)]
    survived: Counter[float] = Counter()
    for _ in range(MANY):
        winners = searcher._winners(pool)
        assert len(winners) == 10
        survived.update(accuracy for accuracy, _ in winners)
    assert survived[19 / 20] == MANY
    assert survived[0.0] == 0
    for accuracy in range(1, 19):
        law = float(Fraction(accuracy, 19))
        assert abs(survived[accuracy / 20] / MANY - law) < 4 * np.sqrt(law * (1 - law) / MANY)


def test_chance_decides_between_equals():
    """Neither age nor the order of the pool: 89 to 98 % of the runs of a table share their accuracy with another."""
    searcher = GeneticAlgorithm(SPACE, seed=6)
    pool = [(0.5, (i,)) for i in range(4)]
    expected(
        Counter(winner for _ in range(MANY // 2) for _, winner in searcher._winners(pool)),
        {(i,): 0.25 for i in range(4)},
    )


def test_no_child_is_a_member_of_the_population_and_no_founder_a_twin():
    searcher = GeneticAlgorithm(SPACE, seed=1, population_size=8)
    for generation in range(40):
        asked = [searcher.ask().architecture for _ in range(8)]
        if generation == 0:
            assert len(set(asked)) == 8
        assert not {*asked} & {member for _, member in searcher._population}
        for architecture in asked:
            searcher.tell(Trial(architecture), architecture.count(3) / 6)


def test_the_next_population_comes_from_parents_and_children_and_keeps_the_best():
    searcher = GeneticAlgorithm(SPACE, seed=0, population_size=6)
    rng = np.random.default_rng(0)
    population: list[tuple[float, Architecture]] = []
    for _ in range(30):
        children = []
        for _ in range(6):
            trial = searcher.ask()
            children.append((float(rng.random()), trial.architecture))
            searcher.tell(trial, children[-1][0])
        pool, population = population + children, searcher._population
        assert len(population) == 6
        assert set(population) <= set(pool)
        assert max(population) == max(pool)


def test_more_may_be_asked_than_told():
    """As parallel workers do: children of the same parents, and then those of the next population."""
    searcher = GeneticAlgorithm(SPACE, seed=7, population_size=4)
    out = [searcher.ask() for _ in range(9)]
    for trial in out[:4]:
        searcher.tell(trial, trial.architecture.count(3) / 6)
    assert sorted(member for _, member in searcher._population) == sorted(t.architecture for t in out[:4])
    out += [searcher.ask() for _ in range(7)]
    for trial in out[4:]:
        searcher.tell(trial, trial.architecture.count(3) / 6)
    assert len(searcher._population) == 4
    assert not searcher._children


class Tiny(NB201):
    """Three decisions that are none, and three of two choices: eight architectures, fewer than a population."""

    choices = (1, 1, 1, 2, 2, 2)


class Short(NB201):
    """Three decisions: no two cuts."""

    choices = (5, 5, 5)


@pytest.mark.parametrize("space", [Tiny(), Short(), NB101()], ids=["tiny", "short", "nb101"])
@pytest.mark.parametrize(
    "arguments", [{}, {"crossover_probability": 1.0, "mutation_rate": 0.0}], ids=["", "no mutation"]
)
def test_goes_on_in_spaces_that_are_tiny_short_or_constrained(space, arguments):
    searcher = GeneticAlgorithm(space, seed=8, **arguments)
    for _ in range(60):
        trial = searcher.ask()
        assert space.is_valid(trial.architecture)
        searcher.tell(trial, sum(trial.architecture) / 100)


def again(accuracies: dict[Architecture, float], seed: int, budget: int) -> list[Architecture]:
    """The same algorithm once more, a generation at a time: what is evaluated, in this order."""
    draw = random.Random(seed)
    evaluated: list[Architecture] = []

    def pairs(of: list[Any]) -> list[tuple[Any, Any]]:
        order = draw.sample(of, len(of))
        return [(order[i], order[i + 1]) for i in range(0, len(order), 2)]

    def tournament(of: list[Architecture]) -> list[Architecture]:
        return [max(pair, key=lambda cell: accuracies[cell]) for pair in pairs(of)]

    def crossed(parents: list[Architecture]) -> Iterator[Architecture]:
        before: set[Architecture] = set()
        for done in count():
            for one, other in pairs(parents):
                a, b = sorted(draw.sample(range(1, 5), 2))
                keep = draw.random() >= 0.9
                for x, y in ((one, other), (other, one)):
                    child = x if keep else (*x[:a], *y[a:b], *x[b:])
                    if keep or child not in before or done > 50:
                        before.add(child)
                        yield child

    def mutated(children: list[Architecture], population: list[Architecture]) -> Iterator[Architecture]:
        for done in count():
            for child in children:
                genes = list(child)
                for i in range(6):
                    if draw.randrange(6) == 0:
                        genes[i] = draw.choice([value for value in range(5) if value != genes[i]])
                if tuple(genes) not in population or done > 50:
                    yield tuple(genes)

    population = draw.sample(list(accuracies), 10)
    evaluated += population
    while len(evaluated) < budget:
        parents = tournament(population) + tournament(population)
        children = list(islice(mutated(list(islice(crossed(parents), 10)), population), 10))
        evaluated += children
        population = tournament(population + children)
    return evaluated


def test_searches_as_a_second_implementation_does():
    """200 searches of 300 evaluations without noise: regret at four budgets, and how many architectures are new."""
    table, searches, at = load("nasbench201"), 200, np.array([30, 60, 100, 300]) - 1
    cells = [tuple(row) for row in table.space.architectures.tolist()]
    accuracies = {cell: table.query(cell).validation_accuracy for cell in cells}
    ours, theirs = np.empty((2, searches, 5))
    for r in range(searches):
        searcher = GeneticAlgorithm(table.space, seed=[11, r])
        history = run(searcher, table, Budget(300), seed=r, rules=Rules(observe="mean"))
        for row, found in ((ours, [*map(tuple, history.architectures.tolist())]), (theirs, again(accuracies, r, 300))):
            best = np.maximum.accumulate([accuracies[cell] for cell in found])
            row[r] = *best[at], len(set(found))
    # The number of new ones tells variants apart: 249 here, 255 without crossover, 209 with one change in every child.
    assert all(stats.mannwhitneyu(a, b).pvalue > 0.01 for a, b in zip(ours.T, theirs.T, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"population_size": 1}, "population_size must be even and at least 2, got 1"),
        ({"population_size": 9}, "population_size must be even and at least 2, got 9"),
        ({"crossover_probability": 1.1}, r"crossover_probability must lie in \[0, 1\], got 1.1"),
        ({"mutation_rate": -0.1}, r"mutation_rate must lie in \[0, 6\], the decisions of nb201, got -0.1"),
        ({"mutation_rate": 6.1}, r"mutation_rate must lie in \[0, 6\]"),
    ],
)
def test_refuses_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        GeneticAlgorithm(SPACE, seed=0, **arguments)
