"""Protocol buffers on the wire, without a schema: https://protobuf.dev/programming-guides/encoding/."""

from __future__ import annotations

import struct
from collections.abc import Iterator

# Wire types; the two others, groups, were deprecated before any format that is read here.
_VARINT, _DOUBLE, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTH = {_DOUBLE: 8, _FIXED32: 4}
_double = struct.Struct("<d").unpack_from


def fields(message: bytes) -> Iterator[tuple[int, int | float | bytes, int, int]]:
    """Yield the number and value of each field of a message, in order, and the bytes that hold the value: begin, end.

    The type of a value is that of the wire: an unsigned integer (wire type 0), a double (1; nothing tells it from a
    64-bit integer), or raw bytes (2 and 5); so a caller picks the fields it knows by number and type, and skips others.

    Raises:
        ValueError: The bytes are no message. The text says what is wrong at which byte of it; the caller says where
            the message came from.
    """
    position, end = 0, len(message)
    while position < end:
        start = position
        tag, position = varint(message, position)
        number, wire = tag >> 3, tag & 7
        value: int | float | bytes
        if number == 0:
            raise ValueError(f"field number 0 at byte {start}, expected 1 or more")
        if wire == _VARINT:
            begin = position
            value, position = varint(message, begin)
        elif wire == _BYTES or wire in _WIDTH:
            length, begin = varint(message, position) if wire == _BYTES else (_WIDTH[wire], position)
            position = begin + length
            if position > end:
                raise ValueError(f"field {number} at byte {start} ends at byte {position} of {end}")
            value = _double(message, begin)[0] if wire == _DOUBLE else message[begin:position]
        else:
            raise ValueError(f"wire type {wire} at byte {start}, expected 0, 1, 2 or 5")
        yield number, value, begin, position


def varint(message: bytes, position: int = 0) -> tuple[int, int]:
    """Return the unsigned integer that starts at a position, seven bits a byte, and the position behind it.

    Raises:
        ValueError: There is none, or it has more than 64 bits.
    """
    value = shift = 0
    for place in range(position, min(position + 10, len(message))):
        byte = message[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and value < 2**64:
            return value, place + 1
        shift += 7
    raise ValueError(f"no number of at most 64 bits at byte {position}")
