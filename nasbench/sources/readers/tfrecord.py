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
from numpy.typing import NDArray

from nasbench.errors import ConversionError
from nasbench.sources import Progress, silent
from nasbench.system.files import checked_path

LONGEST = 2**16
"""Longest payload in bytes that is read: a NAS-Bench-101 record has about 400, an EC-NAS record about 800."""

_HEADER = struct.Struct("<QI")
_CHECKSUM = 4
_CHUNK = 2**21  # fits a processor cache, and numpy reuses the memory
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), reflected
_ONES = 0xFFFFFFFF


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
        checksums = mask(crc32c(buffer, starts + _HEADER.size, lengths))
        ends = starts + _HEADER.size + lengths
        stored = np.array([int.from_bytes(buffer[end : end + _CHECKSUM], "little") for end in ends.tolist()], np.uint32)
        wrong = np.flatnonzero(checksums != stored)
        if wrong.size:
            n = int(wrong[0])
            problem = (
                f"the checksum of its payload is {stored[n]:08x}, expected {checksums[n]:08x}: the file is damaged; "
                "download it again."
            )
            starts, ends, checksums = starts[:n], ends[:n], checksums[:n]
        payloads = [buffer[s + _HEADER.size : e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]
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
    return int(mask(crc32c(length.to_bytes(8, "little"), np.array([0]), np.array([8])))[0])


def mask(crc: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return what a TFRecord stores for a CRC-32C: rotated right by 15 bits, plus a constant."""
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(0xA282EAD8)


def crc32c(data: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Return the CRC-32C (RFC 3720, appendix B.4) of many stretches of ``data``, shape (n,).

    All stretches advance together, four bytes a step (Kounavis & Berry, "A Systematic Approach to Building High
    Performance Software-based CRC Generators", 2005, with two tables of 16 bits). Stretches of different lengths are
    aligned at their ends: zeros in front leave a register of zeros as it is, and since a CRC is linear, the usual
    initial value of ones is added afterwards, as the register that it alone would have left.
    """
    result = np.empty(len(starts), np.uint32)
    longest = -(-int(lengths.max(initial=0)) // 4) * 4
    if not longest:
        result[:] = 0
        return result
    padded = bytes(longest) + data
    low, high = _tables()
    of_ones = _register_of_ones(longest)
    rows = max(1, _CHUNK // longest)
    for at in range(0, len(starts), rows):
        length = lengths[at : at + rows]
        # All windows of the longest length, overlapping; those that end with a stretch are copied out.
        windows = np.ndarray((len(data) + 1,), np.dtype((np.void, longest)), padded, strides=(1,))
        window = windows[starts[at : at + rows] + length].view(np.uint8).reshape(-1, longest)
        # Whatever stands before a shorter stretch becomes zeros.
        before = longest - length
        margin = window[:, : before.max(initial=0)]
        margin[np.arange(margin.shape[1]) < before[:, None]] = 0
        register = np.zeros(len(length), "<u4")
        for word in np.ascontiguousarray(window.view("<u4").T):
            register ^= word
            halves = register.view("<u2")
            register = low.take(halves[::2]) ^ high.take(halves[1::2])
        result[at : at + rows] = register ^ of_ones[length] ^ np.uint32(_ONES)
    return result


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What two bytes leave in the register after themselves and two zero bytes, and after themselves alone."""
    register = np.arange(2**16, dtype=np.uint32)
    for _ in range(16):
        register = (register >> np.uint32(1)) ^ (register & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    return register[register & np.uint32(0xFFFF)] ^ (register >> np.uint32(16)), register


@lru_cache(maxsize=4)
def _register_of_ones(longest: int) -> NDArray[np.uint32]:
    """The register after 0, 1, ..., ``longest`` zero bytes that follow the initial value of ones."""
    table = _tables()[1]
    result = np.empty(longest + 1, np.uint32)
    register = _ONES
    for i in range(longest + 1):
        result[i] = register
        # Table of one byte: the last of two bytes of which the first is zero.
        register = (register >> 8) ^ int(table[(register & 0xFF) << 8])
    return result
