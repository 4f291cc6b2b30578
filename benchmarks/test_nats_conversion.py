"""Conversion of NATS-Bench files beside what bzip2 and pickle alone take, and a full-size topology table.

Needs ../shared/data (real files of three architectures, which are repeated here under other indexes).
"""

from __future__ import annotations

import bz2
import io
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _nats_table import full_size
from rows import peer, row

from nasbench import tables
from nasbench.sources.nats.nats_bench import convert
from nasbench.spaces.nb201 import NB201

SAMPLES = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "nats_tss"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real files of ../shared/data are not here")

FILES = 600
CONVERT = "convert a NATS-Bench topology folder, an architecture"


class Official(pickle.Unpickler):
    """The three globals of the real files, as what they are."""

    def find_class(self, module: str, name: str) -> Any:
        return {"OrderedDict": OrderedDict, "dtype": np.dtype, "scalar": np.float64(0).__reduce__()[0]}[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples, repeated as the results of the first architectures."""
    target = tmp_path_factory.mktemp("nats") / "NATS-tss-simple"
    target.mkdir()
    (target / "meta.pickle.pbz2").write_bytes((SAMPLES / "meta.pickle.pbz2").read_bytes())
    space = NB201()
    packed = [bz2.decompress(path.read_bytes()) for path in sorted(SAMPLES.glob("0*.pickle.pbz2"))]
    for index in range(FILES):
        states = Official(io.BytesIO(packed[index % len(packed)])).load()
        for state in states.values():
            state |= {"arch_index": index, "arch_str": space.format(tuple(space.architectures[index].tolist()))}
        (target / f"{index:06d}.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(states, 4)))
    return target


def test_conversion(benchmark, folder):
    row(benchmark, CONVERT, items=FILES)
    benchmark.pedantic(convert, (folder,), rounds=3)


def test_bzip2_and_pickle_alone(benchmark, folder):
    peer(benchmark, "bz2.decompress and pickle.loads alone", of=CONVERT, items=FILES, times=1 / 1.3)
    benchmark.pedantic(
        lambda: [Official(io.BytesIO(bz2.decompress(p.read_bytes()))).load() for p in folder.iterdir()], rounds=3
    )


def test_two_workers(benchmark, folder):
    row(benchmark, f"{CONVERT}, two workers", items=FILES)
    convert(SAMPLES, workers=2)  # starts them
    benchmark.pedantic(convert, (folder,), {"workers": 2}, rounds=3)


def test_one_worker(benchmark, folder):
    peer(benchmark, "one worker", of=f"{CONVERT}, two workers", items=FILES, times=1.8)
    benchmark.pedantic(convert, (folder,), rounds=3)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("nats") / "tss.h5"
    tables.write(path, full_size(convert(SAMPLES), seed=0))
    yield path
    path.unlink()


OPEN = (
    "import sys, time, numpy, h5py, nasbench.tables.table, nasbench.spaces.nb201; t = time.perf_counter(); "
    "import nasbench; nasbench.load({path!r}).query((1, 2, 3, 3, 2, 1)); print(time.perf_counter() - t)"
)


def test_open_and_first_query(benchmark, table, fresh):
    row(benchmark, "open a full-size NATS-Bench topology table and answer the first query", at_most=0.060)
    code = OPEN.format(path=str(table))
    fresh(code)
    times = [fresh(code) for _ in range(11)]
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.stats.stats.data[:] = times
