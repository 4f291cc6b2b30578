"""The Gaussian process against scikit-learn's with the same kernel, and against sums worked pair by pair."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from nasbench import load
from surrogates.evaluation.harness import make
from surrogates.models.gaussian_process import GroupedGaussianProcess

JITTER = 1e-6
LENGTHS = (1.0, 2.0, 4.0)
KERNELS = len(LENGTHS)


def problem(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 3))
    return features, np.sin(2 * features[:, 0]) + features[:, 1] + 0.1 * rng.normal(size=n)


def peer(weights: np.ndarray) -> GaussianProcessRegressor:
    """scikit-learn's process with these weights of the four kernels, and noise that is part of the kernel."""
    parts = [
        ConstantKernel(weight) * Matern(length, nu=2.5) for weight, length in zip(weights[:-1], LENGTHS, strict=True)
    ]
    return GaussianProcessRegressor(reduce(add, parts) + WhiteKernel(weights[-1]), alpha=JITTER, optimizer=None)


def scaled(features: np.ndarray, like: np.ndarray) -> np.ndarray:
    return (features - like.mean(axis=0)) / (like.std(axis=0) + 1e-3) / np.sqrt(like.shape[1])


def test_predictions_are_those_of_scikit_learn() -> None:
    features, labels = problem()
    others, _ = problem(40, seed=1)
    model = GroupedGaussianProcess(lengths=LENGTHS, random_state=0).fit(features, labels)
    reference = peer(model.weights_).fit(scaled(features, features), model.ranks_.quantiles)
    mean, deviation = reference.predict(scaled(others, features), return_std=True)
    found_mean, found_deviation = model.predict_ranks(others)
    np.testing.assert_allclose(found_mean, mean, atol=1e-3)
    np.testing.assert_allclose(found_deviation, deviation, rtol=1e-3)


def test_the_weights_are_where_likelihood_times_prior_is_highest() -> None:
    features, labels = problem()
    model = GroupedGaussianProcess(lengths=LENGTHS, iterations=200, random_state=0).fit(features, labels)
    z, inputs = model.ranks_.quantiles, scaled(features, features)
    center, width = np.log([*[1 / KERNELS] * KERNELS, 0.05]), np.array([*[2.0] * KERNELS, 1.5])

    def posterior(logarithms: np.ndarray) -> float:
        reference = peer(np.exp(logarithms)).fit(inputs, z)
        return reference.log_marginal_likelihood_value_ - (((logarithms - center) / width) ** 2).sum() / 2

    best = np.log(model.weights_)
    rng = np.random.default_rng(0)
    for size in (0.03, 0.3, 1.0):
        for _ in range(10):
            step = size * rng.normal(size=KERNELS + 1)
            assert posterior(best + step) <= posterior(best) + 1e-4


def test_counts_are_compared_by_what_they_share() -> None:
    counts = np.random.default_rng(0).integers(0, 3, size=(30, 6)).astype(float)
    counts[:2] = 0  # two networks without any part are the same
    labels = counts @ [3.0, -1, 2, 0, 1, -2] + np.arange(30) / 100
    model = GroupedGaussianProcess([range(6)], [0], random_state=0).fit(counts, labels)

    def tanimoto(x: np.ndarray, y: np.ndarray) -> float:
        return (x @ y) / (x @ x + y @ y - x @ y) if x.any() or y.any() else 1.0

    weight, noise = model.weights_
    kernel = weight * np.array([[tanimoto(x, y) for y in counts] for x in counts])
    mean = kernel @ np.linalg.solve(kernel + (noise + JITTER) * np.eye(30), model.ranks_.quantiles)
    np.testing.assert_allclose(model.predict_ranks(counts)[0], mean, atol=1e-4)


def test_a_group_that_tells_nothing_fades_out() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(150, 4))
    model = GroupedGaussianProcess([[0, 1], [2, 3]], lengths=LENGTHS, random_state=0).fit(
        features, features[:, 0] - features[:, 1]
    )
    assert model.weights_[:KERNELS].sum() > 10 * model.weights_[KERNELS:-1].sum()


def test_held_out_predictions_are_those_of_a_process_without_the_row() -> None:
    features, labels = problem(25)
    model = GroupedGaussianProcess(lengths=LENGTHS, random_state=0).fit(features, labels)
    z, inputs = model.ranks_.quantiles, scaled(features, features)
    mean, deviation = model._predict_held_out(features, z, [np.arange(25)])
    for row in range(25):
        rest = np.arange(25) != row
        expected, spread = peer(model.weights_).fit(inputs[rest], z[rest]).predict(inputs[[row]], return_std=True)
        assert mean[row] == pytest.approx(expected[0], abs=1e-3)
        assert deviation[row] == pytest.approx(spread[0], rel=1e-3)


def test_many_labels_are_all_used() -> None:
    features, labels = problem(300)
    few = GroupedGaussianProcess(lengths=LENGTHS, learn_from=50, random_state=0).fit(features, labels)
    reference = peer(few.weights_).fit(scaled(features, features), few.ranks_.quantiles)
    np.testing.assert_allclose(few.predict_ranks(features)[0], reference.predict(scaled(features, features)), atol=1e-3)


def test_a_prediction_does_not_depend_on_the_rows_beside_it():
    """Matrix products round otherwise for other shapes: the same architecture alone, and among others, to the bit."""
    table = load("nasbench201")
    rows = np.random.default_rng(0).permutation(len(table))[:1500]
    model = make("gaussian_process", "nb201", 0, 150)
    model.fit(table.architectures[rows[:150]], table.column("validation_accuracy")[rows[:150]])
    others = table.architectures[rows[150:]]
    everything = model.predict(others)
    for size, start in ((1, 0), (2, 7), (16, 3), (33, 111), (100, 0), (257, 500), (1000, 3)):
        some = slice(start, start + size)
        np.testing.assert_array_equal(model.predict(others[some]), everything[some])
