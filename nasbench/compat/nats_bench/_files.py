"""Which table an old script means, the pickles of the original, which run nothing here, and its small helpers."""

from __future__ import annotations

import bz2
import os
import pickle
import time
from collections.abc import Mapping
from typing import Any

from nasbench.system.files import replacing

PICKLE_EXT = "pickle.pbz2"
_MANY_FILES = 1000


def get_torch_home() -> str:
    """Return ``TORCH_HOME``, else ``~/.torch``."""
    return os.environ.get("TORCH_HOME") or os.path.join(os.path.expanduser("~"), ".torch")


def find_table(given: Any, base: str, cached_name: str) -> str:
    """Return the path of the table that an old script asks for.

    Args:
        given: None, a path, or a dictionary as the original takes it.
        base: Name of the official archive, such as ``NATS-tss-v1_0-3ffb9``.
        cached_name: Name of its table in the cache of ``nasbench fetch``, such as ``nats_tss``.

    Raises:
        ValueError: It is a dictionary, or there is nothing there.
        ConversionError: A folder or file of the original is damaged.
        FetchError: The cache cannot be written.
    """
    if isinstance(given, Mapping):
        raise ValueError(
            "a dictionary of results cannot be used here: it would have to be in memory. Give the path of the official "
            "-simple folder, of the .pickle.pbz2 file, or of a .h5 table."
        )
    if given is None:
        return _default(base, cached_name)
    if not isinstance(given, (str, os.PathLike)):
        raise ValueError(f"file_path_or_dict [{type(given)}] must be a path.")
    path = os.path.expanduser(os.fspath(given))
    if path.endswith((".h5", ".hdf5")) and os.path.isfile(path):
        return path
    if os.path.isdir(path) or os.path.isfile(path):
        return _converted(path)
    if os.sep not in path and not path.endswith((".h5", ".hdf5", ".pbz2", ".pth")):
        from nasbench.sources.named import find

        return find(path)
    raise ValueError(f"{path} is neither a file or a dir.")


def _converted(path: str) -> str:
    from nasbench.sources.cache import cached  # not needed for tables

    if path.endswith(".pth"):
        return str(cached("nasbench201-pth", path))
    processes = 1
    if os.path.isdir(path) and len(os.listdir(path)) > _MANY_FILES:
        processes = os.cpu_count() or 1
    return str(cached("nats-bench", path, processes=processes))


def _default(base: str, cached_name: str) -> str:
    """Look where ``nasbench fetch`` puts tables, then where the original looks."""
    from nasbench.sources.fetch import cached_table

    table = cached_table(cached_name)
    if table is not None:
        return str(table)
    home = get_torch_home()
    for name in (f"{base}.h5", f"{base}-simple", f"{base}.{PICKLE_EXT}"):
        path = os.path.join(home, name)
        if os.path.exists(path):
            return path if path.endswith(".h5") else _converted(path)
    raise ValueError(
        f"no path was given, there is no table {cached_name!r} in the cache, and {home} has neither {base}.h5 nor "
        f"{base}-simple nor {base}.{PICKLE_EXT}. `nasbench fetch {cached_name}` says where to download it."
    )


def pickle_load(file_path: str | os.PathLike[str], ext: str = ".pbz2") -> Any:
    """Read a packed pickle of the original; it may hold plain containers and numbers, and runs nothing.

    Args:
        file_path: The file, with or without its last extension.
        ext: The extension.

    Raises:
        ConversionError: The file is missing or damaged.
        UnsafeFileError: It asks to run code.
    """
    from nasbench.errors import ConversionError
    from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle_from  # not needed for tables

    path = os.fspath(file_path)
    for name in (path, path + ext):
        if os.path.isfile(name):
            with bz2.open(name) as file:
                return load_pickle_from(file, name, PLAIN_GLOBALS, alone=True)
    raise ConversionError(f"{path}: no such file, nor {path}{ext}.")


def pickle_save(obj: Any, file_path: str | os.PathLike[str], ext: str = ".pbz2", protocol: int = 4) -> None:
    """Write a packed pickle, as the original does: ``file_path`` plus the extension.

    Args:
        obj: What is pickled.
        file_path: The file, without its last extension.
        ext: The extension.
        protocol: As for ``pickle.dump``.
    """
    with replacing(os.fspath(file_path) + ext) as temporary, bz2.open(temporary, "wb") as file:
        pickle.dump(obj, file, protocol)


def mean(xlist: list[float]) -> float:
    """Return the mean of a list."""
    return sum(xlist) / len(xlist)


def time_string() -> str:
    """Return date and time in brackets."""
    return time.strftime("[%Y-%m-%d %H:%M:%S]")


def nats_is_dir(file_path: str) -> bool:
    """Tell whether there is such a folder."""
    return os.path.isdir(file_path)


def nats_is_file(file_path: str) -> bool:
    """Tell whether there is such a file."""
    return os.path.isfile(file_path)
