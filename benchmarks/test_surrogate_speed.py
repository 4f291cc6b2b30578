"""Predictors: encoding architectures, fitting to some, predicting all. How good they are: docs/surrogates.md."""

from __future__ import annotations

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rows import row

import nasbench
from surrogates.encodings import GraphFeatures
from surrogates.models.default import default

LABELS = 781


@pytest.mark.parametrize("many", [15_625, 500_000])
def test_graph_features(benchmark: BenchmarkFixture, many: int) -> None:
    row(benchmark, f"graph features of {many:,} cells of NAS-Bench-201", items=many, at_least=200_000)
    table = nasbench.load("nasbench201")
    encoding = GraphFeatures("nb201").fit(table.architectures[:1])
    choices = table.architectures if many == len(table) else table.space.sample_many(many, np.random.default_rng(0))
    encoding.transform(choices[:1])  # which parts are common is found once a process
    assert len(benchmark.pedantic(lambda: encoding.transform(choices), rounds=7)) == many


def test_fit(benchmark: BenchmarkFixture) -> None:
    row(benchmark, f"fit the default model to {LABELS} labels of NAS-Bench-201, and calibrate it", at_most=5)
    table = nasbench.load("nasbench201")
    rows = np.random.default_rng(0).permutation(len(table))[:LABELS]
    choices, labels = table.architectures[rows], table.column("validation_accuracy")[rows]
    benchmark.pedantic(lambda: default("nb201", random_state=0).fit(choices, labels), rounds=3)


@pytest.mark.parametrize("deviations", [False, True])
def test_predict(benchmark: BenchmarkFixture, deviations: bool) -> None:
    what = ", with standard deviations" if deviations else ""
    at_most = None if deviations else 1
    row(benchmark, f"predict all 15,625 architectures from {LABELS} labels{what}", at_most=at_most)
    table = nasbench.load("nasbench201")
    rows = np.random.default_rng(0).permutation(len(table))[:LABELS]
    model = default("nb201", random_state=0).fit(table.architectures[rows], table.column("validation_accuracy")[rows])
    benchmark.pedantic(lambda: model.predict(table.architectures, return_std=deviations), rounds=3)
