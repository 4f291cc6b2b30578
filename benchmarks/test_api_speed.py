"""What ``from nasbench import api`` costs an old script, on a full-size table of NAS-Bench-101.

Needs ../shared/data (the real cells), 90 MB in the temporary folder, and half a minute to write the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from _nb101_table import write_table
from _process import in_a_new_process, recorded
from pytest_benchmark.fixture import BenchmarkFixture
from rows import row

NPZ = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "nb101" / "nb101_cifar10.npz"
pytestmark = pytest.mark.skipif(not NPZ.is_file(), reason="the real cells of ../shared/data are not here")

_PROCESSES = 11
_OPEN = """
from nasbench import api
start = time.perf_counter()
nasbench = api.NASBench(sys.argv[1])
say(open_s=time.perf_counter() - start)
"""
_FIRST = """
start = time.perf_counter()
from nasbench import api
nasbench = api.NASBench(sys.argv[1])
edges = [(0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6)]
matrix = [[int((a, b) in edges) for b in range(7)] for a in range(7)]
operations = ["input", "conv1x1-bn-relu", *["conv3x3-bn-relu"] * 3, "maxpool3x3", "output"]
assert nasbench.query(api.ModelSpec(matrix, operations))["trainable_parameters"] == 2694282
say(first_s=time.perf_counter() - start)
"""
# Cells as scripts draw them, seven vertices before pruning, each asked for once. Those that come first pay for reading
# the columns and are not counted.
_QUERIES = """
import numpy as np
from nasbench import api
from nasbench.spaces.nb101 import EDGES, NB101, OPERATIONS
drawn = np.unique(NB101().sample_many(25_000, np.random.default_rng(0)), axis=0)
cells = []
for choices in np.random.default_rng(1).permutation(drawn).tolist():
    matrix = np.zeros((7, 7), int)
    for (a, b), bit in zip(EDGES, choices):
        matrix[a, b] = bit
    cells.append((matrix.tolist(), ["input", *[OPERATIONS[i] for i in choices[len(EDGES):]], "output"]))
nasbench = api.NASBench(sys.argv[1], seed=0)
def ask(cells):
    start = time.perf_counter()
    for matrix, operations in cells:
        nasbench.query(api.ModelSpec(matrix, operations))
    return (time.perf_counter() - start) / len(cells)
ask(cells[:1_000])
times = sorted(ask(cells[i : i + 1_000]) for i in range(1_000, 20_000, 1_000))
say(query_s=times[len(times) // 2])
"""
_SCAN = """
from nasbench import api
nasbench = api.NASBench(sys.argv[1])
start = time.perf_counter()
for name in nasbench.hash_iterator():
    nasbench.get_metrics_from_hash(name)
say(scan_s=time.perf_counter() - start)
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("api") / "nasbench101.h5"
    write_table(path, NPZ)
    yield path
    path.unlink()


def test_open(benchmark: BenchmarkFixture, table: Path) -> None:
    row(benchmark, "`api.NASBench(table)` on the full table of NAS-Bench-101", at_most=0.100)
    figures = [in_a_new_process(_OPEN, table) for _ in range(_PROCESSES)]
    recorded(benchmark, [found["open_s"] for found in figures], figures[0])
    assert max(found["resident_mb"] for found in figures) <= 150


def test_first_query(benchmark: BenchmarkFixture, table: Path) -> None:
    row(benchmark, "from the start of the script to the first answer: import, open, read columns, query")
    figures = [in_a_new_process(_FIRST, table) for _ in range(_PROCESSES)]
    recorded(benchmark, [found["first_s"] for found in figures], figures[0])


def test_query(benchmark: BenchmarkFixture, table: Path) -> None:
    row(benchmark, "`nasbench.query(api.ModelSpec(matrix, ops))`, of a cell not asked for before", at_most=100e-6)
    figures = in_a_new_process(_QUERIES, table)
    recorded(benchmark, [figures["query_s"]], figures)
    assert figures["resident_mb"] <= 150


def test_scan(benchmark: BenchmarkFixture, table: Path) -> None:
    row(benchmark, "all trainings of all 423,624 cells, by `hash_iterator` and `get_metrics_from_hash`")
    figures = in_a_new_process(_SCAN, table)
    recorded(benchmark, [figures["scan_s"]], figures)
