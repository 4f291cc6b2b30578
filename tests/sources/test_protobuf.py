import struct

import pytest
from _plain_tfrecord import field, varint
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.sources.readers import protobuf


def fields(data: bytes) -> list[tuple[int, int | float | bytes]]:
    found = list(protobuf.fields(data))
    for _, value, begin, end in found:
        if isinstance(value, float):
            assert data[begin:end] == struct.pack("<d", value)
        elif isinstance(value, bytes):
            assert data[begin:end] == value
        else:
            assert protobuf.varint(data[begin:end]) == (value, end - begin)
    return [(number, value) for number, value, _, _ in found]


VALUES = st.one_of(st.integers(0, 2**64 - 1), st.floats(allow_nan=False), st.binary(max_size=200))
FIELDS = st.lists(st.tuples(st.integers(1, 2**29 - 1), VALUES), max_size=8)


# The two examples of https://protobuf.dev/programming-guides/encoding/.
def test_examples_of_the_specification() -> None:
    assert fields(bytes.fromhex("089601")) == [(1, 150)]
    assert fields(bytes.fromhex("120774657374696e67")) == [(2, b"testing")]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(FIELDS)
def test_what_was_written_is_read(content: list[tuple[int, int | float | bytes]]) -> None:
    assert fields(b"".join(field(number, value) for number, value in content)) == content


@settings(derandomize=True, max_examples=50, deadline=None)
@given(FIELDS)
def test_cut_off_at_every_byte(content: list[tuple[int, int | float | bytes]]) -> None:
    pieces = [field(number, value) for number, value in content]
    data = b"".join(pieces)
    ends = {sum(map(len, pieces[:i])) for i in range(len(pieces) + 1)}
    for size in range(len(data)):
        if size in ends:
            assert all(part in content for part in fields(data[:size]))
        else:
            with pytest.raises(ValueError, match=r"at byte \d+"):
                fields(data[:size])


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        found = fields(data)
    except ValueError as error:
        found = str(error)
    assert "at byte" in found if isinstance(found, str) else bool(found) == bool(data)


def test_four_bytes_are_skipped_as_bytes() -> None:
    assert fields(varint(7 * 8 + 5) + struct.pack("<f", 1.5) + field(1, 2)) == [
        (7, struct.pack("<f", 1.5)),
        (1, 2),
    ]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("0b", "wire type 3 at byte 0, expected 0, 1, 2 or 5"),
        ("0000", "field number 0 at byte 0"),
        ("08ffffffffffffffffff7f", "no number of at most 64 bits at byte 1"),
        ("08ffffffffffffffffffff01", "no number of at most 64 bits at byte 1"),
        ("1205aa", "field 2 at byte 0 ends at byte 7 of 3"),
        ("12ffffffffffffffffff01", "field 2 at byte 0 ends at byte"),
    ],
)
def test_what_no_writer_writes(data: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        fields(bytes.fromhex(data))
