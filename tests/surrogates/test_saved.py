"""Saved surrogates: what is read is what was fitted, to the bit; what was altered or made up is refused, unrun."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from _curve_table import write_curves

import nasbench
from nasbench.cli import main
from nasbench.errors import NasbenchError
from nasbench.spaces.nb_macro import NBMacro
from surrogates.benchmark import manifest as manifests
from surrogates.benchmark import saved
from surrogates.benchmark.fitting import fit
from surrogates.benchmark.saved import SurrogateFolderError

ALL = NBMacro().decode(np.arange(0, NBMacro().size, 5))
MODELS = ("ridge", "random_forest", "extra_trees", "boosted_trees", "gaussian_process", "default", "ridge+extra_trees")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_curves(tmp_path_factory.mktemp("table") / "curves.h5")


@pytest.fixture(scope="module")
def folder(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = nasbench.load(path)
    folder = tmp_path_factory.mktemp("saved") / "trees"
    saved.save(folder, fit(table, model="extra_trees+boosted_trees", train_size=60, seeds=1), table)
    return folder


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.mark.parametrize("model", MODELS)
def test_what_is_read_predicts_the_same_bits(path: Path, model: str, tmp_path: Path):
    table = nasbench.load(path)
    fitted = fit(table, model=model, train_size=60, seeds=1)
    saved.save(tmp_path / "s", fitted, table)
    again = saved.load(tmp_path / "s", table)
    for before, after in zip(fitted.surrogate.predict(ALL), again.surrogate.predict(ALL), strict=True):
        assert before.tobytes() == after.tobytes()
    np.testing.assert_array_equal(again.rows, fitted.rows)
    assert again.manifest["table"]["digest"] == table.digest
    assert {file.name for file in (tmp_path / "s").iterdir()} == {"surrogate.json", "arrays.h5"}


def test_the_same_fit_gives_the_same_files(path: Path, tmp_path: Path):
    table = nasbench.load(path)
    digests = {
        saved.save(tmp_path / str(i), fit(table, model="default", train_size=60, seeds=1), table) for i in (0, 1)
    }
    assert len(digests) == 1


def test_a_graph_network_comes_back(tmp_path: Path):
    pytest.importorskip("torch", reason="graph networks need torch")
    from nasbench.spaces.nb101 import NB101
    from surrogates.models.graph_network import GraphNetwork

    cells = NB101().sample_many(60, np.random.default_rng(0))
    network = GraphNetwork(epochs=2, members=2, random_state=0).fit(cells, np.linspace(0.8, 0.9, 60))
    again = GraphNetwork(epochs=2, members=2, random_state=0).restore(network.state())
    assert np.array(network.predict(cells, True)).tobytes() == np.array(again.predict(cells, True)).tobytes()


def test_the_score_card_is_of_architectures_that_it_did_not_see(path: Path, folder: Path):
    table = nasbench.load(path)
    found = saved.load(folder)
    held_out = np.setdiff1d(np.arange(len(table)), found.rows)
    assert found.manifest["score_card"]["held_out"] == len(held_out) == 340
    predicted = found.surrogate.predict(table.architectures[held_out]).accuracies[:, 0]
    error = np.abs(predicted - table.column("validation_accuracy")[held_out]).mean()
    assert found.manifest["score_card"]["mean"]["mae"] == pytest.approx(error)


# What was altered.


def altered(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as an attacker does: with digests that fit."""
    manifest = json.loads((folder / "surrogate.json").read_text())
    change(manifest)
    if isinstance(manifest.get("files"), dict) and "arrays.h5" in manifest["files"]:
        manifest["files"]["arrays.h5"] = hashlib.sha256((folder / "arrays.h5").read_bytes()).hexdigest()
    manifest["digest"] = manifests.digest_of(manifest)
    (folder / "surrogate.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["arrays.h5", "surrogate.json"])
def test_a_changed_byte_is_noticed(copy: Path, name: str):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(SurrogateFolderError, match=r"altered|cannot read"):
        saved.load(copy)


@pytest.mark.parametrize("name", ["arrays.h5", "surrogate.json"])
def test_a_missing_file_is_named(copy: Path, name: str):
    (copy / name).unlink()
    with pytest.raises(SurrogateFolderError, match=name):
        saved.load(copy)


def test_a_foreign_folder_is_told_apart(tmp_path: Path):
    with pytest.raises(SurrogateFolderError, match="no saved surrogate"):
        saved.load(tmp_path)
    (tmp_path / "surrogate.json").write_text('{"format": "another", "version": 1}')
    with pytest.raises(SurrogateFolderError, match="expected the format 'nasbench surrogate'"):
        saved.load(tmp_path)
    (tmp_path / "surrogate.json").write_text("[" * 100_000)
    with pytest.raises(SurrogateFolderError, match="no saved surrogate"):
        saved.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(version=3), "reads up to 2"),
        (lambda m: m.update(version=1), "format version 1, whose trees are read no more: make it again"),
        (lambda m: m.update(version=True), "expected the format"),
        (lambda m: m["files"].update({"../other.json": "0"}), "lists no files"),
        (lambda m: m["files"].update({"/etc/passwd": "0"}), "lists no files"),
        (lambda m: m["files"].update({"model.pkl": "0"}), "lists no files"),
        (lambda m: m.update(files=[]), "lists no files"),
        (lambda m: m["about"].update(model="os.system"), "unknown model"),
        (lambda m: m["about"].update(space="nowhere"), "unknown space"),
        (lambda m: m["about"].update(model="ridge"), "do not make"),
        (lambda m: m["about"].update(columns=[]), "no accuracies"),
        (lambda m: m["about"].update(columns=[["latency", [10, 10]]]), "no accuracies"),
        (lambda m: m["about"].pop("times"), "do not make"),
        (lambda m: m["about"].update(columns=[m["about"]["columns"][0]] * 2), "not different"),
        (lambda m: m["about"].update(columns=m["about"]["columns"][::-1]), "not the first"),
        (lambda m: m["about"].update(times=[[10, -1]]), "not negative"),
        (lambda m: m["about"].update(labels=10**9), "labels"),
        (lambda m: m["about"].update(labels=61), "rows must be 61"),
        (lambda m: m["about"].update(labels=60.0), "whole number"),
        (lambda m: m["about"].update(seed=-1), "not negative"),
        (lambda m: m["about"].update(model=["ridge"]), "must be texts"),
        (lambda m: m.pop("about"), "what it is about"),
        (lambda m: m.pop("score_card"), "how good"),
        (lambda m: m.pop("table"), "of which table"),
        (lambda m: m["table"].pop("source"), "of which table"),
        (lambda m: m["table"].update(name=5), "in texts"),
        (lambda m: m["table"]["source"].update(name=5), "in texts"),
    ],
)
def test_a_forged_manifest_makes_nothing(copy: Path, change: Callable[[dict[str, Any]], None], message: str):
    altered(copy, change)
    with pytest.raises(SurrogateFolderError, match=message):
        saved.load(copy)


def array(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def forge(folder: Path) -> None:
        with h5py.File(folder / "arrays.h5", "r+") as file:
            values = change(file[name][()])
            del file[name]
            file[name] = values

    return forge


STACK = "state/main/model/model"
FOREST, TREES = f"{STACK}/member_0", f"{STACK}/member_1/model_0"
CURVE = "state/offsets/model_0/model/model/member_0"  # a Gaussian process


def spoilt(values: np.ndarray, value: float) -> np.ndarray:
    """Put a number in the middle."""
    values = np.array(values)
    values.flat[values.size // 2] = value
    return values


@pytest.mark.parametrize(
    "forge",
    [
        array(f"{FOREST}/children_left", np.zeros_like),  # a loop, which a library would follow for ever
        array(f"{FOREST}/children_left", lambda v: v + 10**6),  # out of the tree
        array(f"{FOREST}/children_left", lambda v: v.astype(np.int32)),
        array(f"{FOREST}/feature", lambda v: np.where(v >= 0, 10**6, v)),
        array(f"{FOREST}/threshold", lambda v: v * np.nan),
        array(f"{FOREST}/value", lambda v: spoilt(v, np.nan)),
        array(f"{FOREST}/value", lambda v: spoilt(v, 1e200)),
        array(f"{FOREST}/value", lambda v: v[:-1]),
        array(f"{FOREST}/nodes", lambda v: v[:-1]),
        array(f"{FOREST}/nodes", lambda v: spoilt(v, -1)),
        array(f"{FOREST}/nodes", lambda v: np.append(v[:-2], v[-2:].sum())),
        array(f"{TREES}/feature", lambda v: spoilt(v, 10**6)),
        array(f"{TREES}/feature", lambda v: spoilt(v, -1)),
        array(f"{TREES}/feature", lambda v: v.astype(np.int64)),
        array(f"{TREES}/threshold", lambda v: spoilt(v, np.nan)),
        array(f"{TREES}/leaf", lambda v: spoilt(v, np.nan)),
        array(f"{TREES}/leaf", lambda v: spoilt(v, np.inf)),
        array(f"{TREES}/leaf", lambda v: v[:, :-1]),
        array(f"{TREES}/base", lambda v: np.float32(np.nan)),
        array(f"{STACK}/member_1/doubt", lambda v: np.array(np.nan)),
        array(f"{STACK}/temperature", lambda v: np.array(np.nan)),
        array(f"{STACK}/temperature", lambda v: -v),
        array("state/main/model/architecture", lambda v: v.astype(float)),
        array("state/main/features", lambda v: v + 1),
        array("state/main/ranks/values", lambda v: v[::-1]),
        array("state/main/ranks/values", lambda v: v.astype(np.float32)),
        array("state/noise/residuals", lambda v: v[:, :-1]),
        array("state/noise/levels", lambda v: v * np.nan),
        array("state/offsets/components", lambda v: v[:, :-1]),
        array(f"{CURVE}/features", lambda v: spoilt(v, np.inf)),
        array(f"{CURVE}/features", lambda v: np.column_stack([v, v])),
        array(f"{CURVE}/quantiles", lambda v: v[:-1]),
        array(f"{CURVE}/weights", lambda v: v[:-1]),
        array(f"{CURVE}/weights", lambda v: -v),
        array("rows", lambda v: v[:-1]),
        array("rows", lambda v: spoilt(v, v[0])),
        array("rows", lambda v: v.astype(float)),
    ],
)
def test_forged_numbers_make_nothing(copy: Path, forge: Callable[[Path], None]):
    forge(copy)
    altered(copy, lambda manifest: None)
    with pytest.raises(SurrogateFolderError, match="do not make"):
        saved.load(copy)


def test_what_a_model_does_not_write_is_no_part_of_it(copy: Path):
    with h5py.File(copy / "arrays.h5", "r+") as file:
        file["state/main/more"] = np.arange(3.0)
    altered(copy, lambda manifest: None)
    with pytest.raises(SurrogateFolderError, match="state/main/more is not of this model"):
        saved.load(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weights", lambda v: v[:-1]),
        ("center", lambda v: v * np.nan),
        ("scale", lambda v: -v),
        ("covariance", lambda v: v[:-1]),
        ("intercept", lambda v: np.array(np.inf)),
        ("precision", lambda v: np.array(0.0)),
    ],
)
def test_forged_numbers_make_no_ridge(path: Path, tmp_path: Path, name: str, value: Any):
    table = nasbench.load(path)
    saved.save(tmp_path / "ridge", fit(table, model="ridge", train_size=60, seeds=1), table)
    array(f"state/main/model/model/member_0/{name}", value)(tmp_path / "ridge")
    altered(tmp_path / "ridge", lambda manifest: None)
    with pytest.raises(SurrogateFolderError, match="do not make"):
        saved.load(tmp_path / "ridge")


@pytest.mark.parametrize("value", [lambda v: v * np.nan, lambda v: v[:, :-1], lambda v: v[:-1], lambda v: v[..., 0]])
@pytest.mark.parametrize("name", ["weights 0", "bias 1", "weights 2"])
def test_forged_numbers_make_no_neural_network(name: str, value: Any):
    pytest.importorskip("torch", reason="neural networks need torch")
    from surrogates.models.neural_network import NeuralNetworks

    features = np.random.default_rng(0).normal(size=(40, 5))
    network = NeuralNetworks(members=2, epochs=2, random_state=0).fit(features, features[:, 0])
    state = network.state()
    again = NeuralNetworks(members=2, epochs=2, random_state=0)
    assert again.restore(state).predict(features).tobytes() == network.predict(features).tobytes()
    parameters = {**state["model"]["parameters"]}
    parameters[name] = value(parameters[name])
    with pytest.raises(ValueError, match="expected"):
        again.restore({**state, "model": {**state["model"], "parameters": parameters}})


# What leads out of the folder.


@pytest.mark.parametrize("place", ["state/main/ranks/values", "state/main/ranks", "state"])
@pytest.mark.parametrize("kind", ["external", "soft", "hard"])
def test_links_are_not_followed(copy: Path, tmp_path: Path, place: str, kind: str):
    """Out of the file, or to another place in it: the same digest must mean the same numbers."""
    with h5py.File(copy / "arrays.h5", "r+") as file, h5py.File(tmp_path / "other.h5", "w") as other:
        file.copy(file[place], other, "there")
        if kind == "external":
            del file[place]
            file[place] = h5py.ExternalLink(str(tmp_path / "other.h5"), "there")
        elif kind == "soft":
            file.move(place, "elsewhere")
            file[place] = h5py.SoftLink("/elsewhere")
        else:  # a group within itself, or an array twice
            file[f"{place.rpartition('/')[0]}/again"] = file[place] if place != "state" else file["/"]
    altered(copy, lambda manifest: None)
    with pytest.raises(SurrogateFolderError, match="do not make"):
        saved.load(copy)


@pytest.mark.parametrize("kind", ["virtual", "external"])
def test_numbers_of_another_file_are_not_read(copy: Path, tmp_path: Path, kind: str):
    name = "state/main/ranks/values"
    with h5py.File(copy / "arrays.h5", "r+") as file:
        values = file[name][()]
        del file[name]
        if kind == "virtual":
            with h5py.File(tmp_path / "other.h5", "w") as other:
                other["values"] = values
            layout = h5py.VirtualLayout(values.shape, values.dtype)
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "values", shape=values.shape)
            file.create_virtual_dataset(name, layout)
        else:
            values.tofile(tmp_path / "values.bin")
            outside = [(str(tmp_path / "values.bin"), 0, values.nbytes)]
            file.create_dataset(name, values.shape, values.dtype, external=outside)
    altered(copy, lambda manifest: None)
    with pytest.raises(SurrogateFolderError, match="do not make"):
        saved.load(copy)


def test_an_array_that_inflates_without_end_is_not_read(copy: Path):
    with h5py.File(copy / "arrays.h5", "r+") as file:
        del file["rows"]
        file.create_dataset("rows", data=np.zeros(60, np.int64), chunks=(60,), compression="gzip")
        bomb = np.zeros(10**6, np.uint8).tobytes()
        file["rows"].id.write_direct_chunk((0,), zlib.compress(bomb))
    altered(copy, lambda manifest: None)
    with pytest.raises(SurrogateFolderError, match="do not make"):
        saved.load(copy)


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(path))


def test_many_small_bombs_are_refused_before_they_are_read(copy: Path):
    """A megabyte that would be eight gigabytes, each part within what deflate can do."""
    chunk = zlib.compress(bytes(2**27), 9)
    with h5py.File(copy / "arrays.h5", "r+") as file:
        for i in range(8):
            bomb = file.create_dataset(f"bomb{i}", (2**27,), np.int64, chunks=(2**24,), compression="gzip")
            for j in range(8):
                bomb.id.write_direct_chunk((j * 2**24,), chunk)
    altered(copy, lambda manifest: None)
    with pytest.raises(
        SurrogateFolderError, match=r"arrays of 8,\d{3},\d{3},\d{3} bytes, expected 4,294,967,296 at most"
    ):
        saved.load(copy)


def test_what_would_not_be_read_again_is_not_written(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = nasbench.load(path)
    fitted = fit(table, model="ridge", train_size=60, seeds=1)
    for name, value, message in (("MOST_NUMBERS", 1000, "take fewer labels"), ("MOST_LABELS", 59, "at most 59 labels")):
        with monkeypatch.context() as patch:
            patch.setattr(saved, name, value)
            with pytest.raises(SurrogateFolderError, match=message):
                saved.save(tmp_path / "s", fitted, table)
        assert not [*tmp_path.iterdir()]


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": lambda path: os.mkfifo(path),
    "socket": bound,
    "link": lambda path: path.symlink_to(path.with_suffix(".real")),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "folder": lambda path: path.mkdir(),
}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes that have a name in a folder")
@pytest.mark.parametrize("name", ["arrays.h5", "surrogate.json"])
@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_no_plain_file_is_not_opened(copy: Path, name: str, kind: str, monkeypatch: pytest.MonkeyPatch):
    """In a process of its own: before, reading a pipe never ended."""
    (copy / name).rename((copy / name).with_suffix(".real"))
    monkeypatch.chdir(copy)  # the name of a socket must be short
    SPECIAL[kind](Path(name))
    code = f"from surrogates.benchmark.saved import load; load({str(copy)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert f"{name} is no plain file" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["arrays.h5", "surrogate.json"])
def test_a_file_of_any_size_is_not_read(copy: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(manifests.LARGEST, name, 100)
    with pytest.raises(SurrogateFolderError, match=f"{name} is larger than 100 bytes"):
        saved.load(copy)


def test_texts_do_not_steer_a_terminal(copy: Path):
    altered(copy, lambda m: m["table"].update(name="a\x1b[2Jb"))
    assert "\x1b" not in nasbench.load(f"surrogate:{copy}").name


def test_a_manifest_that_is_no_utf_8_is_refused(copy: Path):
    text = (copy / "surrogate.json").read_text()
    (copy / "surrogate.json").write_text(text.replace('"made_with"', '"\\ud800": 1, "made_with"'))
    with pytest.raises(SurrogateFolderError, match="cannot read"):
        saved.load(copy)


# Other tables, other places.


def test_a_surrogate_of_another_table_is_refused(copy: Path, tmp_path: Path):
    other = nasbench.load(write_curves(tmp_path / "other.h5", shift=0.01))
    with pytest.raises(SurrogateFolderError, match="a surrogate of the table curves"):
        saved.load(copy, other)


def test_nothing_is_overwritten(copy: Path, path: Path, tmp_path: Path, capsys):
    before = (copy / "surrogate.json").read_bytes()
    for table, message in ((path, "of this table"), (write_curves(tmp_path / "o.h5", shift=0.01), "of another table")):
        assert main(["fit", "--table", str(table), "--out", str(copy)]) == 1
        assert message in capsys.readouterr().err
    assert (copy / "surrogate.json").read_bytes() == before
    (tmp_path / "file").write_text("mine")
    for force in ([], ["--force"]):
        assert main(["fit", "--table", str(path), "--out", str(tmp_path / "file"), *force]) == 1
        assert (tmp_path / "file").read_text() == "mine"
    (copy / "notes.txt").write_text("mine")
    assert main(["fit", "--table", str(path), "--out", str(copy), "--force"]) == 1
    assert "something is already there that is no surrogate" in capsys.readouterr().err
    assert (copy / "notes.txt").read_text() == "mine"


def test_force_replaces_a_surrogate_even_a_damaged_one(copy: Path, path: Path, capsys):
    options = [
        "fit",
        "--table",
        str(path),
        "--model",
        "ridge",
        "--train-size",
        "50",
        "--seeds",
        "1",
        "--out",
        str(copy),
    ]
    assert main(options) == 1
    assert "replace it with --force" in capsys.readouterr().err
    (copy / "surrogate.json").write_text('{"format": "nasbench surrogate", "version": 1}')
    (copy / "main-model-model-member_1-booster_0.json").write_text("{}")  # what version 1 had
    assert main([*options, "--force"]) == 0
    assert saved.load(copy).surrogate.about.model == "ridge"
    assert {file.name for file in copy.parent.iterdir()} == {copy.name}
    assert {file.name for file in copy.iterdir()} == {"surrogate.json", "arrays.h5"}


def test_the_command_fits_saves_and_says_how_good_it_is(path: Path, tmp_path: Path, capsys):
    out = tmp_path / "s"
    options = ["--model", "ridge", "--train-size", "50", "--seeds", "2", "--metric", "test_accuracy", "--seed", "4"]
    assert main(["fit", "--table", str(path), *options, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Kendall tau" in printed
    assert f"--table surrogate:{out}" in printed
    found = saved.load(out)
    assert (found.surrogate.about.metric, found.surrogate.about.labels, found.surrogate.about.seed) == (
        "test_accuracy",
        50,
        4,
    )
    assert len(found.manifest["score_card"]["seeds"]) == 2
    assert not list(tmp_path.glob(".*"))  # nothing half-written is left


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train-size", "1"], "from 2 to 398"),
        (["--train-size", "399"], "from 2 to 398"),
        (["--seeds", "0"], "seeds at least 1"),
        (["--metric", "training_time"], "is about one of"),
        (["--metric", "train_accuracy"], "train_accuracy"),
        (["--model", "magic"], "unknown model 'magic'"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(path: Path, options: list[str], message: str, tmp_path: Path, capsys):
    assert main(["fit", "--table", str(path), *options, "--out", str(tmp_path / "s")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_errors_are_ours():
    assert issubclass(SurrogateFolderError, NasbenchError)


def test_what_a_killed_process_left_is_removed_once_a_surrogate_is_saved(path: Path, tmp_path: Path):
    """It was killed while it wrote one; what another process is writing stays."""
    code = "import os, sys; from nasbench.system.files import temporary_path as t; os.makedirs(t(sys.argv[1]) + '/new')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], check=True)
    [left] = tmp_path.iterdir()
    alive = left.with_name(re.sub(r"-\d+-", "-1-", left.name))  # process 1 is always there
    alive.mkdir()
    table = nasbench.load(path)
    saved.save(tmp_path / "s", fit(table, model="ridge", train_size=60, seeds=1), table)
    assert {one.name for one in tmp_path.iterdir()} == {"s", alive.name}
