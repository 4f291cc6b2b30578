"""Texts that come from files, made fit for a terminal."""

from __future__ import annotations


def printable(text: object) -> str:
    r"""Return a text whose control characters cannot reach a terminal: each is spelled, as ``\x1b``; lines stay lines.

    That includes the marks that turn the direction of writing, which would show another text than is there.
    """
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode() for char in str(text)
    )
