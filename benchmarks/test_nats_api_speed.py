"""The drop-in for nats_bench on a full-size topology table, beside nats-bench itself.

Needs ../shared/data: the peer opens the real files of three architectures in fast mode, as its users do with the whole
folder; our table has the columns of their conversion and random figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _nats_table import full_size
from _process import recorded
from pytest_benchmark.fixture import BenchmarkFixture
from rows import peer, row

from nasbench import tables
from nasbench.compat.nats_bench import create
from nasbench.sources.nats.nats_bench import convert

SAMPLES = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "nats_tss"
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample files of NATS-Bench are not in ../shared/data/nats_tss"
)

OPEN = "`create(..., 'tss')` and the first `get_more_info` of a full-size table; numpy, h5py, own modules imported"
OPEN_AND_IMPORT = "the same, with the import of our own modules"
FURTHER = "each further `get_more_info`, of another architecture, mean over runs"
AGAIN = "`get_more_info` of one architecture again and again, mean over runs"
RANDOM = "each further `get_more_info`, of another architecture, a random seed"
SIMULATE = "each further `simulate_train_eval`, of another architecture"
BEST = "the first `find_best` over all 15,625 architectures of the opened table"
BEST_AGAIN = "each further `find_best`"
INDEXES = (0, 11, 284)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("nats") / "tss.h5"
    tables.write(path, full_size(convert(SAMPLES), seed=0))
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def peer_module(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The peer, which must answer for the sample files as we do over their table."""
    module = pytest.importorskip("nats_bench", reason="the peer nats-bench is not installed")
    path = tmp_path_factory.mktemp("samples") / "tss.h5"
    tables.write(path, convert(SAMPLES))
    ours = create(path, "tss", verbose=False)
    for index in INDEXES:
        expected, found = more_info(opened(module), index), more_info(ours, index)
        assert found.keys() == expected.keys()
        assert all(abs(found[name] / expected[name] - 1) < 1e-6 for name in expected if name != "comment")
    return module


def opened(module: Any) -> Any:
    return module.create(str(SAMPLES), "tss", fast_mode=True, verbose=False)


def more_info(api: Any, index: int, is_random: bool = False) -> dict[str, Any]:
    return api.get_more_info(index, "cifar10-valid", hp="200", is_random=is_random)


def named() -> str:
    return f"nats-bench {version('nats-bench')}"


MODULES = "import nasbench.compat.nats_bench, nasbench.spaces.nb201, nasbench.tables"


def record(benchmark: BenchmarkFixture, fresh: Callable[[str], float], before: str, measured: str) -> None:
    """Record the seconds of 21 fresh interpreters; one before them fills the cache of bytecode."""
    code = f"import time, numpy, h5py\n{before}\nt = time.perf_counter()\n{measured}\nprint(time.perf_counter() - t)"
    recorded(benchmark, [fresh(code) for _ in range(22)][1:], {})


def first_answer(path: Path, fast_mode: bool) -> str:
    call = "get_more_info(11, 'cifar10-valid', hp='200', is_random=False)"
    return f"nats_bench.create({str(path.resolve())!r}, 'tss', fast_mode={fast_mode}, verbose=False).{call}"


def test_open(benchmark: BenchmarkFixture, fresh: Callable[[str], float], table: Path) -> None:
    row(benchmark, OPEN, at_most=60e-3)
    record(benchmark, fresh, f"{MODULES}\nfrom nasbench.compat import nats_bench", first_answer(table, False))


def test_open_of_peer(benchmark: BenchmarkFixture, fresh: Callable[[str], float], peer_module: Any) -> None:
    peer(benchmark, named(), OPEN)
    record(benchmark, fresh, "import nats_bench", first_answer(SAMPLES, True))


def test_import_and_open(benchmark: BenchmarkFixture, fresh: Callable[[str], float], table: Path) -> None:
    row(benchmark, OPEN_AND_IMPORT)
    record(benchmark, fresh, "", f"from nasbench.compat import nats_bench; {first_answer(table, False)}")


@pytest.fixture(scope="module")
def every() -> list[int]:
    """All indexes, in random order."""
    return np.random.default_rng(0).permutation(15_625).tolist()


@pytest.mark.parametrize(("title", "is_random"), [(FURTHER, False), (RANDOM, True)])
def test_further(benchmark: BenchmarkFixture, table: Path, every: list[int], title: str, is_random: bool) -> None:
    row(benchmark, title, items=len(every))
    api = create(table, "tss", verbose=False, seed=0)
    benchmark.pedantic(lambda: [more_info(api, index, is_random) for index in every], rounds=9, warmup_rounds=1)


@pytest.mark.parametrize(("title", "is_random"), [(FURTHER, False), (RANDOM, True)])
def test_further_of_peer(benchmark: BenchmarkFixture, peer_module: Any, title: str, is_random: bool) -> None:
    """Each time of an architecture that it has not read yet, from a file of its own."""
    peer(benchmark, named(), title, items=len(INDEXES), times=50)
    benchmark.pedantic(
        lambda api: [more_info(api, index, is_random) for index in INDEXES],
        setup=lambda: ((opened(peer_module),), {}),
        rounds=9,
        warmup_rounds=1,
    )


def test_again(benchmark: BenchmarkFixture, table: Path) -> None:
    row(benchmark, AGAIN, items=1000)
    api = create(table, "tss", verbose=False)
    benchmark.pedantic(lambda: [more_info(api, 11) for _ in range(1000)], rounds=15, warmup_rounds=1)


def test_again_of_peer(benchmark: BenchmarkFixture, peer_module: Any) -> None:
    peer(benchmark, named(), AGAIN, items=200)
    api = opened(peer_module)
    benchmark.pedantic(lambda: [more_info(api, 11) for _ in range(200)], rounds=15, warmup_rounds=1)


def test_simulate(benchmark: BenchmarkFixture, table: Path, every: list[int]) -> None:
    row(benchmark, SIMULATE, items=len(every))
    api = create(table, "tss", verbose=False, seed=0)
    benchmark.pedantic(
        lambda: [api.simulate_train_eval(index, "cifar10", hp="200") for index in every], rounds=9, warmup_rounds=1
    )


def test_simulate_of_peer(benchmark: BenchmarkFixture, peer_module: Any) -> None:
    peer(benchmark, named(), SIMULATE, items=len(INDEXES), times=50)
    benchmark.pedantic(
        lambda api: [api.simulate_train_eval(index, "cifar10", hp="200") for index in INDEXES],
        setup=lambda: ((opened(peer_module),), {}),
        rounds=9,
        warmup_rounds=1,
    )


def test_first_find_best(benchmark: BenchmarkFixture, table: Path) -> None:
    row(benchmark, BEST, at_most=20e-3)
    found = benchmark.pedantic(
        lambda api: api.find_best("cifar10", "valid", hp="200"),
        setup=lambda: ((create(table, "tss", verbose=False),), {}),
        rounds=15,
        warmup_rounds=1,
    )
    api = create(table, "tss", verbose=False)
    means = np.array(
        [api.get_more_info(i, "cifar10-valid", None, "200", False)["valid-accuracy"] for i in range(15_625)]
    )
    assert found == (int(means.argmax()), pytest.approx(means.max(), rel=1e-12))


def test_further_find_best(benchmark: BenchmarkFixture, table: Path) -> None:
    row(benchmark, BEST_AGAIN, at_most=20e-3)
    api = create(table, "tss", verbose=False)
    benchmark.pedantic(lambda: api.find_best("cifar10", "valid", hp="200"), rounds=50, warmup_rounds=1)
