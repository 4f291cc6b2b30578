"""NATS-Bench, topology (tss, which is NAS-Bench-201) and size (sss): a ``-simple`` folder, or the file of all.

Dong, Liu, Musial & Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", IEEE TPAMI
2021, https://github.com/D-X-Y/NATS-Bench. A folder holds ``meta.pickle.pbz2``, the list of all architectures, and one
``000000.pickle.pbz2`` an architecture, bzip2 of a pickle; they are read one by one, so memory holds the table and a few
architectures. The single file ``NATS-tss-v1_0-3ffb9.pickle.pbz2`` or ``NATS-sss-v1_0-50262.pickle.pbz2`` is one pickle
of everything, which must be built whole: about 35 GB of memory for tss. Take the folder if you can.

Which raw curve becomes which column stands in :mod:`nasbench.convert._nats_results`.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nasbench.convert import Progress, silent
from nasbench.convert._nats_columns import tabulate, tabulate_whole
from nasbench.convert._nats_results import Results, read_results, read_space
from nasbench.convert._safe_pickle import PLAIN_GLOBALS, load_pickle_from
from nasbench.errors import ConversionError
from nasbench.store import TableContent

_SCHEDULES = {"nb201": {"12": 12, "200": 200}, "nats_sss": {"01": 1, "12": 12, "90": 90}}
_FILE = re.compile(r"(\d{1,6})\.pickle\.pbz2", re.ASCII)
# bzip2 can shrink data a million times. Real files of results shrink 4 times, the list of tss architectures 40 times.
_LARGEST_RATIO = 100
_CONVERTER = "nats-bench, version 1"
_SIMPLE = "Take the -simple archive, which has no trained weights."
_SOURCE = {
    "address": "https://github.com/D-X-Y/NATS-Bench",
    "licence": "MIT, Copyright (c) Xuanyi Dong",
    "citation": "X. Dong, L. Liu, K. Musial and B. Gabrys. NATS-Bench: Benchmarking NAS Algorithms for Architecture "
    "Topology and Size. IEEE Transactions on Pattern Analysis and Machine Intelligence (TPAMI), 2021.",
    "elsewhere": "This is all that the source records; some splits were evaluated at the last epoch only.",
}


def convert(source: str | os.PathLike[str], *, workers: int = 1, progress: Progress = silent) -> TableContent:
    """Read NATS-Bench results.

    The table holds the architectures that the source has, in the official order; its report says how many of how many.

    Args:
        source: A ``-simple`` folder, or the ``.pickle.pbz2`` file of all architectures.
        workers: Processes that unpack a folder; they do not change the result.
        progress: Called after each architecture.

    Raises:
        ConversionError: A file is missing, damaged, larger than its format allows or of another kind; an architecture
            is not the one its name says, comes twice, or has a value that the format cannot hold exactly.
        UnsafeFileError: A file asks to run code, or holds trained weights.
    """
    path = Path(source)
    if path.is_dir():
        return _convert_folder(path, workers, progress)
    if path.is_file():
        raw, digest = _load(path)
        about = {**_SOURCE, "name": f"NATS-Bench, {path.name}", "sha256": f"{path.name} {digest}"}
        return tabulate_whole(raw, _SCHEDULES, str(path), about, _CONVERTER, progress)
    raise ConversionError(f"{path}: no such file or folder. {_SIMPLE}")


def _convert_folder(folder: Path, workers: int, progress: Progress) -> TableContent:
    meta = folder / "meta.pickle.pbz2"
    if not meta.is_file():
        raise ConversionError(f"{meta}: no such file. A NATS-Bench folder has it beside 000000.pickle.pbz2 and so on.")
    listed, digest = _load(meta)
    space = read_space(listed, str(meta))
    files = _files(folder, len(space.texts))
    digests = {meta.name: digest}

    def results() -> Iterator[Results]:
        tasks = ((path, space.space.name, index, space.texts[index]) for index, path in files.items())
        for path, (digest, found) in zip(files.values(), _map(tasks, workers), strict=True):
            digests[path.name] = digest
            yield found

    content = tabulate(space, list(files), results(), _SOURCE, _CONVERTER, progress)
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


def _map(tasks: Iterator[tuple[Path, str, int, str]], workers: int) -> Iterator[tuple[str, Results]]:
    if workers == 1:
        return (_read(*task) for task in tasks)
    from joblib import Parallel, delayed

    found: Iterator[tuple[str, Results]] = Parallel(workers, return_as="generator")(
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
    decompressor = bz2.BZ2Decompressor()
    limit = _LARGEST_RATIO * len(data)
    try:
        unpacked = decompressor.decompress(data, limit)
    except OSError:  # another format, or a checksum that does not fit
        raise ConversionError(f"{path}: not bzip2, or damaged. Download it again.") from None
    if len(unpacked) == limit and limit:
        raise ConversionError(
            f"{path}: refused. It unpacks to more than {_LARGEST_RATIO} times its size, a bzip2 bomb; real files of "
            "results unpack to 4 times their size."
        )
    if not decompressor.eof or decompressor.unused_data:
        raise ConversionError(
            f"{path}: {'goes on after' if decompressor.eof else 'ends before'} the end of bzip2 data."
        )
    return unpacked
