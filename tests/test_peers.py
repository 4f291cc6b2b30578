"""Defects of other benchmarks that this one must not have, where no other test holds them already."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from baselines.random_search import RandomSearch
from nasbench import Budget, Table, load, registry, run
from nasbench.spaces.nb201 import NB201
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, write

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for package in ("nasbench", "surrogates", "baselines") for path in (ROOT / package).rglob("*.py"))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """All of NAS-Bench-201; every number in it tells which architecture, run and metric it is."""
    architectures = NB201().architectures
    number = np.arange(len(architectures))[:, None, None]
    runs = np.arange(3)[None, None, :]
    columns = {
        "validation_accuracy": Column((3 * number + runs).astype(np.uint32), "images", (12,), 10**6, "a", "b"),
        "test_accuracy": Column((500_000 + 3 * number + runs).astype(np.uint32), "images", (12,), 10**6, "a", "c"),
        "training_time": Column(1.0 + 3 * number + runs, "seconds", (12,)),
    }
    content = TableContent(
        "nb201", architectures, {"x": DatasetContent({}, {12: columns})}, dict.fromkeys(SOURCE_FIELDS, ""), {}
    )
    write(tmp_path / "numbered.h5", content)
    return load(tmp_path / "numbered.h5")


def test_all_that_one_query_answers_is_of_the_same_run(table: Table) -> None:
    """NASLib draws another repeat for each metric, so validation, test and time come from different trainings."""
    history = run(RandomSearch(table.space, seed=0), table, Budget(500), seed=1)
    expected = 3 * table.rows(history.architectures) + history.runs
    assert set(history.runs.tolist()) == {0, 1, 2}
    assert np.rint(history.validation_accuracy * 10**6).tolist() == expected.tolist()
    assert np.rint(history.test_accuracy * 10**6).tolist() == (500_000 + expected).tolist()
    assert history.seconds.tolist() == (1.0 + expected).tolist()


def test_the_first_epoch_costs_what_it_costs(table: Table) -> None:
    """HPOBench sums from the second epoch on; NATS-Bench scripts charge the step that passes the budget."""
    seconds = 3 * np.arange(len(table))[:, None] + 1.0 + np.arange(3)
    history = run(RandomSearch(table.space, seed=0), table, Budget(10**6, "seconds"), seed=1)
    rows = table.rows(history.architectures)
    assert history.cost.tolist() == seconds[rows, history.runs].tolist()
    assert history.cost.sum() <= 10**6 < history.cost.sum() + seconds.max()


def test_opening_and_asking_print_nothing(table: Table, capfd: pytest.CaptureFixture[str]) -> None:
    """Google's nasbench announces that it loads, NATS-Bench logs each file."""
    load("nasbench201").query(0)
    run(RandomSearch(table.space, seed=0), table, Budget(10), seed=1)
    assert capfd.readouterr() == ("", "")


def test_names_are_listed_without_importing_what_they_stand_for() -> None:
    """A mistake in one benchmark, or its absent dependency, must not hide the others (mfpbench, nas-bench-x11)."""
    kinds = ("spaces", "tables", "searchers", "converters")
    code = (
        "import sys; from nasbench import registry\n"
        f"assert all(registry.names(kind) for kind in {kinds})\n"
        "assert not {'numpy', 'h5py', 'baselines'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["spaces", "tables", "searchers", "converters"])
def test_every_registered_name_leads_somewhere(kind: registry.Kind) -> None:
    for name in registry.names(kind):
        assert registry.find(kind, name) is not None


def test_errors_do_not_vanish_with_optimisation() -> None:
    """NATS-Bench and cmaes check their users' input by assert, which ``python -O`` removes.

    What is left tells the type checker that something is not None.
    """
    for path in SOURCES:
        if path.parent.name == "testing":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert):
                assert ast.unparse(node.test).endswith(" is not None"), f"{path.relative_to(ROOT)}:{node.lineno}"


def test_all_that_attain_the_optimum_are_told(tmp_path: Path) -> None:
    """NATS-Bench's find_best returns the first of them; the best of NAS-Bench-Macro are two."""
    architectures = NB201().architectures[:5]
    # Means 0.5, 0.7, nothing, 0.7 of one run, 0.6: a tie only if missing runs are left out of the mean.
    counts = np.array([[[40, 60]], [[80, 60]], [[255, 255]], [[255, 70]], [[60, 60]]], np.uint8)
    columns = {"validation_accuracy": Column(counts, "images", (12,), 100, "a", "b")}
    content = TableContent(
        "nb201", architectures, {"x": DatasetContent({}, {12: columns})}, dict.fromkeys(SOURCE_FIELDS, ""), {}
    )
    write(tmp_path / "tied.h5", content)
    best = load(tmp_path / "tied.h5").optimum()
    assert best.value == 0.7
    assert best.architectures == tuple(tuple(row) for row in architectures[[1, 3]].tolist())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_table_is_carried_through_fork() -> None:
    """An open HDF5 file is not: two processes share its position, and read each other's bytes."""
    code = (
        "import os, nasbench\n"
        "other, table = nasbench.load('nasbench201'), nasbench.load('nasbench201')\n"
        "expected = [repr(other.query(row, run=row % 2)) for row in range(3000)]\n"
        "table.query(0)  # opened, but run 0 and run 1 are first read by parent and children at once\n"
        "children = [os.fork() for _ in range(2)]\n"
        "same = [repr(table.query(row, run=row % 2)) for row in range(3000)] == expected\n"
        "if 0 in children: os._exit(not same)\n"
        "assert same and [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]\n"
    )
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], check=True, timeout=60)
