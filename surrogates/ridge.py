"""Linear regression whose penalty is learnt.

MacKay, "Bayesian Interpolation", Neural Computation 1992; the estimator is scikit-learn's.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import BayesianRidge
from sklearn.preprocessing import StandardScaler

from surrogates._ranked import Floats, RankedRegressor


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

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        mean, deviation = self.ridge_.predict(self.scaler_.transform(X), return_std=True)
        return np.asarray(mean), np.asarray(deviation)
