"""The stack machine that the instructions of pickles are for, as far as results need it, and bounds on it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np

from nasbench.sources.readers.pickle_bounds import TooMuchError
from nasbench.sources.readers.safe_pickle import DType, refused_global, refused_reference

_READ = 2**20
_AHEAD = 2**16
"""Bytes that are there when an instruction starts: more than any run of numbers that is read at once."""
_LONGEST_TEXT = 2**24
# What an item may take, and what may be kept of all: an item of NATS-Bench has 330,000 bytes and 50,000 values; of each
# item of its size space 88 short texts are kept, 3 million in all.
_LONGEST_ITEM = 2**23
_DEEPEST, _MOST_CONTAINERS, _MOST_TUPLES, _WIDEST_TUPLE = 100, 2**18, 2000, 100
_MOST_REMEMBERED, MOST_KEPT = 2**22, 2**28
_LONGEST_INTEGER, _MOST_INTEGERS = 8, 100
# The items of a curve, key and number: they are nearly all of a file, and are read many at a time. The key is a small
# number (K), or a text that came before (h, j); the number a float of eight bytes, the highest first (G).
_SHORT_TEXT, _MEMOIZE, _FLOAT = 0x8C, 0x94, ord("G")
_DOUBLE = struct.Struct(">d").unpack_from
_RUNS = {
    ord("K"): (re.compile(rb"(?:K.G.{8})+", re.DOTALL), np.dtype("V1, u1, V1, >f8")),
    ord("h"): (re.compile(rb"(?:h.G.{8})+", re.DOTALL), np.dtype("V1, u1, V1, >f8")),
    ord("j"): (re.compile(rb"(?:j.{4}G.{8})+", re.DOTALL), np.dtype("V1, <u4, V1, >f8")),
}


class Machine:
    """What has been read, the stack and the memo; its methods are the instructions, by their names in pickletools.

    Args:
        file: A binary file, at the beginning of the pickle.
        name: What errors call it.
        allowed: ``"module.name"`` to the object to use for it.
        advice: What to do instead, for the refusal of an unsafe file.
    """

    def __init__(self, file: IO[bytes], name: str, allowed: Mapping[str, Any], advice: str) -> None:
        self._file, self._name, self._allowed, self._advice = file, name, allowed, advice
        self._data, self._place, self._ended = b"", 0, False
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        """Stacks that marks have put aside."""
        self._memo: dict[int, Any] = {}
        self._remembered = 0
        self._recent: list[int] = []
        self._kept = 0
        self._new_item()
        self._done: dict[int, Callable[[], None]] = {
            code: getattr(self, f"_{method}") for codes, method in _INSTRUCTIONS.items() for code in codes
        }

    def left(self) -> int:
        """Return how many bytes were read that follow the pickle; more than none if any follow."""
        if self._place == len(self._data) and not self._ended:
            self._more()
        return len(self._data) - self._place

    def _new_item(self) -> None:
        """Begin to count anew what an item takes."""
        self._read_of_item = 0
        self._containers, self._tuples, self._integers = _MOST_CONTAINERS, _MOST_TUPLES, _MOST_INTEGERS

    # Bytes.

    def _next(self) -> int:
        if len(self._data) - self._place < _AHEAD and not self._ended:
            self._more()
        if self._place == len(self._data):
            raise EOFError("it ends in the middle")
        self._place += 1
        return self._data[self._place - 1]

    def _more(self) -> None:
        parts = [self._data[self._place :]]
        have = len(parts[0])
        while have < 2 * _AHEAD and not self._ended:
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

    # Instructions, by their names in pickletools.

    def _ignore_1(self) -> None:  # PROTO
        self._take(1)

    def _ignore_8(self) -> None:  # FRAME
        self._take(8)

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
        found = pattern.match(self._data, self._place, self._place + _AHEAD)
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
        end = min(len(data), place + _AHEAD) - 300
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

    def _pop(self) -> None:
        self._stack.pop()

    def _pop_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._below.pop()
        return items

    def _none(self) -> None:
        self._stack.append(None)

    def _true(self) -> None:
        self._stack.append(True)

    def _false(self) -> None:
        self._stack.append(False)

    def _empty_dict(self) -> None:
        self._stack.append({})
        self._made()

    def _empty_list(self) -> None:
        self._stack.append([])
        self._made()

    def _empty_tuple(self) -> None:
        self._stack.append(())

    def _empty_set(self) -> None:
        self._stack.append(set())
        self._made()

    def _made(self) -> None:
        self._containers -= 1
        if self._containers < 0:
            raise TooMuchError(f"more than {_MOST_CONTAINERS:,} containers in one item")

    def _int_1(self) -> None:
        self._stack.append(self._number("<B"))

    def _int_2(self) -> None:
        self._stack.append(self._number("<H"))

    def _int_4(self) -> None:
        self._stack.append(self._number("<i"))

    def _long_1(self) -> None:
        digits = self._take(self._number("<B"))
        self._integers -= len(digits) > _LONGEST_INTEGER  # such can all have one hash
        if self._integers < 0:
            raise TooMuchError(f"more than {_MOST_INTEGERS} integers of more than 64 bits in one item")
        self._stack.append(int.from_bytes(digits, "little", signed=True))

    def _float(self) -> None:
        self._stack.append(self._number(">d"))

    def _text_1(self) -> None:
        self._stack.append(self._take(self._number("<B")).decode("utf-8", "surrogatepass"))

    def _text_4(self) -> None:
        self._stack.append(self._take(self._number("<I")).decode("utf-8", "surrogatepass"))

    def _bytes_1(self) -> None:
        self._stack.append(self._take(self._number("<B")))

    def _bytes_4(self) -> None:
        self._stack.append(self._take(self._number("<I")))

    def _tuple(self) -> None:
        self._keep_tuple(tuple(self._pop_mark()))

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

    def _tuple_1(self) -> None:
        self._tuple_of(1)

    def _tuple_2(self) -> None:
        self._tuple_of(2)

    def _tuple_3(self) -> None:
        self._tuple_of(3)

    def _append(self) -> None:
        item = self._stack.pop()
        self._container(list).append(item)

    def _appends(self) -> None:
        items = self._pop_mark()
        self._container(list).extend(items)

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._container(dict)[key] = value

    def _set_items(self) -> None:
        items = self._pop_mark()
        self._container(dict).update(zip(items[::2], items[1::2], strict=True))

    def _add_items(self) -> None:
        items = self._pop_mark()
        self._container(set).update(items)

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

    def _memoize(self) -> None:
        self._put(self._remembered)

    def _put_1(self) -> None:
        self._put(self._number("<B"))

    def _put_4(self) -> None:
        self._put(self._number("<I"))

    def _get_1(self) -> None:
        self._get(self._number("<B"))

    def _get_4(self) -> None:
        self._get(self._number("<I"))

    def _global(self) -> None:
        module, name = self._line(), self._line()
        self._stack.append(self._found(module, name))

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError("a global whose name is no text")
        self._stack.append(self._found(module, name))

    def _found(self, module: Any, name: Any) -> Any:
        try:
            return self._allowed[f"{module}.{name}"]
        except KeyError:
            raise refused_global(self._name, f"{module}.{name}", self._allowed, self._advice) from None

    def _reduce(self) -> None:
        arguments, call = self._stack.pop(), self._stack.pop()
        self._tuples += type(arguments) is tuple
        self._made()
        self._stack.append(call(*arguments))  # only what was given by name can be called

    def _build(self) -> None:
        state = self._stack.pop()
        self._tuples += type(state) is tuple
        if not isinstance(self._stack[-1], DType):
            raise TypeError(f"a state for a {type(self._stack[-1]).__name__}")
        self._stack[-1].__setstate__(state)

    def _persistent(self) -> None:
        raise refused_reference(self._name, self._advice)


_INSTRUCTIONS = {
    b"\x80": "ignore_1",
    b"\x95": "ignore_8",
    b"(": "mark",
    b"0": "pop",
    b"1": "pop_mark",
    b"N": "none",
    b"\x88": "true",
    b"\x89": "false",
    b"}": "empty_dict",
    b"]": "empty_list",
    b")": "empty_tuple",
    b"\x8f": "empty_set",
    b"K": "int_1",
    b"M": "int_2",
    b"J": "int_4",
    b"\x8a": "long_1",
    b"G": "float",
    b"\x8c": "text_1",
    b"X": "text_4",
    b"CU": "bytes_1",
    b"BT": "bytes_4",
    b"t": "tuple",
    b"\x85": "tuple_1",
    b"\x86": "tuple_2",
    b"\x87": "tuple_3",
    b"a": "append",
    b"e": "appends",
    b"s": "set_item",
    b"u": "set_items",
    b"\x90": "add_items",
    b"\x94": "memoize",
    b"q": "put_1",
    b"r": "put_4",
    b"h": "get_1",
    b"j": "get_4",
    b"c": "global",
    b"\x93": "stack_global",
    b"R": "reduce",
    b"b": "build",
    b"PQ": "persistent",
}
"""Codes to what each does: protocols 2 to 4, as far as results use them."""
