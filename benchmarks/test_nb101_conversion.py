"""Conversion of a full-size synthetic ``nasbench_full.tfrecord``, and what its table costs to open and to query.

Needs ../shared/data (the real cells), 2.2 GB in the temporary folder, and some minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from _nb101_synthetic import RECORDS, write_full
from _process import in_a_new_process, recorded
from pytest_benchmark.fixture import BenchmarkFixture
from rows import row, size

from nasbench.sources.readers.tfrecord import crc32c
from nasbench.tables.table import Table

NPZ = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "nb101" / "nb101_cifar10.npz"
needs_cells = pytest.mark.skipif(not NPZ.is_file(), reason="the real cells of ../shared/data are not here")

# Each in a process of its own, so that its largest resident memory is that of the work alone.
_CONVERT = """
from nasbench import tables
from nasbench.sources.nasbench101.converter import convert
start = time.perf_counter()
content = convert(sys.argv[1])
converted = time.perf_counter()
store.write(sys.argv[2], content)
say(convert_s=converted - start, write_s=time.perf_counter() - converted, processor_s=time.process_time())
"""
_OPEN = """
from nasbench.spaces.nb101 import NB101
from nasbench.tables.table import Table
edges = [(0, 1), (0, 4), (0, 5), (1, 2), (2, 3), (2, 6), (3, 5), (4, 5), (5, 6)]
matrix = [[int((a, b) in edges) for b in range(7)] for a in range(7)]
operations = ["input", *["conv3x3-bn-relu"] * 4, "conv1x1-bn-relu", "output"]
start = time.perf_counter()
Table(sys.argv[1]).query(NB101().from_cell(matrix, operations))
say(open_and_first_query_s=time.perf_counter() - start)
"""
_QUERIES = """
import numpy as np
from nasbench.tables.table import Table
table = Table(sys.argv[1])
rows = np.random.default_rng(0).integers(0, len(table), 100_000)
architectures = list(map(tuple, table.architectures[rows].tolist()))
start = time.perf_counter()
for architecture in architectures:
    table.query(architecture)
say(query_s=(time.perf_counter() - start) / len(rows))
"""

# Every question is asked once, of a table that has learnt its rows. The singles that come first are not counted: until
# they become many, a table looks single values up in the file.
_LOOK_UP = """
import numpy as np
from nasbench.spaces.nb101 import NB101
from nasbench.tables.table import Table
space, table = NB101(), Table(sys.argv[1])
rows = np.random.default_rng(0).permutation(len(table))
some = table.architectures[rows[:20_000]]
hashes = space.hash_many(table.architectures[rows[:200_000]])
cells = [space.cell(tuple(architecture)) for architecture in some.tolist()]
seven = [cell for cell in cells if len(cell[1]) == 7]
matrices = np.array([matrix for matrix, _ in seven] * 10)
operations = np.array([operations for _, operations in seven] * 10)
def timed(ask, questions, items):
    times = []
    for question in questions:
        start = time.perf_counter()
        ask(question)
        times.append((time.perf_counter() - start) / items)
    return sorted(times)[len(times) // 2]
def each(ask):
    return lambda questions: [ask(question) for question in questions]
def by_cell(cell):
    return table.query(space.from_cell(*cell))
each(table.query)(hashes[:100])
each(by_cell)(cells[:100])
batches = range(100, 20_000, 1_000)
say(
    hash_s=timed(each(table.query), [hashes[i : i + 1_000] for i in batches[:-1]], 1_000),
    cell_s=timed(each(by_cell), [cells[i : i + 1_000] for i in batches[:-1]], 1_000),
    hashes_s=timed(table.rows_of_hashes, [hashes] * 5, len(hashes)),
    cells_s=timed(lambda cells: table.rows(space.from_cells(*cells)), [(matrices, operations)] * 5, len(matrices)),
)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("nb101") / "nasbench_full.tfrecord"
    assert write_full(path, NPZ) == RECORDS
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def converted(source: Path) -> Iterator[tuple[Path, dict[str, float]]]:
    path = source.with_name("nasbench101.h5")
    yield path, in_a_new_process(_CONVERT, source, path)
    path.unlink()


@needs_cells
def test_conversion_of_the_full_file(benchmark: BenchmarkFixture, converted: tuple[Path, dict[str, float]]) -> None:
    row(benchmark, "convert a full-size nasbench_full.tfrecord (5,083,488 records) and write its table", at_most=360)
    figures = converted[1]
    recorded(benchmark, [figures["convert_s"] + figures["write_s"]], figures)


@needs_cells
def test_memory_of_the_conversion(benchmark: BenchmarkFixture, converted: tuple[Path, dict[str, float]]) -> None:
    size(benchmark, "resident memory of that, at most", converted[1]["resident_mb"] * 2**20 / 1e6, at_most=1000)


@needs_cells
def test_size_of_the_table(benchmark: BenchmarkFixture, converted: tuple[Path, dict[str, float]]) -> None:
    size(benchmark, "size of the table", converted[0].stat().st_size / 1e6, at_most=130)


@needs_cells
def test_the_table_holds_the_real_figures(converted: tuple[Path, dict[str, float]]) -> None:
    """Rows in the order of the hashes, parameters by the formula on every row, the real test accuracies."""
    table, data = Table(converted[0]), np.load(NPZ)
    assert table.report["records"] == RECORDS
    assert table.report["records whose parameter count differs from the formula"]["number"] == 0
    np.testing.assert_array_equal(table.column("parameters"), data["params"])
    np.testing.assert_array_equal(
        np.rint(table.column("test_accuracy") * 29952), np.rint(data["test_acc_mean3_108ep"] * 29952)
    )
    one = table.column("test_accuracy", run=0).astype(np.float32)
    np.testing.assert_array_equal(one, data["test_acc_one_run_108ep"].astype(np.float32))


@needs_cells
def test_open_and_first_query(benchmark: BenchmarkFixture, converted: tuple[Path, dict[str, float]]) -> None:
    row(benchmark, "open the full NAS-Bench-101 table and answer the first query", at_most=0.060)
    figures = in_a_new_process(_OPEN, converted[0])
    recorded(benchmark, [figures["open_and_first_query_s"]], figures)


@pytest.fixture(scope="module")
def queries(converted: tuple[Path, dict[str, float]]) -> dict[str, float]:
    return in_a_new_process(_QUERIES, converted[0])


@needs_cells
def test_queries(benchmark: BenchmarkFixture, queries: dict[str, float]) -> None:
    row(benchmark, "one of 100,000 random queries of it by tuple, asked once each")
    recorded(benchmark, [queries["query_s"]], queries)


@needs_cells
def test_memory_of_queries(benchmark: BenchmarkFixture, queries: dict[str, float]) -> None:
    size(benchmark, "resident memory after these 100,000", queries["resident_mb"] * 2**20 / 1e6, at_most=200)


@pytest.fixture(scope="module")
def look_ups(converted: tuple[Path, dict[str, float]]) -> dict[str, float]:
    return in_a_new_process(_LOOK_UP, converted[0])


@needs_cells
def test_query_by_hash(benchmark: BenchmarkFixture, look_ups: dict[str, float]) -> None:
    row(benchmark, "one query of it by official hash", at_most=10e-6)
    recorded(benchmark, [look_ups["hash_s"]], look_ups)


@needs_cells
def test_query_by_cell(benchmark: BenchmarkFixture, look_ups: dict[str, float]) -> None:
    row(benchmark, "one query of it by matrix and operations", at_most=80e-6)
    recorded(benchmark, [look_ups["cell_s"]], look_ups)


@needs_cells
def test_look_up_of_hashes(benchmark: BenchmarkFixture, look_ups: dict[str, float]) -> None:
    row(benchmark, "rows of official hashes in bulk", at_least=1e6)
    recorded(benchmark, [look_ups["hashes_s"]], look_ups)


@needs_cells
def test_look_up_of_cells(benchmark: BenchmarkFixture, look_ups: dict[str, float]) -> None:
    row(benchmark, "rows of cells in bulk, given as matrices and operations of seven vertices", at_least=500e3)
    recorded(benchmark, [look_ups["cells_s"]], look_ups)


def test_checksums(benchmark: BenchmarkFixture) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(300, 425, 2**21 // 363)
    data = rng.integers(0, 256, int(lengths.sum()), dtype=np.uint8).tobytes()
    row(benchmark, "CRC-32C of records, in bytes", items=len(data), at_least=300e6)
    benchmark(crc32c, data, np.cumsum(lengths) - lengths, lengths)
