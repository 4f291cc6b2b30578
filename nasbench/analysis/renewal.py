"""What a worker has shown by a time that draws again and again, each draw taking its own time: exact chances.

A worker is a renewal process: its draws are independent, with the same distribution of the pair of what a draw shows
and how long it takes. What it shows is ordered in levels, 0 the best. Let m_b be the measure of the durations of draws
that show level b, M that of all draws, A_b the sum of m_0 to m_b; and write them as power series in z, where z^k stands
for k steps of a lattice of times. A draw that runs at a time has not shown anything by then: the chance that a duration
is longer than k steps has the series t = (1 - M) / (1 - z). Then

    t / (1 - (M - A_b))  is the chance that no draw of levels 0 to b has ended: any number of others, and one that runs;

    m_b t / ((1 - (M - A_b)) (1 - (M - A_(b-1))))  is the chance that the best level so far is b, split by the draw that
    was the first to show it: others that show less, this draw, others that show no more, and one that runs.

Coefficients are found on a circle inside of the unit circle by fast Fourier transforms (J. Abate and W. Whitt,
"Numerical inversion of probability generating functions", Operations Research Letters 12, 1992).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.analysis.incumbents import Floats

_ALIASING = 1e-10
"""The circle's radius to the power of the number of its points: errors of coefficients are of that size."""
_CHUNK = 32
"""So many levels are transformed at once: more would not be faster, and would take more memory."""
_ROUNDING = 1e-9
"""A time that is a multiple of the step, up to the rounding of floats, is that multiple."""

Complexes = NDArray[np.complex128]


class Lattice:
    """Durations and positions in steps, and power series on a circle.

    Args:
        step: The unit of the lattice.
        at: Positions at which chances are asked for, shape (g,).
        exact: Durations are multiples of the step, and a draw counts that ends at a position. Otherwise a duration is
            split between the two steps around it, so that its mean stays; a step then stands for the time from half a
            step before it to half a step after it, and chances at positions between are interpolated.
    """

    def __init__(self, step: float, at: Floats, *, exact: bool) -> None:
        self.step, self.exact = step, exact
        steps = at / step
        self._last = int(np.ceil(steps.max() - _ROUNDING)) + 1
        self.points = 1 << int(np.ceil(np.log2(2 * self._last)))
        radius = _ALIASING ** (1 / self.points)
        self._powers = radius ** np.arange(self.points)
        self.z: Complexes = radius * np.exp(-2j * np.pi * np.arange(self.points // 2 + 1) / self.points)
        steps = np.maximum(steps - (0.0 if exact else 0.5), 0.0)
        self._below = np.floor(steps + _ROUNDING).astype(np.int64)
        self._beyond = np.zeros_like(steps) if exact else np.clip(steps - self._below, 0.0, 1.0)

    def series(self, seconds: Floats, rows: NDArray[np.int64], weights: Floats, count: int) -> Complexes:
        """Return the series of weighted durations, one a row, on the circle, shape (count, points // 2 + 1).

        Args:
            seconds: Durations, shape (m,); those beyond the last position do not matter.
            rows: Which row each of them adds to, shape (m,).
            weights: With which weight, shape (m,).
            count: The number of rows.
        """
        steps = seconds / self.step
        below = np.floor(steps + _ROUNDING)
        beyond = np.clip(steps - below, 0.0, 1.0)
        masses = np.zeros(count * self.points)
        for place, share in ((below, 1 - beyond), (below + 1, beyond)):
            there = place < self.points
            where = place[there].astype(np.int64)
            mass = weights[there] * share[there] * self._powers[where]
            masses += np.bincount(rows[there] * self.points + where, mass, len(masses))
        return np.fft.rfft(masses.reshape(count, self.points), axis=1)

    def at_positions(self, series: Complexes) -> Floats:
        """Return the coefficients of series, rows of the circle's values, at the positions: shape (rows, g)."""
        coefficients = np.fft.irfft(series, self.points, axis=1)[:, : self._last + 1] / self._powers[: self._last + 1]
        here, next_ = coefficients[:, self._below], coefficients[:, self._below + 1]
        return np.asarray(here * (1 - self._beyond) + next_ * self._beyond)


class Shown(NamedTuple):
    """What one worker has shown by each position."""

    hidden: Floats
    """The chance that it has shown none of the b best levels, shape (levels + 1, g); the first row is 1."""
    weighted: Floats
    """The chance that its best level is b, times the weight of the draw that was the first to show it: (levels, g)."""
    results: Floats
    """The expected number of draws that ended, shape (g,)."""


def shown_by(lattice: Lattice, seconds: Floats, probability: Floats, level: NDArray[np.int64], weight: Floats) -> Shown:
    """Return what one worker has shown by each position of a lattice.

    Args:
        lattice: Of times.
        seconds: Duration of each possible draw, shape (m,).
        probability: Of each, shape (m,), 1 in all.
        level: What each shows, 0 the best, every level up to the worst; shape (m,).
        weight: What is averaged over the draws that are the first to show the best level, shape (m,).
    """
    levels = int(level.max()) + 1
    order = np.argsort(level, kind="stable")
    seconds, probability, weight, level = seconds[order], probability[order], weight[order], level[order]
    starts = np.searchsorted(level, np.arange(levels + 1))
    nothing = 1 - lattice.series(seconds, np.zeros_like(level), probability, 1)
    tail = nothing / (1 - lattice.z)
    hidden = np.ones((levels + 1, len(lattice._below)))
    weighted = np.zeros((levels, len(lattice._below)))
    better = np.zeros_like(nothing)
    for first in range(0, levels, _CHUNK):
        last = min(first + _CHUNK, levels)
        mine = slice(starts[first], starts[last])
        rows, mass = level[mine] - first, probability[mine]
        masses = lattice.series(seconds[mine], rows, mass, last - first)
        weights = lattice.series(seconds[mine], rows, mass * weight[mine], last - first)
        at_least = better + np.cumsum(masses, axis=0)
        left = nothing + at_least
        hidden[first + 1 : last + 1] = lattice.at_positions(tail / left)
        weighted[first:last] = lattice.at_positions(weights * tail / (left * (left - masses)))
        better = at_least[-1:]
    results = lattice.at_positions((1 - nothing) / (nothing * (1 - lattice.z)))[0]
    return Shown(hidden, weighted, results)
