"""The Gaussian process of a search: asked after every evaluation, fitted anew only now and then."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from surrogates.models.gaussian_process import JITTER, GroupedGaussianProcess
from surrogates.models.ranked import Floats, one_thread

_LEARN_FROM, _ITERATIONS = 100, 15
_LONGEST = 4.0
"""Three lengths, each half of the next; those of GroupedGaussianProcess."""


class SearchProcess(GroupedGaussianProcess):
    """A process that keeps what it learnt, scales and weights, while what it knows grows.

    Its predictions are those of the predictor with these scales and weights, up to rounding. One exponential serves the
    three lengths, the covariance of what is known is kept, and nothing is checked: a search asks hundreds of times for
    a few hundred predictions.

    Args:
        groups: Column indexes of each group; none of them holds counts.
    """

    _covariance: Floats

    def __init__(self, groups: list[list[int]]) -> None:
        lengths = (_LONGEST / 4, _LONGEST / 2, _LONGEST)
        super().__init__(groups, lengths=lengths, learn_from=_LEARN_FROM, iterations=_ITERATIONS)

    def learn(self, known: Floats, accuracies: Floats, seed: int) -> None:
        """Learn scales from all, and weights from some that are drawn with this seed."""
        self.random_state = seed
        self.fit(known, accuracies)

    def posterior(self, known: Floats, z: Floats, running: Floats, new: Floats) -> tuple[Floats, Floats]:
        """Return the mean of each new row and the variance of what it is without noise, both of shape (n,).

        What is running narrows the variance as if it had been observed where it is expected, which leaves the mean as
        it is: Desautels, Krause & Burdick, "Parallelizing Exploration-Exploitation Tradeoffs in Gaussian Process Bandit
        Optimization", JMLR 2014, section 4.1.

        Args:
            known: Features of what was evaluated: what it knew before, and perhaps more behind it.
            z: Normal quantiles of its ranks.
            running: Features of what is being evaluated.
            new: Features of what may be evaluated.
        """
        with one_thread():
            self._fitted, self._covariance = self._with(known[len(self._covariance) :])
            rows, covariance = self._with(running)
            covariance[np.diag_indices_from(covariance)] += self.weights_[-1] + JITTER
            factor = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
            told = len(known)
            solved = cho_solve((factor[:told, :told], True), z, check_finite=False)
            across = self._kernel(self._parts(new), rows, np.float32)
            explained = solve_triangular(factor, across.T, lower=True, check_finite=False)
            own = self.weights_[:-1].sum()  # every kernel of a row with itself is one
            return across[:, :told] @ solved, own - np.einsum("ij,ij->j", explained, explained)

    def _condition(self, z: Floats) -> None:
        self._covariance = self._kernel(self._fitted, self._fitted)

    def _with(self, more: Floats) -> tuple[list[Floats], Floats]:
        """Return the scaled features and the covariance of what is known and of these rows, which come after it."""
        added = self._parts(more)
        rows = [np.concatenate(parts) for parts in zip(self._fitted, added, strict=True)]
        old, n = len(self._covariance), len(rows[0])
        covariance = np.empty((n, n))
        covariance[:old, :old] = self._covariance
        covariance[old:] = self._kernel(added, rows)
        covariance[:old, old:] = covariance[old:, :old].T
        return rows, covariance

    def _kernel(self, first: list[Floats], second: list[Floats], kind: type = np.float64) -> NDArray[Any]:
        total: NDArray[Any] = np.zeros((len(first[0]), len(second[0])), kind)
        weights = self.weights_[:-1].reshape(-1, 3).tolist()
        for a, b, (short, middle, long) in zip(first, second, weights, strict=True):
            squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
            r = np.sqrt((5 * np.maximum(squares, 0)).astype(kind)) / _LONGEST
            decay = np.exp(-r)
            for weight, times in ((long, 1), (middle, 2), (short, 4)):
                if times > 1:
                    decay *= decay
                one = r * (weight * times**2 / 3)  # weight (1 + x + x x / 3) exp(-x), where x = times r
                one += weight * times
                one *= r
                one += weight
                one *= decay
                total += one
        return total
