"""What random search must do, without simulating it: the exact law that its regret follows."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.analysis.incumbents import Floats, Observe, every_run, judged_by, unseen_optimum
from nasbench.errors import AnalysisError
from nasbench.tables.table import Table

_MOST_RUNS = 4
"""The number of terms grows with two to the power of the runs; no published table has more."""


class Law(NamedTuple):
    """Exact mean and standard deviation of the regret of one random search, by number of evaluations."""

    mean: Floats
    standard_deviation: Floats


def random_search_law(table: Table, evaluations: ArrayLike, *, observe: Observe = "run") -> Law:
    """Return the exact mean and deviation of random search's validation regret, draws with replacement.

    One draw shows the pair of architecture a and run r with probability p = 1/(N k), for each of N architectures and
    each of its k recorded runs. Let L(v) and E(v) be the probabilities that a draw shows less than v, and at most v.
    The pair is the incumbent of n draws if draw i is the first that shows its value v and no draw shows more:

        sum over i of L(v)^(i-1) p E(v)^(n-i)  =  p (E(v)^n - L(v)^n) / (E(v) - L(v)).

    That a set S of other runs of the same architecture was never shown takes their probabilities out of E(v), and of
    L(v) where they show less than v. What is left of S by inclusion and exclusion are the chances of each set of runs
    that the search did not see, over which the incumbent is judged (:mod:`nasbench.analysis.incumbents`). With
    ``observe="mean"`` every architecture has one value, which is seen and judges: the textbook law of the best of n.

    Args:
        table: The table.
        evaluations: Numbers of draws, whole and at least 1, shape (g,).
        observe: As in :class:`nasbench.search.Rules`.

    Raises:
        AnalysisError: Single runs are seen, and an architecture has more than four: there are too many sets of them.
        NotRecordedError: The table has no validation accuracy.
    """
    if observe == "mean":
        runs = np.asarray(table.column("validation_accuracy"), np.float64)[:, None]
        optimum = float(np.nanmax(runs))
    else:
        runs = every_run(table)
        most = int(np.isfinite(runs).sum(axis=1).max())
        if most > _MOST_RUNS:
            raise AnalysisError(
                f"{table.name} has up to {most} runs of an architecture: the law is computed for {_MOST_RUNS} at most."
            )
        optimum = unseen_optimum(runs)
    bases, first, second = _terms(optimum, runs)
    n = np.asarray(evaluations, np.float64)
    powers = [_power(bases, int(each)) for each in n]
    mean = np.array([float((first * power).sum()) for power in powers])
    square = np.array([float((second * power).sum()) for power in powers])
    return Law(mean, np.sqrt(np.maximum(square - mean**2, 0.0)))


def _terms(optimum: float, runs: Floats) -> tuple[Floats, Floats, Floats]:
    """Return x, c and d, such that the mean regret after n draws is the sum of c x^n, and the mean square of d x^n."""
    recorded = np.isfinite(runs)
    counts = recorded.sum(axis=1)
    whole = int(np.lcm.reduce(np.unique(counts[counts > 0])))
    # Probabilities are whole multiples of 1 / (N whole): sums of them are exact.
    unit = 1.0 / (int((counts > 0).sum()) * whole)
    rows, places = np.nonzero(recorded)
    shown = runs[rows, places]
    parts = whole // counts[rows]
    _, value = np.unique(shown, return_inverse=True)
    mass = np.zeros(int(value.max()) + 1, np.int64)
    np.add.at(mass, value, parts)
    at_most = np.cumsum(mass)[value]
    less = at_most - mass[value]

    bases, first, second = [], [], []
    width = runs.shape[1]
    for place in range(width):
        mine = places == place
        others = [other for other in range(width) if other != place]
        group = _Group(runs[rows[mine]], place, at_most[mine], less[mine], parts[mine])
        for size in range(len(others) + 1):
            for unseen in combinations(others, size):
                there, coefficient, square = group.coefficients(unseen, optimum)
                lower = sum(group.shows_less(other) for other in unseen)
                high = (group.at_most - len(unseen) * group.parts)[there]
                low = (group.less - lower * group.parts)[there]
                span = high - low
                share = group.parts[there] / span
                bases += [high * unit, low * unit]
                first += [share * coefficient[there], -share * coefficient[there]]
                second += [share * square[there], -share * square[there]]
    return _merged(np.concatenate(bases), np.concatenate(first), np.concatenate(second))


class _Group(NamedTuple):
    """All pairs that show the same place among the runs."""

    runs: Floats
    place: int
    at_most: NDArray[np.int64]
    less: NDArray[np.int64]
    parts: NDArray[np.int64]

    def shows_less(self, other: int) -> NDArray[np.int64]:
        """Return 1 where another run is recorded and less than what the pair shows; else 0."""
        return np.asarray(self.runs[:, other] < self.runs[:, self.place], np.int64)

    def coefficients(self, unseen: tuple[int, ...], optimum: float) -> tuple[NDArray[np.bool_], Floats, Floats]:
        """Return where this set can be unseen by chance, and the weights of that: of the regret, and of its square.

        Runs that show more than the incumbent are unseen for certain. Of the others, the probability that exactly a set
        T is unseen is the sum over all S that contain T of (-1)^(|S| - |T|) P(S is unseen); the weight of P(S) is the
        sum over all T in S of (-1)^(|S| - |T|) times the regret by T.
        """
        better = [other for other in range(self.runs.shape[1]) if other != self.place]
        certain = {other: self.runs[:, other] > self.runs[:, self.place] for other in better}
        there = np.ones(len(self.runs), np.bool_)
        for other in unseen:
            there &= np.isfinite(self.runs[:, other]) & ~certain[other]
        first, second = np.zeros(len(self.runs)), np.zeros(len(self.runs))
        for size in range(len(unseen) + 1):
            sign = (-1.0) ** (len(unseen) - size)
            for left in combinations(unseen, size):
                regret = optimum - self._judged(left, certain)
                first = first + sign * regret
                second = second + sign * regret**2
        return there, first, second

    def _judged(self, unseen: tuple[int, ...], certain: dict[int, NDArray[np.bool_]]) -> Floats:
        hidden = np.zeros(self.runs.shape, np.bool_)
        for other, sure in certain.items():
            hidden[:, other] = sure | (other in unseen)
        return judged_by(self.runs, self.place, hidden)


def _merged(bases: Floats, first: Floats, second: Floats) -> tuple[Floats, Floats, Floats]:
    """Add up the terms of one base; bases of zero vanish, as there is at least one draw."""
    distinct, place = np.unique(bases, return_inverse=True)
    merged = distinct, np.bincount(place, first), np.bincount(place, second)
    return tuple(each[distinct > 0] for each in merged)  # type: ignore[return-value]


def _power(bases: Floats, n: int) -> Floats:
    """Return the n-th power by repeated squaring: the same bits on any machine, other than a library's ``pow``."""
    result, square = np.ones_like(bases), bases
    while n:
        if n & 1:
            result = result * square
        square = square * square
        n >>= 1
    return result
