"""Linear regression whose penalty is learnt.

MacKay, "Bayesian Interpolation", Neural Computation 1992; the estimator is scikit-learn's.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import BayesianRidge
from sklearn.preprocessing import StandardScaler

from surrogates.models.ranked import Floats, RankedRegressor, State, positive, shaped


class Ridge(RankedRegressor):
    """Bayesian ridge regression on standardised features: the fastest model, and the one to beat.

    Args:
        iterations: Of the search for the penalty, at most.
    """

    def __init__(self, *, iterations: int = 300) -> None:
        self.iterations = iterations

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        self.scaler_ = StandardScaler().fit(X)
        self.ridge_ = BayesianRidge(max_iter=self.iterations).fit(self.scaler_.transform(X), z)

    def _state(self) -> State:
        return {
            "center": self.scaler_.mean_,
            "scale": self.scaler_.scale_,
            "weights": self.ridge_.coef_,
            "offset": self.ridge_.X_offset_,
            "intercept": np.array(self.ridge_.intercept_),
            "covariance": self.ridge_.sigma_,
            "precision": np.array(self.ridge_.alpha_),
        }

    def _restore(self, state: State) -> None:
        self.scaler_, self.ridge_ = StandardScaler(), BayesianRidge(max_iter=self.iterations)
        n = self.n_features_in_
        self.scaler_.mean_, self.scaler_.scale_ = shaped(state["center"], n), positive(state["scale"], n)
        self.ridge_.coef_, self.ridge_.sigma_ = shaped(state["weights"], n), shaped(state["covariance"], n, n)
        self.ridge_.X_offset_ = shaped(state["offset"], n)
        self.ridge_.intercept_ = float(shaped(state["intercept"]))
        self.ridge_.alpha_ = float(positive(state["precision"]))

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        mean, deviation = self.ridge_.predict(self.scaler_.transform(X), return_std=True)
        return np.asarray(mean), np.asarray(deviation)
