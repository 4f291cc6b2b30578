"""Scores against scipy, scikit-learn, numerical integration, and answers that can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.metrics import mean_absolute_error, r2_score

from nasbench.analysis import run_spread
from surrogates.evaluation import noise, scores


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 8))
def test_tau_is_that_of_all_pairs(seed, n, values):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, values, (2, n)).astype(float)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    agree = sum(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs)
    tied = [sum(x[i] != x[j] for i, j in pairs) for x in (a, b)]
    tau = scores.of_order(a, b)["kendall"]
    if 0 in tied:
        assert math.isnan(tau)
    else:
        assert tau == pytest.approx(agree / math.sqrt(tied[0] * tied[1]))


def test_parts_of_the_best():
    recorded = np.arange(100.0)
    predicted = recorded.copy()
    predicted[:50] = -recorded[:50]  # the lower half upside down
    found = scores.of_order(recorded, predicted)
    assert [found["kendall_top_half"], found["kendall_top_1_percent"]] == pytest.approx([1, 1])
    assert found["kendall"] == pytest.approx(stats.kendalltau(recorded, predicted).statistic)
    assert found["precision_at_10"] == 1
    predicted[[90, 91, 92]] = -1000
    assert scores.of_order(recorded, predicted)["precision_at_10"] == 0.7


def test_values_are_those_of_scikit_learn():
    recorded, predicted = np.random.default_rng(0).random((2, 50))
    found = scores.of_values(recorded, predicted)
    assert found["r2"] == pytest.approx(r2_score(recorded, predicted))
    assert found["mae"] == pytest.approx(mean_absolute_error(recorded, predicted))
    assert found["regret"] == recorded.max() - recorded[predicted.argmax()]
    # Of three that are predicted to be best, a user takes any.
    assert scores.of_values(np.array([0.9, 0.6, 0.3, 0.0]), np.array([1.0, 1.0, 1.0, 0.5]))["regret"] == pytest.approx(
        0.3
    )


@pytest.mark.parametrize(("recorded", "predicted", "deviation"), [(0.3, 0.1, 0.2), (0.9, 0.95, 0.01), (0.5, 0.5, 1.0)])
def test_crps_is_the_integral_that_defines_it(recorded, predicted, deviation):
    predictive = stats.norm(predicted, deviation)
    below = integrate.quad(lambda x: predictive.cdf(x) ** 2, -10, recorded)[0]
    above = integrate.quad(lambda x: predictive.sf(x) ** 2, recorded, 10)[0]
    found = scores.of_uncertainty(np.array([recorded]), np.array([predicted]), np.array([deviation]))
    assert found["crps"] == pytest.approx(below + above, rel=1e-4)
    assert found["nll"] == pytest.approx(-predictive.logpdf(recorded))


def test_coverage_of_normal_numbers_is_nominal():
    rng = np.random.default_rng(0)
    deviation = rng.uniform(0.1, 2, 200_000)
    found = scores.of_uncertainty(deviation * rng.standard_normal(len(deviation)), np.zeros(len(deviation)), deviation)
    assert [found[f"coverage_{p}"] for p in (50, 68, 90)] == pytest.approx([0.5, 0.68, 0.9], abs=0.005)
    with pytest.raises(ValueError, match="must be positive; the smallest is 0"):
        scores.of_uncertainty(np.zeros(2), np.zeros(2), np.array([1.0, 0.0]))


def test_errors_of_means():
    found = scores.mean_and_error([{"x": 1.0}, {"x": 2.0}, {"x": 6.0}])
    assert found["x"] == (3.0, pytest.approx(stats.sem([1, 2, 6])))
    assert math.isnan(scores.mean_and_error([{"x": 1.0}])["x"][1])


def test_noise_that_was_put_in_is_found():
    rng = np.random.default_rng(0)
    truth = rng.random(4000)
    deviation = 0.02 * (2 - truth)  # poor ones vary more
    runs = truth[:, None] + deviation[:, None] * rng.standard_normal((4000, 3))
    runs[rng.random(4000) < 0.4, 2] = np.nan
    found = run_spread(runs).deviation
    assert np.abs(found / deviation - 1).mean() < 0.06
    # What knowing the truth reaches, against what is estimated without knowing it.
    reached = stats.kendalltau(truth, np.nanmean(runs, axis=1)).statistic
    assert noise.ceiling(runs, np.random.default_rng(1)) == pytest.approx(reached, abs=0.005)


def test_one_run_says_nothing_of_noise():
    runs = np.random.default_rng(0).random((50, 1))
    assert np.isnan(run_spread(runs).deviation).all()
    assert math.isnan(noise.ceiling(runs, np.random.default_rng(0)))
    assert noise.ceiling(np.repeat(runs, 2, axis=1), np.random.default_rng(0)) == 1


def test_the_ceiling_of_the_embedded_table():
    """About .96: an independent simulation of three runs gave .95 to .97 (facts on surrogates)."""
    from nasbench import load

    table = load("nasbench201")
    runs = np.stack([table.column("validation_accuracy", run=run) for run in range(3)], axis=1)
    assert 0.94 < noise.ceiling(runs, np.random.default_rng(0)) < 0.97
