"""Files made on purpose: every digest in them is right, so only the rules of docs/format.md can refuse them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nasbench import Table, load
from nasbench.errors import NasbenchError, TableFileError
from nasbench.tables import (
    SOURCE_FIELDS,
    Column,
    DatasetContent,
    TableContent,
    TableFile,
    write,
)
from nasbench.tables.hdf5 import set_attributes

N, EPOCHS, RUNS = 4, (1, 3), 2
Change = Callable[[h5py.File], Any]


def content() -> TableContent:
    rng = np.random.default_rng(0)
    scheduled = {
        "training_time": Column(rng.random((N, 2, 1)), "seconds", EPOCHS, trained_on="half"),
        "validation_accuracy": Column(
            rng.integers(0, 100, (N, 2, RUNS)).astype(np.uint16), "images", EPOCHS, 100, "half", "other half"
        ),
    }
    one = DatasetContent({"parameters": Column(np.arange(1, 5, dtype=np.uint32), "parameters")}, {3: scheduled})
    architectures = rng.permuted(np.tile(np.arange(5, dtype=np.uint8), (N, 2)), axis=1)[:, :6]
    source = dict.fromkeys(SOURCE_FIELDS, "made up")
    identities = architectures.astype(np.int64) @ 5 ** np.arange(5, -1, -1)  # positions in lexicographic order
    return TableContent("nb201", architectures, {"a": one, "b": one}, source, {"x": 1}, identities)


def plain(node: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    def text(value: Any) -> Any:
        return list(map(text, value)) if isinstance(value, list) else value.decode() if type(value) is bytes else value

    return {name: text(getattr(value, "tolist", lambda v=value: v)()) for name, value in node.attrs.items()}


def seal(group: h5py.Group) -> str:
    """Write the digests that docs/format.md asks for over whatever is there."""
    described: dict[str, Any] = {"datasets": {}, "groups": {}}
    for name in group:
        kind = group.get(name, getclass=True, getlink=True)
        node = group.get(name) if kind is h5py.HardLink else None
        if isinstance(node, h5py.Group):
            described["groups"][name] = seal(node) if node != group else "a circle"
        elif isinstance(node, h5py.Dataset) and node.dtype.kind in "uif":
            described["datasets"][name] = {"attributes": plain(node), "shape": node.shape, "dtype": node.dtype.str}
    described["attributes"] = {name: value for name, value in plain(group).items() if name != "digest"}
    data = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    set_attributes(group, {"digest": hashlib.sha256(data).hexdigest()})
    return hashlib.sha256(data).hexdigest()


def forge(path: Path, change: Change) -> Path:
    write(path, content(), force=True)
    with h5py.File(path, "a") as file:
        change(file)
        seal(file)
    return path


def read_all(path: Path) -> None:
    TableFile(path).verify()
    for dataset in TableFile(path).datasets:
        table = Table(path, dataset)
        for fidelity in table.fidelities:
            for architecture in table:
                table.query(architecture, schedule=fidelity.schedule, epoch=fidelity.epoch)


def attributes(place: str, **values: Any) -> Change:
    return lambda file: set_attributes(file[place], values)


def without(place: str, name: str) -> Change:
    return lambda file: file[place].attrs.__delitem__(name)


def column(place: str, values: Any, **more: Any) -> Change:
    """Put other values in the place of a column, with its attributes and the right digests."""

    def change(file: h5py.File) -> None:
        stated = plain(file[place])
        array = np.asarray(values)
        parts = [array[:, i] for i in range(array.shape[1])] if array.ndim == 3 else [array]
        stated["sha256"] = [hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest() for part in parts]
        del file[place]
        set_attributes(file.create_dataset(place, data=array), stated | more)

    return change


def moved(source: str, target: str) -> Change:
    return lambda file: file.move(source, target)


VALID, TIME, PARAMETERS = "/a/3/validation_accuracy", "/a/3/training_time", "/a/parameters"


def test_a_sealed_file_is_a_sound_file(tmp_path: Path) -> None:
    """Otherwise all that follows would be refused for its digests alone."""
    path = forge(tmp_path / "t.h5", lambda file: set_attributes(file, {"source_name": "another"}))
    read_all(path)
    assert TableFile(path).source["name"] == "another"
    read_all(forge(tmp_path / "t.h5", column(VALID, np.ones((N, 2, RUNS), np.uint16))))


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("/a/3/validation_accuracy@epochs", attributes(VALID, epochs=3)),
        ("/a/3/validation_accuracy@epochs", attributes(VALID, epochs=[3, 1])),
        ("/a/3/validation_accuracy@epochs", attributes(VALID, epochs=[1, 1])),
        ("/a/3/validation_accuracy@epochs", attributes(VALID, epochs=[-1, 3])),
        ("/a/3/validation_accuracy@epochs", attributes(VALID, epochs=[0.5, 3.0])),
        ("/a/3/validation_accuracy@epochs", attributes(VALID, epochs=["1", "3"])),
        ("/a/3/validation_accuracy@epochs", attributes(VALID, epochs=[[1], [3]])),
        ("/a/3/validation_accuracy", without(VALID, "epochs")),
        ("/a/3/validation_accuracy@per_epoch", attributes(VALID, per_epoch=1)),  # counts are no rates
        ("/a/3/training_time@per_epoch", attributes(TIME, per_epoch=2)),
        ("/a/3/training_time@per_epoch", attributes(TIME, per_epoch="1")),
        ("/a/3/training_time@sha256", attributes(TIME, per_epoch=1)),
        ("/a/3/validation_accuracy@images", attributes(VALID, images=0)),
        ("/a/3/validation_accuracy@images", attributes(VALID, images=-100)),
        ("/a/3/validation_accuracy@images", attributes(VALID, images="100")),
        ("/a/3/validation_accuracy@images", attributes(VALID, images=[100])),
        ("/a/3/validation_accuracy@images", attributes(VALID, images=99.5)),
        ("/a/3/validation_accuracy@evaluated_on", attributes(VALID, evaluated_on=1)),
        ("/a/3/validation_accuracy@trained_on", attributes(VALID, trained_on=["half"])),
        ("/a/3/validation_accuracy@trained_images", attributes(VALID, trained_images=0)),
        ("/a/3/validation_accuracy@trained_images", attributes(VALID, trained_images="100")),
        ("/a/3/validation_accuracy@unit", without(VALID, "unit")),
        ("/a/3/validation_accuracy@unit", attributes(VALID, unit=1)),
        ("/a/3/validation_accuracy@sha256", without(VALID, "sha256")),
        ("/a/3/validation_accuracy@sha256", attributes(VALID, sha256=["0" * 64])),
        ("/a/3/validation_accuracy@sha256", attributes(VALID, sha256="0" * 64)),
        ("/a/3/validation_accuracy@sha256", attributes(VALID, sha256=[1, 2])),
        ("/a/parameters@sha256", attributes(PARAMETERS, sha256=["0" * 64] * 2)),
        ("/@report", attributes("/", report="{")),
        ("/@report", attributes("/", report="[1]")),
        ("/@report", attributes("/", report=1)),
        ("/@space", without("/", "space")),
        ("/@space", attributes("/", space=1)),
        ("/@source_licence", without("/", "source_licence")),
        ("/@datasets", without("/", "datasets")),
        ("/@datasets", attributes("/", datasets="a")),
        ("/1", attributes("/", datasets=[1, 2])),
        ("/architectures", attributes("/", datasets=["architectures"])),
        ("/c", attributes("/", datasets=["a", "b", "c"])),
        ("/", attributes("/", datasets=np.zeros(0))),
    ],
)
def test_attributes_that_the_format_does_not_allow(tmp_path: Path, place: str, change: Change) -> None:
    path = forge(tmp_path / "forged.h5", change)
    with pytest.raises(TableFileError) as refusal:
        read_all(path)
    assert "forged.h5" in str(refusal.value)
    assert place in str(refusal.value)


@pytest.mark.parametrize("version", [0, -1, 2, 1.5, 10**12, "1", [1], [1, 2]])
def test_versions_that_cannot_be_read(tmp_path: Path, version: Any) -> None:
    path = forge(tmp_path / "forged.h5", attributes("/", version=version))
    with pytest.raises(TableFileError, match=r"forged\.h5.*version"):
        read_all(path)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("/architectures", lambda file: file.pop("architectures")),
        ("/architectures", moved("/architectures", "/a/architectures")),
        ("/architectures", column("/architectures", np.zeros(N, np.uint8))),
        ("/architectures", column("/architectures", np.zeros((N, 6), np.int64))),
        ("/architectures", column("/architectures", np.zeros((N, 6, 1), np.uint8))),
        ("/architectures", column("/architectures", np.zeros((N, 5), np.uint8))),  # nb201 has six decisions
        ("/architectures", column("/architectures", np.full((N, 6), 5, np.uint8))),  # below five
        ("/identities", column("/identities", np.zeros(N - 1, np.int64))),
        ("/identities", column("/identities", np.zeros(N, np.uint8))),
        ("/a/parameters", column(PARAMETERS, np.ones(N + 1, np.uint32))),
        ("/a/parameters", column(PARAMETERS, np.ones((N, 1), np.uint32))),
        ("/a/parameters", column(PARAMETERS, np.uint32(1))),
        ("/a/parameters", column(PARAMETERS, -np.ones(N, np.int32))),
        ("/a/3/training_time", column(TIME, np.ones((N, 2), np.float64), sha256=["0" * 64] * 2)),
        ("/a/3/training_time", column(TIME, np.ones((N, 3, 1)), sha256=["0" * 64] * 2)),
        ("/a/3/training_time", column(TIME, np.ones((N, 2, 1)), sha256=["0" * 64], per_epoch=1)),
        ("/a/3/training_time", column(TIME, np.ones((N - 1, 2, 1)))),
        ("/a/3/", column(TIME, np.ones((N, 2, 3)))),  # two runs of one column, three of the other
        ("/a/3/", column(VALID, np.ones((N, 2, 0), np.uint16))),
        ("/a/3/training_time", column(TIME, 1.0, sha256=["0" * 64] * 2)),
        ("/a/3/nothing", lambda file: file.create_dataset("a/3/nothing", data=h5py.Empty("f8"))),
        ("/a/long", moved("/a/3", "/a/long")),
        ("/a/-3", moved("/a/3", "/a/-3")),
        ("/a/03", moved("/a/3", "/a/03")),  # two groups may not be one schedule
        ("/a/3/validation_accuracy", column(VALID, np.full((N, 2, RUNS), 101, np.uint16))),  # of 100 images
    ],
)
def test_columns_that_the_format_does_not_allow(tmp_path: Path, place: str, change: Change) -> None:
    path = forge(tmp_path / "forged.h5", change)
    with pytest.raises(TableFileError) as refusal:
        read_all(path)
    assert "forged.h5" in str(refusal.value)
    assert place in str(refusal.value)


def linked(place: str, link: Any) -> Change:
    return lambda file: file.__setitem__(place, link)


def dataset(place: str, **how: Any) -> Change:
    return lambda file: file.create_dataset(place, **how)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((N,), "u4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (N,))
    file["a/3"].create_virtual_dataset("other", layout)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("/a", linked("/a/soft", h5py.SoftLink("/b"))),
        ("/a", linked("/a/dangling", h5py.SoftLink("/nowhere"))),
        ("/a/3", linked("/a/3/soft", h5py.SoftLink("/a/parameters"))),
        ("/a/3", linked("/a/3/far", h5py.ExternalLink("/etc/passwd", "/"))),
        ("/a", lambda file: file["a"].__setitem__("12", file["a"])),  # a circle
        ("/a/3/other", dataset("/a/3/other", shape=(N,), dtype="u4", external=[("/etc/passwd", 0, 16)])),
        ("/a/3/other", virtual),
        ("/a/3/text", dataset("/a/3/text", data=["a", "b"])),
        ("/a/3/bytes", dataset("/a/3/bytes", data=np.bytes_("abcd"))),
        ("/a/3/compound", dataset("/a/3/compound", data=np.zeros(N, "u1,f4"))),
        ("/a/3/complex", dataset("/a/3/complex", data=np.zeros(N, complex))),
        ("/a/3/bool", dataset("/a/3/bool", data=np.zeros(N, bool))),
        ("/a/3/opaque", dataset("/a/3/opaque", data=np.zeros(N, "V5"))),
        ("/a/3/reference", dataset("/a/3/reference", shape=(N,), dtype=h5py.ref_dtype)),
        ("/a/3/ragged", dataset("/a/3/ragged", shape=(N,), dtype=h5py.vlen_dtype(np.uint8))),
        ("/a/3/type", lambda file: file.__setitem__("a/3/type", np.dtype("f8"))),  # a datatype as a member
        ("/a/3@compound", lambda file: file["a/3"].attrs.__setitem__("compound", np.zeros(1, "u1,f4"))),
        ("/a/3@reference", lambda file: file["a/3"].attrs.__setitem__("reference", file["a"].ref)),
        ("/a/3@text", lambda file: file["a/3"].attrs.__setitem__("text", "of variable length")),
        ("/a/3@nothing", lambda file: file["a/3"].attrs.__setitem__("nothing", h5py.Empty("f8"))),
    ],
)
def test_members_that_the_format_does_not_allow(tmp_path: Path, place: str, change: Change) -> None:
    """Links, data kept elsewhere, values that are no plain numbers."""
    path = tmp_path / "forged.h5"
    write(path, content(), force=True)
    with h5py.File(path, "a") as file:
        change(file)  # unsealed: what is refused here is refused before any digest is looked at
    with pytest.raises(TableFileError) as refusal:
        read_all(path)
    assert "forged.h5" in str(refusal.value)
    assert place in str(refusal.value)


@pytest.mark.parametrize(
    "how",
    [
        {"shape": (2**26, 2, 1), "chunks": (2**20, 1, 1), "compression": "gzip"},  # nothing was ever written
        {"shape": (2**40, 2, 1)},
        {"shape": (2**62, 2, 1), "maxshape": (None, 2, 1), "chunks": (2**20, 1, 1)},
    ],
    ids=["deflate", "contiguous", "endless"],
)
def test_a_column_that_claims_more_than_the_file_can_hold(tmp_path: Path, how: dict[str, Any]) -> None:
    """In a file whose every column is of that length, so that its shape alone says nothing."""

    def bomb(file: h5py.File) -> None:
        n = how["shape"][0]
        del file["a"], file["b"], file["architectures"], file["identities"]
        set_attributes(file, {"datasets": ["a"]})
        stated = {"unit": "x", "sha256": ["0" * 64]}
        set_attributes(file.create_dataset("architectures", (n, 6), "u1", chunks=(2**20, 6)), stated)
        node = file.create_dataset("a/3/training_time", dtype="f8", **how)
        set_attributes(node, {"unit": "seconds", "sha256": ["0" * 64] * 2, "epochs": [1, 3]})

    path = forge(tmp_path / "bomb.h5", bomb)
    assert path.stat().st_size < 100_000
    file = TableFile(path)
    for info, epoch in ((file._said.architectures, None), (file.schedules[3]["training_time"], 1)):
        with pytest.raises(TableFileError, match=r"bomb\.h5: at /.*expected data of the size it claims"):
            file.read(info, epoch)
    with pytest.raises(TableFileError, match="size it claims"):
        file.verify()


def test_zeros_that_were_deflated_twice_are_no_way_around(tmp_path: Path) -> None:
    """Two filters in a row shrink a million times."""

    def bomb(file: h5py.File) -> None:
        n = 2**24
        del file["a"], file["b"], file["architectures"], file["identities"]
        set_attributes(file, {"datasets": ["a"]})
        file.create_group("a")
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((n, 6))
        plist.set_deflate(9)
        plist.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (9,))
        space = h5py.h5s.create_simple((n, 6))
        node = h5py.Dataset(h5py.h5d.create(file.id, b"architectures", h5py.h5t.STD_U8LE, space, plist))
        node[:] = 0
        set_attributes(node, {"unit": "choices", "sha256": ["0" * 64]})

    path = forge(tmp_path / "bomb.h5", bomb)
    assert path.stat().st_size < 20_000
    with pytest.raises(
        TableFileError, match=r"/architectures: expected values shuffled, deflated and checksummed at most, once each"
    ):
        TableFile(path).architectures()


def test_a_missing_image_dataset_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path / "t.h5", content())
    with pytest.raises(NasbenchError, match=r"unknown image dataset of t\.h5 'c'.*Known: a, b"):
        TableFile(tmp_path / "t.h5", "c")


def filled(column: str, value: float, dtype: Any) -> Change:
    shape = (N,) if column.count("/") == 2 else (N, 2, 1)
    values = np.ones(shape, dtype)
    values[1] = value
    return put(column, values)


def bare_accuracy(file: h5py.File) -> None:
    column(VALID, np.ones((N, 2, 1)), unit="fraction")(file)
    del file[VALID].attrs["images"]


put = column
ACCURACY = "/a/3/validation_accuracy"


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (f"{ACCURACY}.*no negative number, found -0.5", filled(ACCURACY, -0.5, np.float32)),
        (f"{ACCURACY}.*at most 100 images, found 100.5", filled(ACCURACY, 100.5, np.float64)),
        (f"{ACCURACY}.*finite", filled(ACCURACY, np.inf, np.float64)),
        ("/a/3/training_time.*finite", filled(TIME, np.inf, np.float64)),
        ("/a/3/training_time.*no negative", filled(TIME, -1, np.float64)),
        ("/a/parameters: expected finite", filled(PARAMETERS, -np.inf, np.float32)),
        (f"{ACCURACY}@images: expected a number of images", without(VALID, "images")),
        (f"{ACCURACY}@images: expected a number of images", attributes(VALID, unit="fraction")),
        ("/a/3/training_time@images: expected a number of images", attributes(TIME, images=100)),
        (f"{ACCURACY}@images: expected the number of images", bare_accuracy),
        ("/a/test_accuracy: expected accuracies below the schedule", moved(PARAMETERS, "/a/test_accuracy")),
        ("/a/parameters: expected unsigned", column(PARAMETERS, np.ones(N, np.float16))),
        ("/a/parameters: expected unsigned", column(PARAMETERS, np.ones(N, ">u4"))),
        ("/a/parameters: expected unsigned", column(PARAMETERS, np.ones(N, np.longdouble))),
        ("/a/3/training_time: expected unsigned", column(TIME, np.ones((N, 2, 1), np.float16))),
        ("/a/4: expected columns, and nothing but columns, found nothing", lambda file: file.create_group("a/4")),
        ("/a/3: expected columns, and nothing but columns, found deep", lambda file: file.create_group("a/3/deep")),
        ("/c: expected image datasets", lambda file: file.create_group("c")),
        ("/other: expected image datasets", lambda file: file.create_dataset("other", data=np.ones(N))),
        ("/@source_name: expected numbers or text", attributes("/", source_name=np.array([["a"]], "S1"))),
        ("/@datasets: expected numbers or text", attributes("/", datasets=np.array([["a"]], "S1"))),
        ("/a@x: expected numbers or text", attributes("/a", x=np.ones((1, 1)))),
        (r"/identities: expected every architecture once", column("/identities", np.zeros(N, np.int64))),
        ("'a\\\\x1b': expected a name without control", lambda file: (moved("/a", "/a\x1b")(file), named(file))),
        ("better: expected 'higher' or 'lower'", attributes(PARAMETERS, better="bigger")),
        ("/a/3/training_time: .*share bytes", lambda file: file["a/3"].__setitem__("z", file[TIME])),
    ],
)
def test_what_the_format_cannot_mean(tmp_path: Path, message: str, change: Change) -> None:
    """Each with the digests that it should have."""
    path = forge(tmp_path / "forged.h5", change)
    with pytest.raises(
        TableFileError, match=rf"forged\.h5: at .*{message}" if "share" not in message else "share bytes"
    ):
        read_all(path)


def named(file: h5py.File) -> None:
    set_attributes(file, {"datasets": ["a\x1b", "b"]})


@pytest.mark.parametrize("loss", [np.inf, -np.inf])
def test_a_loss_may_be_infinite_since_a_training_may_diverge(tmp_path: Path, loss: float) -> None:
    values = np.ones((N, 2, RUNS))
    values[0] = loss

    def change(file: h5py.File) -> None:
        column(TIME, values, unit="cross-entropy")(file)
        moved(TIME, "/a/3/validation_loss")(file)

    path = forge(tmp_path / "forged.h5", change)
    if loss > 0:
        assert np.isinf(Table(path).column("validation_loss")[0])
    else:
        with pytest.raises(TableFileError, match="finite"):
            read_all(path)


def test_architectures_that_are_there_twice(tmp_path: Path) -> None:
    """With identities, and without; also where only few questions are asked."""
    twice = content()._replace(identities=None)
    twice.architectures[3] = twice.architectures[1]
    with pytest.raises(TableFileError, match="/architectures: expected every architecture once"):
        write(tmp_path / "t.h5", twice)

    def change(file: h5py.File) -> None:
        del file["identities"]
        column("/architectures", twice.architectures)(file)

    path = forge(tmp_path / "forged.h5", change)
    with pytest.raises(TableFileError, match="rows 1 and 3 are the same one"):
        Table(path).query(tuple(twice.architectures[0].tolist()))


def test_a_chunk_shorter_than_its_checksum_crashes_nobody(tmp_path: Path) -> None:
    write(tmp_path / "forged.h5", content())
    for place in ("architectures", "a/parameters", "a/3/training_time"):
        with h5py.File(tmp_path / "forged.h5", "a") as file:
            node = file[place]
            node.id.write_direct_chunk((0,) * node.ndim, b"abc")
    with pytest.raises(TableFileError, match=r"at /architectures: .*a chunk of 3 bytes"):
        TableFile(tmp_path / "forged.h5").architectures()
    table = TableFile(tmp_path / "forged.h5")
    for read in (lambda: table.read(table.columns["parameters"]), table.verify):
        with pytest.raises(TableFileError, match="a chunk of 3 bytes"):
            read()


def test_an_older_table_is_read_and_so_are_those_that_are_embedded(tmp_path: Path) -> None:
    """A superblock without checksums is none of ours."""
    write(tmp_path / "t.h5", content())
    with h5py.File(tmp_path / "t.h5") as new, h5py.File(tmp_path / "old.h5", "w") as old:
        for name in new:
            new.copy(name, old)
        for name, value in new.attrs.items():
            old.attrs[name] = value
    with pytest.raises(TableFileError, match=r"old\.h5: .*superblock version 0, expected 3"):
        TableFile(tmp_path / "old.h5")
    assert load("nasbench201").verify() == 16
    assert load("conv5_16px_4epochs").verify() == 8
