"""Official files by name: download them, convert them, and keep the tables in the user's cache.

The cache is one folder, ``NASBENCH_CACHE`` or the system's folder for caches. In it lie ``tables/NAME.h5``, which
:func:`nasbench.load` finds by name, and ``downloads/NAME/``, which holds what has arrived of a file until its table is
there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from nasbench import registry
from nasbench.errors import FetchError, NasbenchError, TableFileError, unknown_name
from nasbench.sources import Progress, silent
from nasbench.sources.download import AT_MOST, DISK_FULL, disk_full, download
from nasbench.system.files import checked_path
from nasbench.tables import TableFile, write


class Official(NamedTuple):
    """An official file with a stable address.

    Args:
        converter: Name of the converter that reads it.
        address: Where it is; ends in the file's name.
        sha256: The checksum, in hexadecimal.
        page: Where its authors describe it.
        at_most: Its size in bytes, or, where only about that is known, what it surely has not.
    """

    converter: str
    address: str
    sha256: str
    page: str
    at_most: int = AT_MOST


class ByHand(NamedTuple):
    """An official file that lies on a drive, without an address to download it from.

    Args:
        converter: Name of the converter that reads it.
        file: Its exact name.
        size: Its size, for people.
        address: Where a browser downloads it.
        page: Where its authors say where it is.
    """

    converter: str
    file: str
    size: str
    address: str
    page: str


_LOCK = "lock"
_NASBENCH101 = "https://github.com/google-research/nasbench#download-the-dataset"
_NATS = "https://github.com/D-X-Y/NATS-Bench#preparation-and-download"

OFFICIAL: dict[str, Official] = {
    # Addresses and checksums of NAS-Bench-101: the authors' page, which says "1.95 GB" and "499 MB".
    "nasbench101": Official(
        "nasbench101",
        "https://storage.googleapis.com/nasbench/nasbench_full.tfrecord",
        "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c",
        _NASBENCH101,
        2_100_000_000,
    ),
    "nasbench101_only108": Official(
        "nasbench101",
        "https://storage.googleapis.com/nasbench/nasbench_only108.tfrecord",
        "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1",
        _NASBENCH101,
        550_000_000,
    ),
    # The authors publish no checksum; it is that of the file as of commit 61a2bfc.
    "nas_bench_macro": Official(
        "nas-bench-macro",
        "https://raw.githubusercontent.com/xiusu/NAS-Bench-Macro/master/data/nas-bench-macro_cifar10.json",
        "686dee8363cc21cca8c1f321ad5749454f2d9b9ca5972682e137e539bc522297",
        "https://github.com/xiusu/NAS-Bench-Macro",
        1_178_821,
    ),
}
BY_HAND: dict[str, ByHand] = {
    "nats_tss": ByHand(
        "nats-bench",
        "NATS-tss-v1_0-3ffb9-simple.tar",
        "about 1.3 GB",
        "https://drive.google.com/file/d/17_saCsj_krKjlCBLOJEpNtzPXArMCqxU",
        _NATS,
    ),
    "nats_sss": ByHand(
        "nats-bench",
        "NATS-sss-v1_0-50262-simple.tar",
        "about 1.1 GB",
        "https://drive.google.com/file/d/1scOMTUwcQhAMa_IMedp9lTzwmgqHLGgA",
        _NATS,
    ),
    "nasbench201_v1_1": ByHand(
        "nasbench201-pth",
        "NAS-Bench-201-v1_1-096897.pth",
        "4.7 GB",
        "https://drive.google.com/file/d/16Y0UwGisiouVRxW-W5hEtbxmcHw_0hF_",
        "https://github.com/D-X-Y/NAS-Bench-201#preparation-and-download",
    ),
}


class Fetched(NamedTuple):
    """Where the table is, and one sentence on what was done."""

    path: Path
    message: str


def names() -> list[str]:
    """Return the names of all official files, whether they can be downloaded or only be asked for."""
    return [*OFFICIAL, *BY_HAND]


def cache_folder(cache: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that is given, else ``NASBENCH_CACHE``, else the system's one; it need not exist.

    Raises:
        FetchError: It begins with ``~`` and there is no such user, or none is set and this user has no home folder.
        FileNameError: Its path is no UTF-8 text.
    """
    if cache is None:
        cache = os.environ.get("NASBENCH_CACHE")
    try:
        if cache:
            return Path(checked_path(cache)).expanduser().absolute()
        from platformdirs import user_cache_dir  # what pooch.os_cache returns, without the 70 ms of importing pooch

        return Path(checked_path(user_cache_dir("nasbench"))).expanduser().absolute()
    except RuntimeError:  # pathlib's or platformdirs', where no home folder is known
        whose = f"{os.fspath(cache)}: there is no such user" if cache else "the home folder of this user is not known"
        raise FetchError(
            f"{whose}, so there is no folder for the cache. Set the environment variable NASBENCH_CACHE to a folder."
        ) from None


def cached_table(name: str, cache: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the path of the table of an official file, or None where it is not in the cache."""
    if name not in OFFICIAL and name not in BY_HAND:
        return None
    path = _table(name, cache_folder(cache))
    return path if path.is_file() else None


def hint(name: str) -> str:
    """Return what to tell who looked for a table that is not here: how to get it, or nothing if nobody knows it."""
    return f"the table {name!r} is not here yet: run `nasbench fetch {name}`." if name in names() else ""


def fetch(
    name: str, *, progress: Progress = silent, cache: str | os.PathLike[str] | None = None, keep: bool = False
) -> Fetched:
    """Bring the table of an official file into the cache, unless it is there and sound.

    What has arrived of a download is kept when it is cut, interrupted or fails: the next call goes on from there. The
    table gets its name only when all of it is written and verified.

    Args:
        name: One of :func:`names`, or a table that is installed already.
        progress: Called with bytes done and bytes in all, then as the converter does.
        cache: The folder of the cache, see :func:`cache_folder`.
        keep: Keep the downloaded file after its conversion.

    Raises:
        UnknownNameError: No official file has this name.
        FetchError: The file has no stable address (the message says what to do by hand); it cannot be reached, is not
            there, was cut or too slow too often, or is larger than the published one; its checksum is wrong; the disk
            is full; the cache cannot be written; another process fetches it.
        ConversionError: The file is verified, but the converter refuses it; it is kept.
    """
    if name in registry.names("tables"):
        return Fetched(Path(registry.find("tables", name)), f"{name} is installed: nothing to fetch.")
    if name not in names():
        raise unknown_name("official file", name, names())
    folder = cache_folder(cache)
    table = _table(name, folder)
    if _is_sound(table, OFFICIAL[name].sha256 if name in OFFICIAL else ""):
        return Fetched(table, f"{name} is here already, and sound: nothing to fetch.")
    if name in BY_HAND:
        raise FetchError(_instructions(name, BY_HAND[name], table))
    downloads = folder / "downloads" / name
    with writing_below(folder):
        downloads.mkdir(parents=True, exist_ok=True)
        with alone(downloads):
            official = OFFICIAL[name]
            raw = download(
                official.address,
                official.sha256,
                downloads,
                progress=progress,
                page=official.page,
                at_most=official.at_most,
            )
            write(table, registry.find("converters", official.converter)(raw, progress=progress), force=True)
            if not keep:
                clear(downloads)
    return Fetched(table, f"{name} is here now. The official file {f'is {raw}' if keep else 'was removed'}.")


def _table(name: str, folder: Path) -> Path:
    return folder / "tables" / f"{name}.h5"


def _is_sound(table: Path, sha256: str) -> bool:
    try:
        file = TableFile(table)
        file.verify()
    except TableFileError:
        return False
    return sha256 in file.source["sha256"]


def _instructions(name: str, file: ByHand, table: Path) -> str:
    import shlex

    steps = [f"download {file.file} ({file.size}) from {file.address}; {file.page} names other places"]
    if file.file.endswith(".tar"):
        steps.append(f"tar xf {file.file}")
    source = file.file.removesuffix(".tar")
    steps.append(f"nasbench convert {file.converter} {source} --out {shlex.quote(str(table))}")
    numbered = "".join(f"\n  {i}. {step}" for i, step in enumerate(steps, start=1))
    return f"{name} lies on a drive that only a browser can download from:{numbered}\nThen the name {name} is known."


@contextmanager
def writing_below(folder: Path) -> Iterator[None]:
    """Turn what the system says of files and folders into a FetchError."""
    try:
        yield
    except NasbenchError:
        raise
    except OSError as error:
        where = error.filename or folder
        if error.errno in DISK_FULL:
            raise disk_full(f"{where} cannot be written", folder) from None
        raise FetchError(
            f"{where}: cannot be written: {error.strerror or error}. Set the environment variable NASBENCH_CACHE to a "
            "folder that can."
        ) from None


@contextmanager
def alone(downloads: Path) -> Iterator[None]:
    """Keep other processes from the same download, where the system and the file system have locks."""
    with (downloads / _LOCK).open("w") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FetchError(f"{downloads}: another process is downloading this file. Wait for it.") from None
            except OSError:
                pass
        yield


def clear(downloads: Path) -> None:
    """Remove the file, and what killed processes left of it; the lock stays, for whoever may be waiting for it."""
    for path in downloads.iterdir():
        if path.name != _LOCK:
            path.unlink()
