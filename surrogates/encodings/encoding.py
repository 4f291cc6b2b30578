"""Encodings: from architectures to numbers that a model can learn from.

Each is a scikit-learn transformer over uint8 arrays of choices, shape (n, decisions), as tables and spaces have them.
White, Neiswanger, Nolen & Savani, "A Study on Encodings for Neural Architecture Search", NeurIPS 2020, compare the
first three; the graph features are those of :mod:`surrogates.encodings.cells201`, :mod:`surrogates.encodings.cells101`
and :mod:`surrogates.encodings.chains`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise, product
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from nasbench import registry
from nasbench.errors import NasbenchError
from nasbench.spaces import SearchSpace
from surrogates.encodings import cells101, cells201, chains

_BLOCK = 4096
"""Rows that are encoded at once: what is computed of them fits a processor's cache."""


class EncodingError(NasbenchError, ValueError):
    """An encoding does not know this search space, or was given something that is no array of its architectures."""


class Encoding(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What encodings share.

    Args:
        space: Name of a search space.
    """

    def __init__(self, space: str = "nb201") -> None:
        self.space = space

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Check the architectures; nothing is learnt from them.

        Raises:
            EncodingError: This encoding does not know the space.
            UnknownNameError: No search space has this name.
            InvalidArchitectureError: The array holds no architectures of it.
        """
        self.groups_ = {name: names for name, (names, _) in self._encode(self._checked(X)[:1]).items()}
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the features, shape (n, features).

        Raises:
            InvalidArchitectureError: The array holds no architectures of the space.
            NotFittedError: The encoding was not fitted.
        """
        check_is_fitted(self)
        choices = self._checked(X)
        found = np.empty((len(choices), sum(map(len, self.groups_.values()))))
        for start in range(0, len(choices), _BLOCK):
            end, column = start + _BLOCK, 0
            for _, values in self._encode(choices[start:end]).values():
                found[start:end, column : column + values.shape[1]] = values
                column += values.shape[1]
        return found

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return what each feature is."""
        return np.array([name for names in self.groups_.values() for name in names], object)

    def columns(self) -> list[list[int]]:
        """Return the columns of each group of features."""
        ends = np.cumsum([0, *[len(names) for names in self.groups_.values()]]).tolist()
        return [list(range(start, end)) for start, end in pairwise(ends)]

    def _checked(self, X: ArrayLike) -> NDArray[np.uint8]:
        space: SearchSpace = registry.find("spaces", self.space)()
        return space.validated(X)

    def _encode(self, choices: NDArray[np.uint8]) -> cells201.Groups:
        raise NotImplementedError

    def _unknown(self, known: Sequence[str]) -> EncodingError:
        return EncodingError(
            f"the encoding {type(self).__name__} is for {', '.join(known)}, not for {self.space!r}: use OneHot."
        )


class OneHot(Encoding):
    """One column for each choice of each decision: for every space, but forms of one network have nothing in common."""

    def _encode(self, choices: NDArray[np.uint8]) -> cells201.Groups:
        space: SearchSpace = registry.find("spaces", self.space)()
        pairs = [(i, choice) for i, cardinality in enumerate(space.choices) for choice in range(cardinality)]
        hot = np.stack([choices[:, i] == choice for i, choice in pairs], axis=1)
        return {"choices": ([f"decision {i} is {choice}" for i, choice in pairs], hot.astype(np.float64))}


class Adjacency(Encoding):
    """The pruned adjacency matrix of a cell, edge by edge, and its operations, one-hot; of spaces whose edges vary."""

    def _encode(self, choices: NDArray[np.uint8]) -> cells201.Groups:
        if self.space != "nb101":
            raise self._unknown(["nb101"])
        from nasbench.spaces.nb101 import EDGES, NB101, OPERATIONS

        edges, labels = NB101().pruned_many(choices)
        pairs = [(vertex, i) for vertex in range(1, 6) for i in range(len(OPERATIONS))]
        hot = np.stack([labels[vertex] == i + 1 for vertex, i in pairs], axis=1)
        return {
            "edges": ([f"edge {x}>{y}" for x, y in EDGES], edges.T.astype(np.float64)),
            "operations": ([f"vertex {v} is {OPERATIONS[i]}" for v, i in pairs], hot.astype(np.float64)),
        }


class Paths(Encoding):
    """Whether a cell has each possible path, as the sequence of its operations (White et al., "BANANAS", AAAI 2021)."""

    def _encode(self, choices: NDArray[np.uint8]) -> cells201.Groups:
        if self.space == "nb101":
            spelled, counts = cells101.features(choices)["paths"]
            return {"paths": (spelled, (counts > 0).astype(np.float64))}
        if self.space != "nb201":
            raise self._unknown(["nb201", "nb101"])
        from nasbench.spaces.nb201 import OPERATIONS

        names: list[str] = []
        columns: list[NDArray[np.bool_]] = []
        for edges in ((3,), (0, 4), (1, 5), (0, 2, 5)):
            for operations in product(range(1, len(OPERATIONS)), repeat=len(edges)):
                there = (choices[:, edges] == operations).all(axis=1)
                name = " ".join(OPERATIONS[i] for i in operations)
                if name in names:  # two paths have two edges
                    columns[names.index(name)] |= there
                else:
                    names.append(name)
                    columns.append(there)
        return {"paths": (names, np.stack(columns, axis=1).astype(np.float64))}


class GraphFeatures(Encoding):
    """Canonical features of the network: the same for all forms of it. The encoding to take."""

    def _encode(self, choices: NDArray[np.uint8]) -> cells201.Groups:
        if self.space not in _FEATURES:
            raise self._unknown(list(_FEATURES))
        return _FEATURES[self.space](choices)


_FEATURES: Mapping[str, Callable[[NDArray[np.uint8]], cells201.Groups]] = {
    "nb201": cells201.features,
    "nb101": cells101.features,
    "nats_sss": chains.sizes,
    "nb_macro": chains.macro,
    "conv5": chains.conv5,
}


def encoding_of(space: str) -> Encoding:
    """Return the encoding to take, unfitted: graph features of the spaces that have them, one-hot choices of others."""
    return GraphFeatures(space) if space in _FEATURES else OneHot(space)
