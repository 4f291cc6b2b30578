"""The bytes of a pickle, read ahead, and no more of them for one item than results need."""

from __future__ import annotations

import struct
from typing import IO, Any

from nasbench.sources.readers.pickle_limits import TooMuchError

_READ = 2**20
AHEAD = 2**16
"""Bytes that are there when an instruction starts: more than any run of numbers that is read at once."""
_LONGEST_TEXT = 2**24
_LONGEST_ITEM = 2**23
"""Bytes of one item: an item of NATS-Bench has 330,000."""


class PickleInput:
    """What has been read of a file, and the place in it.

    Args:
        file: A binary file, at the beginning of the pickle.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._data, self._place, self._ended = b"", 0, False
        self._read_of_item = 0

    def left(self) -> int:
        """Return how many bytes were read that follow the pickle; more than none if any follow."""
        if self._place == len(self._data) and not self._ended:
            self._more()
        return len(self._data) - self._place

    def _next(self) -> int:
        if len(self._data) - self._place < AHEAD and not self._ended:
            self._more()
        if self._place == len(self._data):
            raise EOFError("it ends in the middle")
        self._place += 1
        return self._data[self._place - 1]

    def _more(self) -> None:
        parts = [self._data[self._place :]]
        have = len(parts[0])
        while have < 2 * AHEAD and not self._ended:
            parts.append(self._read())
            have += len(parts[-1])
            self._ended = not parts[-1]
        self._data, self._place = b"".join(parts), 0

    def _read(self) -> bytes:
        part = self._file.read(_READ)
        self._read_of_item += len(part)
        if self._read_of_item > _LONGEST_ITEM:
            raise TooMuchError(f"more than {_LONGEST_ITEM:,} bytes for one item")
        return part

    def _take(self, n: int) -> bytes:
        if n > _LONGEST_TEXT:
            raise ValueError(f"a text of {n:,} bytes, which no results hold")
        while len(self._data) - self._place < n:
            if self._ended:
                raise EOFError("it ends in the middle")
            rest = self._data[self._place :]
            self._data, self._place = b"".join([rest, self._read()]), 0
            self._ended = len(self._data) == len(rest)
        self._place += n
        return self._data[self._place - n : self._place]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        end = self._data.index(b"\n", self._place, self._place + 1000)
        return self._take(end + 1 - self._place)[:-1].decode()
