"""How much a run of an architecture differs from the next one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.analysis.incumbents import Floats

# Into so many parts, by their means, architectures are put for estimating how far their runs lie apart.
_PARTS = 20


class Spread(NamedTuple):
    """How far single runs of one architecture lie apart, estimated from many architectures."""

    deviation: Floats
    """Standard deviation of a single run of each, shape (n,); nan where nothing is known of it."""
    freedom: NDArray[np.int64]
    """Degrees of freedom behind each estimate, shape (n,)."""


def run_spread(runs: ArrayLike) -> Spread:
    """Estimate the standard deviation of a single run of each architecture.

    Of two or three runs alone it would be a wild guess: variances are averaged over the twentieth of architectures with
    the most similar mean, since poor networks vary more than good ones.

    Args:
        runs: Shape (n, runs), nan where a run is missing.

    Returns:
        All deviations nan if no architecture has two runs.
    """
    values = np.asarray(runs, np.float64)
    present = np.isfinite(values)
    counts = present.sum(axis=1)
    means = np.where(present, values, 0).sum(axis=1) / np.maximum(counts, 1)
    squares = (np.where(present, values - means[:, None], 0) ** 2).sum(axis=1)
    spread = Spread(np.full(len(values), np.nan), np.zeros(len(values), np.int64))
    known = counts > 0
    order = np.flatnonzero(known)[np.argsort(means[known], kind="stable")]
    for part in np.array_split(order, min(_PARTS, max(1, len(order)))):
        freedom = int((counts[part] - 1).sum())
        spread.freedom[part] = freedom
        if freedom > 0:
            spread.deviation[part] = np.sqrt(squares[part].sum() / freedom)
    return spread
