"""Trees as arrays: what they predict is what XGBoost predicts of the model it has fitted, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xgboost import XGBRegressor

from surrogates.models.boosting import BoostedTrees
from surrogates.models.trees import Trees


def fitted(seed: int, rows: int, features: int, digits: int, depth: int, trees: int) -> tuple[XGBRegressor, np.ndarray]:
    """Return a model of random numbers; with few digits many of them are equal, as counts are."""
    rng = np.random.default_rng(seed)
    x = rng.normal(scale=2, size=(rows, features)).round(digits)
    y = x[:, 0] + rng.normal(size=rows)
    model = XGBRegressor(n_estimators=trees, max_depth=depth, subsample=0.8, n_jobs=1, random_state=seed).fit(x, y)
    return model, x


def converted(model: XGBRegressor, depth: int) -> Trees:
    return Trees.of_xgboost(bytes(model.get_booster().save_raw("json")), depth)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    rows=st.integers(2, 200),
    features=st.integers(1, 9),
    digits=st.integers(0, 4),
    depth=st.integers(1, 7),
    trees=st.integers(1, 40),
)
def test_predicts_the_bits_of_xgboost(seed: int, rows: int, features: int, digits: int, depth: int, trees: int):
    model, x = fitted(seed, rows, features, digits, depth, trees)
    ours = converted(model, depth)
    others = np.random.default_rng(seed).normal(scale=9, size=(300, features))
    # Each feature at every threshold, just below and just above it; and rows with gaps.
    edges = np.unique(ours.threshold)[:, None].repeat(features, axis=1)
    below, above = (np.nextafter(edges, np.float32(end)) for end in (-np.inf, np.inf))
    gaps = np.where(np.random.default_rng(seed + 1).random(others.shape) < 0.3, np.nan, others)
    asked = np.concatenate([x, others, edges, below, above, gaps, np.full((1, features), np.nan)])
    assert ours.predict(asked).tobytes() == model.predict(asked).tobytes()


def test_many_rows_and_many_trees_add_up_in_the_same_order():
    model, _ = fitted(3, 900, 30, 6, 5, 400)
    others = np.random.default_rng(4).normal(scale=3, size=(5000, 30))
    ours = converted(model, 5)
    assert ours.predict(others).tobytes() == model.predict(others).tobytes()
    assert (
        np.concatenate([ours.predict(row[None]) for row in others[:50]]).tobytes()
        == ours.predict(others[:50]).tobytes()
    )


def test_a_boosted_model_is_the_mean_of_what_xgboost_predicts(monkeypatch: pytest.MonkeyPatch):
    """Whatever XGBoost fits inside is asked as well, before it is converted."""
    models: list[XGBRegressor] = []

    def keep(self: XGBRegressor, *arguments: Any) -> XGBRegressor:
        models.append(fit(self, *arguments))
        return models[-1]

    fit = XGBRegressor.fit
    monkeypatch.setattr(XGBRegressor, "fit", keep)
    rng = np.random.default_rng(0)
    x, others = rng.normal(size=(150, 6)), rng.normal(size=(400, 6))
    boosted = BoostedTrees(trees=60, random_state=0).fit(x, x[:, 0] + x[:, 1] ** 2)
    each = np.array([model.predict(others) for model in models], np.float64)
    assert len(models) == 3
    mean, deviation = boosted.predict_ranks(others)
    np.testing.assert_array_equal(mean, each.mean(axis=0))
    np.testing.assert_array_equal(deviation, np.sqrt(each.var(axis=0) + 1e-6))


def test_gaps_do_not_reach_the_trees_of_a_model():
    x = np.arange(20.0)[:, None]
    boosted = BoostedTrees(trees=5, random_state=0).fit(x, x[:, 0])
    with pytest.raises(ValueError, match="NaN"):
        boosted.predict([[np.nan]])


@pytest.mark.parametrize("depth", [0, 13])
def test_a_depth_that_arrays_cannot_hold_is_refused(depth: int):
    with pytest.raises(ValueError, match="depth of trees must be from 1 to 12"):
        BoostedTrees(depth=depth).fit(np.arange(20.0)[:, None], np.arange(20.0))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("feature", lambda a: np.where(a == a.max(), 5, a), "none of 4"),
        ("feature", lambda a: a - 1, "none of 4"),
        ("feature", lambda a: a.astype(np.int64), "must be int32"),
        ("feature", lambda a: a[:, :-1], "of shape"),
        ("feature", lambda a: a[:-1], "of shape"),
        ("threshold", lambda a: np.where(a == a.max(), np.nan, a), "must be float32|not finite"),
        ("threshold", lambda a: np.full_like(a, np.inf), "not finite"),
        ("threshold", lambda a: a.astype(">f4"), "must be float32"),
        ("leaf", lambda a: np.full_like(a, np.nan), "not finite"),
        ("leaf", lambda a: np.full_like(a, 1e31), "too large"),
        ("leaf", lambda a: a[:, :-1], "of shape"),
        ("base", lambda a: np.full_like(a, np.nan), "not finite"),
        ("base", lambda a: a[None], "of shape"),
    ],
)
def test_arrays_that_are_no_trees_are_refused(name: str, change: Any, message: str):
    trees = converted(fitted(0, 60, 4, 3, 3, 7)[0], 3)
    state = trees.state()
    assert Trees.restored(state, 7, 3, 4).predict(np.ones((1, 4))) == trees.predict(np.ones((1, 4)))
    with pytest.raises(ValueError, match=message):
        Trees.restored({**state, name: change(state[name])}, 7, 3, 4)
    with pytest.raises(KeyError):
        Trees.restored({key: array for key, array in state.items() if key != name}, 7, 3, 4)


def test_numbers_that_pass_the_checks_do_no_harm():
    """Any arrays of the right type and shape: a prediction ends in leaves, and is finite."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        state = {
            "feature": rng.integers(0, 4, (9, 7), np.int32),
            "threshold": rng.normal(scale=10.0 ** rng.integers(-30, 30), size=(9, 7)).astype(np.float32),
            "leaf": (1e30 * rng.uniform(-1, 1, (9, 8))).astype(np.float32),
            "base": np.float32(1e30),
        }
        found = Trees.restored(state, 9, 3, 4).predict(rng.normal(size=(50, 4)))
        assert np.isfinite(found).all()
