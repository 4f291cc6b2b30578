"""Boosted trees as arrays of numbers, that no file can turn into anything else.

Every tree is complete: node i asks whether a feature is below a threshold, and goes on at node 2 i + 1 if so, at
2 i + 2 otherwise. Where a fitted tree ends earlier its leaf is repeated below. So there are no children to follow, and
whatever numbers stand in the arrays, a prediction takes as many steps as the depth and ends in a leaf.
"""

from __future__ import annotations

import json
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from surrogates.models.ranked import Floats

DEEPEST = 12
"""Levels of a tree, at most: its arrays double with each."""
_LARGEST = 1e30
"""No leaf or base is larger: sums of float32 stay finite."""
_BLOCK, _TOGETHER = 2048, 16
"""Rows and trees that are walked at once: their tests fit a processor's cache."""


class Trees:
    """A sum of complete trees, in single precision.

    Args:
        feature: Of each node, shape (trees, 2**depth - 1), int32.
        threshold: Of each node, the same shape, float32.
        leaf: What each leaf adds, from left to right, shape (trees, 2**depth), float32.
        base: What the sum starts from, float32, no dimension.
    """

    def __init__(
        self,
        feature: NDArray[np.int32],
        threshold: NDArray[np.float32],
        leaf: NDArray[np.float32],
        base: NDArray[np.float32],
    ) -> None:
        self.feature, self.threshold, self.leaf, self.base = feature, threshold, leaf, base
        # Few tests are different ones: each is made once for all nodes that ask it.
        keys = feature.astype(np.int64) << 32 | threshold.view(np.uint32)
        tests, self._test = np.unique(keys, return_inverse=True)
        self._test = self._test.reshape(feature.shape)
        self._features = (tests >> 32).astype(np.intp)
        self._thresholds = (tests & 0xFFFFFFFF).astype(np.uint32).view(np.float32)

    @classmethod
    def of_xgboost(cls, text: bytes, depth: int) -> Self:
        """Convert a model that was fitted here, from its JSON: regression trees of a depth of at most ``depth``.

        The model must have learnt from rows without gaps: then XGBoost goes right where it finds one, as we do.
        """
        learner = json.loads(text)["learner"]
        trees = learner["gradient_booster"]["model"]["trees"]
        inner = 2**depth - 1
        feature = np.zeros((len(trees), inner), np.int32)
        threshold = np.zeros((len(trees), inner), np.float32)
        leaf = np.zeros((len(trees), inner + 1), np.float32)
        for i, tree in enumerate(trees):
            left, right, split, condition = (
                tree[name] for name in ("left_children", "right_children", "split_indices", "split_conditions")
            )
            nodes = [0]
            for level in range(depth):
                below = []
                for place, node in enumerate(nodes, 2**level - 1):
                    if left[node] == -1:  # the leaf repeats itself, whatever is asked
                        below += [node, node]
                        continue
                    feature[i, place], threshold[i, place] = split[node], condition[node]
                    below += [left[node], right[node]]
                nodes = below
            leaf[i] = [condition[node] for node in nodes]
        base = np.float32(learner["learner_model_param"]["base_score"].strip("[]"))
        return cls(feature, threshold, leaf, np.asarray(base))

    @classmethod
    def restored(cls, state: dict[str, Any], trees: int, depth: int, features: int) -> Self:
        """Return the trees of :meth:`state`, checked: so many, of this depth, over so many features.

        Raises:
            ValueError, KeyError: They are no such trees: another type or shape, a feature that is none, or a number
                that is not finite.
        """
        inner = 2**depth - 1
        expected: dict[str, tuple[Any, tuple[int, ...]]] = {
            "feature": (np.int32, (trees, inner)),
            "threshold": (np.float32, (trees, inner)),
            "leaf": (np.float32, (trees, inner + 1)),
            "base": (np.float32, ()),
        }
        found = {name: np.asarray(state[name]) for name in expected}
        for name, (kind, shape) in expected.items():
            array = found[name]
            if array.dtype != kind or array.shape != shape:
                raise ValueError(
                    f"{name} of trees must be {np.dtype(kind)} of shape {shape}, it is {array.dtype} of {array.shape}."
                )
            if not np.isfinite(array).all() or (name in ("leaf", "base") and np.abs(array).max() > _LARGEST):
                raise ValueError(f"{name} of trees has numbers that are not finite, or too large.")
        if found["feature"].min() < 0 or found["feature"].max() >= features:
            raise ValueError(f"trees ask for features that are none of {features}.")
        return cls(**found)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays, to be written to a file."""
        return {"feature": self.feature, "threshold": self.threshold, "leaf": self.leaf, "base": self.base}

    def predict(self, X: Floats) -> NDArray[np.float32]:
        """Return the sums, shape (n,), of features of shape (n, features); bit for bit what XGBoost predicts.

        Features are compared in single precision, and leaves added in the order of the trees.
        """
        blocks = range(0, len(X), _BLOCK)
        return np.concatenate([self._sums(X[start : start + _BLOCK].astype(np.float32)) for start in blocks])

    def _sums(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        n, depth = len(X), self.leaf.shape[1].bit_length() - 1
        # By test and row; a gap is not below anything, so that it goes right.
        right = (~(X.T[self._features] < self._thresholds[:, None])).view(np.uint8).ravel()
        total, rows = np.full(n, self.base), np.arange(n)
        for start in range(0, len(self.leaf), _TOGETHER):
            tests, leaves = self._test[start : start + _TOGETHER] * n, self.leaf[start : start + _TOGETHER]
            at = np.repeat(np.arange(len(leaves))[:, None], n, axis=1)  # of all nodes of a level, tree after tree
            for level in range(depth):
                asked = tests[:, 2**level - 1 : 2 ** (level + 1) - 1].ravel().take(at, mode="clip")
                asked += rows
                at += at
                at += right.take(asked, mode="clip")
            for added in leaves.ravel().take(at, mode="clip"):
                total += added
        return total
