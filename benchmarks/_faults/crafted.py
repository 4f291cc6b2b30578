"""Files made on purpose, with every digest right: each is refused soon and in little memory, or read as what it is."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from _faults import forging, samples
from _faults.forging import PARAMETERS, TIME, VALID, attributes, chunk, column, filled
from _faults.processes import run

SECONDS, MEGABYTES = 30, 300
"""What reading one of them may take, beyond what a sound file does."""
MERSENNE = 2**61 - 1
"""Python takes hashes of integers modulo this."""


class Case(NamedTuple):
    """A file, how it is made, and who reads it."""

    kind: str
    title: str
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    outcome: str = "refused"


def _table(title: str, change: forging.Change, outcome: str = "refused") -> Case:
    return Case("table", title, lambda folder: forging.table(folder / "t.h5", change), _read_table, outcome)


def _read_table(folder: Path) -> None:
    from nasbench.tables import TableFile

    samples.table_values(folder / "t.h5")
    TableFile(folder / "t.h5").verify()


def _twice(file: h5py.File) -> None:
    architectures = file["architectures"][:]
    architectures[3] = architectures[1]
    del file["identities"]
    column("/architectures", architectures)(file)


def _linked(place: str, link: Any) -> forging.Change:
    def change(file: h5py.File) -> None:
        file.move(place, "elsewhere")
        file[place] = link

    return change


def _claiming(file: h5py.File) -> None:
    """Claim two billion epochs, of which nothing was ever written."""
    stated = forging.plain(file[TIME])
    stated |= {"sha256": ["0" * 64], "per_epoch": 1}
    del file[TIME]
    node = file.create_dataset(TIME, (40, 2**31, 1), "f8", chunks=(40, 2**20, 1), compression="gzip")
    forging.set_attributes(node, stated)


def _tables() -> list[Case]:
    fraction = np.ones((40, 2, 1))
    return [
        _table("sound, resealed", lambda file: None, "answered"),
        *(_table(f"a chunk of three bytes in {place}", chunk(place, b"abc")) for place in ("/architectures", TIME)),
        *(_table(f"{times} deflate filters over each other", forging.bomb(times)) for times in (2, 3)),
        Case("table", "chunks that overlap", lambda folder: forging.overlapping(folder / "t.h5"), _read_table),
        Case("table", "HDF5's first form", lambda folder: forging.old_form(folder / "t.h5"), _read_table),
        Case("table", "a pipe", lambda folder: os.mkfifo(folder / "t.h5"), _read_table),
        Case("table", "a device", lambda folder: (folder / "t.h5").symlink_to("/dev/zero"), _read_table),
        _table("a soft link to a group", _linked("a/3", h5py.SoftLink("/elsewhere"))),
        _table("an external link", _linked("a/3", h5py.ExternalLink("other.h5", "/"))),
        _table("an accuracy above 1", filled(VALID, 10_001)),
        _table("an accuracy below 0", filled(VALID, -1)),
        _table("an infinite accuracy", filled(VALID, np.inf)),
        _table("an infinite time", filled(TIME, np.inf)),
        _table("an accuracy without its number of images", lambda file: file[VALID].attrs.__delitem__("images")),
        _table("a fraction without images", column(VALID, fraction, unit="fraction", images=0)),
        _table("an architecture that is there twice", _twice),
        _table("half floats", filled(TIME, 1, np.float16)),
        _table("big-endian numbers", filled(TIME, 1, ">f8")),
        _table("long floats", filled(TIME, 1, np.longdouble)),
        _table("an empty schedule group", lambda file: file.create_group("a/4")),
        _table("a nested attribute", attributes("/a", x=np.ones((2, 2)))),
        _table("nested texts", attributes("/", source_name=np.array([["a"]], "S1"))),
        _table("a column that claims 600 GB", _claiming),
        _table("a column that is there under two names", lambda file: file["a/3"].__setitem__("z", file[TIME])),
        _table("numbers that are negative", column(PARAMETERS, -np.ones(40, np.int32))),
        Case(
            "table",
            "an escape character in a text, printed",
            lambda folder: forging.table(folder / "t.h5", attributes("/", source_name="a\x1b]0;title\x07b")),
            _printed,
            "answered",
        ),
    ]


def _printed(folder: Path) -> int:
    """Raise AssertionError if the command prints what steers a terminal."""
    import contextlib

    from nasbench.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        main(["info", str(folder / "t.h5")])
        main(["cite", str(folder / "t.h5")])
    assert not any(one in said.getvalue() for one in "\x1b\x07"), "an escape character was printed"
    assert "]0;title" in said.getvalue(), "the text was not printed at all"
    return 0


def _surrogate(title: str, change: forging.Change | None = None, text: Any = None, outcome: str = "refused") -> Case:
    return Case(
        "surrogate",
        title,
        lambda folder: forging.surrogate(folder / "s", change, text),
        lambda folder: samples.surrogate_values(folder / "s"),
        outcome,
    )


def _file_as(title: str, name: str, put: Callable[[Path, Path], Any]) -> Case:
    def make(folder: Path) -> None:
        forging.surrogate(folder / "s")
        (folder / "s" / name).rename(folder / "kept")
        put(folder / "s" / name, folder / "kept")

    return Case("surrogate", f"{name} is {title}", make, lambda folder: samples.surrogate_values(folder / "s"))


def _first_float(value: float) -> forging.Change:
    def change(file: h5py.File) -> None:
        found: list[h5py.Dataset] = []
        file.visititems(lambda name, node: found.append(node) if getattr(node, "dtype", None) == np.float64 else None)
        node = next(node for node in found if node.size)
        node[...] = np.full(node.shape, value)

    return change


def _rows_chunk(file: h5py.File) -> None:
    file["rows"].id.write_direct_chunk((0,), b"abc")


def _outside(file: h5py.File) -> None:
    """Let the arrays of the state lie in another file, which could change under the same digest."""
    other = Path(file.filename).with_name("other.json")
    with h5py.File(other, "w") as there:
        file.copy("state", there, "there")
    del file["state"]
    file["state"] = h5py.ExternalLink(str(other), "there")


def _surrogates() -> list[Case]:
    files = ("arrays.h5", "surrogate.json")
    return [
        _surrogate("sound, hashes made again", outcome="answered"),
        _surrogate("a soft link to a group", _linked("state", h5py.SoftLink("/elsewhere"))),
        _surrogate("an external link to a group", _outside),
        _surrogate("a chunk of three bytes", _rows_chunk),
        _surrogate("not a number in its state", _first_float(np.nan)),
        _surrogate("infinite numbers in its state", _first_float(np.inf)),
        _surrogate("more labels than it has rows", text=lambda manifest: manifest["about"].update(labels=2**14)),
        _surrogate("a model that nobody knows", text=lambda manifest: manifest["about"].update(model="os.system")),
        _surrogate("nested lists as a text", text=lambda manifest: manifest["about"].update(space=[[[]]])),
        *(_file_as("a pipe", name, lambda path, kept: os.mkfifo(path)) for name in files),
        *(_file_as("a link", name, lambda path, kept: path.symlink_to(kept)) for name in files),
        *(_file_as("a device", name, lambda path, kept: path.symlink_to("/dev/zero")) for name in files),
        *(_file_as("a folder", name, lambda path, kept: path.mkdir()) for name in files),
    ]


def _long(value: int) -> bytes:
    digits = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(digits)]) + digits


def _pickle(title: str, data: bytes, outcome: str = "refused") -> Case:
    def read(folder: Path) -> None:
        from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle

        load_pickle(folder / "p.pkl", PLAIN_GLOBALS)
        if (folder / "ran").exists():
            os.abort()

    def make(folder: Path) -> None:
        (folder / "p.pkl").write_bytes(data.replace(b"CANARY", os.fsencode(folder / "ran")))

    return Case("pickle", title, make, read, outcome)


def _pickles() -> list[Case]:
    colliding = [_long(i * MERSENNE) for i in range(1, 20_000)]
    sharing = b")\x94" + b"".join(b"h%ch%c\x86\x94" % (i, i) for i in range(60)) + b"h%c" % 60
    return [
        _pickle("sound", b"}(K\x01K\x02u.", "answered"),
        _pickle("five million marks inside of each other", b"(" * 5_000_000 + b"t" * 5_000_000 + b"."),
        _pickle("keys of one hash", b"}(" + b"".join(one + b"N" for one in colliding) + b"u."),
        _pickle("keys of one hash, one by one", b"}" + b"".join(one + b"Ns" for one in colliding) + b"."),
        _pickle("members of one hash", b"\x8f(" + b"".join(colliding) + b"\x90."),
        _pickle("a tuple that shares its items 60 deep, as a key", b"}" + sharing + b"Ns."),
        _pickle("a million tuples inside of each other, as a key", b"})" + b"\x85" * 1_000_000 + b"Ns."),
        _pickle("a million containers", b"](" + b"}" * 1_000_000 + b"e."),
        _pickle("place 4,294,967,295 of the memo", b"Nr\xff\xff\xff\xff."),
        _pickle("an integer of a million bytes", b"\x8b\x00\x00\x10\x00" + b"\x01" * 2**20 + b"."),
        _pickle("asks for os.system", b"cposix\nsystem\n(S'touch CANARY'\ntR."),
        _pickle("asks for eval", b'cbuiltins\neval\n(S\'open("CANARY", "w")\'\ntR.'),
        _pickle("asks for getattr", b"cbuiltins\ngetattr\n(cos\nsystem\nS'__call__'\ntR(S'touch CANARY'\ntR."),
        _pickle("refers to an object outside", b"S'a'\nQ."),
    ]


def measure(folder: Path, number: int, workers: int, *, quick: bool = False) -> list[dict[str, Any]]:
    """Make every file and read it, each in processes of their own; return what came of it."""
    found = []
    place = folder / "crafted"
    cases = (*_tables(), *_surrogates(), *_pickles())
    for case in cases[:: max(len(cases) // max(number, 8), 1)]:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)

        def make(case: Case = case) -> int:
            case.make(place)
            return 0

        def read(case: Case = case) -> int:
            case.read(place)
            return 0

        made = run(make, limit=300)
        assert made.status == 0, f"{case.title}: {made.said}"
        ended = run(read, limit=SECONDS)
        lines = [line for line in ended.said.splitlines() if line.strip()]
        sound = ended.outcome == case.outcome and (ended.status == 0 or len(lines) == 1)
        found.append(
            {
                "kind": case.kind,
                "file": case.title,
                "outcome": ended.outcome,
                "seconds": round(ended.seconds, 2),
                "megabytes": round(ended.megabytes),
                "said": ended.said[-300:],
                "bad": not sound or ended.megabytes > MEGABYTES or (place / "ran").exists(),
            }
        )
    shutil.rmtree(place)
    return found


def block(found: list[dict[str, Any]]) -> str:
    """Return the table of the page."""
    lines = ["| | file | outcome | seconds | MiB |", "|---|---|---|---|---|"]
    for one in found:
        lines.append(
            f"| {one['kind']} | {one['file']} | {one['outcome']} | {one['seconds']:.2f} | {one['megabytes']:,} |"
        )
    return "\n".join(lines)


def bad(found: list[dict[str, Any]]) -> int:
    """Return how many files had another outcome than they should, or took too much."""
    return sum(one["bad"] for one in found)
