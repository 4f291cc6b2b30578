"""From runs to estimates, each with an interval that holds for the data that searches give, or with none.

Final regrets are skewed, repeat the same few values, and are mostly zero where an algorithm is good: there, resampling
twenty or fifty runs gives intervals that are far too short. The intervals of this module need no random numbers. The
median's is exact for any distribution, that of a proportion too; that of the mean corrects for skewness, and is given
from 50 runs on: how often it holds is measured by ``benchmarks/statistics_page.py`` (docs/statistics.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from nasbench.analysis.incumbents import Floats

FEWEST_RUNS = 50
"""From so many runs on the mean, and the mean of the middle half, have an interval."""
_STEPS = 8
"""Newton's steps to a cube root: six suffice from anywhere between 0.5 and 4."""


class Interval(NamedTuple):
    """An estimate and its confidence interval; ``low`` and ``high`` are None where no interval would hold."""

    estimate: float
    low: float | None
    high: float | None


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Return the mean over runs and its interval; none below 50 runs, or if all runs are equal.

    Args:
        values: One a run, shape (runs,).
        confidence: Coverage in (0, 1).
    """
    sample = np.asarray(values, np.float64)
    mean, low, high = mean_band(sample[:, None], confidence=confidence)
    if not np.isfinite(low[0]):
        return Interval(float(mean[0]), None, None)
    return Interval(float(mean[0]), float(low[0]), float(high[0]))


def mean_band(curves: Floats, *, confidence: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return mean over runs, and lower and upper bound, at every position: three arrays of shape (g,).

    Student's interval after the transformation that takes out skewness: P. Hall, "On the removal of skewness by
    transformation", Journal of the Royal Statistical Society B 54, 1992. With W = (mean - mu) / s and
    the sample's skewness g, the quantity

        n^(1/2) (W + a W^2 + a^2 W^3 / 3 + a / (2 n)),  a = g / 3,

    is closer to Student's t than n^(1/2) W. It is monotone in W, so that its bounds give those of mu.

    Args:
        curves: Shape (runs, g); positions at which some run has no value yet come out as nan.
        confidence: Pointwise coverage in (0, 1).

    Returns:
        Bounds are nan below 50 runs, and where all runs are equal: chance would decide whether they hold.
    """
    runs = len(curves)
    mean = curves.sum(axis=0) / runs
    nowhere = np.full(mean.shape, np.nan)
    if runs < FEWEST_RUNS:
        return mean, nowhere, nowhere
    differences = curves - mean
    variance = (differences**2).sum(axis=0) / (runs - 1)
    varied = (curves != curves[0]).any(axis=0) & (variance > 0)
    deviation = np.sqrt(np.where(varied, variance, 1.0))
    population = deviation * np.sqrt((runs - 1) / runs)
    a = (differences**3).sum(axis=0) / runs / population**3 / 3
    quantile = _quantile(confidence, runs - 1) / np.sqrt(runs)
    low, high = (mean - deviation * _untransformed(bound - a / (2 * runs), a) for bound in (quantile, -quantile))
    return mean, np.where(varied, low, np.nan), np.where(varied, high, np.nan)


def _untransformed(transformed: Floats, a: Floats) -> Floats:
    """Return W of W + a W^2 + a^2 W^3 / 3 = z, which is (c - 1) / a = 3 z / (c^2 + c + 1) with c^3 = 1 + 3 a z."""
    root = _cube_root(1 + 3 * a * transformed)
    return 3 * transformed / (root * root + root + 1)


def _cube_root(values: Floats) -> Floats:
    """Return cube roots by Newton's method: sums, products and quotients are the same anywhere, ``cbrt`` is not."""
    fraction, exponent = np.frexp(values)
    whole = exponent // 3
    scaled = np.abs(np.ldexp(fraction, exponent - 3 * whole))  # from 0.5 up to 4, or 0
    root = np.ones_like(scaled)
    for _ in range(_STEPS):
        root = (2 * root + scaled / (root * root)) / 3
    return np.asarray(np.where(scaled > 0, np.copysign(np.ldexp(root, whole), values), 0.0))


def _quantile(confidence: float, freedom: int) -> float:
    """Return Student's quantile to 12 digits: in the last of its 16 digits, libraries differ."""
    from scipy.stats import t

    return float(f"{float(t.ppf((1 + confidence) / 2, freedom)):.12g}")


def median_interval(values: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Return the median over runs and its interval between two order statistics, exact for any distribution.

    The l-th smallest of n values and the l-th largest enclose the median with probability 1 - 2 P(B < l), B binomial
    with n trials of 1/2, or more if values repeat (David and Nagaraja, "Order Statistics", 2003, section 7.1). There is
    none where even the smallest and the largest would not do, which is up to 5 runs at 95 %.

    Args:
        values: One a run, shape (runs,).
        confidence: Coverage in (0, 1).
    """
    from scipy.stats import binom

    sample = np.sort(np.asarray(values, np.float64))
    runs = len(sample)
    estimate = float((sample[(runs - 1) // 2] + sample[runs // 2]) / 2)
    allowed = (1 - confidence) / 2
    within = int((binom.cdf(np.arange(runs), runs, 0.5) <= allowed).sum())  # l: the largest with P(B < l) <= allowed
    if not within:
        return Interval(estimate, None, None)
    return Interval(estimate, float(sample[within - 1]), float(sample[runs - within]))


def interquartile_mean(values: ArrayLike) -> float:
    """Return the mean of the middle half, shape (runs,).

    R. Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS 2021.
    """
    sample = np.sort(np.asarray(values, np.float64))
    cut = len(sample) // 4
    return float(sample[cut : len(sample) - cut].sum() / (len(sample) - 2 * cut))


def interquartile_mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Return the mean of the middle half and its interval; none below 50 runs, or if a quarter of them has one value.

    Where one value is that frequent, the value at which the tails are cut jumps from sample to sample.

    Student's interval for trimmed means: J. W. Tukey and D. H. McLaughlin, "Less vulnerable confidence and significance
    procedures for location based on a single sample", Sankhya A 25, 1963. With c values cut at each end, its variance
    is that of the winsorised values, over (1 - 2c/n)^2 n; degrees of freedom are those of the values that are left.

    Args:
        values: One a run, shape (runs,).
        confidence: Coverage in (0, 1).
    """
    sample = np.sort(np.asarray(values, np.float64))
    runs, estimate = len(sample), interquartile_mean(sample)
    cut = runs // 4
    most_equal = int(np.unique(sample, return_counts=True)[1].max())
    if runs < FEWEST_RUNS or 4 * most_equal >= runs:
        return Interval(estimate, None, None)
    winsorised = sample.clip(sample[cut], sample[runs - 1 - cut])
    variance = float(((winsorised - winsorised.sum() / runs) ** 2).sum()) / (runs - 1)
    left = runs - 2 * cut
    half = _quantile(confidence, left - 1) * np.sqrt(variance * runs) / left
    return Interval(estimate, float(estimate - half), float(estimate + half))


def proportion_interval(successes: int, runs: int, *, confidence: float = 0.95) -> Interval:
    """Return a proportion of runs and its exact interval: C. J. Clopper and E. S. Pearson, Biometrika 26, 1934.

    Args:
        successes: How many runs.
        runs: Of how many, at least 1.
        confidence: Coverage in (0, 1): it holds at least so often.
    """
    from scipy.stats import binomtest

    low, high = binomtest(successes, runs).proportion_ci(confidence, "exact")
    return Interval(successes / runs, float(low), float(high))
