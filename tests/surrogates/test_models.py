"""What every model promises: scikit-learn's checks, ranks in and accuracies out, the same seed the same numbers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from nasbench.spaces.nb201 import NB201
from surrogates.encodings import GraphFeatures
from surrogates.models.boosting import BoostedTrees
from surrogates.models.encoded import Encoded
from surrogates.models.forest import ExtraTrees, RandomForest
from surrogates.models.gaussian_process import GroupedGaussianProcess
from surrogates.models.neural_network import NeuralNetworks
from surrogates.models.ranked import PredictionError, RankedRegressor, RankMap
from surrogates.models.ridge import Ridge
from surrogates.models.stack import Stack

MODELS: list[RankedRegressor] = [
    Ridge(),
    RandomForest(trees=20, random_state=0),
    ExtraTrees(trees=20, random_state=0),
    BoostedTrees(members=2, trees=20, learning_rate=0.2, random_state=0),
    GroupedGaussianProcess(random_state=0),
    NeuralNetworks(members=3, epochs=30, random_state=0),
    Stack([Ridge(), ExtraTrees(trees=10, random_state=0)], weights=[1, 2], folds=3, random_state=0),
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


@parametrize_with_checks(MODELS)
def test_scikit_learn(estimator: Any, check: Any) -> None:
    check(estimator)


def problem(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies with a long lower tail, that depend on three of five features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 5))
    score = features[:, 0] + 0.5 * features[:, 1] - 0.5 * np.abs(features[:, 2])
    return features, 0.94 - 0.05 * np.exp(-score)


@every_model
def test_learns_the_order(model: RankedRegressor) -> None:
    features, labels = problem()
    others, recorded = problem(300, seed=1)
    predicted = clone(model).fit(features, labels).predict(others)
    order, truth = predicted.argsort().argsort(), recorded.argsort().argsort()
    assert np.corrcoef(order, truth)[0, 1] > 0.7


@every_model
def test_only_the_order_of_labels_is_learnt(model: RankedRegressor) -> None:
    features, labels = problem()
    z, deviation = clone(model).fit(features, labels).predict_ranks(features)
    again, same_deviation = clone(model).fit(features, np.exp(30 * labels)).predict_ranks(features)
    np.testing.assert_array_equal(z, again)
    np.testing.assert_array_equal(deviation, same_deviation)


@every_model
def test_deviations_are_positive_and_in_the_unit_of_the_labels(model: RankedRegressor) -> None:
    features, labels = problem()
    fitted = clone(model).fit(features, labels)
    mean, deviation = fitted.predict(features, return_std=True)
    assert mean.shape == deviation.shape == (120,)
    assert (deviation > 0).all()
    np.testing.assert_array_equal(mean, fitted.predict(features))
    percent, in_percent = clone(model).fit(features, 100 * labels).predict(features, return_std=True)
    np.testing.assert_allclose(percent, 100 * mean, rtol=1e-9)
    np.testing.assert_allclose(in_percent, 100 * deviation, rtol=1e-9)


@every_model
def test_the_same_seed_gives_the_same_bytes(model: RankedRegressor) -> None:
    features, labels = problem()
    state = np.random.get_state()[1].tobytes()  # type: ignore[union-attr]
    first = np.stack(clone(model).fit(features, labels).predict(features, return_std=True))
    second = np.stack(clone(model).fit(features, labels).predict(features, return_std=True))
    assert first.tobytes() == second.tobytes()
    assert np.random.get_state()[1].tobytes() == state  # type: ignore[union-attr]


@every_model
@pytest.mark.parametrize(
    ("rows", "spoil", "message"),
    [
        (10, lambda y: y * np.where(np.arange(10) == 3, np.nan, 1), "NaN"),
        (10, lambda y: y * np.where(np.arange(10) == 3, np.inf, 1), "infinity"),
        (10, lambda y: np.full(10, 0.9), "all 10 labels are 0.9"),
        (10, lambda y: y[:7], "inconsistent numbers of samples"),
        (1, lambda y: y, "1 sample"),
    ],
    ids=["missing", "infinite", "constant", "too few labels", "one row"],
)
def test_labels_that_teach_nothing_are_refused(model: RankedRegressor, rows: int, spoil: Any, message: str) -> None:
    features, labels = problem(rows)
    with pytest.raises(ValueError, match=message):
        clone(model).fit(features, spoil(labels))


@every_model
def test_the_same_architecture_may_come_twice_with_other_labels(model: RankedRegressor) -> None:
    """Two trainings of one network: the noise is real, and both labels count."""
    features, labels = problem(60)
    noisy = labels + 0.002 * np.random.default_rng(2).normal(size=60)
    others, recorded = problem(200, seed=1)
    fitted = clone(model).fit(np.concatenate([features, features]), np.concatenate([labels, noisy]))
    mean, deviation = fitted.predict(others, return_std=True)
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()
    assert np.corrcoef(mean.argsort().argsort(), recorded.argsort().argsort())[0, 1] > 0.6


def test_extra_trees_are_those_of_scikit_learn() -> None:
    features, labels = problem(80)
    model = ExtraTrees(trees=20, features=0.4, random_state=7).fit(features, labels)
    peer = ExtraTreesRegressor(n_estimators=20, max_features=0.4, random_state=7)
    peer.fit(features.astype(np.float32), model.ranks_.quantiles)
    others, _ = problem(50, seed=1)
    each = np.array([tree.predict(others.astype(np.float32)) for tree in peer.estimators_])
    for ours, theirs in zip(model.trees_, peer.estimators_, strict=True):
        np.testing.assert_array_equal(ours.threshold, theirs.tree_.threshold)
        np.testing.assert_array_equal(ours.value, theirs.tree_.value)
    np.testing.assert_allclose(model.predict_ranks(others)[0], each.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize(("trees", "features"), [(0, 0.5), (5, 0.0), (5, 1.5)])
def test_extra_trees_refuse_what_no_forest_has(trees: int, features: float) -> None:
    with pytest.raises(ValueError, match=r"trees must be 1 or more and features in \(0, 1\], got"):
        ExtraTrees(trees=trees, features=features).fit(*problem(20))


def test_a_process_takes_the_mean_of_equal_rows() -> None:
    features = np.repeat([[0.0], [1.0]], 20, axis=0)
    labels = np.concatenate([np.linspace(0.4, 0.6, 20), np.linspace(0.6001, 0.8, 20)])
    mean = GroupedGaussianProcess(random_state=0).fit(features, labels).predict([[0.0], [1.0]])
    assert mean == pytest.approx([0.5, 0.7], abs=0.02)


@every_model
def test_features_of_another_space_are_refused(model: RankedRegressor) -> None:
    features, labels = problem(30)
    with pytest.raises(ValueError, match=r"6 features, but .* is expecting 5 features"):
        clone(model).fit(features, labels).predict(np.zeros((2, 6)))


@every_model
def test_an_unfitted_model_says_so(model: RankedRegressor) -> None:
    with pytest.raises(NotFittedError):
        clone(model).predict(np.zeros((2, 5)))


def test_a_stack_is_the_mixture_of_its_members_by_weight() -> None:
    features, labels = problem(60)
    others, _ = problem(40, seed=1)
    members = [Ridge(), ExtraTrees(trees=10, random_state=0)]
    stack = Stack(members, weights=[3, 1], random_state=0).fit(features, labels)
    (a, own_a), (b, own_b) = (clone(member).fit(features, labels).predict_ranks(others) for member in members)
    mean, deviation = stack.predict_ranks(others)
    np.testing.assert_allclose(mean, 0.75 * a + 0.25 * b)
    # The variance of a mixture: E[x^2] - E[x]^2.
    variance = 0.75 * (own_a**2 + a**2) + 0.25 * (own_b**2 + b**2) - mean**2
    np.testing.assert_allclose(deviation, stack.temperature_ * np.sqrt(variance))
    np.testing.assert_array_equal(stack.predict(others), stack.predict(others, return_std=True)[0])


@pytest.mark.parametrize("weights", [[1], [1, 0], [1, -1], [1, 2, 3], [1, np.nan], [1, np.inf]])
def test_a_stack_refuses_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="expected 2 positive weights"):
        Stack([Ridge(), Ridge()], weights=weights).fit(*problem())


def test_a_stack_needs_members() -> None:
    with pytest.raises(ValueError, match="at least one model"):
        Stack().fit(*problem())


def test_a_stack_is_the_mean_of_its_members() -> None:
    features, labels = problem()
    members: list[RankedRegressor] = [Ridge(), GroupedGaussianProcess(random_state=0)]
    stack = Stack(members, random_state=0).fit(features, labels)
    each = [clone(member).fit(features, labels).predict_ranks(features) for member in members]
    mean, deviation = stack.predict_ranks(features)
    np.testing.assert_allclose(mean, np.mean([z for z, _ in each], axis=0), rtol=1e-9)
    # The variance of an equal mixture: the mean of the variances and the variance of the means.
    spread = np.mean([s**2 for _, s in each], axis=0) + np.var([z for z, _ in each], axis=0)
    np.testing.assert_allclose(deviation, stack.temperature_ * np.sqrt(spread), rtol=1e-9)


@pytest.mark.parametrize(
    "members",
    [
        [Ridge()],
        [RandomForest(trees=50, random_state=0)],
        [ExtraTrees(trees=50, random_state=0)],
        [BoostedTrees(trees=100, random_state=0)],
        [GroupedGaussianProcess(random_state=0)],
        [Ridge(), ExtraTrees(trees=50, random_state=0)],
    ],
    ids=lambda members: "+".join(type(member).__name__ for member in members),
)
def test_intervals_hold_for_labels_that_were_not_seen(members: list[RankedRegressor]) -> None:
    inside = []
    for seed in range(4):
        features, labels = problem(200, seed)
        others, recorded = problem(500, seed + 100)
        labels = labels + 0.005 * np.random.default_rng(seed).normal(size=200)
        recorded = recorded + 0.005 * np.random.default_rng(seed + 100).normal(size=500)
        stack = Stack(members, random_state=0).fit(features, labels)
        z, deviation = stack.predict_ranks(others)
        low, high = (stack.ranks_.back(z + side * 1.6449 * deviation) for side in (-1, 1))
        inside.append(((recorded >= low) & (recorded <= high)).mean())
    assert 0.85 < np.mean(inside) < 0.95


def test_quantiles_of_ranks() -> None:
    # (rank - 1/2) / n of three labels: 1/6, 1/2, 5/6; the two that are equal share the mean of their ranks.
    ranks = RankMap(np.array([0.9, 0.1, 0.5]))
    np.testing.assert_allclose(ranks.quantiles, [0.967421566, -0.967421566, 0], atol=1e-9)
    np.testing.assert_allclose(RankMap(np.array([0.9, 0.1, 0.9, 0.1])).quantiles, [0.67448975, -0.67448975] * 2)
    np.testing.assert_allclose(ranks.back(ranks.quantiles), [0.9, 0.1, 0.5])
    np.testing.assert_allclose(ranks.back(np.array([0.967421566 / 2, 2 * 0.967421566])), [0.7, 1.3])


def test_importing_the_package_loads_no_library() -> None:
    code = "import sys, surrogates; print([n for n in ('sklearn', 'xgboost', 'torch', 'scipy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_forms_of_one_network_are_predicted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge that is none cuts off what lies behind: the features are those of another cell."""
    space = NB201()
    choices = space.sample_many(400, np.random.default_rng(0))
    features = GraphFeatures("nb201").fit(choices).transform(choices)
    model = Encoded(GraphFeatures("nb201"), Ridge()).fit(choices[:80], space.flops_many(choices[:80]))
    seen: list[int] = []

    def counted(self: Ridge, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(len(rows))
        return predict(self, rows)

    predict = Ridge._predict_ranks
    monkeypatch.setattr(Ridge, "_predict_ranks", counted)
    mean, deviation = model.predict_ranks(choices)
    assert seen == [len(np.unique(features, axis=0))]
    assert seen[0] < 380
    expected = predict(model.model_, features)
    np.testing.assert_allclose([mean, deviation], expected, rtol=1e-12)


def test_a_restored_model_that_predicts_no_number_says_so() -> None:
    features, labels = problem(30)
    model = Ridge().fit(features, labels)
    state = model.state()
    state["model"]["weights"] = np.full(5, 1e30)
    state["model"]["scale"] = np.full(5, 1e-300)
    with np.errstate(all="ignore"), pytest.raises(PredictionError, match="no number"):
        Ridge().restore(state).predict(features)
