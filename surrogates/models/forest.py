"""Random forests and extremely randomised trees, with the spread over their trees.

Breiman, "Random Forests", Machine Learning 2001; Geurts, Ernst & Wehenkel, "Extremely randomized trees", Machine
Learning 2006. The estimators are scikit-learn's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor
from sklearn.tree._tree import Tree
from sklearn.utils import check_random_state

from surrogates.models.ranked import Floats, RankedRegressor, State, numbers


class _Forest(RankedRegressor):
    def __init__(self, *, trees: int = 300, features: float = 0.5, random_state: int | None = None) -> None:
        self.trees = trees
        self.features = features
        self.random_state = random_state

    def _state(self) -> State:
        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(tree, name).ravel() for tree in self.trees_])

        return {
            "nodes": np.array([tree.node_count for tree in self.trees_], np.int64),
            **{name: joined(name) for name in ("children_left", "children_right", "feature", "threshold", "value")},
        }

    def _restore(self, state: State) -> None:
        nodes = np.asarray(state["nodes"])
        found = {name: np.asarray(state[name]) for name in ("children_left", "children_right", "feature")}
        found |= {name: numbers(state[name], 1) for name in ("threshold", "value")}
        if nodes.shape != (self.trees,) or nodes.dtype != np.int64 or nodes.min() < 1:
            raise ValueError(f"expected the sizes of {self.trees} trees, found {nodes.dtype} of shape {nodes.shape}.")
        if {array.shape for array in found.values()} != {(sum(nodes.tolist()),)}:
            raise ValueError(f"the nodes of the trees are {sum(nodes.tolist()):,}, their arrays have other lengths.")
        if {found[name].dtype for name in ("children_left", "children_right", "feature")} != {np.dtype(np.int64)}:
            raise ValueError("children and features of trees must be int64.")
        split = zip(*(np.split(array, np.cumsum(nodes)[:-1]) for array in found.values()), strict=True)
        self.trees_ = [_tree(self.n_features_in_, *part) for part in split]

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        narrow = X.astype(np.float32)  # what the trees compare, once for all
        total, squares = np.zeros(len(X)), np.zeros(len(X))
        for tree in self.trees_:
            one = tree.predict(narrow).ravel()
            total += one
            squares += one**2
        mean = total / self.trees
        return mean, np.sqrt(np.maximum(squares / self.trees - mean**2, 0) + 1e-6)


def _tree(
    features: int,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    feature: NDArray[np.int64],
    threshold: Floats,
    value: Floats,
) -> Any:
    """Return a tree of scikit-learn, which follows its children without a look: they are looked at here.

    Raises:
        ValueError: A child does not come after its parent, or a feature is none.
    """
    nodes = np.arange(len(left))
    leaf = (left == -1) & (right == -1)
    inside = (left > nodes) & (right > nodes) & (left < len(nodes)) & (right < len(nodes))
    known = (feature >= 0) & (feature < features)
    if not (leaf | (inside & known)).all():
        raise ValueError("a tree is damaged.")
    pattern = DecisionTreeRegressor().fit([[0.0], [1.0]], [0.0, 1.0]).tree_.__getstate__()
    stored = np.zeros(len(nodes), pattern["nodes"].dtype)
    stored["left_child"], stored["right_child"] = left, right
    stored["feature"], stored["threshold"] = feature, threshold
    tree = Tree(features, np.ones(1, np.intp), 1)
    values = value.reshape(-1, 1, 1)
    tree.__setstate__({"max_depth": len(nodes), "node_count": len(nodes), "nodes": stored, "values": values})
    return tree


class RandomForest(_Forest):
    """Trees on bootstrap samples, each split the best of a random part of the features.

    Args:
        trees: Number of trees.
        features: Share of the features that a split looks at.
        random_state: Of samples and features.
    """

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        forest = RandomForestRegressor(
            n_estimators=self.trees, max_features=self.features, n_jobs=1, random_state=self.random_state
        ).fit(X.astype(np.float32), z)
        self.trees_ = [tree.tree_ for tree in forest.estimators_]


class ExtraTrees(_Forest):
    """Trees on all labels, each split the best of random thresholds of a random part of the features.

    They are those of scikit-learn's ``ExtraTreesRegressor`` to the bit, grown without it: it takes a third longer,
    and half as long again for few labels.

    Args:
        trees: Number of trees.
        features: Share of the features that a split looks at.
        random_state: Of thresholds and features.
    """

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        if self.trees < 1 or not 0 < self.features <= 1:
            raise ValueError(f"trees must be 1 or more and features in (0, 1], got {self.trees} and {self.features}.")
        narrow, states = X.astype(np.float32), check_random_state(self.random_state)
        with config_context(skip_parameter_validation=True):
            self.trees_ = [
                ExtraTreeRegressor(max_features=self.features, random_state=states.randint(np.iinfo(np.int32).max))
                .fit(narrow, z, check_input=False)
                .tree_
                for _ in range(self.trees)
            ]
