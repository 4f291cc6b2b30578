"""Evolution on MnasNet's reward: the reward by hand computation, and aging evolution told the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from baselines.random_search import RandomSearch
from baselines.regularized_evolution import RegularizedEvolution
from baselines.scalarised_evolution import ScalarisedEvolution
from nasbench import Budget, Trial, load, run
from nasbench.metrics import METRICS
from nasbench.search import Rules
from nasbench.spaces.nb201 import NB201
from nasbench.types import Constraint

SPACE = NB201()
OBJECTIVES = METRICS["validation_accuracy"], METRICS["latency"]
HARD = ScalarisedEvolution.presets["hard"]


def made(**arguments: Any) -> ScalarisedEvolution:
    return ScalarisedEvolution(**{"space": SPACE, "seed": 0, "objectives": OBJECTIVES, **arguments})


def reward(searcher: ScalarisedEvolution, accuracy: float, latency: float, **others: float) -> float:
    return searcher.reward({"validation_accuracy": accuracy, "latency": latency, **others})


def test_the_soft_reward_by_hand():
    """Twice the latency is worth 5 % of accuracy: 2^0.07 = 1.0497; half of it brings as much."""
    searcher = made(target=0.08)
    assert reward(searcher, 0.75, 0.08) == 0.75
    assert reward(searcher, 0.75, 0.16) == pytest.approx(0.75 / 1.0497, rel=1e-4)
    assert reward(searcher, 0.75, 0.04) == pytest.approx(0.75 * 1.0497, rel=1e-4)
    assert ScalarisedEvolution.presets["soft"] == {"alpha": searcher.alpha, "beta": searcher.beta}


def test_the_hard_reward_by_hand():
    """Nothing below the target, and above it accuracy times target over latency."""
    searcher = made(target=0.08, **HARD)
    assert reward(searcher, 0.75, 0.08) == reward(searcher, 0.75, 0.01) == reward(searcher, 0.75, 0.0) == 0.75
    assert reward(searcher, 0.75, 0.1) == pytest.approx(0.6)


def test_several_costs_multiply_and_constraints_are_targets():
    three = [*OBJECTIVES, METRICS["parameters"]]
    bounds = [Constraint("parameters", most=5e5), Constraint("flops", most=1e8)]
    searcher = made(objectives=three, constraints=bounds, target=0.08, **HARD)
    assert reward(searcher, 0.8, 0.1, parameters=1e6, flops=2e8) == pytest.approx(0.8 * 0.8 * 0.5 * 0.5)
    assert reward(searcher, 0.8, 0.1, parameters=1e5, flops=1e7) == pytest.approx(0.8 * 0.8)
    only = made(objectives=OBJECTIVES[:1], constraints=[Constraint("latency", most=0.08)])
    assert reward(only, 0.75, 0.16) == reward(made(target=0.08), 0.75, 0.16)


def test_what_costs_nothing_has_a_finite_reward():
    assert reward(made(target=0.08), 0.5, 0.0) == pytest.approx(0.5 * 10 ** (9 * 0.07))
    assert reward(made(target=0.08), 0.0, 0.0) == 0


def test_it_is_aging_evolution_that_is_told_the_reward():
    ours, plain = made(target=0.01, population_size=8), RegularizedEvolution(SPACE, seed=0, population_size=8)
    rng = np.random.default_rng(1)
    for _ in range(200):
        trial = ours.ask()
        assert trial == plain.ask()
        accuracy, latency = (float(value) for value in rng.random(2))
        ours.tell(trial, {"validation_accuracy": accuracy, "latency": latency})
        plain.tell(trial, accuracy * (latency / 0.01) ** -0.07)


def test_finds_better_than_chance_what_keeps_a_target():
    """A quarter of the table's cells have so low a latency: random search of 500 sees the best of about 125 of them."""
    table = load("nasbench201")
    target = float(np.quantile(table.column("latency"), 0.25))

    def best(searcher: Any) -> float:
        history = run(searcher, table, Budget(500), seed=0, rules=Rules(observe="mean"), objectives=OBJECTIVES)
        assert history.values is not None
        accuracies, latencies = history.values.T
        return float(accuracies[latencies <= target].max())

    evolved = [best(made(seed=seed, target=target)) for seed in range(12)]
    drawn = [best(RandomSearch(SPACE, seed=seed)) for seed in range(12)]
    assert stats.mannwhitneyu(evolved, drawn, alternative="greater").pvalue < 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": OBJECTIVES[1:]}, "validation_accuracy must be one of the objectives, got latency"),
        ({"objectives": ()}, "validation_accuracy must be one of the objectives, got none"),
        ({"objectives": OBJECTIVES[:1]}, "no cost: name another objective"),
        ({}, "no target of latency: give target, or a constraint such as latency<=NUMBER"),
        ({"objectives": [*OBJECTIVES, METRICS["train_accuracy"]]}, "less must be better, got train_accuracy"),
        ({"target": 0.0}, "targets must be positive, got {'latency': 0.0}"),
        (
            {"objectives": [*OBJECTIVES, METRICS["flops"]], "target": 1.0},
            "target is that of one cost without a constraint, got 1.0 for 2 such costs",
        ),
        (
            {"constraints": [Constraint("latency", most=1.0)], "target": 1.0},
            "target is that of one cost without a constraint, got 1.0 for 0 such costs",
        ),
        ({"constraints": [Constraint("latency", least=1.0)]}, "once METRIC<=NUMBER, got latency>=1"),
        ({"constraints": [Constraint("validation_accuracy", most=1.0)]}, "got validation_accuracy<=1"),
        ({"target": 1.0, "alpha": 0.1}, "alpha and beta must not be positive, got 0.1 and -0.07"),
        ({"target": 1.0, "sample_size": 0}, "population_size and sample_size must be at least 1, got 10 and 0"),
    ],
)
def test_refuses_what_makes_no_reward(arguments, message):
    with pytest.raises(ValueError, match=message):
        made(**arguments)


def test_two_constraints_of_one_cost_make_no_target():
    bounds = [Constraint("latency", most=1.0), Constraint("latency", most=2.0)]
    with pytest.raises(ValueError, match="once METRIC<=NUMBER"):
        made(constraints=bounds).tell(Trial((0,) * 6), {})
