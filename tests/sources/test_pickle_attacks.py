"""Pickles that want more than to be data. Nothing here may run; everything is refused, in one of two ways."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle

quick = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "raw.pkl"


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Seven bytes can make Python's unpickler ask for 64 gigabytes (LONG_BINPUT): here they would not get them."""
    resource = pytest.importorskip("resource", reason="the memory of a process can be limited on Linux only")
    if not Path("/proc/self/statm").exists():
        pytest.skip("the memory of a process can be limited on Linux only")
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("name", "attack"),
    [
        ("os.system", b"cposix\nsystem\n(S'touch %s'\ntR."),
        ("builtins.eval", b'cbuiltins\neval\n(S\'open("%s", "w")\'\ntR.'),
        ("builtins.exec", b'c__builtin__\nexec\n(S\'open("%s", "w")\'\ntR.'),
        ("getattr", b"cbuiltins\ngetattr\n(cos\nsystem\nS'__call__'\ntR(S'touch %s'\ntR."),
        ("subprocess", b"csubprocess\nPopen\n((lS'touch'\naS'%s'\natR."),
        ("an instance", b"(S'touch %s'\niposix\nsystem\n."),
        ("an object", b"(cposix\nsystem\nS'touch %s'\no."),
    ],
)
def test_calls_are_refused_before_they_run(path: Path, name: str, attack: bytes, protocol: int) -> None:
    canary = path.with_name("ran")
    payload = attack % os.fsencode(canary)
    if protocol > 1:  # the same, inside of a list and behind a header
        payload = pickle.PROTO + bytes([protocol]) + b"]" + payload[:-1] + b"a."
    path.write_bytes(payload)
    with pytest.raises(UnsafeFileError, match=r"raw\.pkl: refused\. It asks for"):
        load_pickle(path, PLAIN_GLOBALS)
    assert not canary.exists()


@pytest.mark.parametrize("value", [np.float64(1), np.arange(3), OrderedDict(a=1), {1}, complex(1, 2), range(3), Path()])
def test_harmless_globals_are_refused_too_unless_allowed(path: Path, value: Any) -> None:
    path.write_bytes(pickle.dumps(value, 2))
    with pytest.raises(UnsafeFileError, match="allowed here: builtin containers and numbers only"):
        load_pickle(path)


def test_extension_codes_are_refused(path: Path) -> None:
    import copyreg

    copyreg.add_extension("os", "system", 0xF0F0)
    try:
        path.write_bytes(pickle.EXT2 + b"\xf0\xf0" + b"(S'true'\ntR.")
        with pytest.raises(UnsafeFileError):
            load_pickle(path)
    finally:
        copyreg.remove_extension("os", "system", 0xF0F0)


def test_allowed_globals_do_no_more_than_they_should(path: Path) -> None:
    """They take no odd arguments, and nothing reaches what lies behind them."""
    attacks = [
        b"ccollections\nOrderedDict\n(S'a'\ntR.",  # dict of a text
        b"cnumpy\ndtype\n(S'O8'\ntR.",  # Python objects
        b"cnumpy\ndtype\n(S'V8'\ntR.",
        b"cnumpy\ndtype\n(K\x08tR.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"c_codecs\nencode\n(S'a'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(S'f8'\nS'12345678'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f8'\ntRS'123'\ntR.",
        b"cnumpy\ndtype.__class__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",  # a dotted name of protocol 4
        b"cnumpy\ndtype\n(S'f8'\ntR}S'format'\nS'100s'\nsb.",
    ]
    before = {name: dict(vars(value)) for name, value in PLAIN_GLOBALS.items() if value is not dict}
    for attack in attacks:
        path.write_bytes(attack)
        with pytest.raises(ConversionError, match=r"raw\.pkl"):
            load_pickle(path, PLAIN_GLOBALS)
    assert {name: dict(vars(value)) for name, value in PLAIN_GLOBALS.items() if value is not dict} == before


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_cut_off_at_every_byte(path: Path, protocol: int) -> None:
    value = OrderedDict(architecture="|none~0|", accuracy=[np.float64(91.5), 3, None, True], key={(1, "a"): b"xyz"})
    whole = pickle.dumps(value, protocol)
    assert len(list(pickletools.genops(whole))) > 20
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=r"raw\.pkl: not a complete pickle"):
            load_pickle(path, PLAIN_GLOBALS)
    path.write_bytes(whole)
    assert load_pickle(path, PLAIN_GLOBALS) == value


def is_data_or_refused(path: Path) -> bool:
    """Whatever else it raises, it raises here."""
    try:
        load_pickle(path, PLAIN_GLOBALS)
    except ConversionError as refusal:
        return "raw.pkl" in str(refusal)
    return True


OPCODES = [opcode.code.encode("latin1") for opcode in pickletools.opcodes]


@pytest.mark.usefixtures("little_memory")
@settings(quick, max_examples=400)
@given(parts=st.lists(st.sampled_from(OPCODES) | st.binary(max_size=3) | st.sampled_from([b"os\nsystem\n", b"\n"])))
def test_any_mixture_of_opcodes_is_data_or_refused(path: Path, parts: list[bytes]) -> None:
    path.write_bytes(b"".join(parts) + b".")
    assert is_data_or_refused(path)


@pytest.mark.usefixtures("little_memory")
@settings(quick, max_examples=300)
@given(st.data())
def test_a_damaged_pickle_is_data_or_refused(path: Path, data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps({"a": [np.float64(1), "text", b"bytes", {}], "b": OrderedDict(c=(1, 2.5))}, 4))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    assert is_data_or_refused(path)


def test_nesting_without_end_is_refused(path: Path) -> None:
    path.write_bytes(b"(" * 100_000 + b"t" * 100_000 + b".")
    assert is_data_or_refused(path)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    "claim",
    [b"\x8d" + b"\xff" * 7 + b"\x7f", b"B\xff\xff\xff\x7f", b"\x8b\xff\xff\xff\x7f", b"\x96" + b"\xff" * 7 + b"\x7f"],
)
def test_a_length_that_the_file_does_not_have_is_refused(path: Path, claim: bytes) -> None:
    path.write_bytes(b"\x80\x05" + claim + b"abc.")
    with pytest.raises(ConversionError, match=r"raw\.pkl: not a complete pickle"):
        load_pickle(path)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("index", [2**32 - 1, 2**31, 2**28, 2**20])
def test_a_memory_bomb_is_refused(path: Path, index: int) -> None:
    for put in (b"r" + index.to_bytes(4, "little"), b"p%d\n" % index):
        path.write_bytes(b"N" + put + b".")
        with pytest.raises(ConversionError, match=r"raw\.pkl: refused\. It asks for a memo of"):
            load_pickle(path)


def test_plain_pickle_would_have_run_the_attack(path: Path) -> None:
    """The attacks above are real ones: Python's own unpickler follows them."""
    canary = path.with_name("ran")
    pickle.Unpickler(io.BytesIO(b"cos\nmkdir\n(S'%s'\ntR." % os.fsencode(canary))).load()
    assert canary.is_dir()
