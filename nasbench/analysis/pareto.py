"""Fronts of several objectives: who is dominated, hypervolume, IGD+ and attainment surfaces, all exact.

Inside, lower is better in every column: :func:`oriented` turns those of which more is better. A point dominates another
one if it is nowhere worse and somewhere better. Objectives that are counts, such as parameters, repeat their values:
of equal points the first is kept, and the others are on no front. Nor is a point with a value that is not finite.

These are our own about a hundred lines, as pymoo computes hypervolumes by moocore since 0.6.2, which is under the LGPL:
both are what the tests compare with, and neither is needed to run.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.analysis.incumbents import Floats
from nasbench.errors import AnalysisError
from nasbench.metrics import Better

QUARTILES = (0.25, 0.5, 0.75)
"""Of which shares of the searches attainment surfaces are drawn: the median, and the half around it."""
_ROUNDING = 1e-9
"""A share of searches is met by that many, up to rounding of the product."""


def oriented(values: ArrayLike, better: Sequence[Better]) -> Floats:
    """Return values with the sign turned of each objective of which more is better.

    Args:
        values: In natural units, shape (n, k).
        better: ``"higher"`` or ``"lower"`` for each objective, k of them.

    Raises:
        AnalysisError: The shapes do not fit, or a direction is neither.
    """
    points = np.asarray(values, np.float64)
    if points.ndim != 2 or points.shape[1] != len(better):
        raise AnalysisError(
            f"values of shape {points.shape} for {len(better)} objectives: expected (n, {len(better)})."
        )
    wrong = set(better) - {"higher", "lower"}
    if wrong:
        raise AnalysisError(f"better={sorted(wrong)[0]!r}: expected 'higher' or 'lower'.")
    return points * np.where(np.array(better) == "higher", -1.0, 1.0)


def allowed(constrained: ArrayLike, least: ArrayLike, most: ArrayLike) -> NDArray[np.bool_]:
    """Return which architectures keep all constraints; a value that is not recorded keeps none.

    Whether an architecture counts is judged as its objectives are: give means at the default fidelity.

    Args:
        constrained: Values of the constrained metrics in natural units, shape (n, c).
        least: The smallest value allowed of each, shape (c,), ``-inf`` for none.
        most: The largest one, shape (c,), ``inf`` for none.
    """
    values = np.asarray(constrained, np.float64)
    return np.asarray(((values >= np.asarray(least)) & (values <= np.asarray(most))).all(axis=1))


def non_dominated(points: ArrayLike) -> NDArray[np.bool_]:
    """Return which points are on the front: no other one is at least as good everywhere, or equal and earlier.

    Args:
        points: Lower is better, shape (n, k).
    """
    values = _points(points)
    order = np.lexsort((np.arange(len(values)), *values.T[::-1]))
    order = order[np.isfinite(values[order]).all(axis=1)]
    found = np.zeros(len(values), np.bool_)
    if values.shape[1] == 2:  # by the first objective: a point is on the front if it lowers the second
        second = values[order, 1]
        found[order[second < np.minimum.accumulate(np.append(np.inf, second[:-1]))[: len(second)]]] = True
        return found
    while len(order):  # the first is on the front, as no later one is lower in the first objective that differs
        found[order[0]] = True
        order = order[1:][(values[order[1:]] < values[order[0]]).any(axis=1)]
    return found


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Return the volume of what is dominated by the points, and dominates the reference point.

    In two dimensions, by a sweep; in more, as L. While, L. Bradstreet and L. Barone, "A Fast Way of Calculating Exact
    Hypervolumes", IEEE Transactions on Evolutionary Computation 16, 2012: what each point adds to those that are better
    in the last objective is a box, less the volume of what they share with it, in one dimension less.

    Args:
        points: Lower is better, shape (n, k); what is not better than the reference everywhere adds nothing.
        reference: Shape (k,).

    Raises:
        AnalysisError: The shapes do not fit.
    """
    values, corner = _points(points), np.asarray(reference, np.float64)
    if corner.shape != values.shape[1:]:
        raise AnalysisError(
            f"a reference point of shape {corner.shape} for points with {values.shape[1]} objectives: expected "
            f"({values.shape[1]},)."
        )
    inside = values[(values < corner).all(axis=1)]
    return _volume(inside, corner) if len(inside) else 0.0


def _volume(points: Floats, corner: Floats) -> float:
    if points.shape[1] == 1:
        return float(corner[0] - points.min())
    front = points[non_dominated(points)]
    if points.shape[1] == 2:
        front = front[np.argsort(front[:, 0])]
        widths = np.append(front[1:, 0], corner[0]) - front[:, 0]
        return float((widths * (corner[1] - front[:, 1])).sum())
    front = front[np.argsort(-front[:, -1], kind="stable")]
    total = 0.0
    for i, point in enumerate(front):
        added = float(np.prod(corner[:-1] - point[:-1]))
        if i + 1 < len(front):
            added -= _volume(np.maximum(front[i + 1 :, :-1], point[:-1]), corner[:-1])
        total += float(corner[-1] - point[-1]) * added
    return total


def igd_plus(points: ArrayLike, front: ArrayLike) -> float:
    """Return how far points are behind a front, on average over the front: 0 if each of its points is attained.

    H. Ishibuchi et al., "Modified Distance Calculation in Generational Distance and Inverted Generational Distance",
    EMO 2015: the distance counts only objectives in which a point is worse, so that what is better never costs.

    Args:
        points: Lower is better, shape (n, k), of one scale with the front; infinite if no point is finite.
        front: Shape (m, k).
    """
    values, goals = _points(points), _points(front)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values) or not len(goals):
        return math.inf
    nearest = [float(np.sqrt((np.maximum(values - goal, 0.0) ** 2).sum(axis=1).min())) for goal in goals]
    return math.fsum(nearest) / len(nearest)


def attainment_surfaces(fronts: Sequence[ArrayLike], shares: Sequence[float] = QUARTILES) -> list[Floats]:
    """Return, for each share, the front of what at least that share of the searches attained, in two objectives.

    V. Grunert da Fonseca, C. M. Fonseca and A. O. Hall, "Inferential Performance Assessment of Stochastic Optimisers
    and the Attainment Function", EMO 2001. Points between two corners of a surface are attained if a corner is as good.

    Args:
        fronts: Of each search the points it holds, lower is better, shape (any, 2).
        shares: In (0, 1]; by default the quartiles.

    Returns:
        Of each share the corners, rising in the first objective, shape (any, 2); none where too few have any point.

    Raises:
        AnalysisError: There is no search, a search has other than two objectives, or a share is outside of (0, 1].
    """
    sets = [_points(front) for front in fronts]
    if not sets or any(each.shape[1] != 2 for each in sets):
        raise AnalysisError("attainment surfaces are computed for one search at least, and two objectives.")
    if not all(0 < share <= 1 for share in shares):
        raise AnalysisError(f"shares of the searches must be above 0 and at most 1, not {tuple(shares)}.")
    sets = [each[non_dominated(each)] for each in sets]
    sets = [each[np.argsort(each[:, 0])] for each in sets]
    first = np.unique(np.concatenate([each[:, 0] for each in sets]))
    attained = np.full((len(sets), len(first)), np.inf)  # the least second objective at each first one, by search
    for row, each in zip(attained, sets, strict=True):
        at = np.searchsorted(each[:, 0], first, side="right") - 1
        row[at >= 0] = each[at[at >= 0], 1]
    attained.sort(axis=0)
    surfaces = []
    for share in shares:
        surface = np.stack([first, attained[math.ceil(share * len(sets) - _ROUNDING) - 1]], axis=1)
        surfaces.append(surface[non_dominated(surface)])
    return surfaces


def _points(points: ArrayLike) -> Floats:
    values = np.asarray(points, np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise AnalysisError(f"points of shape {values.shape}: expected (n, k), a column for each of k objectives.")
    return values
