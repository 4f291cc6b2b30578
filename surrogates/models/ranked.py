"""Regressors that learn the ranks of their labels, and answer in the labels' unit.

Accuracies of a search space have a long lower tail, whose few networks would dominate every squared error. Labels are
replaced by the normal quantiles of their ranks, z = Phi^-1((rank - 1/2) / n), a model is fitted to these, and its
predictions are carried back by linear interpolation between labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController

from nasbench.errors import NasbenchError

Floats = NDArray[np.float64]
State = dict[str, Any]
"""What a model has learnt: arrays of numbers and texts as bytes, by name, in dictionaries of their own or below."""

_WIDE = float(norm.ppf(0.95))
_LARGEST = 1e30


class PredictionError(NasbenchError, ValueError):
    """A model that was restored predicts no finite number."""


def one_thread() -> Any:
    """Return a context in which matrix products take one thread: with several their last bits depend on how many."""
    return _libraries().limit(limits=1, user_api="blas")


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def numbers(value: Any, dimensions: int) -> Floats:
    """Return an array of a state as finite floats.

    Raises:
        ValueError: It has another number of dimensions, or numbers that are not finite, or far beyond any that is
            learnt: their squares stay finite.
    """
    array = np.asarray(value, np.float64)
    if array.ndim != dimensions or not (np.abs(array) <= _LARGEST).all():
        raise ValueError(f"expected finite numbers in {dimensions} dimension(s), found shape {array.shape}.")
    return array


def shaped(value: Any, *shape: int) -> Floats:
    """Return an array of a state as finite floats of exactly this shape.

    Raises:
        ValueError: As for :func:`numbers`, or it has another shape.
    """
    array = numbers(value, len(shape))
    if array.shape != shape:
        raise ValueError(f"expected numbers of shape {shape}, found {array.shape}.")
    return array


def positive(value: Any, *shape: int) -> Floats:
    """Return an array of a state as positive finite floats of exactly this shape.

    Raises:
        ValueError: As for :func:`shaped`, or one of them is not positive.
    """
    array = shaped(value, *shape)
    if not (array > 0).all():
        raise ValueError(f"expected positive numbers of shape {shape}.")
    return array


def _finite(values: Floats) -> Floats:
    if not np.isfinite(values).all():
        raise PredictionError("a model predicts what is no number: fit it again, its file was made up or altered.")
    return values


class RankMap:
    """The map between labels and the normal quantiles of their ranks.

    Args:
        labels: Shape (n,), at least two different finite values.

    Raises:
        ValueError: All labels are the same.
    """

    def __init__(self, labels: Floats) -> None:
        values, first = np.unique(labels, return_index=True)
        if len(values) < 2:
            raise ValueError(f"all {len(labels)} labels are {labels[0]}: there is nothing to learn. Check the metric.")
        self.quantiles: Floats = norm.ppf((rankdata(labels) - 0.5) / len(labels))
        """The normal quantiles of the labels, in their order."""
        self._values, self._z = values, self.quantiles[first]

    @classmethod
    def restored(cls, values: Floats, z: Floats) -> RankMap:
        """Return the map through these points, both rising: of labels that are known no more.

        Raises:
            ValueError: They are no such points.
        """
        if not (values.shape == z.shape and len(z) > 1 and (np.diff(values) > 0).all() and (np.diff(z) > 0).all()):
            raise ValueError("the points of a rank map do not rise.")
        ranks = cls.__new__(cls)
        ranks.quantiles, ranks._values, ranks._z = z, values, z
        return ranks

    def back(self, z: Floats) -> Floats:
        """Return the values at these quantiles; beyond the labels the line between the last two goes on."""
        found: Floats = np.interp(z, self._z, self._values)
        for end, next_, beyond in ((0, 1, z < self._z[0]), (-1, -2, z > self._z[-1])):
            slope = (self._values[next_] - self._values[end]) / (self._z[next_] - self._z[end])
            found[beyond] = self._values[end] + slope * (z[beyond] - self._z[end])
        return found

    def width(self, z: Floats, deviation: Floats) -> Floats:
        """Return what standard deviations become on the way back, by the central 90 % intervals."""
        return (self.back(z + _WIDE * deviation) - self.back(z - _WIDE * deviation)) / (2 * _WIDE)


class RankedRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """What the models share: checks, ranks, and the way back. Subclasses write what is not implemented here."""

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from features and labels.

        Args:
            X: Features, shape (n, features).
            y: Labels, shape (n,): larger is better or worse, that does not matter.

        Raises:
            ValueError: Fewer than two rows, labels that are missing, not finite or all the same, or shapes that do not
                fit.
        """
        features, labels = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        self.ranks_ = RankMap(np.asarray(labels, np.float64))
        with one_thread():
            self._fit_ranks(features, self.ranks_.quantiles)
        return self

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Return predictions in the unit of the labels, shape (n,), and their standard deviations if asked for.

        The prediction is the median; the deviation is that of a normal distribution whose central 90 % interval is as
        wide as this one on the way back.

        Raises:
            NotFittedError: The model was not fitted.
            ValueError: The features are not those of the fit.
            PredictionError: What was restored from a file makes no number of them.
        """
        check_is_fitted(self)
        if not return_std:
            features = validate_data(self, X, dtype=np.float64, reset=False)
            with one_thread():
                return self.ranks_.back(_finite(self._predict_means(features)))
        z, deviation = self.predict_ranks(X)
        return self.ranks_.back(z), self.ranks_.width(z, deviation)

    def predict_ranks(self, X: ArrayLike) -> tuple[Floats, Floats]:
        """Return predictions as normal quantiles of ranks, and their standard deviations, both of shape (n,)."""
        check_is_fitted(self)
        features = validate_data(self, X, dtype=np.float64, reset=False)
        with one_thread():
            mean, deviation = self._predict_ranks(features)
        return _finite(mean), _finite(deviation)

    def state(self) -> State:
        """Return all that was learnt, to be written to files."""
        check_is_fitted(self)
        ranks = {"values": self.ranks_._values, "quantiles": self.ranks_._z}
        return {"features": np.array(self.n_features_in_, np.int64), "ranks": ranks, "model": self._state()}

    def restore(self, state: State) -> Self:
        """Become what was fitted, from :meth:`state`; the arguments of the constructor must be the same.

        Raises:
            ValueError, KeyError, TypeError, IndexError: It is no state of such a model; it is read as numbers, and
                nothing in it is run.
        """
        self.n_features_in_ = int(shaped(state["features"]))
        self.ranks_ = RankMap.restored(numbers(state["ranks"]["values"], 1), numbers(state["ranks"]["quantiles"], 1))
        with one_thread():
            self._restore(state["model"])
        return self

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        raise NotImplementedError

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        raise NotImplementedError

    def _predict_means(self, X: Floats) -> Floats:
        """Return the first of :meth:`_predict_ranks`, which may be faster alone."""
        return self._predict_ranks(X)[0]

    def _state(self) -> State:
        raise NotImplementedError

    def _restore(self, state: State) -> None:
        raise NotImplementedError

    def _predict_held_out(self, X: Floats, z: Floats, folds: Sequence[NDArray[np.intp]]) -> tuple[Floats, Floats]:
        """Predict each row of the fit by a model that was fitted without its fold."""
        mean, deviation = np.empty((2, len(z)))
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(z)), fold)
            model = clone(self)
            model._fit_ranks(X[rest], z[rest])
            mean[fold], deviation[fold] = model._predict_ranks(X[fold])
        return mean, deviation
