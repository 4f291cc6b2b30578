"""Smaller at equal accuracy: the least parameters, operations or seconds at nearly the accuracy of a reference.

Papers on compression report how much smaller or faster a network is at equal accuracy, or at a fraction of a point
less. No table has such a task of its own; this definition is ours. The reference is an architecture that one has: by
default the best of the table, by its mean validation accuracy at the default fidelity. With an allowance of delta, an
architecture qualifies if its mean validation accuracy, judged in the same way, is at least the reference's minus delta.
The score of a search is the rate, how many times smaller than the reference the smallest qualified architecture is that
it has evaluated so far. The reference itself always qualifies: a search that found nothing smaller has rate 1.

Qualified is who is good, not who looked good to the search: this measures which architectures a search visits. That
it can tell them apart, is what regret and the hypervolume of the observed front measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nasbench.analysis.incumbents import Floats
from nasbench.errors import AnalysisError

ALLOWANCES = (0.001, 0.005, 0.01)
"""How far below the reference an architecture may be: 0.1, 0.5 and 1.0 points of accuracy."""
# Far below the step of any accuracy, an image of all runs; who is below by the allowance exactly qualifies.
_ROUNDING = 1e-12


class Reference(NamedTuple):
    """What is to be made smaller."""

    accuracy: float
    """A fraction."""
    resource: float
    """Parameters, operations, seconds: whatever is to be saved; lower is better."""


class Smallest(NamedTuple):
    """The least that suffices."""

    row: int
    """Which architecture; the first of equals."""
    accuracy: float
    resource: float
    rate: float
    """How many times smaller that is than the reference's."""


def best_reference(accuracy: ArrayLike, resource: ArrayLike) -> Reference:
    """Return the architecture with the best accuracy; of equally accurate ones, the one with the least resource.

    Args:
        accuracy: Means, fractions, shape (n,), nan where not recorded.
        resource: Shape (n,), positive.

    Raises:
        AnalysisError: Nothing is recorded, or a resource is not positive.
    """
    values, costs = _checked(accuracy, resource)
    if not np.isfinite(values).any():
        raise AnalysisError("no architecture has both an accuracy and this resource recorded: there is no reference.")
    best = float(np.nanmax(values))
    return Reference(best, float(costs[values == best].min()))


def smallest(accuracy: ArrayLike, resource: ArrayLike, reference: Reference, allowance: float) -> Smallest | None:
    """Return the architecture with the least resource among all that qualify; None if none does.

    Args:
        accuracy: As for :func:`best_reference`: of a table, ``table.column("validation_accuracy")``.
        resource: As there.
        reference: What is to be made smaller.
        allowance: How much less accuracy is allowed, a fraction; one of :data:`ALLOWANCES`, say.

    Raises:
        AnalysisError: A resource is not positive.
    """
    values, costs = _checked(accuracy, resource)
    qualified = np.flatnonzero(values >= reference.accuracy - allowance - _ROUNDING)
    if not len(qualified):
        return None
    row = int(qualified[np.argmin(costs[qualified])])
    return Smallest(row, float(values[row]), float(costs[row]), reference.resource / float(costs[row]))


def rates_over_time(
    judged: ArrayLike, resource: ArrayLike, reference: Reference, allowances: Sequence[float] = ALLOWANCES
) -> Floats:
    """Return how many times smaller than the reference the smallest architecture is that a search found by then.

    Args:
        judged: Mean validation accuracy of each evaluated architecture at the default fidelity, in order of arrival,
            shape (n,); nan where it breaks a constraint.
        resource: Of each, shape (n,).
        reference: That of the table, and not of the search: :func:`best_reference` of its columns.
        allowances: How much less accuracy is allowed, fractions; by default 0.1, 0.5 and 1.0 points.

    Returns:
        Rates after each evaluation, shape (len(allowances), n), never below 1.

    Raises:
        AnalysisError: A resource is not positive.
    """
    values, costs = _checked(judged, resource)
    bounds = reference.accuracy - np.asarray(allowances, np.float64)[:, None] - _ROUNDING
    least = np.minimum.accumulate(np.where(values >= bounds, costs, np.inf), axis=1)
    return np.asarray(reference.resource / np.minimum(least, reference.resource))


def _checked(accuracy: ArrayLike, resource: ArrayLike) -> tuple[Floats, Floats]:
    """Return both, with nan as accuracy where the resource is not recorded."""
    values, costs = np.asarray(accuracy, np.float64), np.asarray(resource, np.float64)
    if values.shape != costs.shape or values.ndim != 1:
        raise AnalysisError(
            f"accuracies of shape {values.shape} and resources of shape {costs.shape}: expected one of each for every "
            "architecture, (n,) both."
        )
    if (costs <= 0).any():
        raise AnalysisError(
            f"a resource of {costs[costs <= 0][0]}: nothing is a finite number of times smaller than it."
        )
    return np.where(np.isfinite(costs), values, np.nan), costs
