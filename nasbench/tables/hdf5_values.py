"""Values of HDF5 datasets, read without the HDF5 library's filters, which trust what a file says of itself.

A checksummed chunk of less than four bytes crashes the library, a chunk may inflate past the size that it claims, and
entries that overlap count many times. So the list of filters, and the place and size of every chunk, are checked
before anything is read, and chunks are inflated here, up to the size of a chunk and no further.
"""

from __future__ import annotations

import zlib
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

# Deflate cannot shrink data more than 1032 times (zlib.net/zlib_tech.html): what claims more is a bomb.
_LARGEST_RATIO = 1100
_SHUFFLE, _DEFLATE, _FLETCHER = h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32
_ORDER = (_SHUFFLE, _DEFLATE, _FLETCHER)
_CHECKSUM = 4

Place = tuple[int, ...]


class StorageError(ValueError):
    """A dataset or attribute is stored as we never write; the message begins with its place in the file."""


class Extent(NamedTuple):
    """Where bytes lie in a file, and of what."""

    start: int
    size: int
    name: str


class Stored(NamedTuple):
    """How the values of a dataset are stored; made, and checked, by :func:`stored`."""

    name: str
    chunk: Place | None
    """The shape of a chunk; None where the values lie in one piece."""
    filters: tuple[int, ...]
    pieces: dict[Place, tuple[int, int, int]]
    """By the first index of each chunk: the filters that were left out as a bit mask, its place, its size in bytes."""


def size_of(file: h5py.File) -> int:
    """Return the size of an open file in bytes."""
    return int(file.id.get_filesize())


def stored(node: h5py.Dataset) -> Stored:
    """Say how a dataset is stored, once it is known that reading it is safe.

    Raises:
        StorageError: It has a type of number that no machine has, filters that we do not write, a chunk outside of the
            file, chunks that overlap or are missing, or it claims more values than its bytes can hold.
    """
    if node.id.get_type() != h5py.h5t.py_create(node.dtype):
        raise StorageError(f"{node.name}: expected plain numbers, found a type of another layout")
    how = node.id.get_create_plist()
    filters = tuple(how.get_filter(i)[0] for i in range(how.get_nfilters()))
    layout = how.get_layout()
    if layout == h5py.h5d.CONTIGUOUS and not filters:
        return _in_one_piece(node)
    if layout != h5py.h5d.CHUNKED or [f for f in _ORDER if f in filters] != list(filters):
        raise StorageError(f"{node.name}: expected values shuffled, deflated and checksummed at most, once each")
    chunk, shape = how.get_chunk(), node.shape
    if not node.size:
        return Stored(node.name, chunk, filters, {})
    whole = prod(chunk) * node.dtype.itemsize
    expected = prod(-(-n // c) for n, c in zip(shape, chunk, strict=True))
    claims = f"{node.name}: expected data of the size it claims"
    if node.id.get_num_chunks() != expected:
        raise StorageError(f"{claims}, {expected} chunks, found {node.id.get_num_chunks()}")
    pieces: dict[Place, tuple[int, int, int]] = {}

    def note(info: Any) -> None:
        pieces[tuple(info.chunk_offset)] = info.filter_mask, info.byte_offset, info.size

    if hasattr(node.id, "chunk_iter"):
        node.id.chunk_iter(note)
    else:
        for i in range(expected):
            note(node.id.get_chunk_info(i))
    found = Stored(node.name, chunk, filters, pieces)
    if len(pieces) != expected or any(
        at % c or at >= n for place in pieces for at, c, n in zip(place, chunk, shape, strict=True)
    ):
        raise StorageError(f"{claims}, one chunk at each of its places")
    for left_out, _, size in pieces.values():
        _check_piece(found, left_out, size, whole)
    _check_extents(node, found)
    return found


def _in_one_piece(node: h5py.Dataset) -> Stored:
    size = node.id.get_storage_size() if node.size else 0
    if size != node.size * node.dtype.itemsize:
        raise StorageError(f"{node.name}: expected data of the size it claims, {node.nbytes} bytes, found {size}")
    found = Stored(node.name, None, (), {(): (0, node.id.get_offset(), size)} if size else {})
    _check_extents(node, found)
    return found


def _check_piece(found: Stored, left_out: int, size: int, whole: int) -> None:
    """Hold the size of a chunk against what its filters can make of it."""
    # HDF5 leaves out deflate where that would lengthen a chunk; the other two are never left out.
    deflates = 1 << found.filters.index(_DEFLATE) if _DEFLATE in found.filters else 0
    if left_out not in (0, deflates):
        raise StorageError(f"{found.name}: a chunk without the filters of its dataset")
    content = size - _CHECKSUM * (_FLETCHER in found.filters)
    is_deflated = deflates and not left_out
    if not (content > 0 and whole <= _LARGEST_RATIO * content if is_deflated else content == whole):
        raise StorageError(
            f"{found.name}: expected data of the size it claims, found a chunk of {size} bytes for {whole}"
        )


def _check_extents(node: h5py.Dataset, found: Stored) -> None:
    largest = size_of(node.file)
    if any(start is None or start < 0 or start + size > largest for _, start, size in found.pieces.values()):
        raise StorageError(f"{node.name}: values outside of the file, which has {largest} bytes")
    apart(extents(found))


def extents(found: Stored) -> list[Extent]:
    """Return where the values of a dataset lie in its file."""
    return [Extent(start, size, found.name) for _, start, size in found.pieces.values()]


def apart(places: Iterable[Extent]) -> None:
    """Make sure that no byte of a file counts twice.

    Raises:
        StorageError: Two of these extents overlap.
    """
    end, before = 0, ""
    for start, size, name in sorted(places):
        if start < end:
            raise StorageError(f"{name}: its values share bytes with those of {before}")
        end, before = start + size, name


def read(node: h5py.Dataset, box: Sequence[tuple[int, int]] | None = None, how: Stored | None = None) -> NDArray[Any]:
    """Read the values of a dataset, or those in a box of it.

    Args:
        node: Plain numbers.
        box: First index and the one behind the last, of each dimension; all of the dataset by default.
        how: What :func:`stored` returned for it, for who reads it several times.

    Raises:
        StorageError: As for :func:`stored`; or a chunk does not inflate to the size that it must have.
    """
    how = stored(node) if how is None else how
    if box is None:
        box = [(0, n) for n in node.shape]
    if how.chunk is None:
        return np.asarray(node[tuple(slice(*side) for side in box)] if how.pieces else np.empty(node.shape, node.dtype))
    values = np.empty([stop - start for start, stop in box], node.dtype)
    first = [range(start // c * c, stop, c) for (start, stop), c in zip(box, how.chunk, strict=True)]
    for place in product(*first) if values.size else ():
        block = _chunk(node, how, place)
        sides = [*zip(place, how.chunk, box, strict=True)]
        there = tuple(slice(max(a - at, 0), min(b - at, c)) for at, c, (a, b) in sides)
        here = tuple(slice(max(at - a, 0), min(at + c, b) - a) for at, c, (a, b) in sides)
        values[here] = block[there]
    return values


def _chunk(node: h5py.Dataset, how: Stored, place: Place) -> NDArray[Any]:
    assert how.chunk is not None
    left_out, data = node.id.read_direct_chunk(place)
    size = prod(how.chunk) * node.dtype.itemsize
    if (left_out, len(data)) != how.pieces[place][::2]:
        raise StorageError(f"{node.name}: the chunk at {place} is another than a moment ago")
    if _FLETCHER in how.filters:
        # The sum is not verified: digests, or deflate's own checksum, cover the values.
        data = data[:-_CHECKSUM]
    if _DEFLATE in how.filters and not left_out:
        inflating = zlib.decompressobj()
        try:
            data = inflating.decompress(data, size + 1)
        except zlib.error as error:
            raise StorageError(f"{node.name}: the chunk at {place} does not inflate: {error}") from None
        if len(data) != size or not inflating.eof or inflating.unused_data:
            raise StorageError(f"{node.name}: the chunk at {place} does not inflate to {size} bytes")
    if _SHUFFLE in how.filters:
        shuffled = np.frombuffer(data, np.uint8).reshape(node.dtype.itemsize, -1)
        return np.asarray(np.ascontiguousarray(shuffled.T).view(node.dtype).reshape(how.chunk))
    return np.asarray(np.frombuffer(data, node.dtype).reshape(how.chunk))
