"""What a pickle has built so far: the stack, what marks have put aside, the memo; and bounds on all of them."""

from __future__ import annotations

import re
import struct
from typing import IO, Any

import numpy as np

from nasbench.sources.readers.pickle_input import AHEAD, PickleInput
from nasbench.sources.readers.pickle_limits import TooMuchError

# What an item may take: one of NATS-Bench has 50,000 values.
_DEEPEST, _MOST_CONTAINERS, _MOST_TUPLES, _WIDEST_TUPLE = 100, 2**18, 2000, 100
MOST_INTEGERS = 100
_MOST_REMEMBERED = 2**22
# The items of a curve, key and number: they are nearly all of a file, and are read many at a time. The key is a small
# number (K), or a text that came before (h, j); the number a float of eight bytes, the highest first (G).
_SHORT_TEXT, _MEMOIZE, _FLOAT = 0x8C, 0x94, ord("G")
_DOUBLE = struct.Struct(">d").unpack_from
_RUNS = {
    ord("K"): (re.compile(rb"(?:K.G.{8})+", re.DOTALL), np.dtype("V1, u1, V1, >f8")),
    ord("h"): (re.compile(rb"(?:h.G.{8})+", re.DOTALL), np.dtype("V1, u1, V1, >f8")),
    ord("j"): (re.compile(rb"(?:j.{4}G.{8})+", re.DOTALL), np.dtype("V1, <u4, V1, >f8")),
}


class PickleStack(PickleInput):
    """The values that instructions take and leave.

    Args:
        file: A binary file, at the beginning of the pickle.
    """

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        """Stacks that marks have put aside."""
        self._memo: dict[int, Any] = {}
        self._remembered = 0
        self._recent: list[int] = []
        """The places in the memo that the current item has filled."""
        self._new_item()

    def _new_item(self) -> None:
        """Begin to count anew what an item takes."""
        self._read_of_item = 0
        self._containers, self._tuples, self._integers = _MOST_CONTAINERS, _MOST_TUPLES, MOST_INTEGERS

    def _mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []
        if len(self._below) > _DEEPEST:
            raise TooMuchError(f"more than {_DEEPEST} marks inside of each other")
        first = self._data[self._place] if self._place < len(self._data) else -1
        if first in _RUNS:
            self._run_of_numbers(*_RUNS[first])
        elif first == _SHORT_TEXT:
            self._run_of_named_numbers()

    def _run_of_numbers(self, pattern: re.Pattern[bytes], form: np.dtype[Any]) -> None:
        found = pattern.match(self._data, self._place, self._place + AHEAD)
        if found:
            numbers = np.frombuffer(found[0], form)
            keys = numbers["f1"].tolist()
            items: list[Any] = [None] * (2 * len(keys))
            items[::2] = keys if found[0][:1] == b"K" else [self._memo[key] for key in keys]
            items[1::2] = numbers["f3"].tolist()
            self._stack = items
            self._place = found.end()

    def _run_of_named_numbers(self) -> None:
        """Read texts that come for the first time, each with a number: SHORT_BINUNICODE, MEMOIZE, BINFLOAT."""
        data, place, stack, texts = self._data, self._place, self._stack, []
        end = min(len(data), place + AHEAD) - 300
        while place < end and data[place] == _SHORT_TEXT:
            after = place + 2 + data[place + 1]
            if data[after] != _MEMOIZE or data[after + 1] != _FLOAT:
                break
            text = data[place + 2 : after].decode("utf-8", "surrogatepass")
            texts.append(text)
            stack += text, _DOUBLE(data, after + 2)[0]
            place = after + 10
        self._place = place
        places = range(self._remembered, self._remembered + len(texts))
        self._memo.update(zip(places, texts, strict=True))
        self._recent += places
        self._remembered += len(texts)

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._below.pop()
        return items

    def _made(self) -> None:
        self._containers -= 1
        if self._containers < 0:
            raise TooMuchError(f"more than {_MOST_CONTAINERS:,} containers in one item")

    def _tuple_of(self, n: int) -> None:
        items = tuple(self._stack[-n:])
        del self._stack[-n:]
        self._keep_tuple(items)

    def _keep_tuple(self, items: tuple[Any, ...]) -> None:
        """Put a tuple on the stack: small, flat, and few but for arguments of calls, since tuples may be keys."""
        self._tuples -= 1
        if self._tuples < 0 or len(items) > _WIDEST_TUPLE or any(type(item) is tuple for item in items):
            raise TooMuchError("large tuples, tuples of tuples, or many of them")
        self._stack.append(items)

    def _container(self, kind: type) -> Any:
        if type(self._stack[-1]) is not kind:
            raise TypeError(f"items of a {type(self._stack[-1]).__name__}, expected a {kind.__name__}")
        return self._stack[-1]

    def _put(self, place: int) -> None:
        self._remembered += place not in self._memo
        if len(self._memo) > _MOST_REMEMBERED:
            raise TooMuchError(f"a memo of more than {_MOST_REMEMBERED:,} values")
        self._memo[place] = self._stack[-1]
        self._recent.append(place)

    def _get(self, place: int) -> None:
        if place not in self._memo:
            raise LookupError("an item refers to what was not put, or to another item")
        self._stack.append(self._memo[place])
