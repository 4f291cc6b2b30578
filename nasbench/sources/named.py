"""Tables by name: those that come with us, those that were fetched, and whatever has a path."""

from __future__ import annotations

import os

from nasbench import registry
from nasbench.errors import UnknownNameError
from nasbench.tables.table import Table


def load(name: str | os.PathLike[str], dataset: str | None = None) -> Table:
    """Open a table by name or by path: what :func:`nasbench.load` does with either.

    Raises:
        UnknownNameError: Nothing has this name, and it is no path; or the file has no such image dataset.
        TableFileError: The file is no sound table.
    """
    return Table(find(name), dataset)


def find(name: str | os.PathLike[str]) -> str:
    """Return the path of a table given by name or by path.

    Raises:
        UnknownNameError: Nothing has this name, and it is no path.
    """
    text = os.fspath(name)
    if text.endswith((".h5", ".hdf5")) or os.sep in text:
        return text
    hint = ""
    if not registry.is_ours("tables", text):
        from nasbench.sources import fetch  # what comes with us is found without

        cached = fetch.cached_table(text)
        if cached is not None:
            return str(cached)
        hint = fetch.hint(text)
    try:
        path: str = registry.find("tables", text)
    except UnknownNameError as error:
        raise UnknownNameError(hint or f"{error} Or give the path of a .h5 file.") from None
    return path
