"""The front of a table, and how near to it a search comes: judged by means, as regret is.

A search with several objectives holds a set of architectures instead of one incumbent: those that are not dominated
in what it was told. How good the set is, is judged by other values of the same architectures: means, at the default
fidelity, over runs other than the one that a result showed, where searches see single runs. A value that was lucky
enters the set and is judged by what it is worth: the hypervolume can fall. Objectives that do not depend on training,
such as parameters, are the same in both.

With constraints the same holds: a result that broke one, as observed, is never held; one that breaks one by its
judged values adds nothing to the quality. In the arrays of this module, such rows are nan.

The scale is that of the table's front: its best and worst value of each objective become 0 and 1, and the reference
point is 1.1 in each (ours: at 1, as in EvoXBench, the end points of the front would add nothing). A front of means
has the luck of its own runs in it, as the largest mean has: a search that is judged by unseen runs need not reach it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.analysis.incumbents import Floats
from nasbench.analysis.pareto import hypervolume, igd_plus, non_dominated, oriented
from nasbench.errors import AnalysisError
from nasbench.metrics import Better
from nasbench.search.objectives import column_of
from nasbench.tables.table import Table

REFERENCE = 1.1
"""The reference point in each objective, on the scale where the front goes from 0 to 1."""


class Scale(NamedTuple):
    """From natural units to the unit box of a front, in which lower is better."""

    better: tuple[Better, ...]
    ideal: Floats
    """The best value of each objective on the front, in natural units, shape (k,)."""
    nadir: Floats
    """The worst of each on the front; where that is the best too, the worst of all."""

    def scaled(self, values: ArrayLike) -> Floats:
        """Return 0 for the best and 1 for the worst value of the front, shape (n, k)."""
        ideal, nadir = (oriented(each[None], self.better)[0] for each in (self.ideal, self.nadir))
        span = np.where(nadir > ideal, nadir - ideal, 1.0)
        return np.asarray((oriented(values, self.better) - ideal) / span)

    @property
    def reference(self) -> Floats:
        """The reference point of hypervolumes on this scale, shape (k,)."""
        return np.full(len(self.better), REFERENCE)


class TrueFront(NamedTuple):
    """What nothing of a table dominates."""

    names: tuple[str, ...]
    rows: NDArray[np.int64]
    """Rows of the table, rising; of equal ones the first."""
    values: Floats
    """Means at the default fidelity in natural units, shape (rows, k)."""
    scale: Scale
    hypervolume: float
    """On the scale, up to the reference point."""


class FrontScore(NamedTuple):
    """What a search holds at its end, and how near that comes to the front of the table."""

    held: NDArray[np.int64]
    """Which results it holds, in order of arrival."""
    values: Floats
    """What they are judged by, in natural units, shape (held, k)."""
    hypervolume: float
    """On the scale of the table's front."""
    share: float
    """The share of the hypervolume of the table's front."""
    igd_plus: float
    """Mean distance of the table's front to what is held, on its scale; lower is better."""


def true_front(
    table: Table,
    names: Sequence[str],
    better: Sequence[Better] | None = None,
    *,
    allowed: NDArray[np.bool_] | None = None,
) -> TrueFront:
    """Return the front of a table: of means over runs, at the default fidelity.

    Args:
        table: The table.
        names: Its metrics that are the objectives, one at least.
        better: ``"higher"`` or ``"lower"`` for each; what the table says of its metrics by default.
        allowed: Which rows count; all by default.

    Raises:
        NotRecordedError: The table does not record a metric, or nothing says what is better.
        AnalysisError: No row has a value of all objectives.
    """
    directions = tuple(table.metric(name).better for name in names) if better is None else tuple(better)
    values = np.stack([column_of(table, name) for name in names], axis=1)
    if allowed is not None:
        values[~allowed] = np.nan
    points = oriented(values, directions)
    rows = np.flatnonzero(non_dominated(points))
    if not len(rows):
        raise AnalysisError(f"no architecture of {table.name} that is allowed has a value of {', '.join(names)}.")
    scale = scale_of(values[rows], values, directions)
    volume = hypervolume(scale.scaled(values[rows]), scale.reference)
    return TrueFront(tuple(names), rows, values[rows], scale, volume)


def scale_of(front: Floats, everything: Floats, better: Sequence[Better]) -> Scale:
    """Return the scale of a front.

    Args:
        front: Its values in natural units, shape (m, k).
        everything: All values, shape (n, k): they give the width of an objective in which the front has none.
        better: ``"higher"`` or ``"lower"`` for each objective.
    """
    signs = oriented(np.ones((1, len(better))), better)[0]
    inside, outside = front * signs, everything * signs
    ideal, nadir = inside.min(axis=0), inside.max(axis=0)
    worst = np.nanmax(np.where(np.isfinite(outside), outside, np.nan), axis=0)
    return Scale(tuple(better), ideal * signs, np.where(nadir > ideal, nadir, worst) * signs)


def held_sets(observed: ArrayLike) -> Iterator[tuple[int, list[int]]]:
    """Go through what a search was told; after each result that changes what it holds, say which result, and the set.

    Args:
        observed: Lower is better, in order of arrival, shape (n, k); a row that is not finite is never held.

    Yields:
        The result, and the results that are not dominated by then; of equal ones the first. The list changes later.
    """
    points = np.asarray(observed, np.float64)
    places = np.flatnonzero(np.isfinite(points).all(axis=1)).tolist()
    return _held_in_the_plane(points, places) if points.shape[1] == 2 else _held_in_space(points, places)


def _held_in_the_plane(points: Floats, places: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Keep the front sorted by its first objective, and so, falling, by its second one."""
    first: list[float] = []
    second: list[float] = []
    held: list[int] = []
    for place, (x, y) in zip(places, points[places].tolist(), strict=True):
        before = bisect_right(first, x)
        if before and second[before - 1] <= y:
            continue
        start = end = bisect_left(first, x)
        while end < len(held) and second[end] >= y:
            end += 1
        first[start:end], second[start:end], held[start:end] = [x], [y], [place]
        yield place, held


def _held_in_space(points: Floats, places: list[int]) -> Iterator[tuple[int, list[int]]]:
    held: list[int] = []
    for place in places:
        others = points[held]
        if (others <= points[place]).all(axis=1).any():
            continue
        keep = (others < points[place]).any(axis=1)
        held = [each for each, stays in zip(held, keep.tolist(), strict=True) if stays] + [place]
        yield place, held


def hypervolume_curve(observed: ArrayLike, judged: ArrayLike, scale: Scale) -> Floats:
    """Return, after each result, the hypervolume of what the search holds.

    Args:
        observed: What the search was told, natural units, in order of arrival, shape (n, k); rows of nan where it broke
            a constraint.
        judged: What these architectures are worth, shape (n, k); rows of nan where that breaks a constraint.
        scale: That of the table's front; its hypervolume is what the curve would be 1 of.

    Returns:
        Shape (n,); 0 as long as nothing is held that is better than the reference point.
    """
    worth, corner = scale.scaled(judged), scale.reference
    seen = oriented(observed, scale.better)
    curve = np.zeros(len(seen))
    for place, held in held_sets(seen):
        curve[place:] = hypervolume(worth[held], corner)
    return curve


def score_front(observed: ArrayLike, judged: ArrayLike, truth: TrueFront) -> FrontScore:
    """Return what a search holds at its end, and how near it comes to the front of the table.

    Args:
        observed: As for :func:`hypervolume_curve`.
        judged: As there.
        truth: The front of the table.
    """
    held = np.flatnonzero(non_dominated(oriented(observed, truth.scale.better)))
    values = np.asarray(judged, np.float64)[held]
    points = truth.scale.scaled(values)
    volume = hypervolume(points, truth.scale.reference) if len(held) else 0.0
    distance = igd_plus(points, truth.scale.scaled(truth.values))
    return FrontScore(held, values, volume, volume / truth.hypervolume, distance)
