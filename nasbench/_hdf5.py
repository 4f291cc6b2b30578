"""HDF5 files that a damaged byte cannot turn against the reader: how tables and histories are stored.

The 1.10 file format carries checksums in all its metadata, and texts of fixed length lie inside of it. Texts of
variable length lie on a heap without checksums, and the HDF5 library may crash on a damaged one: they are never
written, and never read.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
        OSError: It is no HDF5 file, or its metadata is damaged.
    """
    return h5py.File(path, "r", locking="best-effort")


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
    """Return all attributes as plain texts, numbers and lists, by name in order.

    Raises:
        ValueError: One of them is neither, or is a text of variable length.
    """
    found = {}
    for name in sorted(node.attrs):
        stored = node.attrs.get_id(name)
        if stored.dtype.kind not in "Suif" or stored.shape is None:
            raise ValueError(f"{node.name}@{name}: expected numbers or text of fixed length, found {stored.dtype}")
        value = np.empty(stored.shape, stored.dtype)
        stored.read(value)
        plain = value.tolist()
        if stored.dtype.kind == "S":
            plain = [text.decode() for text in plain] if isinstance(plain, list) else plain.decode()
        found[name] = plain
    return found


# Deflate cannot shrink data more than 1032 times (zlib.net/zlib_tech.html): what claims more is a bomb.
_LARGEST_RATIO = 1100


def plain_dataset(group: h5py.Group, name: str) -> h5py.Dataset | None:
    """Return the dataset of this name if it holds plain numbers in the file itself, of a size that deflate allows."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    node = group[name]
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in "uif" or node.shape is None:
        return None
    if node.external or node.is_virtual or node.nbytes > _LARGEST_RATIO * (node.id.get_storage_size() + 1024):
        return None
    return node
