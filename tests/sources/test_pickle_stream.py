"""Reading a pickle item by item, against Python's own reader."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import tracemalloc
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources.readers.pickle_stream import stream_items
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS

PROTOCOLS = (2, 3, 4, 5)
KEYS = st.integers(0, 300) | st.text(max_size=5) | st.tuples(st.text(max_size=3), st.integers(0, 999))
LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8)
CURVES = st.dictionaries(st.integers(0, 255), st.floats(allow_nan=False), max_size=30)
NAMED = st.dictionaries(st.text(max_size=4), st.floats(allow_nan=False), max_size=30)
VALUES = st.recursive(
    LEAVES | CURVES | NAMED | st.sets(st.integers(0, 9)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def read(data: bytes, at: str = "large") -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return the entries, and the items of the large dictionary."""
    entries, items = {}, {}
    for path, value in stream_items(io.BytesIO(data), "some.pickle", PLAIN_GLOBALS, at, alone=True):
        (entries if len(path) == 1 else items)[path[-1]] = value
    return entries, items


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
    st.dictionaries(st.integers(0, 2**20), st.dictionaries(KEYS, VALUES, max_size=3), max_size=5),
    st.dictionaries(st.text(max_size=3), VALUES, max_size=2),
    st.sampled_from(PROTOCOLS),
)
def test_it_reads_what_python_reads(before, large, after, protocol):
    # What is read is copied: an object that several items share stands for itself in each.
    data = pickle.dumps(before | {"large": large} | after, protocol)
    entries, items = read(data)
    assert items == large
    assert entries == before | after
    assert repr(entries | items) == repr({**before, **after} | large)  # -0.0, and True is not 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("number", [0, 1, 2, 999, 1000, 1001, 2500])
def test_every_number_of_items(number, protocol):
    """Python writes them a thousand at a time, and a single one in another way."""
    large = {i: {"curve": {e: i + e / 8 for e in range(12)}, "name": f"item {i}"} for i in range(number)}
    entries, items = read(pickle.dumps({"first": [1], "large": large, "last": "end"}, protocol))
    assert items == large
    assert entries == {"first": [1], "last": "end"}


@pytest.mark.parametrize("protocol", [2, 4])
def test_numbers_of_numpy_and_ordered_dictionaries(protocol):
    large = {i: OrderedDict(a={"x": np.float64(i) / 3, "y": np.int64(i)}, b=np.float32(0.1)) for i in range(5)}
    _, items = read(pickle.dumps({"large": large}, protocol))
    assert items == {i: {"a": {"x": i / 3, "y": i}, "b": float(np.float32(0.1))} for i in range(5)}
    assert type(items[0]["a"]["x"]) is float


def curves(n: int, protocol: int) -> bytes:
    """Items of ten curves each: the names of their points are made anew for each, as in the official files."""
    drawn = np.random.default_rng(0).random((n, 10, 200)).tolist()
    large = {i: {k: {f"x-valid@{e}": v for e, v in enumerate(drawn[i][k])} for k in range(10)} for i in range(n)}
    return pickle.dumps({"large": large}, protocol)


@pytest.mark.parametrize("protocol", [2, 4])
def test_memory_does_not_grow_with_the_number_of_items(protocol):
    peaks = []
    for data in (curves(30, protocol), curves(90, protocol)):
        tracemalloc.start()
        for _ in stream_items(io.BytesIO(data), "some.pickle", PLAIN_GLOBALS, "large", alone=True):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]  # what is read ahead
    tracemalloc.start()
    pickle.loads(data)
    assert tracemalloc.get_traced_memory()[1] > 3 * peaks[1]
    tracemalloc.stop()


def test_every_truncation_is_an_error():
    data = pickle.dumps({"first": "text", "large": {i: {0: 0.5, 1: 0.25, "n": [i]} for i in range(3)}}, 4)
    read(data)
    for length in range(len(data)):
        with pytest.raises(ConversionError, match="not a complete pickle"):
            read(data[:length])
    with pytest.raises(ConversionError, match="more data after"):
        read(data + b".")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255), st.sampled_from((2, 4)))
def test_a_changed_byte_is_an_error_or_other_data(place, byte, protocol):
    data = bytearray(pickle.dumps({"large": {i: {0: 0.5, "n": [i, "text"], 2: (i,)} for i in range(4)}}, protocol))
    data[place % len(data)] = byte
    with suppress(ConversionError):
        read(bytes(data))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_an_error(data):
    with pytest.raises(ConversionError):
        read(data)


class Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/never",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("where", ["entry", "item", "inside"])
def test_a_pickle_that_runs_code_is_refused_by_name(where, protocol):
    attack = Attack()
    content = {
        "entry": {"first": attack, "large": {0: {}, 1: {}}},
        "item": {"large": {0: {}, 1: attack}},
        "inside": {"large": {0: {}, 1: {"a": [attack]}, 2: {}}},
    }[where]
    with pytest.raises(UnsafeFileError, match=r"refused. It asks for (posix|nt).system, which could run code"):
        read(pickle.dumps(content, protocol))


def assembled(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (assembled(b"Nr\xff\xff\xff\xff}"), "too many values"),  # Python's own reader would take 64 GB
        (assembled(b"}K\x01)R"), "not callable"),
        (assembled(b"ccollections\nOrderedDict\n}b"), "a state for a type"),
        (assembled(b"}}b"), "a state for a dict"),
        (assembled(b"K\x01K\x02a"), "items of a int, expected a list"),
        (assembled(b"K\x01"), "expected a pickled dictionary, found int"),
        (assembled(b"h\x05"), "refers to what was not put"),
        (assembled(b"X\xff\xff\xff\x7f"), "a text of 2,147,483,647 bytes"),
        (assembled(b"\x81"), "which no results need"),  # NEWOBJ
        (assembled(b"Pidentity\n"), "refers to an object outside of the pickle"),
    ],
)
def test_instructions_that_make_no_sense(data, message):
    with pytest.raises(ConversionError, match=message):
        read(data)


def test_an_item_that_is_part_of_another_is_refused():
    """No official file shares anything but texts; what was handed over is forgotten."""
    shared = {"a": 1}
    data = pickle.dumps({"large": {0: {"x": shared}, 1: {"x": shared}, 2: {}}}, 4)
    with pytest.raises(ConversionError, match="or to another item"):
        read(data)


def test_the_instructions_are_those_of_pickle():
    """Each code is one that pickletools knows, with an argument of the same size."""
    from nasbench.sources.readers.pickle_machine import _INSTRUCTIONS

    known = {opcode.code.encode("latin1"): opcode for opcode in pickletools.opcodes}
    assert all(bytes([code]) in known for codes in _INSTRUCTIONS for code in codes)
