"""Writing files so that a reader sees the old one, the new one or none, but never half of one."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from nasbench.errors import FileInTheWayError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a temporary path in the same folder; on success sync it and rename it to ``path``.

    On any exception the temporary file is removed and ``path`` is left as it was.
    """
    target = os.path.abspath(path)
    folder, name = os.path.split(target)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, target)
        _sync(folder)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


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


def _sync(path: str) -> None:
    if os.name == "nt" and os.path.isdir(path):  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
