"""Many columns of a table at once: learning curves and training times, by their principal components.

Yan, White, Savani & Hutter, "NAS-Bench-x11 and the Power of Learning Curves", NeurIPS 2021, compress the curves of some
architectures by a singular value decomposition, predict the coefficients of others, and expand them again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surrogates.models.default import stacked
from surrogates.models.encoded import Encoded
from surrogates.models.ranked import Floats, State, numbers, one_thread

_COMPONENTS = 6
_LEFT_OUT = 1e-3
"""Share of the variance that may be left out: it is noise."""


class Curves:
    """Predicts rows of a matrix from architectures; each coefficient by a Gaussian process over graph features.

    Args:
        space: Name of the search space.
        random_state: Of everything random.

    Attributes:
        mean_: Of the labels, shape (columns,).
        components_: Shape (components, columns), orthonormal; none where the labels do not vary.
        held_out_: Of a fit: its labels as predicted with the coefficients of each by a process without it, same shape.
    """

    def __init__(self, space: str, *, random_state: int) -> None:
        self.space = space
        self.random_state = random_state

    def fit(self, architectures: NDArray[np.uint8], labels: Floats) -> Curves:
        """Learn from choices, shape (n, decisions), and labels without gaps, shape (n, columns), n at least 1."""
        self.mean_: Floats = labels.mean(axis=0)
        with one_thread():
            _, sizes, components = np.linalg.svd(labels - self.mean_, full_matrices=False)
        variance = np.cumsum(sizes**2)
        enough = sizes.max(initial=0) > 1e-9 * max(1.0, float(np.abs(labels).max(initial=0)))
        kept = min(_COMPONENTS, 1 + int(np.searchsorted(variance, (1 - _LEFT_OUT) * variance[-1]))) if enough else 0
        self.components_: Floats = components[:kept]
        with one_thread():
            coefficients = (labels - self.mean_) @ self.components_.T
        self.models_ = [self._model().fit(architectures, column) for column in coefficients.T]
        held_out = [model.ranks_.back(model.held_out_) for model in self.models_]
        self.held_out_ = self._expanded(held_out, len(labels))
        return self

    def predict(self, architectures: NDArray[np.uint8]) -> Floats:
        """Return predictions, shape (n, columns)."""
        return self._expanded([model.predict(architectures) for model in self.models_], len(architectures))

    def _expanded(self, coefficients: Sequence[Floats], n: int) -> Floats:
        with one_thread():
            expanded = np.stack(coefficients, axis=1) @ self.components_ if coefficients else 0
        return np.asarray(self.mean_ + np.broadcast_to(expanded, (n, len(self.mean_))))

    def state(self) -> State:
        """Return all that was learnt, to be written to files."""
        models = {f"model_{i}": model.state() for i, model in enumerate(self.models_)}
        return {"mean": self.mean_, "components": self.components_, **models}

    def restore(self, state: State) -> Curves:
        """Become what was fitted, from :meth:`state`.

        Raises:
            ValueError, KeyError, TypeError, IndexError: It is no such state.
        """
        self.mean_, self.components_ = numbers(state["mean"], 1), numbers(state["components"], 2)
        if self.components_.shape[1] != len(self.mean_):
            raise ValueError("components and their mean have different lengths.")
        self.models_ = [self._model().restore(state[f"model_{i}"]) for i in range(len(self.components_))]
        return self

    def _model(self) -> Encoded:
        return stacked(self.space, ["gaussian_process"], random_state=self.random_state)
