"""MD5 (RFC 1321) of many messages of one length at once.

hashlib spends most of a short message's time on the call; here a message is a lane of numpy's arrays. Messages and
digests are uint32 arrays with a message a column, their bytes in little-endian order, as MD5 reads them.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SINES = tuple(int(abs(np.sin(i + 1)) * 2**32) for i in range(64))
_ROTATIONS = (7, 12, 17, 22) * 4 + (5, 9, 14, 20) * 4 + (4, 11, 16, 23) * 4 + (6, 10, 15, 21) * 4


def blank(length: int, n: int) -> NDArray[np.uint32]:
    """Return n messages of so many zero bytes, with their padding, shape (words, n)."""
    words = np.zeros(((length + 8) // 64 * 16 + 16, n), np.uint32)
    words[length // 4] = 0x80 << length % 4 * 8
    words[-2] = length * 8
    return words


def write(messages: NDArray[np.uint32], at: int, content: bytes | NDArray[np.uint32]) -> None:
    """Write over the zero bytes from byte ``at`` of each message: one text, or words of shape (k, n)."""
    if isinstance(content, bytes):
        padded = content.ljust(-(-len(content) // 4) * 4, b"\0")
        content = np.frombuffer(padded, "<u4").astype(np.uint32)[:, None]
    first, shift = at // 4, np.uint32(at % 4 * 8)
    last = first + len(content)
    if shift == 0:
        messages[first:last] |= content
    else:
        messages[first:last] |= content << shift
        messages[first + 1 : last + 1] |= content >> (np.uint32(32) - shift)


def digests(messages: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the digests of padded messages, shape (4, n)."""
    state = np.repeat(np.array(_START, np.uint32)[:, None], messages.shape[1], axis=1)
    turned = np.empty_like(state[0])
    for block in range(0, len(messages), 16):
        words = messages[block : block + 16]
        a, b, c, d = state.copy()
        f = np.empty_like(a)
        for i in range(64):
            if i < 16:  # (b & c) | (~b & d)
                word = i
                np.bitwise_xor(c, d, out=f)
                f &= b
                f ^= d
            elif i < 32:  # (d & b) | (~d & c)
                word = (5 * i + 1) % 16
                np.bitwise_xor(b, c, out=f)
                f &= d
                f ^= c
            elif i < 48:
                word = (3 * i + 5) % 16
                np.bitwise_xor(b, c, out=f)
                f ^= d
            else:
                word = 7 * i % 16
                np.invert(d, out=f)
                f |= b
                f ^= c
            f += a
            f += np.uint32(_SINES[i])
            f += words[word]
            np.left_shift(f, np.uint32(_ROTATIONS[i]), out=turned)
            f >>= np.uint32(32 - _ROTATIONS[i])
            f |= turned
            f += b
            a, b, c, d, f = d, f, b, c, a
        state += (a, b, c, d)
    return state


def hexadecimal(digests: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the digests as 32 hexadecimal digits each, words of shape (8, n)."""
    words = np.empty((8, digests.shape[1]), np.uint32)
    words[0::2] = _digits()[digests & np.uint32(0xFFFF)]
    words[1::2] = _digits()[digests >> np.uint32(16)]
    return words


@cache
def _digits() -> NDArray[np.uint32]:
    """Return the four digits, as one word, of every two bytes."""
    two = np.frombuffer(b"".join(b"%02x" % i for i in range(256)), "<u2").astype(np.uint32)
    return (two[None, :] | two[:, None] << np.uint32(16)).ravel()
