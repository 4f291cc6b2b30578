"""NATS-Bench, topology (tss, which is NAS-Bench-201) and size (sss): a ``-simple`` folder, or the file of all.

Dong, Liu, Musial & Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", IEEE TPAMI
2021, https://github.com/D-X-Y/NATS-Bench. A folder holds ``meta.pickle.pbz2``, the list of all architectures, and one
``000000.pickle.pbz2`` an architecture, bzip2 of a pickle. The single file ``NATS-tss-v1_0-3ffb9.pickle.pbz2`` or
``NATS-sss-v1_0-50262.pickle.pbz2`` is one pickle of everything. Both are read architecture by architecture, so memory
holds the table and a few of them; only the folder's can be read by several processes.

Which raw curve becomes which column stands in :mod:`nasbench.sources.nats.splits`.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from nasbench.errors import ConversionError
from nasbench.sources import Progress, silent
from nasbench.sources.nats.columns import tabulate
from nasbench.sources.nats.file import tabulate_file
from nasbench.sources.nats.results import Results, read_results
from nasbench.sources.nats.space import read_space
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle_from
from nasbench.system.files import checked_path
from nasbench.tables import TableContent

_SCHEDULES = {"nb201": {"12": 12, "200": 200}, "nats_sss": {"01": 1, "12": 12, "90": 90}}
_FILE = re.compile(r"(\d{1,6})\.pickle\.pbz2", re.ASCII)
# bzip2 can shrink data a million times. Real files of results shrink 4 times, the list of tss architectures 40 times.
_LARGEST_RATIO = 100
CONVERTER = "nats-bench, version 1"
_READ = 2**18
_SIMPLE = "Take the -simple archive, which has no trained weights."
_SOURCE = {
    "address": "https://github.com/D-X-Y/NATS-Bench",
    "licence": "MIT, Copyright (c) Xuanyi Dong",
    "citation": "X. Dong, L. Liu, K. Musial and B. Gabrys. NATS-Bench: Benchmarking NAS Algorithms for Architecture "
    "Topology and Size. IEEE Transactions on Pattern Analysis and Machine Intelligence (TPAMI), 2021.",
    "elsewhere": "This is all that the source records; some splits were evaluated at the last epoch only.",
}


def convert(source: str | os.PathLike[str], *, processes: int = 1, progress: Progress = silent) -> TableContent:
    """Read NATS-Bench results.

    The table holds the architectures that the source has, in the official order; its report says how many of how many.

    Args:
        source: A ``-simple`` folder, or the ``.pickle.pbz2`` file of all architectures.
        processes: How many unpack a folder; they do not change the result.
        progress: Called after each architecture.

    Raises:
        ConversionError: A file is missing, damaged, larger than its format allows or of another kind; an architecture
            is not the one its name says, comes twice, or has a value that the format cannot hold exactly.
        UnsafeFileError: A file asks to run code, or holds trained weights.
    """
    path = Path(checked_path(source))
    if path.is_dir():
        return _convert_folder(path, processes, progress)
    if path.is_file():
        with path.open("rb") as file:
            unpacked = io.BufferedReader(_Unpacked(file, path, os.path.getsize(path)))
            content = tabulate_file(
                unpacked, _SCHEDULES, str(path), _SOURCE, CONVERTER, progress, advice=_SIMPLE, alone=True
            )
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        about = {**_SOURCE, "name": f"NATS-Bench, {path.name}", "sha256": f"{path.name} {digest}"}
        return content._replace(source=about)
    raise ConversionError(f"{path}: no such file or folder. {_SIMPLE}")


def _convert_folder(folder: Path, processes: int, progress: Progress) -> TableContent:
    meta = folder / "meta.pickle.pbz2"
    if not meta.is_file():
        raise ConversionError(f"{meta}: no such file. A NATS-Bench folder has it beside 000000.pickle.pbz2 and so on.")
    listed, digest = _load(meta)
    space = read_space(listed, str(meta))
    files = _files(folder, len(space.texts))
    digests = {meta.name: digest}

    def results() -> Iterator[tuple[int, Results]]:
        tasks = ((path, space.space.name, index, space.texts[index]) for index, path in files.items())
        for (index, path), (digest, found) in zip(files.items(), _map(tasks, processes), strict=True):
            digests[path.name] = digest
            yield index, found

    content = tabulate(space, results(), len(files), _SOURCE, CONVERTER, progress)
    # The digests of all files would be larger than many a column: theirs is that of what sha256sum prints of them.
    listing = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    name = folder.resolve().name
    sha256 = f"{name} (`sha256sum *.pickle.pbz2 | sha256sum`) {hashlib.sha256(listing.encode()).hexdigest()}"
    return content._replace(source={**_SOURCE, "name": f"NATS-Bench, {name}", "sha256": sha256})


def _files(folder: Path, total: int) -> dict[int, Path]:
    """Return the files of architectures by index, rising."""
    files: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.name)
        if match is not None:
            index = int(match[1])
            if index >= total:
                raise ConversionError(f"{path}: the meta file lists architectures 0 to {total - 1} only.")
            if index in files:
                raise ConversionError(f"{path}: a second file for architecture {index}, beside {files[index].name}.")
            files[index] = path
    if not files:
        raise ConversionError(f"{folder}: no architectures: expected files 000000.pickle.pbz2 and so on.")
    return dict(sorted(files.items()))


def _map(tasks: Iterator[tuple[Path, str, int, str]], processes: int) -> Iterator[tuple[str, Results]]:
    if processes == 1:
        return (_read(*task) for task in tasks)
    from joblib import Parallel, delayed

    found: Iterator[tuple[str, Results]] = Parallel(processes, return_as="generator")(
        delayed(_read)(*task) for task in tasks
    )
    return found


def _read(path: Path, space: str, index: int, text: str) -> tuple[str, Results]:
    """Read one architecture's file; return its sha256 and its trainings."""
    raw, digest = _load(path)
    return digest, read_results(raw, _SCHEDULES[space], index, text, str(path))


def _load(path: Path) -> tuple[Any, str]:
    """Unpack and read one file; return what it holds and its sha256."""
    data = path.read_bytes()
    unpacked = io.BytesIO(_unpack(data, path))
    raw = load_pickle_from(unpacked, str(path), PLAIN_GLOBALS, advice=_SIMPLE, alone=True)
    return raw, hashlib.sha256(data).hexdigest()


def _unpack(data: bytes, path: Path) -> bytes:
    return _Unpacked(io.BytesIO(data), path, len(data)).readall()


class _Unpacked(io.RawIOBase):
    """What a file of bzip2 data unpacks to, no more than its size allows."""

    def __init__(self, file: IO[bytes], path: Path, size: int) -> None:
        self._file, self._path = file, path
        self._limit = _LARGEST_RATIO * size
        self._decompressor = bz2.BZ2Decompressor()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = b""
        while not part and not self._ended:
            part = self._next(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _next(self, size: int) -> bytes:
        packed = self._file.read(_READ) if self._decompressor.needs_input else b""
        try:
            part = self._decompressor.decompress(packed, size)
        except OSError:  # another format, or a checksum that does not fit
            raise ConversionError(f"{self._path}: not bzip2, or damaged. Download it again.") from None
        self._limit -= len(part)
        if self._limit < 0:
            raise ConversionError(
                f"{self._path}: refused. It unpacks to more than {_LARGEST_RATIO} times its size, a bzip2 bomb; real "
                "files of results unpack to 4 times their size."
            )
        if self._decompressor.eof:
            self._ended = True
            if self._decompressor.unused_data or self._file.read(1):
                raise ConversionError(f"{self._path}: goes on after the end of bzip2 data.")
        elif self._decompressor.needs_input and not packed and not part:
            raise ConversionError(f"{self._path}: ends before the end of bzip2 data.")
        return part
