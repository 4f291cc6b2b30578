"""What is smaller at equal accuracy: counts made before, plain loops over a table, and hand computations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from nasbench import load
from nasbench.analysis import ALLOWANCES, Reference, best_reference, rates_over_time, smallest
from nasbench.errors import AnalysisError


def means(dataset: str, *names: str) -> NDArray[np.float64]:
    table = load("nasbench201", dataset)
    return np.stack([np.asarray(table.column(name), np.float64) for name in names], axis=1)


PUBLISHED = [  # rate at the best less .2, .5, 1 and 2 points, as enumerated before this code was written
    ("cifar10", "parameters", (1.74, 1.92, 3.12, 3.12)),
    ("cifar10", "latency", (1.04, 1.27, 1.45, 1.45)),
    ("cifar10", "training_time", (1.29, 1.65, 1.99, 2.10)),
    ("cifar100", "parameters", (1.20, 1.55, 1.55, 3.19)),
    ("cifar100", "latency", (1.00, 1.05, 1.17, 1.25)),
    ("ImageNet16-120", "parameters", (1.00, 1.33, 1.39, 2.12)),
    ("ImageNet16-120", "latency", (1.00, 1.25, 1.25, 1.42)),
]


@pytest.mark.parametrize(("dataset", "resource", "rates"), PUBLISHED)
def test_smallest_of_nas_bench_201(dataset: str, resource: str, rates: Sequence[float]) -> None:
    accuracy, cost = means(dataset, "validation_accuracy", resource).T
    reference = best_reference(accuracy, cost)
    best = max(zip(accuracy.tolist(), (-cost).tolist(), strict=True))
    assert reference == (best[0], -best[1])
    for rate, allowance in zip(rates, (0.002, 0.005, 0.01, 0.02), strict=True):
        found = smallest(accuracy, cost, reference, allowance)
        assert found is not None
        least = min(c for a, c in zip(accuracy.tolist(), cost.tolist(), strict=True) if a >= best[0] - allowance)
        assert found.resource == least == cost[found.row]
        assert found.accuracy == accuracy[found.row] >= best[0] - allowance
        assert found.rate == reference.resource / least
        assert found.rate == pytest.approx(rate, abs=0.0051)


def test_resources_of_the_references() -> None:
    found = [
        best_reference(*means(dataset, "validation_accuracy", "parameters").T)
        for dataset in ("cifar10", "cifar100", "ImageNet16-120")
    ]
    assert [round(each.resource / 1e6, 3) for each in found] == [1.073, 1.294, 0.866]


def test_rates_over_time_by_hand() -> None:
    reference = Reference(0.9, 100.0)
    judged = [0.5, 0.8999, 0.895, 0.9, np.nan, 0.89]
    resource = [1.0, 200.0, 50.0, 80.0, 1.0, 40.0]
    rates = rates_over_time(judged, resource, reference)
    assert ALLOWANCES == (0.001, 0.005, 0.01)
    assert rates.tolist() == [
        [1, 1, 1, 1.25, 1.25, 1.25],  # never below the reference itself
        [1, 1, 2, 2, 2, 2],  # .895 is .9 - .005 exactly
        [1, 1, 2, 2, 2, 2.5],
    ]
    assert rates_over_time([], [], reference).shape == (3, 0)


def test_smallest_of_incomplete_data() -> None:
    accuracy, resource = [0.9, 0.9, np.nan, 0.8, 0.9], [3.0, 2.0, 1.0, 1.0, np.nan]
    assert best_reference(accuracy, resource) == (0.9, 2.0)
    found = smallest(accuracy, resource, Reference(0.95, 6.0), 0.05)
    assert found == (1, 0.9, 2.0, 3.0)
    assert smallest(accuracy, resource, Reference(0.95, 6.0), 0.01) is None
    with pytest.raises(AnalysisError, match="no reference"):
        best_reference([np.nan], [1.0])
    with pytest.raises(AnalysisError, match=r"a resource of 0\.0"):
        best_reference([0.9], [0.0])
    with pytest.raises(AnalysisError, match="one of each"):
        best_reference([0.9, 0.8], [1.0])
