"""The scripts in examples/, run as they stand, as scripts of others would be."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from _nb101_files import write_records, write_small_cells

EXAMPLES = Path(__file__).parents[1] / "examples"


class Example(NamedTuple):
    """A script, how to make what it reads, its other arguments, and what it must print."""

    script: str
    data: Callable[[Path], Path]
    arguments: Sequence[str]
    prints: str


def small_cells(folder: Path) -> Path:
    return write_small_cells(folder / "nasbench101_small.h5")


_FOUND = r"evaluated \d{2,} models in 100\d{3} seconds, \d+ epochs\nbest validation accuracy 0\.\d{4}[^\n]*\nmean test"
RUNS = [
    Example(
        "nasbench101_random_search.py", small_cells, ("--vertices", "5", "--budget", "100000", "--seed", "1"), _FOUND
    ),
    Example(
        "nasbench101_evolution.py",
        small_cells,
        ("--vertices", "5", "--budget", "100000", "--seed", "1", "--population", "20", "--tournament", "5"),
        _FOUND,
    ),
    Example(
        "nasbench101_evolution.py",
        small_cells,
        ("--vertices", "5", "--budget", "100000", "--seed", "1", "--epochs", "12"),
        _FOUND,
    ),
    # A file of records, with all cells of two vertices.
    Example(
        "nasbench101_random_search.py",
        lambda folder: write_records(folder / "nasbench_full.tfrecord"),
        ("--vertices", "2", "--budget", "100000"),
        _FOUND,
    ),
]


def _name(example: Example) -> str:
    return f"{example.script} {' '.join(example.arguments)}"


@pytest.mark.parametrize("example", RUNS, ids=_name)
def test_runs_as_it_stands(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-W", "error", str(EXAMPLES / example.script), str(example.data(tmp_path))]
    outputs = []
    for _ in range(2):
        done = subprocess.run([*command, *example.arguments], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert re.match(example.prints, outputs[0]), outputs[0]
    assert outputs[0] == outputs[1]  # one seed, one search


def test_every_script_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("nasbench101_*.py")} == {example.script for example in RUNS}
