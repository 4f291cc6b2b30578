"""Exporting a table to pandas, CSV and Parquet: one row an architecture, one column a metric.

Columns are named by what they hold, so that no two trainings are taken for one another:

- ``flops``: what does not depend on training;
- ``validation_accuracy@108/54``: after epoch 54 of the schedule of 108 epochs, the mean over the recorded runs;
- ``validation_accuracy@108/54/run0``: of one run.

Accuracies are fractions in [0, 1]; the other units are those of :meth:`nasbench.tables.table.Table.describe`. What was
not measured is missing: an empty cell, ``NaN`` or ``NA``, never a number.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ExportError, NotRecordedError, unknown_name
from nasbench.system.files import refuse_existing, replacing
from nasbench.tables import ColumnInfo
from nasbench.tables.runs import of_run, present
from nasbench.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

_BLOCK_CELLS = 2**18
"""Cells that are turned to text at a time."""


class _Source(NamedTuple):
    """A column of the table, as it is stored, and the columns that it becomes: one an epoch, or an epoch and run."""

    info: ColumnInfo
    stored: NDArray[Any]
    """Shape (n,), or (n, epochs, runs)."""
    names: list[str]
    every_run: bool
    """All runs beside each other, rather than their mean."""

    @property
    def unit(self) -> str:
        return "fraction" if self.info.images else self.info.unit

    def values(self, rows: slice) -> NDArray[Any]:
        """Return some rows, shape (rows, names): numbers as they are stored, or floats with nan where there is none."""
        stored = self.stored[rows]
        if not self.info.epochs:
            return stored[:, None]
        if not self.every_run:
            return of_run(stored, self.info, None)
        return (np.where(present(stored), stored, np.nan) / (self.info.images or 1)).reshape(len(stored), -1)


class _Units(dict[str, str]):
    """Units by column, shared by all that pandas makes of a frame.

    It copies ``attrs`` deeply for every column that is looked at: with thousands of them, gigabytes.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> _Units:
        return self


def write_csv(
    path: str | os.PathLike[str],
    table: Table,
    *,
    metrics: Sequence[str] | None = None,
    every_epoch: bool = False,
    every_run: bool = False,
    force: bool = False,
) -> None:
    """Write a table of an image dataset as CSV, UTF-8, with names such as ``latency [seconds]`` in its first line.

    The first two columns are ``index``, the official index of the architecture, and ``architecture``, its text. Where
    nothing says what an index means (see :attr:`nasbench.tables.table.Table.indexes`), the first is ``row``, the row
    in the table. Numbers are written with as many digits as it takes to read them back exactly.

    Args:
        path: The file; it appears whole or not at all.
        table: What to export.
        metrics: Names of :attr:`nasbench.tables.table.Table.metrics`; all of them by default.
        every_epoch: Export every recorded epoch rather than the last of each schedule.
        every_run: Export every run rather than their mean. A metric that is the same in all runs keeps one column.
        force: Replace a file that is there.

    Raises:
        FileInTheWayError: There is such a file, and ``force`` was not given.
        NotRecordedError: The table has no such metric.
        TableFileError: The table file is not sound.
    """
    refuse_existing(path, force=force)
    sources = _sources(table, metrics, every_epoch, every_run)
    key, keys = _keys(table)
    names = [f"{name} [{source.unit}]" for source in sources for name in source.names]
    rows = max(1, _BLOCK_CELLS // (len(names) + 2))
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([key, "architecture", *names])
        for start in range(0, len(table), rows):
            block = slice(start, start + rows)
            texts = map(table.space.format, map(tuple, table.architectures[block].tolist()))
            cells = [_cells(source.values(block)) for source in sources]
            for number, text, *parts in zip(keys[block].tolist(), texts, *cells, strict=True):
                writer.writerow([number, text, *(cell for part in parts for cell in part)])


def write_parquet(
    path: str | os.PathLike[str],
    table: Table,
    *,
    metrics: Sequence[str] | None = None,
    every_epoch: bool = False,
    every_run: bool = False,
    force: bool = False,
) -> None:
    """Write the frame of :func:`to_frame` as Parquet; pandas gives its ``attrs`` back.

    Args:
        path: The file; it appears whole or not at all.
        table: What to export.
        metrics: As for :func:`write_csv`.
        every_epoch: As for :func:`write_csv`.
        every_run: As for :func:`write_csv`.
        force: As for :func:`write_csv`.

    Raises:
        FileInTheWayError: There is such a file, and ``force`` was not given.
        ExportError: pandas or pyarrow is not installed.
        NotRecordedError: The table has no such metric.
        TableFileError: The table file is not sound.
    """
    refuse_existing(path, force=force)
    frame = to_frame(table, metrics=metrics, every_epoch=every_epoch, every_run=every_run)
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise _lacking("pyarrow", "a Parquet file") from None
    with replacing(path) as temporary:
        frame.to_parquet(temporary, engine="pyarrow")


def to_frame(
    table: Table, *, metrics: Sequence[str] | None = None, every_epoch: bool = False, every_run: bool = False
) -> pd.DataFrame:
    """Return a table of an image dataset as a ``pandas.DataFrame``, indexed as the first column of :func:`write_csv`.

    The first column is ``architecture``, its text. ``attrs`` holds ``table`` (the digest of the table), ``dataset``,
    ``source`` and, by column, ``units``.

    Args:
        table: What to export.
        metrics: As for :func:`write_csv`.
        every_epoch: As for :func:`write_csv`.
        every_run: As for :func:`write_csv`.

    Raises:
        ExportError: pandas is not installed.
        NotRecordedError: The table has no such metric.
        TableFileError: The table file is not sound.
    """
    try:
        import pandas as pd
    except ImportError:
        raise _lacking("pandas", "a frame") from None
    sources = _sources(table, metrics, every_epoch, every_run)
    key, keys = _keys(table)
    data: dict[str, Any] = {"architecture": [*map(table.space.format, table)]}
    for source in sources:
        for name, values in zip(source.names, source.values(slice(None)).T, strict=True):
            missing = ~present(values)
            whole = values.dtype.kind == "u" and missing.any()
            data[name] = pd.arrays.IntegerArray(np.array(values), missing) if whole else values
    frame = pd.DataFrame(data, index=pd.Index(keys, name=key))
    frame.attrs = {
        "table": table.digest,
        "dataset": table.dataset,
        "source": dict(table.source),
        "units": _Units((name, source.unit) for source in sources for name in source.names),
    }
    return frame


def _keys(table: Table) -> tuple[str, NDArray[np.int64]]:
    indexes = table.indexes
    return ("row", np.arange(len(table))) if indexes is None else ("index", indexes)


def _sources(table: Table, metrics: Sequence[str] | None, every_epoch: bool, every_run: bool) -> list[_Source]:
    """Read what does not depend on training, then each schedule; each column of the file is read once."""
    for metric in metrics or ():
        if metric not in table.metrics:
            raise NotRecordedError(str(unknown_name(f"metric in {table.name}:", metric, table.metrics)))
    described = {name: info for name, info in table.describe().items() if not metrics or name.split("@")[0] in metrics}
    found = []
    for name, info in sorted(described.items(), key=lambda item: (bool(item[1].epochs), _schedule(item[0]))):
        if not info.epochs:
            found.append(_Source(info, table.file.read_all(info), [name], every_run=False))
            continue
        epochs = info.epochs if every_epoch else info.epochs[-1:]
        if every_epoch:
            stored = table.file.read_all(info)
            if info.per_epoch:
                stored = stored * np.array(epochs)[:, None]
        else:
            stored = table.file.read(info, epochs[-1])[:, None]
        runs = info.shape[-1] if every_run else 1
        names = [f"{name}/{epoch}" + (f"/run{run}" if runs > 1 else "") for epoch in epochs for run in range(runs)]
        found.append(_Source(info, stored, names, every_run=runs > 1))
    return found


def _schedule(name: str) -> int:
    return int(name.partition("@")[2] or 0)


def _cells(values: NDArray[Any]) -> list[list[Any]]:
    """Return numbers as Python has them, whose text is the shortest that gives them back; None where there is none."""
    cells: list[list[Any]] = values.tolist()
    for row, column in np.argwhere(~present(values)).tolist():
        cells[row][column] = None
    return cells


def _lacking(package: str, what: str) -> ExportError:
    return ExportError(f"{what} needs {package}, which is not installed: pip install 'nasbench-suite[export]'.")
