"""Single rows of a large table, which are read without the columns they stand in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from nasbench import Table
from nasbench.errors import TableFileError
from nasbench.spaces.conv5 import Conv5
from nasbench.tables import (
    SOURCE_FIELDS,
    Column,
    DatasetContent,
    TableContent,
    read_content,
    write,
)

EPOCHS = (1, 3)
LONG = 70_000


@pytest.fixture(scope="module", params=["blocks", "no blocks"])
def long(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose rows are read one by one; as it is now written, and as it was before blocks had digests."""
    space = Conv5()
    architectures = space.decode(np.arange(LONG) * 100)
    counts = (np.arange(LONG * 4) % 100).astype(np.uint16).reshape(LONG, 2, 2)
    columns = {"validation_accuracy": Column(counts, "images", EPOCHS, 100, "half", "other half")}
    parameters = {"parameters": Column(space.parameters_many(architectures).astype(np.uint32), "parameters")}
    made = TableContent(
        "conv5",
        architectures,
        {"a": DatasetContent(parameters, {3: columns})},
        dict.fromkeys(SOURCE_FIELDS, ""),
        {},
        space.identity_many(architectures),
    )
    path = tmp_path_factory.mktemp("long") / "long.h5"
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "no blocks":
            patch.setattr("nasbench.tables.writer._MOST_BLOCKS", 0)
        write(path, made)
    with h5py.File(path) as file:
        node = file["a/3/validation_accuracy"]
        assert ("block_sha256" in node.attrs) == (request.param == "blocks")
        if request.param == "blocks":
            expected = [
                hashlib.sha256(np.ascontiguousarray(node[i * 16384 : (i + 1) * 16384, step])).hexdigest()
                for step in range(2)
                for i in range(5)
            ]
            assert [digest.decode() for digest in node.attrs["block_sha256"]] == expected
    return path


def test_single_rows_are_those_of_the_file(long: Path) -> None:
    table = Table(long)
    with h5py.File(long) as file:
        for row in (0, 16383, 16384, 40_000, LONG - 1):
            counts = file["a/3/validation_accuracy"][row]
            metrics = table.query(table.at_row(row), run=1)
            assert metrics.validation_accuracy == counts[1, 1] / 100
            assert metrics.parameters == file["a/parameters"][row]
            assert table.curve(table.at_row(row), run=0).values.tolist() == (counts[:, 0] / 100).tolist()


def test_a_forged_chunk_is_refused_in_single_rows(long: Path, tmp_path: Path) -> None:
    """As a file that was forged before it was opened, and as one that is replaced under an open table."""
    forged = tmp_path / "forged.h5"
    forged.write_bytes(long.read_bytes())
    table = Table(forged)
    first, row = table.at_row(5), table.at_row(20_000)
    assert table.query(row).parameters
    with h5py.File(forged, "a") as file:
        node = file["a/3/validation_accuracy"]
        node[20_000, 1] = 99, 99  # through the library: all its checksums are right
    for opened in (table, Table(forged)):
        with pytest.raises(TableFileError, match=r"at /a/3/validation_accuracy, epoch 3.*the digest"):
            opened.query(row)
        assert opened.query(first, epoch=1).validation_accuracy >= 0  # another column


def test_a_replaced_file_of_the_same_shape_is_refused(long: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    path.write_bytes(long.read_bytes())
    table = Table(path)
    row = table.at_row(20_000)
    before = table.query(row)
    sound = read_content(path)
    values = sound.datasets["a"].columns["parameters"].values + 1
    other = DatasetContent({"parameters": Column(values, "parameters")}, sound.datasets["a"].schedules)
    write(path, sound._replace(datasets={"a": other}), force=True)
    for ask in (lambda: table.query(row), lambda: table.column("parameters"), table.verify, lambda: table.curve(row)):
        with pytest.raises(TableFileError, match=r"t\.h5: expected the table that was there when .* Open it again"):
            ask()
    # The same table in another file is the same table.
    (tmp_path / "copy.h5").write_bytes(long.read_bytes())
    (tmp_path / "copy.h5").replace(path)
    assert table.query(row) == before
