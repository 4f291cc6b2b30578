"""Files of histories that no version of us wrote: refused, with the name of the file and of what is wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nasbench import History
from nasbench.errors import HistoryFileError
from nasbench.search.history import load_histories, save_histories
from nasbench.tables.hdf5 import set_attributes

Change = Callable[[h5py.File], Any]


def history(n: int) -> History:
    rng = np.random.default_rng(n)
    whole, fractions = np.arange(n, dtype=np.int32), rng.random((4, n))
    return History({"n": n}, rng.integers(0, 5, (n, 6), dtype=np.uint8), whole, whole, whole, *fractions)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_histories(tmp_path / "forged.h5", [history(20), history(3)])
    return tmp_path / "forged.h5"


def put(name: str, values: Any = None, **how: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        if values is not None:
            how["data"] = values
        file.create_dataset(name, **how)

    return change


def replaced(name: str, make: Callable[[h5py.File], Any]) -> Change:
    def change(file: h5py.File) -> None:
        del file[name]
        made = make(file)
        if made is not None:
            file[name] = made

    return change


def headers(text: str) -> Change:
    return put("headers", np.frombuffer(text.encode(), np.uint8))


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("lengths", put("lengths", np.array([25, -2]))),
        ("lengths", put("lengths", np.array([20.0, 3.0]))),
        ("lengths", put("lengths", np.array([[20], [3]]))),
        ("lengths", put("lengths", np.int64(23))),
        ("lengths", put("lengths", np.array([20, 4]))),
        ("lengths", put("lengths", np.array([2**62, 2**62, 2**62, 2**62 + 23]))),  # 23 in 64 bits
        ("lengths", put("lengths", np.zeros(0, np.int64))),
        ("lengths", replaced("lengths", lambda file: None)),
        ("headers", headers('{"a": 1, "b": 2}')),
        ("headers", headers("[1, 2]")),
        ("headers", headers("[{}, {}")),
        ("headers", headers("[{}]")),
        ("headers", put("headers", np.frombuffer(b'["\xff"]', np.uint8))),
        ("headers", put("headers", "[{}, {}]")),
        ("headers", put("headers", np.float64(1))),
        ("architectures", put("architectures", np.zeros(23, np.uint8))),
        ("architectures", put("architectures", np.full((23, 6), 300))),
        ("architectures", put("architectures", np.zeros((22, 6), np.uint8))),
        ("schedules", put("schedules", np.zeros((23, 1), np.int32))),
        ("epochs", put("epochs", np.zeros(23, np.int64))),
        ("runs", put("runs", np.zeros(23))),
        ("validation_accuracy", put("validation_accuracy", ["a"] * 23)),
        ("validation_accuracy", put("validation_accuracy", np.zeros(23, complex))),
        ("test_accuracy", put("test_accuracy", np.zeros(23, np.float32))),
        ("cost", put("cost", 1.0)),
        ("cost", put("cost", h5py.Empty("f8"))),
        ("cost", put("cost", shape=(23,), dtype="f8", external=[("/etc/passwd", 0, 184)])),
        ("cost", put("cost", shape=(2**40,), dtype="f8", chunks=(2**20,), compression="gzip")),
        ("cost", replaced("cost", lambda file: h5py.SoftLink("/seconds"))),
        ("cost", replaced("cost", lambda file: h5py.ExternalLink("other.h5", "/cost"))),
        ("cost", replaced("cost", lambda file: np.dtype("f8"))),
        ("cost", replaced("cost", lambda file: file.create_group("elsewhere"))),
    ],
)
def test_columns_that_are_not_what_they_should_be(path: Path, place: str, change: Change) -> None:
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(HistoryFileError) as refusal:
        load_histories(path)
    assert "forged.h5" in str(refusal.value)
    assert place in str(refusal.value)


@pytest.mark.parametrize("version", [0, -1, 3, 1.5, "1", "x", [1], None])
def test_versions_that_cannot_be_read(path: Path, version: Any) -> None:
    with h5py.File(path, "a") as file:
        if version is None:
            del file.attrs["version"]
        else:
            set_attributes(file, {"version": version})
    with pytest.raises(HistoryFileError, match=r"forged\.h5.*version"):
        load_histories(path)


def test_a_flipped_bit_is_refused_or_changes_nothing(path: Path) -> None:
    whole, truth = path.read_bytes(), load_histories(path)
    refused = 0
    for position in range(0, len(whole), 37):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            assert load_histories(path) == truth, f"byte {position} changed what is read, and nobody noticed"
        except HistoryFileError:
            refused += 1
    assert refused > 50


def test_a_failed_save_leaves_what_was_there(path: Path) -> None:
    before, broken = path.read_bytes(), history(4)
    object.__setattr__(broken, "cost", np.array(["a", "b", "c", "d"]))
    with pytest.raises(TypeError):
        save_histories(path, [history(3), broken])
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["forged.h5"]
