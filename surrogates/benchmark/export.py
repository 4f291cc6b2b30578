"""Writing what a surrogate predicts of a whole search space as CSV or Parquet, one row an architecture.

Columns are those of :mod:`nasbench.tables.export`, with ``predicted`` before the name of each that is no formula of
the search space, so that nobody takes them for recorded ones.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ExportError
from nasbench.metrics import METRICS
from nasbench.system.files import refuse_existing, replacing

if TYPE_CHECKING:
    from surrogates.benchmark.queries import SurrogateBenchmark

LARGEST = 2**16
"""Architectures of a search space, at most."""
_EXACT = ("parameters", "flops")


def write_csv(
    path: str | os.PathLike[str], benchmark: SurrogateBenchmark, *, every_epoch: bool = False, force: bool = False
) -> None:
    """Write the predictions of all architectures as CSV, UTF-8.

    The first column is ``index``, the official index of the architecture, or ``code``, its place among all combinations
    of choices, where the benchmark has no such order; the second ``architecture``, its text; the third ``origin``.

    Args:
        path: The file; it appears whole or not at all.
        benchmark: What predicts.
        every_epoch: Every epoch rather than the last of each schedule.
        force: Replace a file that is there.

    Raises:
        ExportError: The search space has more than ``LARGEST`` architectures, or not every combination is one.
        FileInTheWayError: There is such a file, and ``force`` was not given.
        OSError: It cannot be written.
    """
    refuse_existing(path, force=force)
    key, choices = _all(benchmark)
    columns = _columns(benchmark, choices, every_epoch)
    texts = map(benchmark.space.format, map(tuple, choices.tolist()))
    cells = zip(*(_cells(values) for values in columns.values()), strict=True)
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([key, "architecture", "origin", *(f"{name} [{_unit(name)}]" for name in columns)])
        for i, (text, row) in enumerate(zip(texts, cells, strict=True)):
            writer.writerow([i, text, benchmark.origin, *row])


def write_parquet(
    path: str | os.PathLike[str], benchmark: SurrogateBenchmark, *, every_epoch: bool = False, force: bool = False
) -> None:
    """Write the predictions of all architectures as Parquet.

    Columns are those of :func:`write_csv`; the ``attrs`` of the frame have ``surrogate`` and ``table`` (their digests),
    ``dataset``, ``source``, ``origin`` and, by column, ``units``.

    Args:
        path: As for :func:`write_csv`.
        benchmark: As for :func:`write_csv`.
        every_epoch: As for :func:`write_csv`.
        force: As for :func:`write_csv`.

    Raises:
        ExportError: As for :func:`write_csv`; or pandas or pyarrow is not installed.
        FileInTheWayError: As for :func:`write_csv`.
        OSError: It cannot be written.
    """
    refuse_existing(path, force=force)
    try:
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ExportError(
            f"a Parquet file needs {error.name}, which is not installed: pip install 'nasbench-suite[export]'."
        ) from None
    key, choices = _all(benchmark)
    columns = _columns(benchmark, choices, every_epoch)
    texts = [*map(benchmark.space.format, map(tuple, choices.tolist()))]
    frame = pd.DataFrame({"architecture": texts, "origin": benchmark.origin, **columns})
    frame.index.name = key
    frame.attrs = {
        "surrogate": benchmark.digest,
        "table": benchmark.manifest["table"]["digest"],
        "dataset": benchmark.dataset,
        "source": dict(benchmark.source),
        "origin": benchmark.origin,
        "units": {name: _unit(name) for name in columns},
    }
    with replacing(path) as temporary:
        frame.to_parquet(temporary, engine="pyarrow")


def _all(benchmark: SurrogateBenchmark) -> tuple[str, NDArray[np.uint8]]:
    """Return what the number of a row is, and all architectures, shape (n, decisions)."""
    space = benchmark.space
    if space.constrained or space.size > LARGEST:
        raise ExportError(
            f"{benchmark.name}: {space.name} has too many architectures to predict them all: {space.size:,} "
            f"combinations, and {LARGEST:,} at most are exported. Query those that you need."
        )
    official = space.architectures
    return ("code", space.decode(np.arange(space.size))) if official is None else ("index", official)


def _columns(benchmark: SurrogateBenchmark, choices: NDArray[np.uint8], every_epoch: bool) -> dict[str, NDArray[Any]]:
    """Return the predictions by name, shape (n,) each; what the surrogate does not predict is left out."""
    asked = [tuple(row) for row in choices.tolist()]
    last = {fidelity.schedule: fidelity for fidelity in benchmark.fidelities}
    fidelities = benchmark.fidelities if every_epoch else last.values()
    found: dict[str, NDArray[Any]] = {}
    for schedule, epoch in fidelities:
        answers = [benchmark.query(one, schedule=schedule, epoch=epoch) for one in asked]
        for name in METRICS:
            values = [getattr(answer, name) for answer in answers]
            if all(value is None or value != value for value in values):
                continue
            column = name if name in _EXACT else f"predicted {name}@{schedule}/{epoch}"
            found.setdefault(column, np.array(values))
    return dict(sorted(found.items(), key=lambda item: item[0] not in _EXACT))  # formulas first


def _unit(column: str) -> str:
    return METRICS[column.removeprefix("predicted ").partition("@")[0]].unit


def _cells(values: NDArray[Any]) -> Iterator[Any]:
    """Yield numbers as Python has them, whose text is the shortest that gives them back; None where there is none."""
    return (None if value != value else value for value in values.tolist())
