"""Who beats whom: how likely a run of one algorithm ends with less regret than a run of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Duel(NamedTuple):
    """How likely a run of one algorithm ends with less regret than a run of another."""

    first: str
    second: str
    probability: float
    """That the first beats the second, ties counted half."""
    p_value: float
    """Two-sided Mann-Whitney, adjusted after Holm for all pairs that were compared."""


def duels(final: Mapping[str, ArrayLike]) -> list[Duel]:
    """Compare the final regrets of every pair of algorithms.

    The probability is the Mann-Whitney statistic over the number of pairs of runs; p-values are adjusted after S. Holm,
    "A Simple Sequentially Rejective Multiple Test Procedure", 1979.

    Args:
        final: Algorithm to the final regret of each of its runs, shape (runs,).
    """
    from scipy.stats import mannwhitneyu

    pairs = list(combinations(final, 2))
    found = []
    for first, second in pairs:
        a, b = np.asarray(final[first]), np.asarray(final[second])
        result = mannwhitneyu(b, a, method="asymptotic")  # the first wins where the second's regret is larger
        found.append((float(result.statistic) / (len(a) * len(b)), float(result.pvalue)))
    adjusted = holm([p for _, p in found])
    return [
        Duel(first, second, probability, p)
        for (first, second), (probability, _), p in zip(pairs, found, adjusted, strict=True)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of any false rejection among them stays below the level (Holm 1979)."""
    p = np.nan_to_num(np.asarray(p_values, np.float64), nan=1.0)  # no difference at all has no p-value
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(x) for x in adjusted]
