"""Several models as one, weighted and calibrated by what they predict of labels that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import nnls
from scipy.stats import norm
from sklearn.base import clone

from surrogates._ranked import Floats, RankedRegressor


class Stack(RankedRegressor):
    """A weighted mean of models.

    Each label is predicted by models fitted without its fold, by the same procedure as the final ones. The weights are
    the non-negative least-squares fit of these predictions to the labels, half of the way to equal weights: with few
    labels they are noisy. The variance is that of the mixture, multiplied by what makes the central 90 % interval hold
    for 90 % of the labels out of fold.

    Args:
        models: The members, unfitted.
        folds: Parts of the labels.
        random_state: Of the division into folds.

    Attributes:
        models_: The members, fitted to all labels.
        weights_: Their weights, which sum to one.
        temperature_: The factor on standard deviations.
    """

    def __init__(self, models: Sequence[Any], *, folds: int = 5, random_state: int | None = None) -> None:
        self.models = models
        self.folds = folds
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        means, deviations = np.empty((2, len(self.models), len(z)))
        order = np.random.default_rng(self.random_state).permutation(len(z))
        for held in np.array_split(order, min(self.folds, len(z) // 2)):
            rest = np.setdiff1d(order, held)
            for i, model in enumerate(self.models):
                fitted = clone(model)
                fitted.fit(X[rest], z[rest])
                low, high = fitted.predict_ranks(X[held])
                # The ranks of the rest are not those of all labels.
                means[i, held] = fitted.ranks_.back(low)
                deviations[i, held] = (fitted.ranks_.back(low + high) - fitted.ranks_.back(low - high)) / 2
        found, _ = nnls(means.T, z)
        equal = np.full(len(self.models), 1 / len(self.models))
        self.weights_: Floats = (equal + found / found.sum()) / 2 if found.sum() > 0 else equal
        mean, deviation = self._mixture(means, deviations)
        off = np.sort(np.abs(z - mean) / deviation)
        at = min(len(z) - 1, int(np.ceil(0.9 * (len(z) + 1))) - 1)
        self.temperature_ = float(off[at] / norm.ppf(0.95))
        self.models_ = [clone(model).fit(X, z) for model in self.models]

    def _mixture(self, means: Floats, deviations: Floats) -> tuple[Floats, Floats]:
        mean = self.weights_ @ means
        return mean, np.sqrt(self.weights_ @ (deviations**2 + (means - mean) ** 2))

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        each = [model.predict(X, return_std=True) for model in self.models_]
        mean, deviation = self._mixture(*map(np.array, zip(*each, strict=True)))
        return mean, deviation * self.temperature_
