"""The noise of recorded values, run to run: how large it is, and what it leaves for any predictor to explain."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

_BINS = 20
_DRAWS = 20


def run_deviation(runs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the standard deviation of a single run of each architecture, shape (n,).

    Of two or three runs alone it would be a wild guess: variances are averaged over the twentieth of architectures with
    the most similar mean, since poor networks vary more than good ones.

    Args:
        runs: Shape (n, runs), nan where a run is missing.

    Returns:
        All nan if no architecture has two runs.
    """
    present = np.isfinite(runs)
    counts = present.sum(axis=1)
    means = np.where(present, runs, 0).sum(axis=1) / np.maximum(counts, 1)
    squares = (np.where(present, runs - means[:, None], 0) ** 2).sum(axis=1)
    deviation = np.full(len(runs), math.nan)
    known = counts > 0
    order = np.flatnonzero(known)[np.argsort(means[known], kind="stable")]
    for part in np.array_split(order, min(_BINS, max(1, len(order)))):
        freedom = (counts[part] - 1).sum()
        if freedom > 0:
            deviation[part] = math.sqrt(squares[part].sum() / freedom)
    return deviation


def ceiling(runs: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Estimate the Kendall tau that knowing the true values would reach against the recorded means.

    The recorded means stand for the true values; measuring them again is simulated, with the noise of
    :func:`run_deviation` over as many runs as each has. A predictor above it has learnt noise, or the copies of what it
    is tested on.

    Args:
        runs: Shape (n, runs), nan where a run is missing; every architecture has one at least.
        rng: Random numbers of the simulation.

    Returns:
        nan if no architecture has two runs.
    """
    counts = np.isfinite(runs).sum(axis=1)
    means = np.nanmean(runs, axis=1)
    error = run_deviation(runs) / np.sqrt(counts)
    if not np.isfinite(error).all():
        return math.nan
    again = means + error * rng.standard_normal((_DRAWS, len(means)))
    return float(np.mean([stats.kendalltau(means, values).statistic for values in again]))
