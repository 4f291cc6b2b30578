"""The allow-listing reader of pickles: what it reads, and what it refuses without running it."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle, load_pickle_from


def read(data: bytes, **arguments: Any) -> Any:
    return load_pickle_from(io.BytesIO(data), "file", PLAIN_GLOBALS, **arguments)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(min_size=1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(plain, st.integers(2, 5))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_builtin_values_come_back(value, protocol):
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(2, 6))
def test_numpy_numbers_and_ordered_dictionaries_come_as_plain_ones(protocol):
    value = OrderedDict(b=np.float64(0.1), a=[np.float32(0.1), np.int64(-(2**40)), np.int32(7)])
    data = pickle.dumps(value, protocol)
    if protocol == 2:  # names without a length before them: as numpy 1 wrote them
        data = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    found = read(data)
    assert type(found) is dict
    assert [*found.items()] == [("b", 0.1), ("a", [float(np.float32(0.1)), -(2**40), 7])]
    assert [type(v) for v in (found["b"], *found["a"])] == [float, float, int, int]


def test_the_other_byte_order():
    data = pickle.dumps(np.float64(0.1), 2)
    swapped = data.replace(b"X\x01\x00\x00\x00<", b"X\x01\x00\x00\x00>")
    expected = struct.unpack(">d", struct.pack("<d", 0.1))[0]
    assert swapped != data
    assert read(swapped) == expected


class Call:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self._reduced = call, arguments

    def __reduce__(self) -> Any:
        return self._reduced


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "call",
    [(os.system, "true"), (eval, "1"), (open, "/dev/null"), (getattr, 1, "real"), (np.array, [1.0]), (OrderedDict,)],
)
def test_only_what_is_allowed_is_called(call, protocol):
    data = pickle.dumps(Call(*call), protocol)
    if call[0] is OrderedDict:
        assert read(data) == {}
        return
    with pytest.raises(UnsafeFileError, match=rf"asks for \w+(\.\w+)*\.{call[0].__name__}, which could run code"):
        read(data)


def test_what_to_do_instead_is_said():
    with pytest.raises(UnsafeFileError, match=r"numpy\.dtype\. Take the other file\.$"):
        read(pickle.dumps(Call(os.system, "true")), advice="Take the other file.")


def test_persistent_objects_are_refused():
    with pytest.raises(UnsafeFileError, match="refers to an object outside of the pickle"):
        read(b"\x80\x02K\x01Q.")


def test_a_type_of_numpy_that_is_no_plain_number_is_refused():
    for code in ("O8", "V4", "U3"):
        data = pickle.dumps(np.float64(1), 2).replace(b"X\x02\x00\x00\x00f8", b"X\x02\x00\x00\x00" + code.encode())
        with pytest.raises(ConversionError, match=f"numpy value of type '{code}'"):
            read(data)


@pytest.mark.parametrize("name", [key.split(".") for key in PLAIN_GLOBALS])
def test_what_is_given_to_a_pickle_cannot_be_altered_by_it(name):
    """BUILD may set attributes of what it is applied to; the stand-ins are shared by everything that is read."""
    module, attribute = ".".join(name[:-1]).encode(), name[-1].encode()
    target = PLAIN_GLOBALS[".".join(name)]
    for state in (b"}U\x01aK\x01s", b"N}U\x08__init__NsU\x01aK\x01s\x86", b"N}U\x07__new__Ns\x86"):
        before = dict(vars(target))
        with pytest.raises(ConversionError):
            read(b"\x80\x02c" + module + b"\n" + attribute + b"\n" + state + b"b.")
        assert dict(vars(target)) == before


def test_one_pickle_after_another_and_nothing_after_the_last():
    file = io.BufferedReader(io.BytesIO(pickle.dumps([1], 2) + pickle.dumps("two", 4) + b"rest"))
    assert load_pickle_from(file, "file") == [1]
    with pytest.raises(ConversionError, match="more data after the pickle"):
        load_pickle_from(file, "file", alone=True)


def test_files(tmp_path):
    path = tmp_path / "some.pickle"
    with pytest.raises(ConversionError, match=r"some\.pickle: no such file"):
        load_pickle(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    assert load_pickle(path) == {"a": 1}
    path.write_bytes(pickle.dumps(np.float64(1)))
    with pytest.raises(UnsafeFileError, match=r"some\.pickle.*builtin containers and numbers only"):
        load_pickle(path)


def test_truncated_anywhere():
    data = pickle.dumps({"a": [np.float64(0.5)] * 3, "b": OrderedDict(c=1)}, 4)
    for length in range(len(data)):
        with pytest.raises(ConversionError):
            read(data[:length], alone=True)


def test_random_bytes_are_refused_or_plain():
    """Whatever comes: a value or a ConversionError. Without PUT and LONG_BINPUT, which may claim much memory."""
    opcodes = bytes(set(range(256)) - set(b"pr"))
    real = pickle.dumps({"a": [0.5, {1: (2, 3)}, 2**70], "b": [b"1", "two", None, True]}, 2)
    assert not set(real) & set(b"pr")
    rng = random.Random(0)
    refused = 0
    for _ in range(5000):
        data = bytearray(real)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.choice(opcodes)
        try:
            read(bytes(data))
        except ConversionError:
            refused += 1
    assert 0 < refused < 5000
