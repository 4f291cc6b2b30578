"""The noise of recorded values, run to run: what it leaves for any predictor to explain, and what is kept of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nasbench.analysis import run_spread
from surrogates.models.draws import Draws, Spread
from surrogates.models.ranked import Floats

_DRAWS = 20


def ceiling(runs: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Estimate the Kendall tau that knowing the true values would reach against the recorded means.

    The recorded means stand for the true values; measuring them again is simulated, with the noise of
    :func:`nasbench.analysis.run_spread` over as many runs as each has. A predictor above it has learnt noise, or the
    copies of what it is tested on.

    Args:
        runs: Shape (n, runs), nan where a run is missing; every architecture has one at least.
        rng: Random numbers of the simulation.

    Returns:
        nan if no architecture has two runs.
    """
    counts = np.isfinite(runs).sum(axis=1)
    means = np.nanmean(runs, axis=1)
    error = run_spread(runs).deviation / np.sqrt(counts)
    if not np.isfinite(error).all():
        return math.nan
    again = means + error * rng.standard_normal((_DRAWS, len(means)))
    return float(np.mean([stats.kendalltau(means, values).statistic for values in again]))


class Kept(NamedTuple):
    """What a surrogate draws from: see its attributes of these names."""

    still: Floats
    moving: Floats
    runs: Draws | None
    residuals: Draws | None


def keep(runs: Floats, means: Floats, predicted: Floats, off: Floats) -> Kept:
    """Keep by how much runs differ from their means, and these from what was predicted without them.

    Args:
        runs: Of labels, shape (runs, labels, columns), nan where there is none.
        means: Over runs, shape (labels, columns).
        predicted: Of the first column, each label without itself, shape (labels,).
        off: By how much labels are above their predictions, shape (labels, columns).
    """
    there = np.isfinite(runs[:, :, 0])
    counts = there.sum(axis=0)
    freedom = np.maximum(counts - 1, 1).astype(np.float64)
    # A run that lacks another column than the first says nothing of it.
    differences = np.where(there[:, :, None], np.nan_to_num(runs - means), 0)
    squares = (differences**2).sum(axis=0)
    levels = means[:, 0]
    moving = (squares[:, 0] > 0) | (counts < 2)
    several = moving & (counts > 1)
    draws = None
    if several.any():
        spread = Spread().fit(levels[several], squares[several, 0], freedom[several])
        kept = there & several
        enlarged = (differences * np.sqrt(counts / freedom)[:, None])[kept]
        draws = Draws().fit(np.broadcast_to(levels, kept.shape)[kept], enlarged, spread)
    noise = squares / freedom[:, None] / np.maximum(counts, 1)[:, None]
    residuals = _residuals(predicted[moving], off[moving], noise[moving])
    return Kept(np.sort(levels[~moving]), np.sort(levels[moving]), draws, residuals)


def _residuals(levels: Floats, off: Floats, noise: Floats) -> Draws | None:
    """Keep by how much the truth differs from predictions: that of labels, less the variance of their noise."""
    if not (off[:, :1] != 0).any():
        return None
    spread = Spread().fit(levels, off[:, 0] ** 2, np.ones(len(levels)))
    weights = 1 / spread.at(levels)[:, None] ** 2  # so that the few poor networks do not count for all others
    share = (weights * noise).sum(axis=0) / np.maximum((weights * off**2).sum(axis=0), 1e-300)
    left = np.clip(1 - share, 0, 1)
    draws = Draws().fit(levels, off * np.sqrt(left), spread)
    spread.logarithms_ += np.log(max(float(left[0]), 1e-12))
    draws.rows_ /= math.sqrt(max(float(left[0]), 1e-12))
    return draws
