"""Datasets whose storage was made to hurt: each is refused before the HDF5 library touches its values."""

from __future__ import annotations

import os
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nasbench.tables.hdf5 import attributes, create, open_file, read_arrays
from nasbench.tables.hdf5_values import read, stored

VALUES = np.arange(24, dtype=np.uint16).reshape(4, 3, 2)
OURS: dict[str, Any] = {"compression": "gzip", "shuffle": True, "fletcher32": True}


def new(path: Path, change: Callable[[h5py.File], Any]) -> Path:
    with create(path) as file:
        change(file)
    return path


def all_of(path: Path) -> dict[str, Any]:
    with open_file(path) as file:
        return read_arrays(file)


@pytest.mark.parametrize("how", [{}, {"chunks": (4, 1, 2)}, {"chunks": (3, 2, 2), "shuffle": True}, OURS])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u8", "i8", "f4", "f8", ">u2", ">f8"])
def test_what_is_stored_is_read_as_the_library_reads_it(tmp_path: Path, how: dict[str, Any], dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 200, (7, 5, 3)).astype(dtype)
    path = new(tmp_path / "x.h5", lambda file: file.create_dataset("a/b", data=values, **how))
    with open_file(path) as file:
        node = file["a/b"]
        assert read(node).tobytes() == node[()].tobytes() == values.tobytes()
        for box in ([(2, 3), (0, 5), (0, 3)], [(1, 7), (3, 4), (1, 3)], [(0, 0), (0, 5), (0, 3)]):
            part = read(node, box)
            expected = node[tuple(slice(*side) for side in box)]
            assert (part.dtype, part.shape, part.tobytes()) == (node.dtype, expected.shape, expected.tobytes())


@pytest.mark.parametrize("shape", [(0,), (0, 6), ()])
def test_nothing_and_single_numbers(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = new(tmp_path / "x.h5", lambda file: file.create_dataset("a", data=np.ones(shape)))
    np.testing.assert_array_equal(all_of(path)["a"], np.ones(shape))


def direct(data: bytes, *, left_out: int = 0, **how: Any) -> Callable[[h5py.File], Any]:
    """Write the bytes of a chunk past all filters."""

    def change(file: h5py.File) -> None:
        node = file.create_dataset("forged", VALUES.shape, "u2", chunks=VALUES.shape, **(how or OURS))
        node.id.write_direct_chunk((0, 0, 0), data, left_out)

    return change


def test_a_chunk_that_deflate_would_lengthen_may_be_stored_without(tmp_path: Path) -> None:
    """Libraries other than zlib lengthen noise by more than HDF5 allows, which then leaves the filter out."""
    shuffled = VALUES.view(np.uint8).reshape(-1, 2).T.tobytes()
    path = new(tmp_path / "x.h5", direct(shuffled + b"sums", left_out=2))
    np.testing.assert_array_equal(all_of(path)["forged"], VALUES)


def deflated(times: int) -> Callable[[h5py.File], Any]:
    def change(file: h5py.File) -> None:
        n = 2**26
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((n,))
        for _ in range(times):
            how.set_filter(h5py.h5z.FILTER_DEFLATE, 0, (9,))
        id = h5py.h5d.create(file.id, b"forged", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((n,)), how)
        h5py.Dataset(id)[:] = 0

    return change


def filtered(number: int, *options: int) -> Callable[[h5py.File], Any]:
    def change(file: h5py.File) -> None:
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((8,))
        how.set_filter(number, 0, options)
        id = h5py.h5d.create(file.id, b"forged", h5py.h5t.STD_U16LE, h5py.h5s.create_simple((8,)), how)
        h5py.Dataset(id)[:] = 1

    return change


def of_type(make: Callable[[], Any]) -> Callable[[h5py.File], Any]:
    return lambda file: h5py.h5d.create(file.id, b"forged", make(), h5py.h5s.create_simple((8,)))


def twelve_bits() -> Any:
    kind = h5py.h5t.STD_U16LE.copy()
    kind.set_precision(12)
    return kind


LONG = zlib.compress(bytes(10**6))  # a million bytes where 48 are claimed
SHORT = zlib.compress(bytes(40))


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("chunk of 3 bytes", direct(b"abc")),  # a checksum has four: libhdf5 reads before its buffer
        ("chunk of 3 bytes", direct(b"abc", fletcher32=True)),
        ("chunk of 4 bytes", direct(b"abcd")),
        ("does not inflate to 48 bytes", direct(LONG + b"sums")),
        ("does not inflate to 48 bytes", direct(SHORT + b"sums")),
        ("does not inflate to 48 bytes", direct(zlib.compress(bytes(48)) + b"more" + b"sums")),
        ("does not inflate", direct(b"no deflated data" + b"sums")),
        ("without the filters", direct(VALUES.tobytes(), left_out=7)),
        ("without the filters", direct(VALUES.tobytes(), left_out=4)),
        ("chunk of 48 bytes", direct(VALUES.tobytes(), left_out=2)),  # lacks the checksum
        ("size it claims", lambda file: file.create_dataset("forged", (4,), "u2", chunks=(4,), **OURS)),  # unwritten
        ("size it claims", lambda file: file.create_dataset("forged", (2**40,), "u2")),
        ("size it claims", lambda file: file.create_dataset("forged", (2**62,), "f8", chunks=(2**20,), **OURS)),
        ("size it claims", direct(LONG, shuffle=True)),
        ("once each", deflated(3)),  # 259 bytes of 64 megabytes, each filter as its own says
        ("once each", deflated(2)),
        ("once each", filtered(h5py.h5z.FILTER_SCALEOFFSET, 2, 0)),
        ("once each", filtered(h5py.h5z.FILTER_NBIT)),
        ("another layout", of_type(twelve_bits)),
        ("no plain array", lambda file: file.create_dataset("forged", data=h5py.Empty("f8"))),
        ("no plain array", lambda file: file.create_dataset("forged", data=["text"])),
        ("is a link", lambda file: file.__setitem__("forged", h5py.SoftLink("/a"))),
        ("is a link", lambda file: file.__setitem__("forged", h5py.ExternalLink("other.h5", "/a"))),
        ("is a link", lambda file: file.__setitem__("group/forged", h5py.ExternalLink("other.h5", "/"))),
        ("no plain array", lambda file: file.create_group("/".join("forged"[i % 6] for i in range(20)))),
        ("no plain array", lambda file: file.create_group("forged").__setitem__("forged", file["/"])),  # a circle
        ("share bytes", lambda file: file.__setitem__("forged", file.create_dataset("a", data=VALUES, **OURS))),
    ],
)
def test_storage_that_we_never_write_is_refused(
    tmp_path: Path, message: str, change: Callable[[h5py.File], Any]
) -> None:
    path = new(tmp_path / "forged.h5", change)
    assert path.stat().st_size < 500_000
    tracemalloc.start()
    with pytest.raises(ValueError, match=message):
        all_of(path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**20


def patched(path: Path, old: int, new: int) -> None:
    """Replace one address in the file; an index of the old form has no checksum."""
    data = path.read_bytes()
    assert data.count(old.to_bytes(8, "little")) == 1
    path.write_bytes(data.replace(old.to_bytes(8, "little"), new.to_bytes(8, "little")))


@pytest.mark.parametrize(("to", "message"), [(0, "share bytes"), (2**40, "outside of the file")])
def test_chunks_that_overlap_or_lie_elsewhere(tmp_path: Path, to: int, message: str) -> None:
    path = new(tmp_path / "forged.h5", lambda file: None)
    with h5py.File(path, "a", libver=("earliest", "v110")) as file:
        file.create_dataset("forged", data=np.arange(3000), chunks=(1000,), **OURS)
    with open_file(path) as file:
        first, second, _ = (file["forged"].id.get_chunk_info(i).byte_offset for i in range(3))
        assert len(stored(file["forged"]).pieces) == 3
    patched(path, second, to or first + 8)
    with open_file(path) as file, pytest.raises(ValueError, match=message):
        stored(file["forged"])


@pytest.mark.parametrize("value", [np.ones((2, 2)), np.array([[b"a"], [b"b"]]), "of variable length", h5py.Empty("f8")])
def test_attributes_are_single_or_lists(tmp_path: Path, value: Any) -> None:
    path = new(tmp_path / "forged.h5", lambda file: file.attrs.__setitem__("x", value))
    with open_file(path) as file, pytest.raises(ValueError, match="/@x: expected numbers or text of fixed length"):
        attributes(file)


def test_files_of_older_superblocks_are_refused(tmp_path: Path) -> None:
    """Their metadata has no checksums."""
    for bound, version in (("earliest", 0), ("v108", 2)):
        with h5py.File(tmp_path / "old.h5", "w", libver=(bound, "latest" if bound == "earliest" else bound)) as file:
            file["a"] = VALUES
        assert (tmp_path / "old.h5").read_bytes()[8] == version
        with pytest.raises(OSError, match=f"superblock version {version}, expected 3"):
            open_file(tmp_path / "old.h5")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="neither a file"):
            open_file(path)
