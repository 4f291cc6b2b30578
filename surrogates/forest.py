"""Random forests and extremely randomised trees, with the spread over their trees.

Breiman, "Random Forests", Machine Learning 2001; Geurts, Ernst & Wehenkel, "Extremely randomized trees", Machine
Learning 2006. The estimators are scikit-learn's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from surrogates._ranked import Floats, RankedRegressor


class _Forest(RankedRegressor):
    _KIND: Any

    def __init__(self, *, trees: int = 300, features: float = 0.5, random_state: int | None = None) -> None:
        self.trees = trees
        self.features = features
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        self.forest_ = self._KIND(
            n_estimators=self.trees, max_features=self.features, n_jobs=1, random_state=self.random_state
        ).fit(X.astype(np.float32), z)

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        narrow = X.astype(np.float32)  # what the trees compare, once for all
        total, squares = np.zeros(len(X)), np.zeros(len(X))
        for tree in self.forest_.estimators_:
            one = tree.tree_.predict(narrow).ravel()
            total += one
            squares += one**2
        mean = total / self.trees
        return mean, np.sqrt(np.maximum(squares / self.trees - mean**2, 0) + 1e-6)


class RandomForest(_Forest):
    """Trees on bootstrap samples, each split the best of a random part of the features.

    Args:
        trees: Number of trees.
        features: Share of the features that a split looks at.
        random_state: Of samples and features.
    """

    _KIND = RandomForestRegressor


class ExtraTrees(_Forest):
    """Trees on all labels, each split the best of random thresholds of a random part of the features.

    Args:
        trees: Number of trees.
        features: Share of the features that a split looks at.
        random_state: Of thresholds and features.
    """

    _KIND = ExtraTreesRegressor
