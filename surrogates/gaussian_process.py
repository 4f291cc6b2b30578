"""Gaussian process over groups of features.

Rasmussen & Williams, "Gaussian Processes for Machine Learning", MIT Press 2006: prediction by algorithm 2.1, the
hyperparameters by the gradient of the marginal likelihood (equations 2.30 and 5.9).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from sklearn.utils import check_random_state

from surrogates._ranked import Floats, RankedRegressor

_JITTER = 1e-6
_BLOCK = 4096
"""Rows that are predicted at once: their kernel matrix stays small."""


class GroupedGaussianProcess(RankedRegressor):
    """A sum of kernels, one for each group of features, a linear one, and noise.

    The kernel of a group is Matern 5/2 (Rasmussen & Williams, equation 4.17) of the Euclidean distance of its
    standardised features divided by the root of their number, with an amplitude and a length scale of its own: groups
    that do not matter fade out, and a group of many columns weighs no more than one of few. Hyperparameters maximise
    the marginal likelihood times a wide log-normal prior.

    Args:
        groups: Column indexes of each group; one group of all columns by default.
        learn_from: Hyperparameters are learnt from so many labels at most, drawn at random; predictions use all.
        iterations: Of L-BFGS, at most.
        random_state: Of that draw.

    Attributes:
        parameters_: Logarithms of the amplitudes, the length scales, the amplitude of the linear kernel, and the
            variance of the noise, all of ranks as normal quantiles.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]] | None = None,
        *,
        learn_from: int = 400,
        iterations: int = 40,
        random_state: int | None = None,
    ) -> None:
        self.groups = groups
        self.learn_from = learn_from
        self.iterations = iterations
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        groups = [range(X.shape[1])] if self.groups is None else self.groups
        self._columns = [np.asarray(group, np.intp) for group in groups]
        # Columns that hardly vary would be blown up: a rare path tells little.
        self._center = [X[:, columns].mean(axis=0) for columns in self._columns]
        self._scale = [(X[:, columns].std(axis=0) + 1e-3) * np.sqrt(len(columns)) for columns in self._columns]
        self._parts = self._standardised(X)
        chosen = check_random_state(self.random_state).permutation(len(z))[: self.learn_from]
        self.parameters_: Floats = self._learn([part[chosen] for part in self._parts], z[chosen])
        kernel = self._kernel(self._parts)
        kernel[np.diag_indices_from(kernel)] += np.exp(self.parameters_[-1]) + _JITTER
        self._factor: Floats = cholesky(kernel, lower=True)
        self._weights: Floats = cho_solve((self._factor, True), z)

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        means, variances = [], []
        amplitudes = np.exp(self.parameters_[: len(self._parts)])
        linear, noise = np.exp(self.parameters_[-2]), np.exp(self.parameters_[-1])
        for start in range(0, len(X), _BLOCK):
            parts = self._standardised(X[start : start + _BLOCK])
            kernel = self._kernel(parts)
            means.append(kernel @ self._weights)
            explained = solve_triangular(self._factor, kernel.T, lower=True, overwrite_b=True, check_finite=False)
            own = amplitudes.sum() + linear * sum((part**2).sum(axis=1) for part in parts)
            variances.append(np.maximum(own - (explained**2).sum(axis=0), 0) + noise)
        return np.concatenate(means), np.sqrt(np.concatenate(variances))

    def _standardised(self, X: Floats) -> list[Floats]:
        return [
            (X[:, columns] - center) / scale
            for columns, center, scale in zip(self._columns, self._center, self._scale, strict=True)
        ]

    def _kernel(self, parts: list[Floats]) -> Floats:
        """Return the covariance of these rows with those of the fit, without noise."""
        n = len(parts)
        amplitudes, lengths = np.exp(self.parameters_[:n]), np.exp(self.parameters_[n : 2 * n])
        total = np.exp(self.parameters_[-2]) * sum(
            part @ fitted.T for part, fitted in zip(parts, self._parts, strict=True)
        )
        for part, fitted, amplitude, length in zip(parts, self._parts, amplitudes, lengths, strict=True):
            total += amplitude * _matern(_squares(part, fitted), length)[0]
        return np.asarray(total)

    def _learn(self, parts: list[Floats], z: Floats) -> Floats:
        n = len(parts)
        start = np.concatenate([np.full(n, -np.log(n)), np.full(n, 0.5), [np.log(0.1 / n), np.log(0.1)]])
        bounds = [(-8, 4)] * n + [(-3, 4)] * n + [(-8, 3), (-7, 1)]
        objective = _Objective(parts, z, start)
        found = minimize(
            objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": self.iterations}
        )
        return np.asarray(found.x)


class _Objective:
    """The negative logarithm of marginal likelihood times prior, and its gradient by the logarithms of parameters."""

    def __init__(self, parts: list[Floats], z: Floats, prior: Floats) -> None:
        self._z, self._prior = z, prior
        n = len(parts)
        self._deviation = np.concatenate([np.full(n, 2.0), np.full(n, 1.0), [2.0, 1.5]])
        self._squares = [_squares(part, part) for part in parts]
        self._linear = sum(part @ part.T for part in parts)
        self._identity = np.eye(len(z))

    def __call__(self, parameters: Floats) -> tuple[float, Floats]:
        n = len(self._squares)
        amplitudes, lengths = np.exp(parameters[:n]), np.exp(parameters[n : 2 * n])
        linear, noise = np.exp(parameters[-2]) * self._linear, np.exp(parameters[-1])
        kernels = [_matern(squares, length) for squares, length in zip(self._squares, lengths, strict=True)]
        covariance = linear + (noise + _JITTER) * self._identity
        for amplitude, (kernel, _) in zip(amplitudes, kernels, strict=True):
            covariance += amplitude * kernel
        off = (parameters - self._prior) / self._deviation
        try:
            factor = cholesky(covariance, lower=True, check_finite=False)
        except np.linalg.LinAlgError:  # such parameters explain nothing
            return 1e10, np.zeros_like(parameters)
        inverse = cho_solve((factor, True), self._identity, check_finite=False)
        weights = inverse @ self._z
        loss = self._z @ weights / 2 + np.log(np.diag(factor)).sum() + (off**2).sum() / 2
        outer = np.outer(weights, weights) - inverse
        gradient = [
            *[a * np.vdot(outer, kernel) for a, (kernel, _) in zip(amplitudes, kernels, strict=True)],
            *[a * np.vdot(outer, slope) for a, (_, slope) in zip(amplitudes, kernels, strict=True)],
            np.vdot(outer, linear),
            noise * np.trace(outer),
        ]
        return float(loss), -np.array(gradient) / 2 + off / self._deviation


def _squares(first: Floats, second: Floats) -> Floats:
    """Return squared Euclidean distances, shape (len(first), len(second))."""
    norms = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)
    return np.asarray(np.maximum(norms - 2 * first @ second.T, 0))


def _matern(squares: Floats, length: float) -> tuple[Floats, Floats]:
    """Return the Matern 5/2 kernel at these squared distances, and its derivative by the logarithm of the length."""
    r = np.sqrt(5 * squares) / length
    decay = np.exp(-r)
    return (1 + r + r * r / 3) * decay, r * r * (1 + r) / 3 * decay
