"""Whole searches, and the whole command. No peer ships search algorithms with its tables."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rows import row

import nasbench
from nasbench import Budget, History, SearchSpace, Table, registry
from nasbench.search.objectives import objectives_of
from nasbench.spaces.nb201 import NB201
from nasbench.testing import Landscape

SEARCHES = [
    ("random_search", 4),
    ("regularized_evolution", 8),
    ("genetic_algorithm", 8),
    ("local_search", 8),
    ("reinforce", 15),
]


@pytest.mark.parametrize(("name", "at_most"), SEARCHES)
def test_run(benchmark: BenchmarkFixture, name: str, at_most: float) -> None:
    row(benchmark, f"500 runs x 1,000 evaluations with history: {name}", at_most=at_most)
    kind = registry.find("searchers", name)
    budget = Budget(1000)

    def search(table: Table) -> list[History]:
        return [nasbench.run(kind(table.space, seed=[0, r, 0]), table, budget, seed=[0, r, 1]) for r in range(500)]

    # A new table each round: what it remembers of the answers is remembered within the 500 runs.
    histories = benchmark.pedantic(search, setup=lambda: ((nasbench.load("nasbench201"),), {}), rounds=3)
    assert [len(history.cost) for history in histories] == [1000] * 500


IN_TIME = [("hyperband", 2), ("asha", 2), ("bohb", None), ("dehb", None)]


class Remembered(Landscape):
    """The made-up landscape of nine epochs, with answers that are computed once."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.query = cache(super().query)  # type: ignore[method-assign]


@pytest.mark.parametrize(("name", "at_most"), IN_TIME)
def test_run_in_time(benchmark: BenchmarkFixture, name: str, at_most: float | None) -> None:
    row(benchmark, f"50 runs x 200 trainings' worth of epochs (1, 3, 9), 8 workers: {name}", at_most=at_most)
    kind, space = registry.find("searchers", name), NB201()
    budget = Budget(200 * 9, "epochs")

    def search(results: Remembered) -> None:
        for r in range(50):
            searcher = kind(space, seed=[0, r, 0], fidelities=results.fidelities)
            nasbench.run(searcher, results, budget, seed=[0, r, 1], workers=8)

    benchmark.pedantic(search, setup=lambda: ((Remembered(space),), {}), rounds=3)


def test_run_for_two_objectives(benchmark: BenchmarkFixture) -> None:
    row(benchmark, "50 runs x 1,000 evaluations: nsga2, accuracy and latency", at_most=2)
    table = nasbench.load("nasbench201")
    objectives = objectives_of(table, ["validation_accuracy", "latency"])
    kind = registry.find("searchers", "nsga2")

    def search() -> None:
        for r in range(50):
            searcher = kind(table.space, seed=[0, r, 0], objectives=objectives)
            nasbench.run(searcher, table, Budget(1000), seed=[0, r, 1])

    benchmark.pedantic(search, rounds=3)


def test_compare(benchmark: BenchmarkFixture, environment: dict[str, str], tmp_path: Path) -> None:
    row(
        benchmark,
        "`nasbench compare`: five algorithms, 500 runs x 1,000 evaluations, two workers, start to files",
        at_most=30,
    )
    numbers = count()

    def compare(*options: str) -> Path:
        out = tmp_path / f"comparison{next(numbers)}"
        command = [str(Path(sys.executable).with_name("nasbench")), "compare", "--processes", "2", "--out", str(out)]
        # matplotlib finds no list of the fonts here and makes it again, as in the first run on a machine.
        variables = environment | {"MPLCONFIGDIR": str(tmp_path / f"fonts{next(numbers)}")}
        subprocess.run([*command, *options], env=variables, check=True, capture_output=True)
        return out

    compare("--runs", "50", "--budget", "10")  # fills the cache of bytecode
    out = benchmark.pedantic(compare, args=("--runs", "500", "--budget", "1000"), rounds=3)
    assert {"summary.json", "curves.png", "curves.pdf", "histories", "manifest.json"} <= {p.name for p in out.iterdir()}
