"""Histories: what is saved is what comes back, byte for byte; what is damaged says so."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench import History
from nasbench.errors import HistoryFileError
from nasbench.search.history import load_histories, save_histories
from nasbench.tables.hdf5 import set_attributes


def history(n: int, decisions: int = 6, seed: int = 0, header: dict | None = None) -> History:
    rng = np.random.default_rng(seed)
    return History(
        header={"seed": seed} if header is None else header,
        architectures=rng.integers(0, 5, (n, decisions), dtype=np.uint8),
        schedules=np.full(n, 200, np.int32),
        epochs=np.full(n, 200, np.int32),
        runs=rng.integers(-1, 3, n).astype(np.int32),
        validation_accuracy=rng.random(n),
        test_accuracy=np.full(n, np.nan),
        cost=np.ones(n),
        seconds=rng.random(n) * 1e4,
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(0, 30), min_size=1, max_size=6), text=st.text(max_size=20))
def test_what_is_saved_comes_back(tmp_path_factory, lengths, text):
    path = tmp_path_factory.mktemp("histories") / "h.h5"
    saved = [history(n, seed=i, header={"text": text, "seed": [i, 0], "x": 0.1}) for i, n in enumerate(lengths)]
    save_histories(path, saved)
    assert load_histories(path) == saved


def test_the_same_histories_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_histories(tmp_path / name, [history(20), history(7, seed=1)])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_equality_sees_every_field():
    one = history(5)
    for name in ("architectures", "schedules", "epochs", "runs", "validation_accuracy", "cost", "seconds"):
        changed = getattr(one, name).copy()
        changed.flat[0] += 1
        assert one != History(**{**vars(one), name: changed}), name
    assert one != History(**{**vars(one), "header": {}})
    assert one == history(5)


def test_one_history(tmp_path):
    one = history(9)
    one.save(tmp_path / "one.h5")
    assert History.load(tmp_path / "one.h5") == one
    save_histories(tmp_path / "two.h5", [one, one])
    with pytest.raises(HistoryFileError, match="holds 2 histories, not one"):
        History.load(tmp_path / "two.h5")


def test_nothing_and_different_spaces_are_not_saved(tmp_path):
    for wrong in ([], [history(3, 6), history(3, 5)]):
        with pytest.raises(HistoryFileError, match="nothing was written"):
            save_histories(tmp_path / "x.h5", wrong)
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_say_so(tmp_path):
    path = tmp_path / "h.h5"
    save_histories(path, [history(200)])
    whole = path.read_bytes()
    (tmp_path / "text.h5").write_text("no histories")
    (tmp_path / "empty.h5").touch()
    for length in range(0, len(whole), 97):
        (tmp_path / "cut.h5").write_bytes(whole[:length])
        with pytest.raises(HistoryFileError, match=r"cut\.h5"):
            load_histories(tmp_path / "cut.h5")
    for name in ("text.h5", "empty.h5", "missing.h5"):
        with pytest.raises(HistoryFileError, match=name):
            load_histories(tmp_path / name)


def test_files_of_another_kind_or_time_say_so(tmp_path):
    path = tmp_path / "h.h5"
    save_histories(path, [history(3)])
    with h5py.File(path, "a") as file:
        set_attributes(file, {"version": 3})
    with pytest.raises(HistoryFileError, match="found 'nasbench histories' of version 3"):
        load_histories(path)
    with h5py.File(path, "a") as file:
        set_attributes(file, {"version": 1, "format": "something else"})
    with pytest.raises(HistoryFileError, match="something else"):
        load_histories(path)


def test_arrays_of_other_lengths_say_so(tmp_path):
    path = tmp_path / "h.h5"
    save_histories(path, [history(3)])
    with h5py.File(path, "a") as file:
        del file["cost"]
        file["cost"] = np.ones(2)
    with pytest.raises(HistoryFileError, match="lengths"):
        load_histories(path)
