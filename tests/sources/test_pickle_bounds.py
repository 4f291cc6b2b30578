"""Pickles that ask for hours or gigabytes with a few bytes: refused in both readers, before it is spent."""

from __future__ import annotations

import io
import pickle
import pickletools
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError
from nasbench.sources.readers.pickle_bounds import end_of_pickle
from nasbench.sources.readers.pickle_stream import stream_items
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle, load_pickle_from

SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "data"
MERSENNE = 2**61 - 1  # what Python takes hashes of integers modulo


def whole(data: bytes) -> Any:
    return load_pickle_from(io.BytesIO(data), "some.pickle", PLAIN_GLOBALS, alone=True)


def streamed(data: bytes) -> Any:
    return list(stream_items(io.BytesIO(data), "some.pickle", PLAIN_GLOBALS, "large", alone=True))


def long(value: int) -> bytes:
    digits = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(digits)]) + digits


def entry(inner: bytes) -> bytes:
    """A dictionary of one entry, as the reader of items needs one."""
    return b"\x80\x04}\x8c\x05first" + inner + b"s."


def item(inner: bytes) -> bytes:
    """The same inside of the large dictionary."""
    return b"\x80\x04}\x8c\x05large}K\x00" + inner + b"ss."


def sharing(depth: int) -> bytes:
    """A tuple of two tuples, which are one, and so on: four instructions a level, two to the power of them to hash."""
    return b")\x94" + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(depth)) + b"h%c" % depth


ATTACKS = {
    "marks": b"(" * 5_000_000 + b"t" * 5_000_000,
    "colliding integers": b"}(" + b"".join(long(i * MERSENNE) + b"N" for i in range(1, 20_000)) + b"u",
    "colliding integers, one by one": b"}" + b"".join(long(i * MERSENNE) + b"Ns" for i in range(1, 20_000)),
    "colliding members": b"\x8f(" + b"".join(long(i * MERSENNE) for i in range(1, 20_000)) + b"\x90",
    "many tuples as keys": b"}(" + b"".join(b"M" + i.to_bytes(2, "little") + b"\x85N" for i in range(10_000)) + b"u",
    "a tuple that shares its items, as key": b"}" + sharing(60) + b"Ns",
    "a tuple that shares its items, in a set": b"\x8f(" + sharing(60) + b"\x90",
    "nested tuples as key": b"})" + b"\x85" * 1_000_000 + b"Ns",
    "nested tuples in marks": b"}" + b"(" * 90 + b")" + b"\x85" * 200_000 + b"t" * 90 + b"Ns",
    "a wide tuple as key again and again": b"}((" + b"N" * 50_000 + b"t\x94" + b"N" + b"h\x00N" * 50_000 + b"u",
    "containers": b"](" + b"}" * 1_000_000 + b"e",
}
ONLY_WHOLE = {
    "a place in the memo": b"Nr\xff\xff\xff\xff",
    "a place in the memo, in digits": b"Np999999999\n",
    "an integer of many bytes": b"\x8b\x00\x00\x10\x00" + b"\x01" * 2**20,
    "an integer of many digits": b"L" + b"9" * 4000 + b"L\n",
    "values": b"](" + b"N" * 1_100_000 + b"e",
}


@pytest.mark.parametrize("read", [whole, streamed])
@pytest.mark.parametrize("place", [entry, item])
@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_refused(name: str, place: Callable[[bytes], bytes], read: Callable[[bytes], Any]) -> None:
    """Of some the reader would never return, and of some it would take gigabytes, or crash."""
    data = place(ATTACKS[name])
    tracemalloc.start()
    try:
        with pytest.raises(ConversionError, match=r"^some\.pickle: refused\. It asks for .*, and no results do\.$"):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 150e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ONLY_WHOLE)
def test_attacks_on_the_reader_of_whole_pickles_are_refused(name: str) -> None:
    with pytest.raises(ConversionError, match=r"^some\.pickle: refused\. It asks for"):
        whole(b"\x80\x02" + ONLY_WHOLE[name] + b".")


def test_items_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Megabytes of values in one item, and of marks that are taken back while the whole lies on the stack."""
    with monkeypatch.context() as patch:
        patch.setattr("nasbench.sources.readers.pickle_machine._LONGEST_ITEM", 2**20)
        for inner in (b"](" + b"N" * 2**21 + b"e", b"(1" * 2**20 + b"N"):
            with pytest.raises(ConversionError, match="more than 1,048,576 bytes for one item"):
                streamed(item(inner))
    many = b"\x80\x04}(" + b"".join(b"M" + i.to_bytes(2, "little") + b"N" for i in range(60_000))
    assert len(streamed(many + b"\x8c\x05large}(" + b"K\x00](" + b"(1" * 60_000 + b"euu.")) == 60_001


def test_a_pickle_longer_than_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"It asks for more than 1,000 bytes"):
        load_pickle_from(io.BytesIO(pickle.dumps(b"x" * 2000)), "some.pickle", longest=1000)
    (tmp_path / "file").write_bytes(pickle.dumps([None] * 100))
    with pytest.raises(ConversionError, match=r"It asks for too many values"):
        load_pickle(tmp_path / "file", values=100)
    assert load_pickle(tmp_path / "file", values=101) == [None] * 100


@pytest.mark.parametrize(
    "inner",
    [
        b"](" + b"".join(b"\x8c\x03%03x\x94" % (i % 4096) for i in range(65_000)) + b"e",
        b"](" + b"M\xff\x7f" * 125_000 + b"e",
        b"}(" + b"".join(b"J" + (3 * i).to_bytes(4, "little") + b"M\xff\x7f" for i in range(62_000)) + b"u",
        b"](" + b"}" * 32_000 + b"e",
        b"](" + b"}K\x00K\x00s" * 32_000 + b"e",
    ],
    ids=["texts", "numbers", "a dictionary", "dictionaries", "dictionaries with an entry"],
)
def test_what_is_allowed_takes_no_more_than_is_said(inner: bytes) -> None:
    """An eighth of a million values takes less than an eighth of 200 MB."""
    tracemalloc.start()
    try:
        load_pickle_from(io.BytesIO(b"\x80\x04" + inner + b"."), "some.pickle", values=2**17)
        assert tracemalloc.get_traced_memory()[1] < 25e6
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples ../shared/data are not here")
@pytest.mark.parametrize("folder", ["nats_tss", "nats_sss"])
def test_real_files_are_far_from_every_bound(folder: str) -> None:
    import bz2

    for path in sorted((SAMPLES / folder).glob("*.pbz2")):
        data = bz2.decompress(path.read_bytes())
        # An opcode that pickletools finds is an instruction; a curve has two values an epoch.
        assert end_of_pickle(data) == [place for *_, place in pickletools.genops(data)][-1] + 1 == len(data)
        pushes = sum(len(op.stack_after) > 0 for op, *_ in pickletools.genops(data))
        assert pushes < 2**20 / 10
        found = whole(data)
        assert repr(found) == repr(pickle.loads(pickle.dumps(found)))


KEYS = st.integers() | st.text(max_size=5) | st.tuples(st.text(max_size=3), st.integers(0, 999)) | st.floats()
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
VALUES = st.recursive(
    LEAVES | st.dictionaries(st.text(max_size=4), st.floats(), max_size=30) | st.dictionaries(KEYS, st.floats()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers(), max_size=3)
        | st.sets(st.text(), max_size=3)
    ),
    max_leaves=15,
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(VALUES, st.integers(0, 5), st.binary(max_size=20))
def test_the_end_is_found_of_whatever_python_writes(value: Any, protocol: int, after: bytes) -> None:
    data = pickle.dumps([value, np.float64(1), value], protocol)
    assert end_of_pickle(data + after) == len(data)


OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]
PARTS = st.sampled_from(OPCODES) | st.binary(max_size=3) | st.sampled_from([b"os\nsystem\n", b"1\n", b"K\x01", b"(N"])


@settings(derandomize=True, max_examples=600, deadline=None)
@given(st.lists(PARTS, max_size=30))
def test_what_it_lets_pass_ends_where_pickletools_says(parts: list[bytes]) -> None:
    data = b"".join(parts) + b"."
    with suppress(ValueError, EOFError):
        end = end_of_pickle(data)
        with suppress(Exception):  # it looks into texts and numbers, too
            assert [place for *_, place in pickletools.genops(data)][-1] + 1 == end


def test_the_table_of_instructions_is_complete() -> None:
    """Each one of pickle, with what it takes and leaves as pickletools says."""
    from nasbench.sources.readers import pickle_bounds as bounds

    elsewhere = b".(02" + b"hjg" + b"qrp\x94"
    known = {opcode.code.encode("latin1")[0]: opcode for opcode in pickletools.opcodes}
    assert {*known} == {*bounds._EFFECT, *elsewhere}
    for code, (taken, pushes) in bounds._EFFECT.items():
        before, after = known[code].stack_before, known[code].stack_after
        above_mark = [*map(str, before)].index("mark") if "mark" in map(str, before) else None
        assert (taken is None) == (above_mark is not None), known[code].name
        below = before if above_mark is None else before[:above_mark]
        # A container that gets items, or an object that gets a state, stays where it is.
        stays = len(below) if taken is None else len(below) - taken
        assert len(after) - stays == int(pushes), known[code].name


def walked(data: bytes) -> int | str:
    """Where it ends, or why it is refused."""
    try:
        return end_of_pickle(data)
    except (ValueError, EOFError) as error:
        return str(error)


CURVES = {
    ("cifar10", 777): {
        "name": "cifar10",
        "accuracy": dict(enumerate(np.linspace(1, 2, 300).tolist())),
        "evaluations": {f"x-valid@{epoch}": epoch / 7 for epoch in range(120)},
        "params": np.float64(0.3),
        "seeds": [111, 777, 2**20, -5, True, None],
        "bytes": b"12345",
    }
}


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**13), st.integers(0, 255)), min_size=1, max_size=3), st.sampled_from((2, 4)))
def test_what_is_known_of_alike_files_changes_no_answer(changes: list[tuple[int, int]], protocol: int) -> None:
    from nasbench.sources.readers import pickle_bounds as bounds

    sound = pickle.dumps(CURVES, protocol)
    data = bytearray(sound)
    for place, byte in changes:
        data[place % len(data)] = byte
    assert end_of_pickle(sound) == len(sound)
    after = walked(bytes(data))
    bounds._layouts.clear()
    assert walked(bytes(data)) == after


def test_files_that_are_alike_are_walked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from nasbench.sources.readers import pickle_bounds as bounds

    rng = np.random.default_rng(0)
    bounds._layouts.clear()
    first, second = (
        pickle.dumps({name: dict(enumerate(rng.random(300).tolist())) for name in (f"one{i}", f"two{i}")}, 4)
        for i in range(2)
    )
    assert first != second
    assert end_of_pickle(first) == len(first)
    monkeypatch.setattr(bounds, "_Walk", None)
    assert end_of_pickle(second) == len(second)
    with pytest.raises(TypeError):
        end_of_pickle(pickle.dumps({"three": 1.5}, 4))


def test_only_so_many_layouts_are_kept() -> None:
    from nasbench.sources.readers import pickle_bounds as bounds

    for n in range(100):
        assert end_of_pickle(pickle.dumps(["x" * n])) > 0
    assert len(bounds._layouts) == 32
