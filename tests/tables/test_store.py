"""The table format: what is written comes back, what is damaged is refused, nothing is ever half there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasbench import tables
from nasbench.errors import NasbenchError, TableFileError, UnknownNameError
from nasbench.spaces.nb201 import NB201
from nasbench.tables import Column, DatasetContent, TableContent, TableFile, write
from nasbench.tables.groups import describe
from nasbench.tables.hdf5 import set_attributes

SOURCE = dict.fromkeys(tables.SOURCE_FIELDS, "") | {"name": "made up", "elsewhere": "Nowhere."}


def content(n: int = 4, epochs=(1, 3), runs: int = 2, seed: int = 0, dtype="u2") -> TableContent:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 100, (n, len(epochs), runs)).astype(dtype)
    if n:
        counts[0, 0, runs - 1] = tables.missing_value(counts.dtype)
    seconds = rng.random((n, len(epochs), 1))
    columns = {"parameters": Column(rng.integers(1, 9, n).astype(np.uint32), "parameters")}
    scheduled = {
        "validation_accuracy": Column(counts, "images", epochs, 100, "half", "other half"),
        "training_time": Column(seconds, "seconds", epochs, trained_on="half"),
    }
    one = DatasetContent(columns, {3: scheduled})
    architectures = NB201().decode(rng.permutation(15625)[:n])
    return TableContent("nb201", architectures, {"a": one, "b": one}, SOURCE, {"x": 1})


@pytest.fixture
def path(tmp_path):
    write(tmp_path / "t.h5", content())
    return tmp_path / "t.h5"


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    n=st.integers(1, 20),
    epochs=st.lists(st.integers(1, 200), min_size=1, max_size=4, unique=True).map(lambda e: tuple(sorted(e))),
    runs=st.integers(1, 4),
    seed=st.integers(0, 99),
    dtype=st.sampled_from(["u1", "u2", "u4", "u8", ">u2"]),
)
def test_what_is_written_comes_back(tmp_path, n, epochs, runs, seed, dtype):
    written = content(n, epochs, runs, seed, dtype)
    write(tmp_path / "t.h5", written, force=True)
    for dataset in ("a", "b"):
        file = TableFile(tmp_path / "t.h5", dataset)
        np.testing.assert_array_equal(file.architectures(), written.architectures)
        for name, column in written.datasets[dataset].schedules[3].items():
            info = file.schedules[3][name]
            assert (info.unit, info.epochs, info.images) == (column.unit, epochs, column.images)
            assert (info.trained_on, info.evaluated_on) == (column.trained_on, column.evaluated_on)
            for i, epoch in enumerate(epochs):
                read = file.read(info, epoch)
                assert read.dtype == column.values.dtype.newbyteorder("=")
                np.testing.assert_array_equal(read, column.values[:, i])
        np.testing.assert_array_equal(
            file.read(file.columns["parameters"]), written.datasets[dataset].columns["parameters"].values
        )
        assert (file.space, file.source, file.report) == ("nb201", SOURCE, {"x": 1})


def test_the_same_content_gives_the_same_bytes_and_other_content_another_digest(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write(tmp_path / name, content(seed=seed))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert TableFile(tmp_path / "a").digest != TableFile(tmp_path / "c").digest


def test_digests_are_those_of_the_documentation(path):
    """Computed here from docs/format.md alone."""

    def sha256(values):
        return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()

    def digest(group):
        def text(value):
            return value.decode() if isinstance(value, bytes) else value

        def plain(node):
            values = {name: value.tolist() for name, value in node.attrs.items()}
            return {n: [text(x) for x in v] if isinstance(v, list) else text(v) for n, v in values.items()}

        described = {
            "attributes": {name: value for name, value in plain(group).items() if name != "digest"},
            "datasets": {
                name: {"attributes": plain(node), "shape": list(node.shape), "dtype": node.dtype.str}
                for name, node in group.items()
                if isinstance(node, h5py.Dataset)
            },
            "groups": {name: digest(node) for name, node in group.items() if isinstance(node, h5py.Group)},
        }
        whole = json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        found = plain(group)["digest"]
        assert found == hashlib.sha256(whole.encode()).hexdigest()
        return found

    with h5py.File(path) as file:
        digest(file)
        column = file["a/3/validation_accuracy"]
        assert [d.decode() for d in column.attrs["sha256"]] == [sha256(column[:, i]) for i in range(2)]
        assert [d.decode() for d in file["architectures"].attrs["sha256"]] == [sha256(file["architectures"][()])]


def test_a_failed_write_leaves_what_was_there(tmp_path, path):
    before = path.read_bytes()
    good = content()
    bad = good._replace(datasets={"a": DatasetContent({"parameters": Column(np.ones(3, np.uint32), "parameters")}, {})})
    with pytest.raises(
        TableFileError, match=r"/a/parameters: expected unsigned integers or floats, .* of shape \(4,\)"
    ):
        write(path, bad, force=True)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["t.h5"]


@pytest.mark.parametrize(
    "values",
    [np.array(["a", "b", "c", "d"], dtype="S1"), np.ones(4, np.complex128), np.ones((4, 2, 3), np.uint16)],
    ids=["text", "complex", "misshapen"],
)
def test_columns_that_the_format_does_not_have_are_not_written(tmp_path, values):
    bad = content()._replace(datasets={"a": DatasetContent({"x": Column(values, "")}, {})})
    with pytest.raises(TableFileError):
        write(tmp_path / "x.h5", bad)
    assert os.listdir(tmp_path) == []


def test_every_truncation_is_refused_by_name(tmp_path, path):
    whole = path.read_bytes()
    cut = tmp_path / "cut.h5"
    for length in [*range(0, 200), *range(200, len(whole), 61), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(TableFileError, match=r"cut\.h5"):
            TableFile(cut).verify()


def everything(file_path):
    """All that a reader gets out of a file."""
    found = []
    for dataset in TableFile(file_path).datasets:
        file = TableFile(file_path, dataset)
        found.append((file.space, file.source, file.report, file.architectures().tolist()))
        for info in file.columns.values():
            found.append((info.place, info.unit, file.read(info).tolist()))
        for infos in file.schedules.values():
            for info in infos.values():
                read = [file.read(info, epoch).tolist() for epoch in info.epochs]
                found.append((info.place, info.unit, info.images, info.trained_on, info.evaluated_on, read))
    return found


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path, path):
    """Every hundredth byte of the file: some lie in unused space, none may change what is read."""
    whole, truth = path.read_bytes(), everything(path)
    damaged = tmp_path / "damaged.h5"
    refused = 0
    for position in range(0, len(whole), 101):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << position % 8
        damaged.write_bytes(flipped)
        try:
            assert everything(damaged) == truth, f"byte {position} changed what is read, and nobody noticed"
        except TableFileError:
            refused += 1
    assert refused > 20


def alter(path, change):
    with h5py.File(path, "a") as file:
        change(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: set_attributes(f, {"version": 2}), r"format version 2.*reads up to 1"),
        (lambda f: set_attributes(f, {"format": "other"}), "no nasbench table: its attribute 'format' is 'other'"),
        (lambda f: set_attributes(f, {"space": "nb101"}), "at /@digest: expected the digest"),
        (lambda f: set_attributes(f, {"source_licence": "mine"}), "at /@digest"),
        (lambda f: f.pop("architectures"), "/@digest"),
        (lambda f: f.pop("b"), "/@digest"),
        (lambda f: f["a/3"].pop("training_time"), "/a/3@digest"),
        (lambda f: f["a/3"].create_dataset("extra", data=np.zeros(4)), "/a/3@digest"),
        (lambda f: set_attributes(f["a/parameters"], {"unit": "millions"}), "/a@digest"),
        (lambda f: set_attributes(f["a/3/validation_accuracy"], {"images": 99}), "/a/3@digest"),
        (lambda f: f["a/3/validation_accuracy"].__setitem__((2, 1, 0), 50), "/a/3/validation_accuracy, epoch 3"),
        (lambda f: f["architectures"].__setitem__((0, 0), 4), "/architectures"),
        (lambda f: f.attrs.update(space="nb201"), "expected numbers or text of fixed length"),
        (lambda f: f.__setitem__("link", h5py.SoftLink("/a")), "is a link"),
        (lambda f: f.__setitem__("far", h5py.ExternalLink("/etc/passwd", "/")), "is a link"),
    ],
)
def test_an_altered_file_is_refused_with_the_place(path, change, message):
    alter(path, change)
    with pytest.raises(TableFileError, match=message) as caught:
        TableFile(path).verify()
    assert "t.h5" in str(caught.value)


def test_values_that_lie_elsewhere_are_refused(tmp_path, path):
    (tmp_path / "outside.bin").write_bytes(bytes(64))

    def external(file):
        del file["a/parameters"]
        file["a"].create_dataset("parameters", (4,), "u4", external=[(str(tmp_path / "outside.bin"), 0, 16)])

    alter(path, external)
    with pytest.raises(TableFileError, match="stored in the file itself"):
        TableFile(path)


def test_virtual_values_are_refused(path):
    def virtual(file):
        del file["a/parameters"]
        layout = h5py.VirtualLayout((4,), "u4")
        layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
        file["a"].create_virtual_dataset("parameters", layout)

    alter(path, virtual)
    with pytest.raises(TableFileError, match="stored in the file itself"):
        TableFile(path)


def test_a_column_that_claims_more_than_deflate_can_hold_is_not_read(tmp_path):
    """Sixteen gigabytes of nothing in a file of a few kilobytes, with all digests in order."""
    n = 2**31
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        set_attributes(
            file, {"format": tables.FORMAT, "version": 1, "space": "nb201", "report": "{}", "datasets": ["a"]}
        )
        set_attributes(file, {f"source_{name}": "" for name in tables.SOURCE_FIELDS})
        node = file.create_dataset("architectures", (n, 6), "u1", chunks=(2**20, 6), compression="gzip")
        set_attributes(node, {"unit": "choices", "sha256": ["0" * 64]})
        group = file.create_group("a")
        set_attributes(group, {"digest": describe(group).digest})
        set_attributes(file, {"digest": describe(file).digest})
    with pytest.raises(TableFileError, match="data of the size it claims"):
        TableFile(path).architectures()


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x89HDF\r\n\x1a\n", bytes(10_000)], ids=["empty", "text", "head", "zeros"]
)
def test_what_is_no_hdf5_is_refused(tmp_path, data):
    (tmp_path / "x.h5").write_bytes(data)
    with pytest.raises(TableFileError, match=r"x\.h5: not a readable HDF5 file"):
        TableFile(tmp_path / "x.h5")


def test_what_is_not_there_is_refused(tmp_path, path):
    with pytest.raises(TableFileError, match=r"none\.h5: no such file"):
        TableFile(tmp_path / "none.h5")
    with pytest.raises(TableFileError, match="is no file that can hold a table"):
        TableFile(tmp_path)
    with pytest.raises(UnknownNameError, match=r"unknown image dataset of t\.h5 'aa'\. Did you mean 'a'"):
        TableFile(path, "aa")


def test_a_file_that_is_replaced_while_it_is_open_is_noticed(path):
    file = TableFile(path)
    write(path, content(n=5), force=True)
    with pytest.raises(TableFileError, match="that was there when the file was opened"):
        file.architectures()


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=2000), at=st.integers(0, 20_000))
def test_garbage_over_a_file_gives_one_kind_of_error(tmp_path, data, at):
    path = tmp_path / "g.h5"
    write(path, content(), force=True)
    whole = bytearray(path.read_bytes())
    whole[at % len(whole) : at % len(whole) + len(data)] = data
    path.write_bytes(whole)
    with contextlib.suppress(NasbenchError):
        TableFile(path).verify()
