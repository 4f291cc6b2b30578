"""Gradient-boosted trees: XGBoost, several times with other random subsets.

Chen & Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016. XGBoost fits; what it has fitted is kept and
followed as :class:`surrogates.models.trees.Trees`, bit for bit the same, so that nothing of a file ever goes to
XGBoost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from xgboost import XGBRegressor

from surrogates.models.ranked import Floats, RankedRegressor, State, shaped
from surrogates.models.trees import DEEPEST, Trees


class BoostedTrees(RankedRegressor):
    """The mean of several XGBoost models that saw other rows and columns in each tree.

    Small steps, shallow trees and half of everything in each: with some hundred labels that counts for more than the
    depth. The standard deviation is that between the models, how far they agree; in a stack, which predicts labels held
    out, together with the root mean square of how far these predictions are off.

    Args:
        members: Models.
        trees: Trees of each.
        learning_rate: Shrinkage of each tree.
        depth: Largest depth of a tree, from 1 to 12.
        rows: Share of the labels that a tree sees.
        columns: Share of the features that a tree sees.
        random_state: Of these draws.
    """

    def __init__(
        self,
        *,
        members: int = 3,
        trees: int = 400,
        learning_rate: float = 0.05,
        depth: int = 5,
        rows: float = 0.7,
        columns: float = 0.5,
        random_state: int | None = None,
    ) -> None:
        self.members = members
        self.trees = trees
        self.learning_rate = learning_rate
        self.depth = depth
        self.rows = rows
        self.columns = columns
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        if not 1 <= self.depth <= DEEPEST:
            raise ValueError(f"the depth of trees must be from 1 to {DEEPEST}, it is {self.depth}.")
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=self.members)
        self.models_ = [self._fitted(int(seed), X, z) for seed in seeds]
        self.doubt_ = 0.0

    def _predict_held_out(self, X: Floats, z: Floats, folds: Sequence[NDArray[np.intp]]) -> tuple[Floats, Floats]:
        """Fit one model a fold, and learn from how far it is off what the spread of models does not say."""
        mean = np.empty(len(z))
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(z)), fold)
            mean[fold] = self._fitted(len(rest), X[rest], z[rest]).predict(X[fold])
        self.doubt_ = float(np.sqrt(((z - mean) ** 2).mean()))
        return mean, self._predict_ranks(X)[1]

    def _fitted(self, seed: int, X: Floats, z: Floats) -> Trees:
        model: Any = XGBRegressor(
            n_estimators=self.trees,
            learning_rate=self.learning_rate,
            max_depth=self.depth,
            subsample=self.rows,
            colsample_bytree=self.columns,
            min_child_weight=2,
            n_jobs=1,
            random_state=seed,
        ).fit(X, z)
        return Trees.of_xgboost(bytes(model.get_booster().save_raw("json")), self.depth)

    def _state(self) -> State:
        return {"doubt": np.array(self.doubt_), **{f"model_{i}": trees.state() for i, trees in enumerate(self.models_)}}

    def _restore(self, state: State) -> None:
        self.doubt_ = float(shaped(state["doubt"]))
        shape = (self.trees, self.depth, self.n_features_in_)
        self.models_ = [Trees.restored(state[f"model_{i}"], *shape) for i in range(self.members)]

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        each = np.array([model.predict(X) for model in self.models_], np.float64)
        return each.mean(axis=0), np.sqrt(each.var(axis=0) + self.doubt_**2 + 1e-6)
