"""Raw files as tables: each is converted once, when it is seen for the first time, and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from nasbench import registry
from nasbench.errors import ConversionError, FetchError, TableFileError
from nasbench.sources.fetch import cache_folder
from nasbench.system.files import canonical_json, checked_path
from nasbench.tables import TableFile, write


def cached(converter: str, source: str | os.PathLike[str], **options: Any) -> Path:
    """Return the path of the table of a raw file or folder; convert it if it is not in the cache.

    Progress goes to the standard error stream. A raw file is known by its place, its size and the time of its last
    change, a folder by those of all that lies in it: a checksum would be surer, but reading gigabytes takes longer than
    all else that opening a table does. What is moved or touched is converted once more, and so is everything when the
    converter changes. Two processes that come at once both convert; neither sees the half of a table.

    Args:
        converter: Its name, as ``nasbench convert`` takes it.
        source: The raw file or folder.
        options: What else the converter is called with.

    Raises:
        UnknownNameError: No converter has this name.
        ConversionError: There is no such file or folder, or the converter refuses it.
        FetchError: The cache cannot be written.
    """
    convert = registry.find("converters", converter)
    path = Path(checked_path(source)).resolve()
    if not path.exists():
        raise ConversionError(f"{os.fspath(source)}: no such file or folder.")
    about = [sys.modules[convert.__module__].CONVERTER, str(path), _state(path)]
    key = hashlib.sha256(canonical_json(about)).hexdigest()[:16]
    table = cache_folder() / "tables" / f"{path.name.split('.')[0]}-{key}.h5"
    if _is_sound(table):
        return table
    _say(f"{source}: seen for the first time. It is converted to a table now, once; the table is kept as {table}")
    start = time.monotonic()
    content = convert(path, progress=_Tenths(), **options)
    try:
        write(table, content, force=True)
    except OSError as error:
        raise FetchError(
            f"{table}: cannot be written: {error.strerror or error}. Set the environment variable NASBENCH_CACHE to a "
            "folder that can."
        ) from None
    _say(f"{source}: converted in {time.monotonic() - start:.0f} seconds.")
    return table


def _state(path: Path) -> list[tuple[str, int, int]]:
    """Return name, size and time of the last change, in nanoseconds, of a file or of each in a folder."""
    found = []
    for entry in sorted(path.iterdir()) if path.is_dir() else [path]:
        status = entry.stat()
        found.append((entry.name, status.st_size, status.st_mtime_ns))
    return found


def _is_sound(table: Path) -> bool:
    try:
        TableFile(table)
    except TableFileError:  # not there, or not what was written
        return False
    return True


class _Tenths:
    """Say how far a conversion is, at every tenth part of it."""

    def __init__(self) -> None:
        self._said = 0

    def __call__(self, done: int, total: int) -> None:
        tenths = 10 * done // max(total, 1)
        if tenths > self._said:
            self._said = tenths
            _say(f"  {10 * tenths} %")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
