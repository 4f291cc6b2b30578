"""The order of NSGA-II: against pymoo's functions, the definition by plain loops, and hand computations."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from baselines.parts.goals import Goals
from baselines.parts.ranking import Member, crowding_distances, non_dominated_fronts, ranked
from nasbench.metrics import METRICS
from nasbench.types import Constraint

REASON = "pymoo, whose authors are those of NSGA-II, is not installed: pip install pymoo"
# Few values make ties and copies, many make none.
DATA = [(n, k, steps) for n in (1, 2, 3, 40, 200) for k in (1, 2, 3, 5) for steps in (3, 12, 10**6)]


def points(n: int, k: int, steps: int) -> list[tuple[float, ...]]:
    rng = np.random.default_rng([n, k, steps])
    return [tuple(row) for row in (rng.integers(0, steps, (n, k)) / steps).tolist()]


def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


@pytest.mark.parametrize(("n", "k", "steps"), DATA)
def test_fronts_and_distances_are_those_of_pymoo(n, k, steps):
    sorting = pytest.importorskip("pymoo.util.nds.non_dominated_sorting", reason=REASON)
    metrics = pytest.importorskip("pymoo.operators.survival.rank_and_crowding.metrics", reason=REASON)
    data = points(n, k, steps)
    fronts = non_dominated_fronts(data)
    theirs = sorting.NonDominatedSorting().do(np.array(data))
    assert fronts == [sorted(front.tolist()) for front in theirs]
    crowding = metrics.get_crowding_function("cd")
    for front in fronts:
        each = np.array([data[place] for place in front])
        # The mean over the objectives there, the sum here as in the paper.
        np.testing.assert_allclose(crowding_distances([*map(tuple, each.tolist())]), crowding.do(each) * k, rtol=1e-9)


@pytest.mark.parametrize(("n", "k", "steps"), DATA)
def test_a_front_is_what_only_earlier_fronts_dominate(n, k, steps):
    data = points(n, k, steps)
    fronts = non_dominated_fronts(data)
    assert sorted(place for front in fronts for place in front) == list(range(n))
    for front in fronts:
        assert not any(dominates(data[a], data[b]) for a in front for b in front)
    for better, front in pairwise(fronts):
        assert all(any(dominates(data[a], data[b]) for a in better) for b in front)


def test_distances_by_hand():
    # Between the neighbours of (1, 2) lie 3 of 4 and 3 of 4; between those of (3, 1) 3 of 4 and 2 of 4.
    assert crowding_distances([(3.0, 1.0), (0.0, 4.0), (1.0, 2.0), (4.0, 0.0)]) == [1.25, math.inf, 1.5, math.inf]
    # All equal in the first objective, which then counts as nothing.
    assert crowding_distances([(7.0, 2.0), (7.0, 0.0), (7.0, 1.0)]) == [math.inf, math.inf, 1.0]
    assert crowding_distances([(1.0, 1.0)] * 4) == [0.0] * 4
    assert crowding_distances([(1.0, 1.0)] * 2) == [math.inf] * 2


def test_ranks_by_constraints_then_fronts_then_distance_then_age():
    losses_and_violations = [
        ((0.0, 0.0), 0.2),  # 0: would dominate all, but violates more than 5 does
        ((4.0, 4.0), 0.0),  # 1: second front
        ((1.0, 2.0), 0.0),  # 2: first front, between 3 and 6
        ((0.0, 4.0), 0.0),  # 3: first front, at one end
        ((5.0, 5.0), 0.0),  # 4: third front
        ((9.0, 9.0), 0.1),  # 5
        ((4.0, 0.0), 0.0),  # 6: first front, at the other end
        ((9.0, 9.0), 0.1),  # 7: as 5, but younger
    ]
    pool = [Member(i, violation, losses, (i,)) for i, (losses, violation) in enumerate(losses_and_violations)]
    order = [3, 6, 2, 1, 4, 5, 7, 0]
    for n in range(len(pool) + 1):
        assert [member.number for member in ranked(pool, n)] == order[:n]


def test_losses_have_the_sign_of_what_is_better_and_violations_the_scale_of_their_bounds():
    objectives = METRICS["validation_accuracy"], METRICS["parameters"]
    bounds = [Constraint("parameters", most=500_000), Constraint("train_accuracy", least=0.8, most=math.inf)]
    values = {"validation_accuracy": 0.9, "parameters": 600_000.0, "train_accuracy": 0.6}
    member = Goals(objectives, bounds).member(3, (1, 2), values)
    assert member == (3, pytest.approx(0.2 + 0.25), (-0.9, 600_000.0), (1, 2))
    assert Goals(objectives, bounds).member(0, (), values | {"parameters": 5e5, "train_accuracy": 0.8}).violation == 0
    assert Goals(objectives, [Constraint("latency", most=0.0)]).member(0, (), {**values, "latency": 2.0}).violation == 2
    with pytest.raises(ValueError, match="objectives must name at least one metric"):
        Goals([], [])
