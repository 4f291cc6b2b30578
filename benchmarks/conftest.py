from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import nasbench


@pytest.fixture(scope="session")
def table():
    return nasbench.load("nasbench201")


@pytest.fixture(scope="session")
def some(table):
    """2,000 architectures, as tuples."""
    return [tuple(a) for a in table.space.sample_many(2000, np.random.default_rng(0)).tolist()]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory):
    """Run code in a fresh interpreter; return the seconds that it prints.

    Modules come from a cache of bytecode, as they do for whoever installed the package.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path_factory.mktemp("bytecode"))

    def run(code: str) -> float:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return float(done.stdout)

    return run
