"""A model together with its encoding, so that models that see different features can be members of one stack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from nasbench.spaces import SearchSpace
from surrogates.models.ranked import Floats, RankedRegressor, State


class Encoded(RankedRegressor):
    """A model over choices, shape (n, decisions), that encodes them first.

    Unlike a scikit-learn pipeline it answers a stack's questions: for ranks, and for labels held out.

    Args:
        encoding: A transformer over choices, such as those of :mod:`surrogates.encodings`, unfitted.
        model: A :class:`RankedRegressor` over what it makes of them, unfitted.

    Attributes:
        encoding_: The fitted encoding.
        model_: The fitted model.
    """

    def __init__(self, encoding: Any, model: RankedRegressor) -> None:
        self.encoding = encoding
        self.model = model

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        choices = whole(X)
        self.encoding_ = clone(self.encoding).fit(choices)
        self._one = choices[:1]
        features = self._features(X)
        self.model_: RankedRegressor = clone(self.model)
        self.model_.n_features_in_ = features.shape[1]
        self.model_._fit_ranks(features, z)

    @property
    def held_out_(self) -> Floats:
        """What a fitted :class:`surrogates.models.stack.Stack` keeps of its labels."""
        return np.asarray(self.model_.held_out_)

    def _state(self) -> State:
        return {"architecture": np.asarray(self._one, np.uint8), "model": self.model_._state()}

    def _restore(self, state: State) -> None:
        self._one = np.asarray(state["architecture"], np.uint8)
        self.encoding_ = clone(self.encoding).fit(self._one)
        self.model_ = clone(self.model)
        self.model_.n_features_in_ = self._features(self._one).shape[1]
        self.model_._restore(state["model"])

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        features, place = _distinct(self._features(X))
        mean, deviation = self.model_._predict_ranks(features)
        return mean[place], deviation[place]

    def _predict_means(self, X: Floats) -> Floats:
        features, place = _distinct(self._features(X))
        return self.model_._predict_means(features)[place]

    def _predict_held_out(self, X: Floats, z: Floats, folds: Sequence[NDArray[np.intp]]) -> tuple[Floats, Floats]:
        return self.model_._predict_held_out(self._features(X), z, folds)

    def _features(self, X: Floats) -> Floats:
        return np.asarray(self.encoding_.transform(whole(X)), np.float64)


def _distinct(features: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return each row once, and where each of the given rows is among them: forms of one network are predicted once."""
    known: dict[bytes, int] = {}
    place = np.array([known.setdefault(row.tobytes(), len(known)) for row in features], np.intp)
    first = np.unique(place, return_index=True)[1]
    return features[first], place


def whole(X: Floats) -> NDArray[Any]:
    """Return choices as integers again, which the checks of scikit-learn turn into floats.

    Numbers that are not whole, or out of a choice's range, come back as they are: the search space refuses them.
    """
    integers = np.clip(X, -1, 256).astype(np.int64)
    return integers if (integers == X).all() else X


def checked(space: SearchSpace, X: Floats) -> NDArray[np.uint8]:
    """Return choices as uint8.

    Raises:
        InvalidArchitectureError: They are no architectures of the space.
    """
    return space.validated(whole(X))
