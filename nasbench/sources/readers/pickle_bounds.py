"""How much a pickle may ask for: checked before Python's own reader follows it.

That reader is fast, and believes what it reads. Seven bytes make it ask for 64 GB (a place in its memo); a tuple of
tuples of tuples that share their items is hashed item by item for hours, or until the stack of the processor overflows;
ten thousand keys with one hash take as long as their square. So the instructions are gone through first, without
building anything (pickletools.py documents each): what they push, what they remember, and how much of it tuples hold.
Long curves, nearly all of a file, are passed over in bulk, and files that differ in numbers and texts alone at once.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Callable
from functools import cache

import numpy as np

VALUES = 2**20
"""Values that a pickle may hold, unless a reader allows more; an architecture of NATS-Bench has 50,000."""
LONGEST = 2**26
"""Bytes of a pickle that is read whole."""
_MOST_CONTAINERS = 2**18
_DEEPEST = 500
_MOST_TUPLES = 2000
"""Tuples that are kept, not passed to a call at once: the only keys that a file can give one hash."""
_MOST_STEPS = 2**22
_MOST_LAYOUTS, _LARGEST_LAYOUT, _MOST_STRETCHES = 32, 2**20, 2**14
# Integers beyond 64 bits can have one hash too, and reading their digits takes as long as the square of their number.
_SHORT_INTEGER, _LONGEST_INTEGER, _MOST_INTEGERS = 8, 1000, 1000
_LONGEST_LINE = 4096

_TOO_MANY = "too many containers, tuples or long integers"

_SMALL_NUMBERS = re.compile(rb"(?:K.G.{8})+", re.DOTALL)
_SHORT_PLACES = re.compile(rb"(?:h.G.{8})+", re.DOTALL)
_LONG_PLACES = re.compile(rb"(?:j.{4}G.{8})+", re.DOTALL)
_STOP, _FLOAT = ord("."), ord("G")
_REMEMBERED, _FLOAT_FOLLOWS = b"\x94", b"\x94G"
_SCALARS = {ord("M"): 3, ord("J"): 5, ord("G"): 9, ord("N"): 1, ord(")"): 1, 0x88: 1, 0x89: 1}
"""What pushes one value, to the bytes that it takes."""
# What instructions take from the stack above the last mark, and whether they put one value there; a mark is None.
_EFFECTS: dict[bytes, tuple[int | None, bool]] = {
    b"NILFSVKMJGTUBCXcP]})\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x96\x97\x82\x83\x84": (0, True),
    b"\x80\x95\x98": (0, False),
    b"ab": (1, False),
    b"s": (2, False),
    b"Q": (1, True),
    b"R\x81\x93": (2, True),
    b"\x92": (3, True),
    b"\x85": (1, True),
    b"\x86": (2, True),
    b"\x87": (3, True),
    b"eu\x901": (None, False),
    b"ldiot\x91": (None, True),
}
_EFFECT = {code: effect for codes, effect in _EFFECTS.items() for code in codes}
_TUPLES, _CONTAINERS = frozenset(b"t\x85\x86\x87\x91"), frozenset(b"]}\x8fldioR\x81\x92")
_CALLS = frozenset(b"Rb\x81\x92")
_INTEGERS = frozenset(b"\x8a\x8bIL")
_PUTS = frozenset(b"qrp")
_SIZES = {ord(opcode.code): opcode.arg.n if opcode.arg else 0 for opcode in pickletools.opcodes}
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_TWO_LINES = frozenset(b"ci")


class TooMuchError(ValueError):
    """A pickle asks for more than any results; the text says for what."""


def end_of_pickle(data: bytes, values: int = VALUES) -> int:
    """Return where the pickle at the start of the data ends.

    Args:
        data: The pickle, and what follows it.
        values: How many values it may hold; what tuples hold counts each time that they are put somewhere.

    Raises:
        TooMuchError: It asks for more than real results do.
        ValueError: Its instructions make no sense.
        EOFError: It has no end.
    """
    key = len(data), values
    known = _layouts.get(key)
    if known is not None and known.fits(data):
        return known.end
    walk = _Walk(data, values)
    end = walk.end()
    if len(data) <= _LARGEST_LAYOUT and len(walk.free) < _MOST_STRETCHES:
        while len(_layouts) >= _MOST_LAYOUTS:
            _layouts.pop(next(iter(_layouts)), None)
        _layouts[key] = _Layout(data, end, walk.free)
    return end


class _Layout:
    """The bytes of a pickle that was gone through, without those that any number or text may stand for.

    Files of one archive are alike in all others, and need no second walk.
    """

    def __init__(self, data: bytes, end: int, free: list[tuple[int, ...]]) -> None:
        self.end = end
        fixed = np.ones(len(data), bool)
        for start, stop, width, first, last in free:
            fixed[start:stop].reshape(-1, width)[:, first:last] = False
        self._places = np.flatnonzero(fixed)
        self._bytes = np.frombuffer(data, np.uint8)[self._places].tobytes()

    def fits(self, data: bytes) -> bool:
        """Tell whether a pickle of the same length has the same bytes."""
        return np.frombuffer(data, np.uint8).take(self._places).tobytes() == self._bytes


_layouts: dict[tuple[int, int], _Layout] = {}


class _Walk:
    """The weights of what lies on the stack: 1, or for a tuple what hashing it takes, twice that of tuples in it.

    So a tuple inside of tuples weighs a million at the latest when it is twenty deep, and none may weigh as much.
    """

    def __init__(self, data: bytes, values: int) -> None:
        self._data, self._left = data, values
        self._place = 0
        self.free: list[tuple[int, ...]] = []
        """Where numbers and texts lie: from, to, the width of each and its key, and from where to where in that."""
        self._stack: list[int] = []
        self._below: list[list[int]] = []
        self._heavy: dict[int, int] = {}
        """The weights of the tuples that are remembered, by their places."""
        self._remembered = 0
        self._put = False
        self._containers, self._tuples, self._integers = _MOST_CONTAINERS, _MOST_TUPLES, _MOST_INTEGERS
        self._steps: dict[int, Callable[[int], None]] = {
            0x8C: self._text,
            0x94: self._memoize,
            **dict.fromkeys(b"eu\x901", self._items),
            **dict.fromkeys(b"]}\x8f", self._container),
            ord("("): self._mark,
            ord("K"): self._small_number,
            ord("h"): self._get,
            ord("j"): self._long_get,
        }

    def end(self) -> int:
        data, steps, place = self._data, self._steps, 0
        for _ in range(_MOST_STEPS):
            try:
                code = data[place]
                step = steps.get(code)
                if step is not None:
                    step(place)
                elif code in _SCALARS:
                    self._stack.append(1)
                    self._left -= 1
                    width = _SCALARS[code]
                    self._place = place + width
                    if width > 1:
                        self._free(place + 1, place + width, width - 1, 0, width - 1)
                elif code == _STOP:
                    return place + 1
                else:
                    self._other(code)
            except (IndexError, KeyError):
                if place >= len(data):
                    raise EOFError("it ends in the middle") from None
                raise ValueError(f"instruction {bytes([code])!r} at byte {place} makes no sense") from None
            if self._left < 0:
                raise TooMuchError("too many values")
            place = self._place
        raise TooMuchError("too many instructions")

    def _mark(self, place: int) -> None:
        self._place = place + 1
        self._below.append(self._stack)
        self._stack = []
        if len(self._below) > _DEEPEST:
            raise TooMuchError(f"more than {_DEEPEST} marks inside of each other")

    def _items(self, place: int) -> None:
        """Follow what puts the values above the mark into a list, dictionary or set, or drops them."""
        self._stack = self._below.pop()
        self._place = place + 1

    def _container(self, place: int) -> None:
        self._push(1)
        self._containers -= 1
        self._place = place + 1
        if self._containers < 0:
            raise TooMuchError(_TOO_MANY)

    def _memoize(self, place: int) -> None:
        self._place = place + 1
        if self._put:
            raise ValueError("two ways to number what is remembered")
        if self._stack[-1] > 1:
            self._heavy[self._remembered] = self._stack[-1]
        self._remembered += 1

    def _small_number(self, place: int) -> None:
        if self._data[place + 2] != _FLOAT or not self._keyed_run(place, _SMALL_NUMBERS, 11):
            self._push(1)
            self._place = place + 2
            self._free(place + 1, place + 2, 1, 0, 1)

    def _get(self, place: int) -> None:
        if self._data[place + 2] == _FLOAT and self._keyed_run(place, _SHORT_PLACES, 11):
            return
        self._got(self._data[place + 1])
        self._place = place + 2

    def _long_get(self, place: int) -> None:
        if self._data[place + 5] == _FLOAT and self._keyed_run(place, _LONG_PLACES, 14):
            return
        self._got(int.from_bytes(self._data[place + 1 : place + 5], "little"))
        self._place = place + 5

    def _got(self, number: int) -> None:
        weight = self._heavy.get(number, 1)
        self._push(weight)
        if weight > 1:
            self._tuples -= 1
            if self._tuples < 0:
                raise TooMuchError(_TOO_MANY)

    def _text(self, place: int) -> None:
        """Pass over a short text and that it is remembered, or over numbers with such texts of one length as keys."""
        length = self._data[place + 1]
        end = place + length + 2
        after = self._data[end : end + 2]
        found = None
        if after == _FLOAT_FOLLOWS and not self._put:
            found = _named(length).match(self._data, place)
        if found is not None:
            count = len(found[0]) // (length + 12)
            self._remembered += count
            self._pushed(2 * count, found.end(), length + 12, ((2, 2 + length), (length + 4, length + 12)))
        elif end > len(self._data):
            raise EOFError("it ends in the middle")
        else:
            self._place = end
            self._push(1)
            self._free(place + 2, end, length or 1, 0, length)
            if after[:1] == _REMEMBERED and not self._put:
                self._place += 1
                self._remembered += 1

    def _other(self, code: int) -> None:
        argument = self._argument(code)
        if code == ord("g"):
            self._got(int(argument))
        elif code in _PUTS:
            place = int(argument) if code == ord("p") else int.from_bytes(argument, "little")
            if place >= VALUES:
                raise TooMuchError(f"a memo of {place:,} values")
            if self._remembered:
                raise ValueError("two ways to number what is remembered")
            self._put = True
            self._heavy.pop(place, None)
            if self._stack[-1] > 1:
                self._heavy[place] = self._stack[-1]
        elif code == ord("0"):
            if self._stack or not self._below:
                self._stack.pop()
            else:
                self._stack = self._below.pop()
        elif code == ord("2"):
            self._push(self._stack[-1])
        else:
            self._effect(code, argument)

    def _effect(self, code: int, argument: bytes) -> None:
        taken, pushes = _EFFECT[code]
        if taken is None:
            items, self._stack = self._stack, self._below.pop()
        else:
            items = self._stack[len(self._stack) - taken :] if taken else []
            if len(items) < taken:
                raise IndexError
            del self._stack[len(self._stack) - taken :]
        if code in _CALLS:
            self._tuples += items[-1] > 1
        if code in _CONTAINERS:
            self._containers -= 1
        if code in _INTEGERS and len(argument) > (2 if code in b"IL" else 1) * _SHORT_INTEGER:
            self._integers -= 1
            if len(argument) > _LONGEST_INTEGER:
                raise TooMuchError(f"an integer of {len(argument)} bytes")
        if code in _TUPLES:
            self._tuples -= 1
            self._push(1 + sum(items) + sum(weight for weight in items if weight > 1))
        elif pushes:
            self._push(1)
        if min(self._containers, self._tuples, self._integers) < 0:
            raise TooMuchError(_TOO_MANY)

    def _push(self, weight: int) -> None:
        self._stack.append(weight)
        self._left -= weight

    def _argument(self, code: int) -> bytes:
        """Return the argument of the instruction, and go behind it."""
        data, start, size = self._data, self._place + 1, _SIZES[code]
        if size == pickletools.UP_TO_NEWLINE:
            end = start
            for _ in range(2 if code in _TWO_LINES else 1):
                end = data.find(b"\n", end, end + _LONGEST_LINE) + 1
                if not end:
                    raise ValueError("a line without an end")
            self._place = end
            return data[start : end - 1]
        if size in _LENGTHS:
            width = _LENGTHS[size]
            start, size = start + width, int.from_bytes(data[start : start + width], "little")
            self._free(start, start + size, size or 1, 0, size)
        self._place = start + size
        if self._place > len(data):
            raise EOFError("it ends in the middle")
        return data[start : self._place]

    def _keyed_run(self, place: int, pattern: re.Pattern[bytes], width: int) -> bool:
        """Pass over numbers with keys that are small numbers, or were remembered."""
        found = pattern.match(self._data, place)
        if found is None:
            return False
        if self._heavy and pattern is not _SMALL_NUMBERS:
            keys = found[0][1::11] if width == 11 else np.frombuffer(found[0], "V1, <u4, V9")["f1"].tolist()
            if not self._heavy.keys().isdisjoint(keys):
                return False
        key = ((1, 2),) if pattern is _SMALL_NUMBERS else ()
        self._pushed(2 * (len(found[0]) // width), found.end(), width, (*key, (width - 8, width)))
        return True

    def _pushed(self, count: int, end: int, width: int, free: tuple[tuple[int, int], ...]) -> None:
        self._stack += [1] * count
        self._left -= count
        for first, last in free:
            self._free(self._place, end, width, first, last)
        self._place = end

    def _free(self, *stretch: int) -> None:
        if len(self.free) < _MOST_STRETCHES:
            self.free.append(stretch)


@cache
def _named(length: int) -> re.Pattern[bytes]:
    return re.compile(b"(?:\x8c%s.{%d}\x94G.{8})+" % (re.escape(bytes([length])), length), re.DOTALL)
