"""The process of a search against scikit-learn's with the same kernel."""

from __future__ import annotations

import pickle
from functools import reduce
from operator import add

import numpy as np
from scipy.stats import norm, rankdata
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from baselines.models.search_process import SearchProcess

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(120, 3))
LABELS = np.sin(2 * FEATURES[:, 0]) + FEATURES[:, 1]


def quantiles(labels: np.ndarray) -> np.ndarray:
    return norm.ppf((rankdata(labels) - 0.5) / len(labels))


def scaled(features: np.ndarray, like: np.ndarray) -> np.ndarray:
    return (features - like.mean(axis=0)) / (like.std(axis=0) + 1e-3) / np.sqrt(like.shape[1])


def peer(weights: np.ndarray) -> GaussianProcessRegressor:
    parts = [
        ConstantKernel(w) * Matern(length, nu=2.5) for w, length in zip(weights[:-1], (1.0, 2.0, 4.0), strict=True)
    ]
    return GaussianProcessRegressor(reduce(add, parts) + WhiteKernel(weights[-1]), alpha=1e-6, optimizer=None)


def test_what_is_known_counts_at_once_with_the_weights_of_the_last_fit():
    """Thirty were learnt from, fifty are known, five are running: these narrow the variance and leave the mean."""
    process = SearchProcess([[0, 1, 2]])
    process.learn(FEATURES[:30], LABELS[:30], 1)
    known, running, new = FEATURES[:50], FEATURES[50:55], FEATURES[52:]
    z, learnt = quantiles(LABELS[:50]), FEATURES[:30]
    process.posterior(FEATURES[:40], quantiles(LABELS[:40]), running, new)  # it was asked in between
    mean, variance = process.posterior(known, z, running, new)
    alone = peer(process.weights_).fit(scaled(known, learnt), z)
    expected = alone.predict(scaled(new, learnt))
    np.testing.assert_allclose(mean, expected, atol=1e-3)
    believed = np.concatenate([z, alone.predict(scaled(running, learnt))])
    together = peer(process.weights_).fit(scaled(FEATURES[:55], learnt), believed)
    same, deviation = together.predict(scaled(new, learnt), return_std=True)
    np.testing.assert_allclose(same, expected, atol=1e-6)
    np.testing.assert_allclose(variance, deviation**2 - process.weights_[-1], atol=1e-3)
    assert (variance < process.posterior(known, z, running[:0], new)[1] + 1e-9).all()


def test_weights_are_those_of_the_predictor():
    from surrogates.models.gaussian_process import GroupedGaussianProcess

    process = SearchProcess([[0, 1], [2]])
    process.learn(FEATURES, LABELS, 3)
    model = GroupedGaussianProcess([[0, 1], [2]], learn_from=100, iterations=15, random_state=3).fit(FEATURES, LABELS)
    np.testing.assert_array_equal(process.weights_, model.weights_)
    mean, _ = process.posterior(FEATURES, model.ranks_.quantiles, FEATURES[:0], FEATURES[:20] + 0.1)
    np.testing.assert_allclose(mean, model.predict_ranks(FEATURES[:20] + 0.1)[0], atol=1e-3)


def test_goes_on_from_a_pickle_with_the_same_bytes():
    process = SearchProcess([[0, 1, 2]])
    process.learn(FEATURES[:30], LABELS[:30], 1)
    process.posterior(FEATURES[:40], quantiles(LABELS[:40]), FEATURES[40:42], FEATURES[60:])
    copy = pickle.loads(pickle.dumps(process))
    asked = (FEATURES[:45], quantiles(LABELS[:45]), FEATURES[45:46], FEATURES[60:])
    for one, other in zip(process.posterior(*asked), copy.posterior(*asked), strict=True):
        np.testing.assert_array_equal(one, other)
