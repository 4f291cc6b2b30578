"""What each instruction of pickles takes and leaves, and how long its argument is; pickletools.py documents each."""

from __future__ import annotations

import pickletools

SCALARS = {ord("M"): 3, ord("J"): 5, ord("G"): 9, ord("N"): 1, ord(")"): 1, 0x88: 1, 0x89: 1}
"""What pushes one value, to the bytes that it takes."""
# What instructions take from the stack above the last mark (None: all, and the mark), and whether they put one value
# there.
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
EFFECT = {code: effect for codes, effect in _EFFECTS.items() for code in codes}
TUPLES, CONTAINERS = frozenset(b"t\x85\x86\x87\x91"), frozenset(b"]}\x8fldioR\x81\x92")
CALLS = frozenset(b"Rb\x81\x92")
INTEGERS = frozenset(b"\x8a\x8bIL")
PUTS = frozenset(b"qrp")
SIZES = {ord(opcode.code): opcode.arg.n if opcode.arg else 0 for opcode in pickletools.opcodes}
LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
TWO_LINES = frozenset(b"ci")
