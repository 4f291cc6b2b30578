"""Writing files so that a reader sees the old one, the new one or none, but never half of one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from nasbench.errors import FileInTheWayError, FileNameError, NasbenchError

_TEMPORARY = re.compile(
    r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]{1,10})-[0-9]+\.partial(?:-wal|-shm|-journal)?", re.DOTALL
)
"""The last ones are what SQLite puts beside a file."""
_LONGEST_NAME = 180
"""How much of a file's name, in bytes, its temporary name repeats: file systems take 255 bytes for a whole name."""
_cleaned: set[str] = set()


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a temporary path in the same folder; on success sync it and rename it to ``path``.

    On any exception the temporary file is removed and ``path`` is left as it was. The first write of a process to a
    folder also removes what killed processes left there, see :func:`remove_left_over`.

    Raises:
        FileNameError: The path is no UTF-8 text.
        OSError: The system cannot do it. Its ``filename`` is ``path``, also where the system names no file: a full
            disk is noticed by a write, which knows none.
    """
    target = os.path.abspath(checked_path(path))
    folder = os.path.dirname(target)
    temporary = temporary_path(target)
    with _naming(target, temporary):
        os.makedirs(folder, exist_ok=True)
        if folder not in _cleaned:
            _cleaned.add(folder)
            remove_left_over(folder)
        try:
            yield temporary
            _sync(temporary)
            os.replace(temporary, target)
            _sync(folder)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise


def checked_path(path: str | os.PathLike[str]) -> str:
    """Return a path as text, if it is one that every library can write to.

    Raises:
        FileNameError: It has bytes that are no UTF-8 (Python keeps them as surrogates), which HDF5 and JSON refuse in
            ways of their own, or a zero byte.
    """
    text = os.fspath(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
        raise FileNameError(f"{shown}: the path has bytes that are no UTF-8. Choose another name.") from None
    if "\0" in text:
        raise FileNameError(f"{text!r}: the path has a zero byte. Choose another name.")
    return text


def temporary_path(path: str | os.PathLike[str]) -> str:
    """Return a path in the same folder for what is to become ``path``: it says which machine and process write it."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder, _temporary_name(name))


def remove_left_over(folder: str | os.PathLike[str], *, folders: bool = False) -> None:
    """Remove temporary files, and with ``folders`` folders, of :func:`temporary_path` whose process is dead.

    Their names say which machine and process writes them. Those of another machine, or of a process that still runs,
    are left alone, and so is everything where the system has no way to ask (Windows).
    """
    if sys.platform == "win32":
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match and match["machine"] == _machine() and not _runs(int(match["process"])):
                with suppress(OSError):
                    if folders and entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path)
                    else:
                        os.unlink(entry.path)


def refuse_existing(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Make sure that nothing is overwritten unasked: before the work whose result goes there.

    Raises:
        FileInTheWayError: There is a file, a folder or a link of that name, and ``force`` is not set.
    """
    if not force and os.path.lexists(path):
        raise FileInTheWayError(f"{os.fspath(path)} exists; choose another --out, or give --force")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write readable JSON, atomically; floats keep their shortest exact form."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write(text)


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value that digests are taken of: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _temporary_name(name: str) -> str:
    """Return the name under which this thread writes a file; :func:`remove_left_over` knows it."""
    short = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return f".{short}.{_machine()}-{os.getpid()}-{threading.get_ident()}.partial"


@cache
def _machine() -> str:
    """Tell apart the machines, and the containers of one, that may share a folder: each numbers its own processes."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode(errors="replace")).hexdigest()[:8]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is somebody else's
        return True
    return True


@contextmanager
def _naming(target: str, temporary: str) -> Iterator[None]:
    """Let what the system says name the file that was to be written, not a hidden one or none."""
    try:
        yield
    except NasbenchError:
        raise
    except OSError as error:
        if error.errno is None:  # such as those of h5py
            raise OSError(f"{target}: cannot be written: {' '.join(str(error).split())[:300]}") from None
        if error.filename in (None, temporary):
            raise OSError(error.errno, error.strerror, target) from error
        raise


def _sync(path: str) -> None:
    if os.name == "nt" and os.path.isdir(path):  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
