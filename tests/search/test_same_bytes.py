"""The same files whatever kernels numpy and its libraries choose for the processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

COMMAND = [
    *(sys.executable, "-m", "nasbench", "compare", "random_search", "regularized_evolution", "genetic_algorithm"),
    *("reinforce", "local_search", "--budget", "120", "--runs", "60", "--processes", "1", "--out"),
]


def dispatched() -> str:
    """What numpy has more than one kernel for, and this processor has: it may be switched off."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__  # type: ignore[attr-defined]

    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))


CHOICES = [
    {"OPENBLAS_CORETYPE": "Prescott"},
    {"OPENBLAS_CORETYPE": "Sandybridge"},
    {"NPY_DISABLE_CPU_FEATURES": dispatched()},
]


def files(folder: Path, **environment: str) -> dict[str, bytes]:
    """What the command writes: all but the pictures, which hold the same numbers."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "NPY_"))}
    subprocess.run([*COMMAND, str(folder / "out")], check=True, capture_output=True, env=known | environment)
    written = [folder / "out" / "summary.json", *sorted((folder / "out" / "histories").iterdir())]
    return {path.name: path.read_bytes() for path in written}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("environment", CHOICES, ids=lambda choice: next(iter(choice.items()))[1].split()[0])
def test_other_kernels_write_the_same_bytes(
    plain: dict[str, bytes], tmp_path: Path, environment: dict[str, str]
) -> None:
    found = files(tmp_path, **environment)
    assert found.keys() == plain.keys()
    assert len(found) == 6
    for name in found:
        assert found[name] == plain[name], name


def test_there_are_kernels_to_choose_from() -> None:
    """Where this fails, the test above shows nothing of numpy."""
    assert dispatched() or np.lib.introspect.opt_func_info() == {}
