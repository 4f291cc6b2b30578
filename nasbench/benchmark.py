"""Opening what answers queries: a table by name or path, or what a prefix such as ``surrogate:`` stands for."""

from __future__ import annotations

import os
from typing import Any

from nasbench import registry
from nasbench.sources import named


def load(name: str | os.PathLike[str], dataset: str | None = None) -> Any:  # Any: most callers know what they open
    """Open a table by name (``"nasbench201"``) or by path, or a benchmark by a prefix (``"surrogate:FOLDER"``).

    Args:
        name: A name that ``nasbench tables`` lists, one that was fetched (``nasbench fetch``), the path of a ``.h5``
            file, or ``surrogate:FOLDER`` (what ``nasbench fit`` made).
        dataset: The image dataset: for nasbench201 ``"cifar10"`` (the default), ``"cifar100"`` or
            ``"ImageNet16-120"``.

    Returns:
        A :class:`nasbench.tables.table.Table`; with a prefix, a :class:`nasbench.types.Benchmark`, which answers like
        one.

    Raises:
        UnknownNameError: Nothing has this name, and it is no path; or there is no such image dataset.
        TableFileError: The file is no sound table.
        NasbenchError: What the prefix stands for cannot be opened; the message says why.
    """
    prefix, colon, rest = os.fspath(name).partition(":")
    if colon and prefix in registry.names("benchmarks"):
        return registry.find("benchmarks", prefix)(rest, dataset)
    return named.load(name, dataset)
