"""Several models as one, with a standard deviation that holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm
from sklearn.base import clone

from surrogates.models.ranked import Floats, RankedRegressor, State, positive

_NOMINAL = 0.9
"""The central interval that is made to hold."""


class Stack(RankedRegressor):
    """The mean of models, calibrated by what they predict of labels that they have not seen.

    Weights are given, not learnt: with a hundred labels those would mostly be noise. The variance is that of the
    mixture of the members, multiplied so that the central 90 % interval holds for 90 % of the labels, each predicted by
    members that were fitted without it; a process keeps the weights of its kernels, and trees their spread (after
    cross-conformal prediction: Vovk, Gammerman & Shafer, "Algorithmic Learning in a Random World", 2005, with the
    finite-sample rank).

    Args:
        models: The members, unfitted :class:`RankedRegressor` objects.
        weights: Of the members, positive; all alike by default.
        folds: Parts of the labels that are held out.
        random_state: Of the division into folds.

    Attributes:
        models_: The members, fitted to all labels.
        temperature_: The factor on standard deviations.
        held_out_: Of a fit: each label as predicted without it, as the normal quantile of a rank.
    """

    def __init__(
        self,
        models: Sequence[RankedRegressor] = (),
        *,
        weights: Sequence[float] | None = None,
        folds: int = 5,
        random_state: int | None = None,
    ) -> None:
        self.models = models
        self.weights = weights
        self.folds = folds
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        if not self.models:
            raise ValueError("a stack needs at least one model; surrogates.models.default makes the recommended one.")
        if self.weights is not None:
            weights = np.asarray(self.weights, np.float64)
            if weights.shape != (len(self.models),) or not (np.isfinite(weights) & (weights > 0)).all():
                raise ValueError(f"expected {len(self.models)} positive weights, one a model; found {self.weights}.")
        self.models_ = [clone(model) for model in self.models]
        for model in self.models_:
            model.n_features_in_ = X.shape[1]
            model._fit_ranks(X, z)
        order = np.random.default_rng(self.random_state).permutation(len(z))
        folds = np.array_split(order, min(self.folds, len(z)))
        mean, deviation = self._mixture([model._predict_held_out(X, z, folds) for model in self.models_])
        self.held_out_: Floats = mean
        off = np.sort(np.abs(z - mean) / deviation)
        rank = min(len(z), int(np.ceil(_NOMINAL * (len(z) + 1))))
        self.temperature_ = float(off[rank - 1] / norm.ppf((1 + _NOMINAL) / 2))

    def _state(self) -> State:
        members = {f"member_{i}": model._state() for i, model in enumerate(self.models_)}
        return {"temperature": np.array(self.temperature_), **members}

    def _restore(self, state: State) -> None:
        self.temperature_ = float(positive(state["temperature"]))
        self.models_ = [clone(model) for model in self.models]
        for i, model in enumerate(self.models_):
            model.n_features_in_ = self.n_features_in_
            model._restore(state[f"member_{i}"])

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        mean, deviation = self._mixture([model._predict_ranks(X) for model in self.models_])
        return mean, deviation * self.temperature_

    def _predict_means(self, X: Floats) -> Floats:
        return np.asarray(np.average([model._predict_means(X) for model in self.models_], axis=0, weights=self.weights))

    def _mixture(self, each: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the mixture of normal distributions."""
        means, deviations = np.array(each).swapaxes(0, 1)
        mean = np.average(means, axis=0, weights=self.weights)
        return mean, np.sqrt(np.average(deviations**2 + (means - mean) ** 2, axis=0, weights=self.weights))
