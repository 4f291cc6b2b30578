"""What the benchmarks share: a table, architectures to ask it for, and the environment of fresh interpreters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import nasbench
from nasbench import Architecture, Table


@pytest.fixture(scope="session")
def table() -> Table:
    return nasbench.load("nasbench201")


@pytest.fixture(scope="session")
def _shuffled(table: Table) -> list[Architecture]:
    order = np.random.default_rng(0).permutation(len(table))
    return list(map(tuple, table.architectures[order].tolist()))


@pytest.fixture(scope="session")
def asked(_shuffled: list[Architecture]) -> list[Architecture]:
    """15,000 different architectures, in random order."""
    return _shuffled[:15_000]


@pytest.fixture(scope="session")
def others(_shuffled: list[Architecture]) -> list[Architecture]:
    """The 625 architectures that are not among ``asked``."""
    return _shuffled[15_000:]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables for a subprocess that finds bytecode in a cache, as it does for whoever installed the package.

    Where ``PYTHONDONTWRITEBYTECODE`` is set, every fresh interpreter would compile every module again. The cache is a
    temporary folder of its own, so that it is the same on every machine; a first run that is not measured fills it.
    """
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return variables | {"PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("bytecode"))}


@pytest.fixture(scope="session")
def fresh(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], float]:
    """Run code in a fresh interpreter, and return the number that it prints.

    It stands in an empty folder, so that it imports what is installed, not what lies beside it.
    """
    folder = tmp_path_factory.mktemp("elsewhere")

    def run(code: str) -> float:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
        return float(done.stdout)

    return run
