"""Gaussian process over groups of features, as a weighted sum of fixed kernels.

Rasmussen & Williams, "Gaussian Processes for Machine Learning", MIT Press 2006: prediction by algorithm 2.1, the
weights by the gradient of the marginal likelihood (equations 2.30 and 5.9).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from sklearn.utils import check_random_state

from surrogates.models.ranked import Floats, RankedRegressor, State, numbers, positive, shaped

JITTER = 1e-6
_BLOCK = 4096
"""Rows that are predicted at once: their kernel matrix stays small."""
_STEP, _FARTHEST = 2.0**-16, 2.0**6
"""Features are whole multiples of the step, at most so large: sums of their products are then exact in
double precision, so that a prediction does not depend on the rows that are predicted with it, nor on the machine."""


class GroupedGaussianProcess(RankedRegressor):
    """A sum of kernels of groups of features, and noise.

    Groups of counts, of which most are zero, are compared by Tanimoto's kernel, xy / (xx + yy - xy), as molecules are
    by their parts (Ralaivola, Swamidass, Saigo & Baldi, "Graph kernels for chemical informatics", Neural Networks
    2005). The others by Matern 5/2 kernels (Rasmussen & Williams, equation 4.17) of several lengths, of their
    standardised features divided by the root of their number. Only the weights of the kernels and the variance of the
    noise are learnt: they maximise the marginal likelihood times a wide log-normal prior.

    Args:
        groups: Column indexes of each group; one group of all columns by default.
        counts: Which of the groups hold counts.
        lengths: Of the Matern kernels; the features of a group vary by one in all.
        learn_from: Weights are learnt from so many labels at most, drawn at random; predictions use all.
        iterations: Of L-BFGS, at most.
        random_state: Of that draw.

    Attributes:
        weights_: Of the kernels, in the order of the groups, then the variance of the noise, all of ranks as normal
            quantiles.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]] | None = None,
        counts: Sequence[int] = (),
        *,
        lengths: Sequence[float] = (1.0, 2.0, 4.0),
        learn_from: int = 400,
        iterations: int = 30,
        random_state: int | None = None,
    ) -> None:
        self.groups = groups
        self.counts = counts
        self.lengths = lengths
        self.learn_from = learn_from
        self.iterations = iterations
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        self._learn_scale(X)
        chosen = check_random_state(self.random_state).permutation(len(z))[: self.learn_from]
        some = [part[chosen] for part in self._fitted]
        self.weights_: Floats = _learnt(self._kernels(some, some), z[chosen], self.iterations)
        self._condition(z)

    def _learn_scale(self, X: Floats) -> None:
        groups = [range(X.shape[1])] if self.groups is None else self.groups
        self._columns = [np.asarray(group, np.intp) for group in groups]
        self._are_counts = [i in self.counts for i in range(len(groups))]
        self._center = [X[:, columns].mean(axis=0) for columns in self._columns]
        # Columns that hardly vary would be blown up: what is rare tells little.
        self._scale = [(X[:, columns].std(axis=0) + 1e-3) * np.sqrt(len(columns)) for columns in self._columns]
        self._X, self._fitted = X, self._parts(X)

    def _condition(self, z: Floats) -> None:
        self._z = z
        kernel = self._kernel(self._fitted, self._fitted)
        kernel[np.diag_indices_from(kernel)] += self.weights_[-1] + JITTER
        self._factor: Floats = cholesky(kernel, lower=True)
        self._solved: Floats = cho_solve((self._factor, True), z)

    def _state(self) -> State:
        return {"features": self._X, "quantiles": self._z, "weights": self.weights_}

    def _restore(self, state: State) -> None:
        quantiles = numbers(state["quantiles"], 1)
        self._learn_scale(shaped(state["features"], len(quantiles), self.n_features_in_))
        kernels = sum(1 if counts else len(self.lengths) for counts in self._are_counts)
        self.weights_ = positive(state["weights"], kernels + 1)
        self._condition(quantiles)

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        means, variances = [], []
        own = self.weights_[:-1].sum()  # every kernel of a row with itself is one
        for kernel in self._blocks(X):
            means.append(self._mean(kernel))
            explained = solve_triangular(self._factor, kernel.T, lower=True, check_finite=False)
            variances.append(np.maximum(own - (explained**2).sum(axis=0), 0) + self.weights_[-1])
        return np.concatenate(means), np.sqrt(np.concatenate(variances))

    def _predict_means(self, X: Floats) -> Floats:
        return np.concatenate([self._mean(kernel) for kernel in self._blocks(X)])

    def _mean(self, kernel: NDArray[Any]) -> Floats:
        """Return the prediction of each row, summed in one order whatever the other rows are."""
        return np.asarray(np.einsum("ij,j->i", kernel, self._solved, dtype=np.float64))

    def _blocks(self, X: Floats) -> Iterator[NDArray[Any]]:
        """Yield the covariance of some rows after the other with those of the fit.

        In single precision from the distances on, which saves time: it is off by a thousandth of the noise.
        """
        for start in range(0, len(X), _BLOCK):
            yield self._kernel(self._parts(X[start : start + _BLOCK]), self._fitted, np.float32)

    def _predict_held_out(self, X: Floats, z: Floats, folds: Sequence[NDArray[np.intp]]) -> tuple[Floats, Floats]:
        """Predict each row of the fit without it, with the weights of all (Rasmussen & Williams, 5.10 to 5.12)."""
        precision = np.diag(cho_solve((self._factor, True), np.eye(len(z))))
        return z - self._solved / precision, np.sqrt(1 / precision)

    def _parts(self, X: Floats) -> list[Floats]:
        return [
            _stepped(np.maximum(X[:, columns], 0) if counts else (X[:, columns] - center) / scale)
            for columns, counts, center, scale in zip(
                self._columns, self._are_counts, self._center, self._scale, strict=True
            )
        ]

    def _kernel(self, first: list[Floats], second: list[Floats], kind: type = np.float64) -> NDArray[Any]:
        """Return the covariance of rows, without noise, as numbers of this kind."""
        kernels = self._kernels(first, second, kind)
        total = np.zeros_like(kernels[0])
        for weight, kernel in zip(self.weights_.tolist(), kernels, strict=False):
            total += weight * kernel
        return total

    def _kernels(self, first: list[Floats], second: list[Floats], kind: type = np.float64) -> list[NDArray[Any]]:
        found = []
        for a, b, counts in zip(first, second, self._are_counts, strict=True):
            found += [_tanimoto(a, b, kind)] if counts else _materns(a, b, self.lengths, kind)
        return found


def _stepped(features: Floats) -> Floats:
    return np.ascontiguousarray(np.rint(features / _STEP).clip(-_FARTHEST / _STEP, _FARTHEST / _STEP) * _STEP)


def _tanimoto(first: Floats, second: Floats, kind: type) -> NDArray[Any]:
    """Return the kernel of rows that hold no negative numbers; two rows of zeros are the same."""
    common = first @ second.T
    union = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - common
    alike = union < 1e-6  # of what is not zero it is 0.4 at least
    union[alike] = common[alike] = 1
    return np.asarray(common.astype(kind) / union.astype(kind))


def _materns(first: Floats, second: Floats, lengths: Sequence[float], kind: type) -> list[NDArray[Any]]:
    norms = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    distance = np.sqrt((5 * np.maximum(norms - 2 * first @ second.T, 0)).astype(kind))
    found = []
    for length in lengths:
        r = distance / length
        found.append((1 + r + r * r / 3) * np.exp(-r))
    return found


def _learnt(kernels: list[Floats], z: Floats, iterations: int) -> Floats:
    """Return the weights of kernels and the variance of noise that explain z best."""
    n, identity = len(kernels), np.eye(len(z))
    prior = np.log([*[1 / n] * n, 0.05])
    deviation = np.array([*[2.0] * n, 1.5])

    def loss(logarithms: Floats) -> tuple[float, Floats]:
        weights = np.exp(logarithms)
        covariance = (weights[-1] + JITTER) * identity
        for weight, kernel in zip(weights, kernels, strict=False):
            covariance += weight * kernel
        try:
            factor = cholesky(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:  # such weights explain nothing
            return 1e10, np.zeros_like(logarithms)
        inverse = cho_solve((factor, True), identity, check_finite=False)
        solved = inverse @ z
        outer = np.outer(solved, solved) - inverse
        off = (logarithms - prior) / deviation
        slopes = np.array([*[np.vdot(outer, kernel) for kernel in kernels], np.trace(outer)])
        value = z @ solved / 2 + np.log(np.diag(factor)).sum() + (off**2).sum() / 2
        return float(value), -weights * slopes / 2 + off / deviation

    bounds = [(-8, 6)] * n + [(-7, 1)]
    found = minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
    return np.asarray(np.exp(found.x))
