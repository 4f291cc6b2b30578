"""NSGA-II: the laws of its steps, and pymoo's on the same table."""

from __future__ import annotations

from collections import Counter
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

from baselines.nsga2 import NSGA2
from baselines.parts.ranking import Member
from nasbench import Architecture, Budget, Trial, load, run
from nasbench.analysis.pareto import hypervolume
from nasbench.metrics import METRICS
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.types import Constraint

SPACE = NB201()
OBJECTIVES = METRICS["validation_accuracy"], METRICS["latency"]
REASON = "pymoo, whose authors are those of NSGA-II, is not installed: pip install pymoo"
MANY = 4000


def made(seed: int = 0, **arguments: Any) -> NSGA2:
    return NSGA2(**{"space": SPACE, "seed": seed, "objectives": OBJECTIVES, **arguments})


def tell(searcher: NSGA2, trial: Trial, accuracy: float, latency: float) -> None:
    searcher.tell(trial, {"validation_accuracy": accuracy, "latency": latency})


def with_population(n: int, **arguments: Any) -> NSGA2:
    """Return a searcher whose members are 0 to n - 1 by rank."""
    searcher = made(population_size=n, **arguments)
    searcher._population = [Member(i, 0.0, (0.0, 0.0), tuple(SPACE.decode([i])[0].tolist())) for i in range(n)]
    return searcher


def expected(counts: Counter[Any], law: dict[Any, float]) -> None:
    """Counts agree with a law of probabilities."""
    assert set(counts) <= set(law)
    observed = [counts[key] for key in law]
    assert stats.chisquare(observed, [sum(observed) * p for p in law.values()]).pvalue > 1e-3


def test_two_point_crossover_exchanges_a_stretch_between_two_different_cuts():
    """Cuts lie after decision 1, 2, 3, 4 or 5: ten stretches, equally likely, as permutations in pymoo's code."""
    searcher = made(crossover_probability=1.0)
    zeros, fours = (0,) * 6, (4,) * 6
    drawn: Counter[Any] = Counter()
    for _ in range(MANY):
        first, second = searcher._crossed(zeros, fours)
        assert all({a, b} == {0, 4} for a, b in zip(first, second, strict=True)), "what one has the other lacks"
        drawn[first] += 1
    stretches = [(a, b) for a in range(1, 6) for b in range(a + 1, 6)]
    expected(drawn, {zeros[:a] + fours[a:b] + zeros[b:]: 1 / 10 for a, b in stretches})


def test_uniform_crossover_exchanges_each_decision_with_probability_one_half():
    searcher = made(crossover="uniform", crossover_probability=1.0)
    drawn: Counter[Any] = Counter()
    for _ in range(MANY):
        first, second = searcher._crossed((0,) * 6, (4,) * 6)
        assert all({a, b} == {0, 4} for a, b in zip(first, second, strict=True))
        drawn[first] += 1
    expected(drawn, {tuple(row): 1 / 64 for row in (4 * (np.arange(64)[:, None] >> np.arange(6) & 1)).tolist()})


def test_a_tenth_of_the_pairs_is_copied():
    searcher = made(crossover="uniform")
    copied = sum(searcher._crossed((0,) * 6, (4,) * 6) == ((0,) * 6, (4,) * 6) for _ in range(MANY))
    law = 0.1 + 0.9 / 64
    assert abs(copied / MANY - law) < 4 * np.sqrt(law * (1 - law) / MANY)


def test_each_takes_part_in_two_tournaments_for_as_many_children_and_the_better_rank_wins():
    """Of 10 number k from the top meets one of the 9 - k worse with chance (9 - k) / 9; the best always wins both."""
    searcher = with_population(10)
    won = Counter(searcher._winner() for _ in range(10 * MANY))
    ranks = {member.architecture: k for k, member in enumerate(searcher._population)}
    wins = {ranks[member]: count / (2 * MANY) for member, count in won.items()}
    assert wins[0] == 1
    assert 9 not in wins
    for k in range(1, 9):
        law = (9 - k) / 9
        assert abs(wins[k] - law) < 4 * np.sqrt(law * (1 - law) / (2 * MANY))


def test_no_child_is_a_member_a_sibling_or_out():
    searcher = made(population_size=20)
    for generation in range(15):
        asked = [searcher.ask() for _ in range(20)]
        extra = searcher.ask()  # somebody who would be idle
        members = [member.architecture for member in searcher._population]
        found = [trial.architecture for trial in [*asked, extra]]
        assert len({*found, *members}) == len(found) + len(members), generation
        for trial in asked[::-1]:
            tell(searcher, trial, trial.architecture.count(3) / 6, sum(trial.architecture))
        searcher._out.clear()  # the extra one never comes back


def test_a_mutation_changes_one_of_six_decisions_to_another_value():
    """So that (5/6)^6 = .335 of the copies stay as they are, which is allowed where duplicates are not eliminated."""
    searcher = made(population_size=2, crossover_probability=0.0, eliminate_duplicates=False)
    searcher._population = [Member(i, 0.0, (0.0, 0.0), (1, 2, 3, 4, 0, 1)) for i in range(2)]
    changes = [
        [(i, new) for i, (new, old) in enumerate(zip(child, (1, 2, 3, 4, 0, 1), strict=True)) if new != old]
        for child in searcher._bred(MANY)
    ]
    few = Counter(min(len(change), 3) for change in changes)
    law = [comb(6, k) * 5 ** (6 - k) / 6**6 for k in range(7)]
    expected(few, dict(enumerate([*law[:3], sum(law[3:])])))
    expected(
        Counter(pair for change in changes for pair in change),
        {(i, new): 1 / 24 for i, old in enumerate((1, 2, 3, 4, 0, 1)) for new in range(5) if new != old},
    )


def test_survivors_are_those_of_pymoo():
    """With constraints and without, generation by generation; of equal ones it takes any, as the ends of a front are.

    So that ranks and distances are compared, which it writes on all that it looked at.
    """
    pytest.importorskip("pymoo", reason=REASON)
    from pymoo.core.population import Population
    from pymoo.core.problem import Problem
    from pymoo.operators.survival.rank_and_crowding import RankAndCrowding

    rng = np.random.default_rng(5)
    constraint = Constraint("parameters", most=1.0)
    for bounds in ((), (constraint,)):
        searcher = made(population_size=12, constraints=bounds)
        problem = Problem(n_var=1, n_obj=2, n_ieq_constr=len(bounds), xl=0.0, xu=1.0)
        pool: dict[Architecture, list[float]] = {}
        for _ in range(12):
            for _ in range(12):
                trial = searcher.ask()
                accuracy, latency, parameters = (float(value) for value in rng.random(3) * (1, 1, 4))
                pool[trial.architecture] = [-accuracy, latency, parameters]
                values = {"validation_accuracy": accuracy, "latency": latency, "parameters": parameters}
                searcher.tell(trial, values)
            cells, told = list(pool), np.array(list(pool.values()))
            everyone = Population.new("X", np.arange(len(cells))[:, None], "F", told[:, :2])
            everyone.set("G", told[:, 2:] - 1 if bounds else np.empty((len(cells), 0)))
            theirs = RankAndCrowding().do(problem, everyone, n_survive=12, random_state=rng)
            places = {member.architecture: cells.index(member.architecture) for member in searcher._population}
            ours = everyone[list(places.values())]
            quality = [
                sorted(zip(*map(np.ravel, one.get("CV", "rank", "crowding")), strict=True)) for one in (ours, theirs)
            ]
            assert quality[0] == quality[1]
            pool = {cell: pool[cell] for cell in places}


def test_of_one_objective_the_best_survive():
    """Elitism: the population is always the best of all that was told, of equal ones the older."""
    searcher = made(population_size=10, objectives=[METRICS["validation_accuracy"]])
    told: list[tuple[float, int, Architecture]] = []
    for _ in range(20):
        for _ in range(10):
            trial = searcher.ask()
            told.append((-trial.architecture.count(3) / 6, len(told), trial.architecture))
            searcher.tell(trial, {"validation_accuracy": trial.architecture.count(3) / 6})
        assert [member.architecture for member in searcher._population] == [cell for *_, cell in sorted(told)[:10]]


def test_nobody_waits_and_what_is_told_late_counts_in_the_next_generation():
    searcher = made(population_size=4, seed=7)
    out = [searcher.ask() for _ in range(6)]  # four founders, and two more for idle workers
    assert len({trial.architecture for trial in out}) == 6
    for trial in out[5:1:-1]:
        tell(searcher, trial, 0.5, 1.0)
    assert {member.architecture for member in searcher._population} == {trial.architecture for trial in out[2:]}
    children = [searcher.ask() for _ in range(2)]  # two are out still: two children make a generation of four
    for trial in [*children, *out[:2]]:
        assert len(searcher._children) < 4
        tell(searcher, trial, 0.9, 0.1)
    assert not searcher._children
    assert {member.losses for member in searcher._population} == {(-0.9, 0.1)}


def test_a_history_on_several_workers():
    table = load("nasbench201")
    one, several = (run(made(population_size=20), table, Budget(400), seed=1, workers=workers) for workers in (1, 4))
    assert several == run(made(population_size=20), table, Budget(400), seed=1, workers=4)
    assert (several.architectures[:16] == one.architectures[:16]).all(axis=1).sum() < 16, "in order of their ends"
    assert {*map(tuple, several.architectures[:17].tolist())} <= {*map(tuple, one.architectures[:20].tolist())}
    assert several.values.shape == (400, 2)


class Tiny(NB201):
    """Three decisions that are none, and three of two choices: eight architectures, fewer than a population."""

    choices = (1, 1, 1, 2, 2, 2)


class Short(NB201):
    """One decision: no cuts."""

    choices = (5,)


@pytest.mark.parametrize("space", [Tiny(), Short(), NB101()], ids=["tiny", "short", "nb101"])
@pytest.mark.parametrize("arguments", [{}, {"crossover": "uniform", "mutation_rate": 0.0}], ids=["", "no mutation"])
@pytest.mark.parametrize("objectives", [OBJECTIVES, [*OBJECTIVES, METRICS["flops"]]], ids=["two", "three"])
def test_goes_on_in_spaces_that_are_tiny_short_or_constrained(space, arguments, objectives):
    searcher = NSGA2(space, seed=8, objectives=objectives, population_size=11, **arguments)
    for i in range(60):
        trial = searcher.ask()
        assert space.is_valid(trial.architecture)
        searcher.tell(trial, {"validation_accuracy": i % 7 / 7, "latency": sum(trial.architecture), "flops": i % 5})


def test_presets_are_accepted():
    settings = {name: made(**preset) for name, preset in NSGA2.presets.items()}
    populations = {name: searcher.population_size for name, searcher in settings.items()}
    assert populations == {"evoxbench": 100, "nsga_net": 40, "optuna": 50, "pymoo": 100}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": ()}, r"objectives must name at least one metric, got \(\)"),
        ({"population_size": 1}, "population_size must be at least 2, got 1"),
        ({"crossover": "sbx"}, "crossover must be 'two_point' or 'uniform', got 'sbx'"),
        ({"crossover_probability": 1.1}, r"crossover_probability must lie in \[0, 1\], got 1.1"),
        ({"mutation_rate": 6.1}, r"mutation_rate must lie in \[0, 6\], the decisions of nb201, got 6.1"),
    ],
)
def test_refuses_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        made(**arguments)


def test_searches_as_pymoo_does():
    """60 searches of 15 generations of 20 without noise: hypervolumes at four budgets, and how many cells are new."""
    pytest.importorskip("pymoo", reason=REASON)
    from pymoo.algorithms.moo import nsga2
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem
    from pymoo.core.sampling import Sampling
    from pymoo.operators.crossover.pntx import TwoPointCrossover
    from pymoo.optimize import minimize

    table, searches, at = load("nasbench201"), 60, (20, 60, 150, 300)
    cells = [tuple(row) for row in SPACE.decode(np.arange(SPACE.size)).tolist()]
    losses = np.array([(-table.query(cell).validation_accuracy, table.query(cell).latency) for cell in cells])
    scaled = (losses - losses.min(axis=0)) / np.ptp(losses, axis=0)

    class Random(Sampling):  # type: ignore[misc]
        def _do(self, problem, n, *args, random_state, **others):
            return random_state.integers(0, 5, (n, 6))

    class AnotherValue(Mutation):  # type: ignore[misc]
        def _do(self, problem, x, *args, random_state, **others):
            return np.where(random_state.random(x.shape) < 1 / 6, (x + random_state.integers(1, 5, x.shape)) % 5, x)

    class Cells(Problem):  # type: ignore[misc]
        def __init__(self):
            super().__init__(n_var=6, n_obj=2, xl=0, xu=4, vtype=int)
            self.asked: list[int] = []

        def _evaluate(self, x, out, *args, **others):
            codes = SPACE.codes(x.astype(np.uint8)).tolist()
            self.asked += codes
            out["F"] = losses[codes]

    def theirs(seed: int) -> list[int]:
        problem = Cells()
        algorithm = nsga2.NSGA2(20, Random(), crossover=TwoPointCrossover(prob=0.9), mutation=AnotherValue())
        algorithm.tournament_type = "comp_by_rank_and_crowding"  # as in the paper; it compares by dominance
        minimize(problem, algorithm, ("n_gen", 15), seed=seed)
        return problem.asked

    def ours(seed: int) -> list[int]:
        searcher, asked = made(seed, population_size=20), []
        for _ in range(300):
            trial = searcher.ask()
            asked.append(int(SPACE.codes([trial.architecture])[0]))
            tell(searcher, trial, -losses[asked[-1], 0], losses[asked[-1], 1])
        return asked

    def figures(asked: list[int]) -> list[float]:
        return [hypervolume(scaled[asked[:n]], np.full(2, 1.1)) for n in at] + [len(set(asked))]

    a, b = (np.array([figures(one(seed)) for seed in range(searches)]) for one in (ours, theirs))
    assert all(stats.mannwhitneyu(x, y).pvalue > 0.01 for x, y in zip(a.T, b.T, strict=True))
