"""HDF5 files that a damaged or forged byte cannot turn against the reader: how tables, histories and arrays are stored.

The 1.10 file format carries checksums in all its metadata, and texts of fixed length lie inside of it. Texts of
variable length lie on a heap without checksums, and the HDF5 library may crash on a damaged one: they are never
written, and never read. How values are read is in :mod:`nasbench.tables.hdf5_values`.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from nasbench.tables.hdf5_values import StorageError, apart, extents, read, size_of, stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_HEAD = b"\x89HDF\r\n\x1a\n\x03"
"""The signature of HDF5 and the version of the superblock that ``libver="v110"`` writes: all metadata has checksums."""


@contextmanager
def create(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Write a new file, in memory first: on a full disk the HDF5 library itself raises RuntimeError, then crashes.

    Raises:
        OSError: The file cannot be written.
    """
    with h5py.File(path, "w", driver="core", backing_store=False, libver=("v110", "v110")) as file:
        yield file
        file.flush()
        image = file.id.get_file_image()
    with open(path, "wb") as written:
        written.write(image)


def open_file(path: str | os.PathLike[str]) -> h5py.File:
    """Open a file for reading; where the file system has no locks, without one.

    Raises:
        OSError: It is no file, no HDF5, of another superblock than we write, or its metadata is damaged.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("neither a file nor a link to one")  # reading a pipe would never end
    with open(path, "rb") as begin:
        head = begin.read(len(_HEAD))
    if head[:-1] == _HEAD[:-1] and head != _HEAD:
        raise OSError(f"superblock version {head[-1]}, expected {_HEAD[-1]}, whose metadata has checksums")
    if head != _HEAD:
        raise OSError("it does not begin as an HDF5 file does")
    return h5py.File(path, "r", locking="best-effort")


def open_bytes(content: bytes) -> h5py.File:
    """Open the content of a file for reading, so that what was hashed is what is read.

    Raises:
        OSError: It is no HDF5, of another superblock than we write, or its metadata is damaged.
    """
    if not content.startswith(_HEAD):
        raise OSError("it does not begin as the HDF5 files do that we write")
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    access.set_file_image(content)
    return h5py.File(h5py.h5f.open(b"in memory", h5py.h5f.ACC_RDONLY, access))


def which_file(file: h5py.File) -> tuple[int, ...]:
    """Return what tells a file from another one of its name: device, inode, size, time of the last change."""
    status = os.fstat(file.id.get_vfd_handle())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def set_attributes(node: h5py.Group | h5py.Dataset, values: Mapping[str, Any]) -> None:
    """Write texts, numbers, and lists of either as attributes."""
    for name, value in values.items():
        if isinstance(value, str):
            value = np.bytes_(value.encode())
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], str):
            value = np.array([text.encode() for text in value])
        array = np.asarray(value)
        if array.dtype.kind == "S":
            # HDF5 has no text of length zero.
            kind = h5py.string_dtype("utf-8", max(array.dtype.itemsize, 1))
            node.attrs.create(name, array.astype(kind), dtype=kind)
        else:
            node.attrs[name] = array


def attributes(node: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Return all attributes as plain texts, numbers and lists of either, by name in order.

    Raises:
        StorageError: One of them is something else, such as a list of lists or a text of variable length.
    """
    found = {}
    largest = size_of(node.file)
    for name in sorted(node.attrs):
        stated = node.attrs.get_id(name)
        shape = stated.shape
        if stated.dtype.kind not in "Suif" or shape is None or len(shape) > 1:
            form = stated.dtype if shape is None else f"{stated.dtype} of shape {shape}"
            raise StorageError(f"{node.name}@{name}: expected numbers or text of fixed length, found {form}")
        if stated.dtype.itemsize * prod(shape) > largest:
            raise StorageError(f"{node.name}@{name}: larger than its file")
        value = np.empty(shape, stated.dtype)
        stated.read(value)
        plain = value.tolist()
        if stated.dtype.kind == "S":
            plain = [text.decode() for text in plain] if isinstance(plain, list) else plain.decode()
        found[name] = plain
    return found


def is_plain(node: object) -> bool:
    """Tell whether this is a dataset of plain numbers that says it lies in the file itself."""
    return (
        isinstance(node, h5py.Dataset)
        and node.dtype.kind in "uif"
        and node.shape is not None
        and not node.external
        and not node.is_virtual
    )


def plain_dataset(group: h5py.Group, name: str) -> h5py.Dataset | None:
    """Return the dataset of this name if it is safe to read, with :func:`nasbench.tables.hdf5_values.read`.

    None for a link and for anything else but plain numbers that the file itself holds.
    """
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    node = group[name]
    try:
        return node if is_plain(node) and stored(node) else None
    except ValueError:
        return None


def read_arrays(file: h5py.File, *, depth: int = 12, largest: int | None = None) -> dict[str, NDArray[Any]]:
    """Return all arrays of a file by their path (``"state/trees/left"``), each checked before it is read.

    Args:
        file: What :func:`open_file` opened.
        depth: How many groups may lie within each other.
        largest: How many bytes all arrays together may have: deflate can make a thousand times of what the file has.

    Raises:
        StorageError: There is a link, anything but groups and plain numbers, an array that the file cannot hold, or two
            that share bytes; or groups lie deeper than ``depth``. The message names its path.
    """
    nodes: dict[str, h5py.Dataset] = {}
    waiting: list[tuple[str, h5py.Group, int]] = [("", file, 0)]
    while waiting:
        prefix, group, level = waiting.pop()
        for name in group:
            path = f"{prefix}{name}"
            # A link would lead out of the file, or back to a group above.
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise StorageError(f"{path} is a link: everything must lie in the file itself")
            node = group[name]
            if isinstance(node, h5py.Group) and level < depth:
                waiting.append((f"{path}/", node, level + 1))
            elif is_plain(node):
                nodes[path] = node
            else:
                raise StorageError(f"{path} is no plain array")
            if len(nodes) + len(waiting) > _MOST_MEMBERS:
                raise StorageError(f"{group.name}: more than {_MOST_MEMBERS} groups and arrays")
    total = sum(node.nbytes for node in nodes.values())
    if largest is not None and total > largest:
        raise StorageError(f"arrays of {total:,} bytes, expected {largest:,} at most")
    apart([extent for node in nodes.values() for extent in extents(stored(node))])
    return {path: read(node) for path, node in nodes.items()}


_MOST_MEMBERS = 100_000
