"""Keys, official hashes and the enumeration of NAS-Bench-101, beside the official algorithm as it is described."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from rows import peer, row

from nasbench.spaces.nb101 import NB101

HASHES = "official hashes of NAS-Bench-101 cells in bulk, all different"
SOME = 50_000
LABELS = {"input": -1, "output": -2, "conv3x3-bn-relu": 0, "conv1x1-bn-relu": 1, "maxpool3x3": 2}
# Of all hashes, sorted and joined by newlines: they have been computed twice, by other code than this.
ALL_HASHES = "a7f10bf770c1b5b8a221e37824e42b3b1a237a5d21ccf545bbe8e23abd933403"


@pytest.fixture(scope="module")
def space() -> NB101:
    return NB101()


@pytest.fixture(scope="module")
def some(space: NB101) -> NDArray[np.uint8]:
    """Different cells: where cells repeat, much less has to be hashed."""
    return np.random.default_rng(0).choice(space.cells, SOME, replace=False)


def plain_hash(matrix: NDArray[np.int8], operations: Sequence[str]) -> str:
    """Hash a pruned cell as nasbench/lib/graph_util.py describes it, one vertex after the other."""

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    vertices = range(len(operations))
    into, out_of = matrix.sum(axis=0).tolist(), matrix.sum(axis=1).tolist()
    hashes = [md5(str((out_of[v], into[v], LABELS[operations[v]]))) for v in vertices]
    for _ in vertices:
        before = [sorted(hashes[w] for w in vertices if matrix[w, v]) for v in vertices]
        after = [sorted(hashes[w] for w in vertices if matrix[v, w]) for v in vertices]
        hashes = [md5(f"{''.join(before[v])}|{''.join(after[v])}|{hashes[v]}") for v in vertices]
    return md5(str(sorted(hashes)))


def test_keys(benchmark: BenchmarkFixture, space: NB101) -> None:
    cells = space.cells
    row(benchmark, "own keys of NAS-Bench-101 cells in bulk, all different", items=len(cells), at_least=1e6)
    keys = benchmark(space.key_many, cells)
    assert len(np.unique(keys)) == 423_624


def test_hashes(benchmark: BenchmarkFixture, space: NB101, some: NDArray[np.uint8]) -> None:
    row(benchmark, HASHES, items=SOME, at_least=30_000)
    benchmark.pedantic(space.hash_many, (some,), rounds=5, warmup_rounds=1)


def test_plain_hashes(benchmark: BenchmarkFixture, space: NB101, some: NDArray[np.uint8]) -> None:
    """The official code is of this form; its answers are ours."""
    few = some[:1_000]
    cells = [space.cell(tuple(architecture)) for architecture in few.tolist()]
    peer(benchmark, "the official algorithm, one cell after the other", HASHES, items=len(few))
    hashes = benchmark.pedantic(lambda: [plain_hash(*cell) for cell in cells], rounds=5)
    assert hashes == space.hash_many(few)


def test_hash_of_one(benchmark: BenchmarkFixture, space: NB101, some: NDArray[np.uint8]) -> None:
    row(benchmark, "official hash of one NAS-Bench-101 cell", items=100)
    architectures = list(map(tuple, some[:100].tolist()))
    benchmark(lambda: [space.hash(architecture) for architecture in architectures])


def test_key_of_a_matrix(benchmark: BenchmarkFixture, space: NB101, some: NDArray[np.uint8]) -> None:
    row(benchmark, "own key of one NAS-Bench-101 cell, given as matrix and operations", items=1_000)
    cells = [space.cell(tuple(architecture)) for architecture in some[:1_000].tolist()]
    benchmark(lambda: [space.key(space.from_cell(*cell)) for cell in cells])


def test_enumeration(benchmark: BenchmarkFixture) -> None:
    row(benchmark, "enumerate NAS-Bench-101: all 423,624 cells and their official hashes", at_most=90)

    def enumerate_all() -> list[str]:
        space = NB101()
        return space.hash_many(space.cells)

    hashes = benchmark.pedantic(enumerate_all, rounds=1)
    assert len(set(hashes)) == 423_624
    assert hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest() == ALL_HASHES
