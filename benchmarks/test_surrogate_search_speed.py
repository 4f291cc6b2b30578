"""Whole searches that learn a surrogate. The evaluations they need are in docs/reproduction.md."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rows import row

import nasbench
from nasbench import Budget, History, registry

SEARCHES: list[tuple[str, dict[str, Any], float | None]] = [
    ("bananas", {}, None),
    ("bananas", {"encoding": "graph", "predictor": "gaussian_process"}, 2),
    ("gp_expected_improvement", {}, 3),
    ("gp_expected_improvement", {"growth": 0}, None),
    ("tree_confidence_bound", {}, 3),
    ("tree_confidence_bound", {"growth": 0}, None),
]


@pytest.mark.parametrize(("name", "arguments", "at_most"), SEARCHES)
def test_run(benchmark: BenchmarkFixture, name: str, arguments: dict[str, Any], at_most: float | None) -> None:
    spelled = "".join(f", {key} {value}" for key, value in arguments.items())
    row(benchmark, f"one run of 300 evaluations: {name}{spelled}", at_most=at_most)
    kind, table = registry.find("searchers", name), nasbench.load("nasbench201")

    def search() -> History:
        return nasbench.run(kind(table.space, seed=0, **arguments), table, Budget(300), seed=1)

    search()  # features of the whole space are computed once a process
    assert len(benchmark.pedantic(search, rounds=2).cost) == 300
