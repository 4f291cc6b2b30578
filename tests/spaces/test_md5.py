"""MD5 on arrays against hashlib: every length around the borders of blocks, pieces at every offset of a word."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from nasbench.spaces.nb101 import md5 as md5_of_many


def words(content):
    """Rows of bytes, whose number is a multiple of four, as words with a message a column."""
    return np.array(
        [[int.from_bytes(row[i : i + 4], "little") for row in content] for i in range(0, len(content[0]), 4)]
    )


@pytest.mark.parametrize("length", [*range(0, 10), *range(52, 70), *range(116, 131), 252])
def test_digests_are_those_of_hashlib(length):
    rng = np.random.default_rng(length)
    texts = [rng.bytes(length) for _ in range(3)]
    messages = md5_of_many.blank(length, 3)
    for column, text in enumerate(texts):
        md5_of_many.write(messages[:, column : column + 1], 0, text)
    found = md5_of_many.digests(messages)
    expected = [hashlib.md5(text).digest() for text in texts]
    assert [column.astype("<u4").tobytes() for column in found.T] == expected
    digits = [column.astype("<u4").tobytes().decode() for column in md5_of_many.hexadecimal(found).T]
    assert digits == [digest.hex() for digest in expected]


@pytest.mark.parametrize("at", range(9))
def test_pieces_are_written_where_they_belong(at):
    rng = np.random.default_rng(at)
    pieces = [rng.bytes(32) for _ in range(4)]
    messages = md5_of_many.blank(at + 35, 4)
    md5_of_many.write(messages, 0, b"x" * at)
    md5_of_many.write(messages, at, words(pieces).astype(np.uint32))
    md5_of_many.write(messages, at + 32, b"|yz")
    found = [column.astype("<u4").tobytes() for column in md5_of_many.digests(messages).T]
    assert found == [hashlib.md5(b"x" * at + piece + b"|yz").digest() for piece in pieces]
