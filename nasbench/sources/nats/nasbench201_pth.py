"""NAS-Bench-201 as first published: ``NAS-Bench-201-v1_0-e61699.pth`` and ``NAS-Bench-201-v1_1-096897.pth``.

Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020,
https://github.com/D-X-Y/NAS-Bench-201. A file is what ``torch.save`` makes of one dictionary, read here without torch:
either a stream of pickles (magic number, protocol, system, the dictionary, storage keys) or, since torch 1.6, an
uncompressed zip archive with the dictionary in ``data.pkl``. It is read architecture by architecture, so memory holds
the table and a few of them. NATS-Bench's files hold later and more results.

Schedule ``less`` has 12 epochs, ``full`` 200. Some trainings have no times; latency and times differ from run to run.
Which raw curve becomes which column stands in :mod:`nasbench.sources.nats.splits`.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from typing import IO, Any

from nasbench.errors import ConversionError
from nasbench.sources import Progress, silent
from nasbench.sources.nats.file import tabulate_file
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle_from
from nasbench.system.files import checked_path
from nasbench.tables import TableContent

_SCHEDULES = {"less": 12, "full": 200}
# torch/serialization.py
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_ADVICE = "Take NAS-Bench-201-v1_1-096897.pth, which has no trained weights."
CONVERTER = "nasbench201-pth, version 1"
_SOURCE = {
    "address": "https://github.com/D-X-Y/NAS-Bench-201",
    "licence": "MIT, Copyright (c) Xuanyi Dong",
    "citation": "X. Dong and Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search. "
    "International Conference on Learning Representations (ICLR), 2020.",
    "elsewhere": "NATS-Bench (https://github.com/D-X-Y/NATS-Bench) records more runs and an estimate of every time.",
}


def convert(source: str | os.PathLike[str], *, progress: Progress = silent) -> TableContent:
    """Read NAS-Bench-201's results from a ``.pth`` file.

    Args:
        source: The file.
        progress: Called after each architecture.

    Raises:
        ConversionError: The file is missing, damaged, compressed or of another kind, or has a value that the format
            cannot hold exactly.
        UnsafeFileError: The file asks to run code, or holds trained weights.
    """
    path = Path(checked_path(source))
    if not path.is_file():
        raise ConversionError(f"{path}: no such file.")
    with path.open("rb") as file:
        zipped = file.read(2) == b"PK"
        file.seek(0)
        content = _read_zip(file, path, progress) if zipped else _read_stream(file, path, progress)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    about = {**_SOURCE, "name": f"NAS-Bench-201, {path.name}", "sha256": f"{path.name} {digest}"}
    return content._replace(source=about)


def _tabulate(file: IO[bytes], path: Path, progress: Progress, *, alone: bool) -> TableContent:
    schedules = {"nb201": _SCHEDULES}
    return tabulate_file(file, schedules, str(path), _SOURCE, CONVERTER, progress, advice=_ADVICE, alone=alone)


def _read_stream(file: IO[bytes], path: Path, progress: Progress) -> TableContent:
    def load(part: str, *, last: bool = False) -> Any:
        return load_pickle_from(file, f"{path}: {part}", PLAIN_GLOBALS, advice=_ADVICE, alone=last, longest=2**20)

    if load("magic number") != _MAGIC or load("protocol") != _PROTOCOL:
        raise ConversionError(f"{path}: neither a zip archive nor a stream that torch.save wrote.")
    load("system")
    content = _tabulate(file, path, progress, alone=False)
    if load("storage keys", last=True) != []:
        raise ConversionError(f"{path}: holds tensors. {_ADVICE}")
    return content


def _read_zip(file: IO[bytes], path: Path, progress: Progress) -> TableContent:
    try:
        with zipfile.ZipFile(file) as archive:
            members = [info for info in archive.infolist() if info.filename.split("/")[1:] == ["data.pkl"]]
            if len(members) != 1 or members[0].compress_type != zipfile.ZIP_STORED or members[0].flag_bits & 1:
                raise ConversionError(
                    f"{path}: a zip archive, but not one of torch.save: expected exactly one uncompressed member "
                    f"<name>/data.pkl, found {len(members)}."
                )
            with archive.open(members[0]) as member:
                return _tabulate(member, path, progress, alone=True)
    except ConversionError:
        raise
    except Exception as error:  # a damaged archive may raise anything
        raise ConversionError(
            f"{path}: not a complete zip archive ({type(error).__name__}: {str(error)[:160]}). Download it again."
        ) from None
