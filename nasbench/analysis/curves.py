"""From histories to curves: regret against what was spent, and how long a search takes to reach a target for good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.analysis.incumbents import Accuracy, Floats, judged
from nasbench.analysis.optimum import best_known
from nasbench.errors import AnalysisError
from nasbench.search.history import History
from nasbench.types import Benchmark

# Far below the step of any accuracy, an image of all runs; a regret that is the target exactly must reach it.
_ROUNDING = 1e-12


class RunningTime(NamedTuple):
    """How often searches end with a regret that is at most the target, and how long that takes."""

    successes: int
    """Searches whose incumbent at the end has at most this regret."""
    runs: int
    """Searches in all."""
    expected: float
    """Expected running time with restarts, in the unit of the budget; infinite if no search succeeded."""


def regret_curves(
    histories: Sequence[History],
    benchmark: Benchmark,
    positions: ArrayLike,
    *,
    metric: Accuracy = "validation_accuracy",
    optimum: float | None = None,
) -> Floats:
    """Return the regret of each search's incumbent once so much of the budget was spent.

    How an incumbent is chosen and judged: :mod:`nasbench.analysis.incumbents`.

    Args:
        histories: One a run.
        benchmark: What they searched.
        positions: Amounts of spent budget in its own unit, rising, shape (g,).
        metric: In which accuracy, at the last epoch of the longest schedule, regret is measured.
        optimum: What regret is the distance to; :func:`~nasbench.analysis.optimum.best_known` of these histories by
            default.

    Returns:
        Fractions, shape (len(histories), g); nan before the first evaluation was paid.

    Raises:
        AnalysisError: A history is of another benchmark; or positions are not finite or do not rise.
        NotRecordedError: The benchmark does not record this metric.
    """
    if optimum is None:
        optimum = best_known(histories, benchmark, metric)
    at = np.asarray(positions, np.float64)
    if at.ndim != 1 or not np.isfinite(at).all() or (np.diff(at) < 0).any():
        raise AnalysisError(f"positions must be finite and rising, not {np.array2string(at, threshold=6)}.")
    curves = np.full((len(histories), len(at)), np.nan)
    for curve, history in zip(curves, histories, strict=True):
        held = optimum - judged(history, benchmark, metric)
        last = np.searchsorted(history.spent, at, side="right") - 1
        curve[last >= 0] = held[last[last >= 0]]
    return curves


def running_time(
    histories: Sequence[History], benchmark: Benchmark, target: float, *, optimum: float | None = None
) -> RunningTime:
    """Return how many searches end with a validation regret of at most ``target``, and how long that takes.

    A search cannot see when it reaches a target, and may leave it again: a search counts as successful if its incumbent
    has the target at the end, and what it took is what it spent until the evaluation from which on this held. The
    expected running time is that of N. Hansen et al., "COCO: a platform for comparing continuous optimizers in a
    black-box setting", Optimization Methods and Software 2021, with success in this sense: what all searches spent
    until then, or in vain, divided by the number of successes.

    Args:
        histories: One a run.
        benchmark: What they searched.
        target: Regret to reach, a fraction.
        optimum: As for :func:`regret_curves`.

    Raises:
        AnalysisError: As for :func:`regret_curves`.
    """
    if optimum is None:
        optimum = best_known(histories, benchmark)
    spent: list[float] = []
    successes = 0
    for history in histories:
        above = np.flatnonzero(~(optimum - judged(history, benchmark) <= target + _ROUNDING))
        since = int(above[-1]) + 1 if len(above) else 0  # the first evaluation from which on the target holds
        success = since < len(history)
        successes += success
        if len(history):
            spent.append(float(history.spent[since if success else -1]))
    return RunningTime(successes, len(histories), math.fsum(spent) / successes if successes else math.inf)


def unique_architectures(histories: Sequence[History], benchmark: Benchmark) -> NDArray[np.int64]:
    """Return how many architectures, each one row of a table, every search evaluated, shape (len(histories),)."""
    identities = (benchmark.space.identity_many(history.architectures) for history in histories)
    return np.array([len(np.unique(each)) for each in identities], np.int64)
