"""Fronts of tables and searches: against moocore, plain loops over a table, published counts, and hand computations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nasbench import load
from nasbench.analysis import (
    Scale,
    allowed,
    attainment_surfaces,
    held_sets,
    hypervolume,
    hypervolume_curve,
    igd_plus,
    non_dominated,
    oriented,
    score_front,
    true_front,
)
from nasbench.errors import AnalysisError, NotRecordedError

Floats = NDArray[np.float64]
REASON = "moocore, the reference implementation of these indicators, is not installed: pip install moocore"
SHAPES = [(n, k, steps) for n, k, steps in product((1, 2, 7, 40), (2, 3, 4, 5), (3, 12, 10_000)) if n * k <= 160]


def random_points(seed: int, n: int, k: int, steps: int) -> Floats:
    """Points on a grid of so many steps in each objective: few steps make ties and equal points."""
    return np.random.default_rng(seed).integers(0, steps, (n, k)) / steps


def dominated_in_a_loop(points: Floats) -> list[bool]:
    """The definition: some other point is nowhere worse, and better somewhere or equal and earlier."""
    return [
        any(
            (other <= point).all() and ((other < point).any() or j < i)
            for j, other in enumerate(points)
            if j != i and np.isfinite(other).all()
        )
        or not np.isfinite(point).all()
        for i, point in enumerate(points)
    ]


# Geometry.


@pytest.mark.parametrize(("n", "k", "steps"), SHAPES)
def test_non_dominated_against_the_definition(n: int, k: int, steps: int) -> None:
    points = random_points(n + k + steps, n, k, steps)
    points[:: 5 if n > 5 else n + 1, 0] = np.nan
    assert (~non_dominated(points)).tolist() == dominated_in_a_loop(points)


@pytest.mark.parametrize(("n", "k", "steps"), SHAPES)
def test_indicators_against_moocore(n: int, k: int, steps: int) -> None:
    moocore = pytest.importorskip("moocore", reason=REASON)
    points, front = random_points(n * k + steps, n, k, steps), random_points(1, 30, k, 20)
    reference = np.full(k, 0.9)  # some points are outside
    assert non_dominated(points).tolist() == moocore.is_nondominated(points, keep_weakly=False).tolist()
    assert hypervolume(points, reference) == pytest.approx(moocore.hypervolume(points, ref=reference), abs=1e-12)
    assert igd_plus(points, front) == pytest.approx(moocore.igd_plus(points, ref=front), abs=1e-12)


@pytest.mark.parametrize("steps", [4, 15, 10_000])
@pytest.mark.parametrize("searches", [1, 4, 7, 20])
def test_attainment_surfaces_against_moocore(searches: int, steps: int) -> None:
    moocore = pytest.importorskip("moocore", reason=REASON)
    fronts = [random_points(searches + i, 1 + i % 9, 2, steps) for i in range(searches)]
    owner = np.repeat(np.arange(searches), [len(front) for front in fronts])
    theirs = moocore.eaf(np.concatenate(fronts), sets=owner, percentiles=[25, 50, 75])
    for share, surface in zip((25, 50, 75), attainment_surfaces(fronts), strict=True):
        expected = theirs[theirs[:, 2] == share, :2]
        assert surface.tolist() == expected[np.argsort(expected[:, 0])].tolist()


def test_indicators_by_hand() -> None:
    points = [[1.0, 3.0], [2.0, 1.0], [2.0, 2.0], [9.0, 0.0]]  # the third is dominated, the last outside
    assert hypervolume(points, [4.0, 4.0]) == 1 * 1 + 2 * 3
    assert hypervolume([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]], [2.0, 2.0, 2.0]) == 2 + 2 - 1
    assert hypervolume(np.empty((0, 2)), [1.0, 1.0]) == 0
    # From (0, 0): the worse parts are (1, 3), (2, 1), (2, 2), (9, 0); the shortest is that of (2, 1).
    # From (1, 4): (0, 0) of the first.
    assert igd_plus(points, [[0.0, 0.0], [1.0, 4.0]]) == pytest.approx((5**0.5 + 0) / 2)
    assert igd_plus(np.full((2, 2), np.nan), [[0.0, 0.0]]) == np.inf


def test_attainment_surface_by_hand() -> None:
    fronts = [[[1.0, 3.0], [2.0, 1.0]], [[1.0, 2.0]], np.empty((0, 2))]
    surfaces = attainment_surfaces(fronts, [1 / 3, 2 / 3, 1.0])
    assert surfaces[0].tolist() == [[1.0, 2.0], [2.0, 1.0]]  # one of three
    assert surfaces[1].tolist() == [[1.0, 3.0], [2.0, 2.0]]  # two of three
    assert surfaces[2].tolist() == []  # the third search holds nothing


def test_constraints_by_hand() -> None:
    values = [[1.0, 5.0], [2.0, 5.0], [2.0, 6.0], [np.nan, 5.0]]
    assert allowed(values, [2.0, -np.inf], [np.inf, 5.0]).tolist() == [False, True, False, False]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(AnalysisError, match=r"expected \(n, 1\)"):
        oriented(np.zeros((3, 2)), ["lower"])
    with pytest.raises(AnalysisError, match="'more'"):
        oriented(np.zeros((3, 1)), ["more"])  # type: ignore[list-item]
    with pytest.raises(AnalysisError, match=r"points of shape \(3,\)"):
        non_dominated(np.zeros(3))
    with pytest.raises(AnalysisError, match=r"expected \(2,\)"):
        hypervolume(np.zeros((3, 2)), [1.0])
    with pytest.raises(AnalysisError, match="two objectives"):
        attainment_surfaces([np.zeros((3, 3))])
    with pytest.raises(AnalysisError, match="shares"):
        attainment_surfaces([np.zeros((3, 2))], [0.0])


# Fronts of tables and searches.


def means(dataset: str, *names: str) -> Floats:
    table = load("nasbench201", dataset)
    return np.stack([np.asarray(table.column(name), np.float64) for name in names], axis=1)


@pytest.mark.parametrize(
    ("dataset", "resource", "size"),
    [
        ("cifar10", "parameters", 13),
        ("cifar10", "flops", 13),
        ("cifar10", "latency", 25),
        ("cifar10", "training_time", 37),
        ("cifar100", "parameters", 15),
        ("cifar100", "latency", 28),
        ("ImageNet16-120", "parameters", 13),
        ("ImageNet16-120", "latency", 21),
    ],
)
def test_front_of_nas_bench_201(dataset: str, resource: str, size: int) -> None:
    """Sizes as they were enumerated before this code was written; the points by looking at every pair."""
    table = load("nasbench201", dataset)
    front = true_front(table, ["validation_accuracy", resource])
    assert len(front.rows) == size
    accuracy, cost = means(dataset, "validation_accuracy", resource).T
    for row in {*range(0, len(table), 25), *front.rows.tolist()}:
        better = (accuracy >= accuracy[row]) & (cost <= cost[row])
        equal = (accuracy == accuracy[row]) & (cost == cost[row])
        alone = not (better & ~equal).any() and not equal[:row].any()
        assert alone == (row in front.rows)
    assert front.values.tolist() == np.stack([accuracy, cost], axis=1)[front.rows].tolist()
    assert front.scale.ideal.tolist() == [accuracy.max(), front.values[:, 1].min()]
    assert front.scale.nadir.tolist() == [front.values[:, 0].min(), front.values[:, 1].max()]


@pytest.mark.parametrize("names", [("parameters", "latency"), ("flops", "training_time", "latency")])
def test_hypervolume_of_a_front_on_its_scale(names: Sequence[str]) -> None:
    moocore = pytest.importorskip("moocore", reason=REASON)
    front = true_front(load("nasbench201"), ["validation_accuracy", *names])
    points = moocore.normalise(front.values, maximise=[True] + [False] * len(names))
    assert np.sort(front.scale.scaled(front.values), axis=0) == pytest.approx(np.sort(points, axis=0), abs=1e-12)
    assert front.hypervolume == pytest.approx(moocore.hypervolume(points, ref=1.1), abs=1e-12)


def test_front_of_what_is_allowed() -> None:
    table = load("nasbench201")
    small = allowed(means("cifar10", "parameters"), [-np.inf], [400_000])
    front = true_front(table, ["validation_accuracy", "latency"], allowed=small)
    assert small[front.rows].all()
    accuracy, latency = means("cifar10", "validation_accuracy", "latency").T
    for row in np.flatnonzero(small)[::10].tolist():
        better = small & (accuracy >= accuracy[row]) & (latency <= latency[row])
        assert (better.sum() == 1) == (row in front.rows)
    with pytest.raises(AnalysisError, match="no architecture of nasbench201"):
        true_front(table, ["validation_accuracy", "latency"], allowed=np.zeros(len(table), np.bool_))
    with pytest.raises(NotRecordedError):
        true_front(table, ["validation_accuracy", "energy"])


def test_a_front_without_width_is_scaled_by_all_values() -> None:
    from nasbench.analysis import scale_of

    everything = np.array([[0.9, 1.0], [0.5, 1.0], [0.1, 3.0]])
    scale = scale_of(everything[:1], everything, ["higher", "lower"])
    assert scale.scaled(everything) == pytest.approx(np.array([[0, 0], [0.5, 0], [1, 1]]))
    assert scale_of(everything[:1], everything[:1], ["higher", "lower"]).scaled(everything[:1]).tolist() == [[0, 0]]


UNIT = Scale(("lower", "lower"), np.zeros(2), np.ones(2))


def test_hypervolume_curve_by_hand() -> None:
    """What was observed decides what is held; what it is judged by decides what that is worth."""
    observed = [[0.5, 0.5], [0.6, 0.6], [0.1, 0.4], [0.1, 0.4], [np.nan, 0.0], [0.9, 0.1]]
    judged = [[0.1, 0.1], [0.0, 0.0], [0.6, 0.6], [0.0, 0.0], [0.0, 0.0], [np.nan, np.nan]]
    curve = hypervolume_curve(observed, judged, UNIT)
    # The first; not the second; the third is worse than it looked; its equal comes later; the fifth breaks a constraint
    # as observed; the sixth is held, and breaks one in truth.
    assert curve == pytest.approx([1.0, 1.0, 0.25, 0.25, 0.25, 0.25])


@pytest.mark.parametrize(("k", "steps"), [(2, 6), (2, 10_000), (3, 6), (3, 10_000)])
def test_hypervolume_curve_against_moocore(k: int, steps: int) -> None:
    moocore = pytest.importorskip("moocore", reason=REASON)
    observed, judged = random_points(1, 60, k, steps), random_points(2, 60, k, steps)
    observed[::7], judged[::11] = np.nan, np.nan
    better: Any = ("higher", "lower", "lower")[:k]
    scale = Scale(better, np.array([1.0, 0.0, 0.0])[:k], np.array([0.0, 1.0, 1.0])[:k])
    worth = np.where(np.array(better) == "higher", 1 - judged, judged)
    curve = hypervolume_curve(observed, judged, scale)
    changes = {place: list(held) for place, held in held_sets(oriented(observed, better))}
    last: list[int] = []
    for end in range(1, 61):
        signed = oriented(observed[:end], better)
        held = [i for i, lost in enumerate(dominated_in_a_loop(signed)) if not lost]
        last = changes.get(end - 1, last)
        assert sorted(last) == held
        good = worth[held][np.isfinite(worth[held]).all(axis=1)]
        expected = moocore.hypervolume(good, ref=1.1) if len(good) else 0.0
        assert curve[end - 1] == pytest.approx(expected, abs=1e-12)


def test_a_search_of_everything_holds_the_front() -> None:
    table = load("nasbench201")
    values = means("cifar10", "validation_accuracy", "latency")
    front = true_front(table, ["validation_accuracy", "latency"])
    score = score_front(values, values, front)
    assert score.held.tolist() == front.rows.tolist()
    assert score.share == 1
    assert score.igd_plus == 0
    nothing = score_front(values[:0], values[:0], front)
    assert (len(nothing.held), nothing.share, nothing.igd_plus) == (0, 0, np.inf)


def test_score_of_a_search_by_single_runs() -> None:
    """Half of the front is found, one point of it only as it looks by one run."""
    table = load("nasbench201")
    front = true_front(table, ["validation_accuracy", "parameters"])
    judged = front.values[::2]
    observed = judged + np.array([0.001, 0.0])
    score = score_front(observed, judged, front)
    assert len(score.held) == 7
    assert score.values.tolist() == judged.tolist()
    unit = front.scale.scaled(front.values)
    assert score.hypervolume == hypervolume(unit[::2], [1.1, 1.1])
    assert score.share == score.hypervolume / front.hypervolume < 1
    assert score.igd_plus == igd_plus(unit[::2], unit) > 0
