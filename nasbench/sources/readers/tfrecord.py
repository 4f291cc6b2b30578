"""TFRecord files, uncompressed: framing and both checksums, without TensorFlow.

A record is its length (8 bytes), a checksum of the length (4), the payload and a checksum of the payload (4), all
little-endian; there is no file header. The checksum is CRC-32C, rotated and offset
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from google_crc32c import value as crc32c
from numpy.typing import NDArray

from nasbench.errors import ConversionError
from nasbench.sources import Progress, silent
from nasbench.system.files import checked_path

LONGEST = 2**16
"""Longest payload in bytes that is read: a NAS-Bench-101 record has about 400, an EC-NAS record about 800."""

_HEADER = struct.Struct("<QI")
_CHECKSUM = 4
_CHUNK = 2**21  # fits a processor cache, and numpy reuses the memory


class Block(NamedTuple):
    """Consecutive records whose checksums are right."""

    first: int
    """Number of the first record, counted from 0."""
    offsets: list[int]
    """Byte of the file at which each record begins."""
    payloads: list[bytes]
    checksums: NDArray[np.uint32]
    """The checksum of each payload, shape (records,)."""


class TFRecordFile:
    """A TFRecord file, read once from beginning to end, a few megabytes at a time.

    Args:
        path: The file.
        progress: Called with the bytes read and the size of the file.

    Raises:
        ConversionError: There is no such file, or it is empty.
    """

    def __init__(self, path: str | os.PathLike[str], *, progress: Progress = silent) -> None:
        self.path = checked_path(path)
        if not os.path.isfile(self.path):
            raise ConversionError(f"{self.path}: no such file. Expected a TFRecord file.")
        self.size = os.path.getsize(self.path)
        if self.size == 0:
            raise ConversionError(f"{self.path}: empty. Expected a TFRecord file; download it again.")
        self._progress = progress
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The sha256 of what was read so far; after the last block, of the file."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[Block]:
        """Yield the records in file order.

        Raises:
            ConversionError: A checksum is wrong, a record is longer than :data:`LONGEST`, or the file ends within a
                record. Every record before the one at fault was yielded.
        """
        rest, begin, first = b"", 0, 0
        with open(self.path, "rb") as file:
            while rest or begin < self.size:
                chunk = file.read(_CHUNK)
                self._digest.update(chunk)
                buffer = rest + chunk
                block, used, problem = self._block(buffer, begin, first, last=not chunk)
                if block.payloads:
                    yield block
                if problem:
                    number = first + len(block.payloads)
                    raise ConversionError(f"{self.path}: record {number} at byte {begin + used}: {problem}")
                rest, begin, first = buffer[used:], begin + used, first + len(block.payloads)
                self._progress(begin, self.size)

    def _block(self, buffer: bytes, begin: int, first: int, *, last: bool) -> tuple[Block, int, str]:
        """Return the sound records at the start of a buffer, the bytes they take, and what is wrong behind them."""
        starts, lengths, problem = _frame(buffer, last=last)
        ends = starts + _HEADER.size + lengths
        payloads = [buffer[s + _HEADER.size : e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]
        checksums = np.array([mask(crc32c(payload)) for payload in payloads], np.uint32)
        stored = np.array([int.from_bytes(buffer[end : end + _CHECKSUM], "little") for end in ends.tolist()], np.uint32)
        wrong = np.flatnonzero(checksums != stored)
        if wrong.size:
            n = int(wrong[0])
            problem = (
                f"the checksum of its payload is {stored[n]:08x}, expected {checksums[n]:08x}: the file is damaged; "
                "download it again."
            )
            starts, ends, payloads, checksums = starts[:n], ends[:n], payloads[:n], checksums[:n]
        used = int(ends[-1]) + _CHECKSUM if ends.size else 0
        return Block(first, (starts + begin).tolist(), payloads, checksums), used, problem


def _frame(buffer: bytes, *, last: bool) -> tuple[NDArray[np.int64], NDArray[np.int64], str]:
    """Return where the complete records of a buffer start, their payloads' lengths, and what ends them, if not its end.

    A length is trusted only after its own checksum, so that a damaged one never leads anywhere.
    """
    starts, lengths, position, problem = [], [], 0, ""
    size = len(buffer)
    while position + _HEADER.size <= size:
        length, checksum = _HEADER.unpack_from(buffer, position)
        expected = _checksum_of_length(length)
        if checksum != expected:
            problem = (
                f"the checksum of its length is {checksum:08x}, expected {expected:08x}: the file is damaged, or no "
                "uncompressed TFRecord file; download it again."
            )
        elif length > LONGEST:
            problem = f"its payload has {length} bytes, expected at most {LONGEST}: no NAS-Bench-101 record."
        if problem:
            break
        end = position + _HEADER.size + length + _CHECKSUM
        if end > size:
            break
        starts.append(position)
        lengths.append(length)
        position = end
    if last and position < size and not problem:
        missing = f"of {end - position} bytes" if size - position >= _HEADER.size else "header of 12 bytes"
        problem = f"the file ends {size - position} bytes into a record {missing}: it is cut off; download it again."
    return np.array(starts, np.int64), np.array(lengths, np.int64), problem


@lru_cache(maxsize=LONGEST)
def _checksum_of_length(length: int) -> int:
    return mask(crc32c(length.to_bytes(8, "little")))


def mask(crc: int) -> int:
    """Return what a TFRecord stores for a CRC-32C: rotated right by 15 bits, plus a constant, modulo 2^32."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
