"""Exporting a table to pandas, CSV and Parquet: one row an architecture, one column a metric.

Columns are named by what they hold, so that no two trainings are taken for one another:

- ``flops``: what does not depend on training;
- ``validation_accuracy@108/54``: after epoch 54 of the schedule of 108 epochs, the mean over the recorded runs;
- ``validation_accuracy@108/54/run0``: of one run.

Accuracies are fractions in [0, 1]; the other units are those of :meth:`nasbench.table.Table.describe`. What was not
measured is missing: an empty cell, ``NaN`` or ``NA``, never a number.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench._files import replacing
from nasbench.errors import ExportError, NotRecordedError, unknown_name
from nasbench.store import ColumnInfo, missing_value
from nasbench.table import Table

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 4096
_KEYS = ("index", "architecture")


class _Column(NamedTuple):
    name: str
    unit: str
    values: NDArray[Any]
    missing: NDArray[np.bool_]


def write_csv(
    path: str | os.PathLike[str],
    table: Table,
    *,
    metrics: Sequence[str] | None = None,
    every_epoch: bool = False,
    every_run: bool = False,
) -> None:
    """Write a table of an image dataset as CSV, UTF-8, with names such as ``latency [seconds]`` in its first line.

    The first two columns are ``index``, the row in the table, and ``architecture``, its text. Numbers are written with
    as many digits as it takes to read them back exactly.

    Args:
        path: The file; it appears whole or not at all.
        table: What to export.
        metrics: Names of :attr:`nasbench.table.Table.metrics`; all of them by default.
        every_epoch: Export every recorded epoch rather than the last of each schedule.
        every_run: Export every run rather than their mean. A metric that is the same in all runs keeps one column.

    Raises:
        NotRecordedError: The table has no such metric.
        TableFileError: The table file is not sound.
    """
    columns = [*_columns(table, metrics, every_epoch, every_run)]
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*_KEYS, *(f"{column.name} [{column.unit}]" for column in columns)])
        for start in range(0, len(table), _BLOCK):
            block = slice(start, start + _BLOCK)
            cells = [_cells(column, block) for column in columns]
            texts = map(table.space.format, map(tuple, table.architectures[block].tolist()))
            writer.writerows(zip(range(len(table))[block], texts, *cells, strict=True))


def write_parquet(
    path: str | os.PathLike[str],
    table: Table,
    *,
    metrics: Sequence[str] | None = None,
    every_epoch: bool = False,
    every_run: bool = False,
) -> None:
    """Write the frame of :func:`to_frame` as Parquet; pandas gives its ``attrs`` back.

    Args:
        path: The file; it appears whole or not at all.
        table: What to export.
        metrics: As for :func:`write_csv`.
        every_epoch: As for :func:`write_csv`.
        every_run: As for :func:`write_csv`.

    Raises:
        ExportError: pandas or pyarrow is not installed.
        NotRecordedError: The table has no such metric.
        TableFileError: The table file is not sound.
    """
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
    """Return a table of an image dataset as a ``pandas.DataFrame``, indexed by the row in the table.

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
    columns = [*_columns(table, metrics, every_epoch, every_run)]
    data: dict[str, Any] = {"architecture": [*map(table.space.format, table)]}
    for column in columns:
        whole = column.values.dtype.kind == "u" and column.missing.any()
        data[column.name] = pd.arrays.IntegerArray(column.values, column.missing) if whole else column.values
    frame = pd.DataFrame(data, index=pd.RangeIndex(len(table), name="index"))
    frame.attrs = {
        "table": table.digest,
        "dataset": table.dataset,
        "source": dict(table.source),
        "units": {column.name: column.unit for column in columns},
    }
    return frame


def _columns(table: Table, metrics: Sequence[str] | None, every_epoch: bool, every_run: bool) -> Iterator[_Column]:
    """Yield what does not depend on training, then each schedule, by rising epoch and run."""
    for metric in metrics or ():
        if metric not in table.metrics:
            raise NotRecordedError(str(unknown_name(f"metric in {table.name}:", metric, table.metrics)))
    described = {name: info for name, info in table.describe().items() if not metrics or name.split("@")[0] in metrics}
    for name, info in sorted(described.items(), key=lambda item: (bool(item[1].epochs), _schedule(item[0]))):
        if not info.epochs:
            yield _column(name, info, table.column(name))
            continue
        metric, schedule = name.split("@")[0], _schedule(name)
        for epoch in info.epochs if every_epoch else info.epochs[-1:]:
            runs = range(info.shape[-1]) if every_run and info.shape[-1] > 1 else (None,)
            for run in runs:
                values = table.column(metric, schedule=schedule, epoch=epoch, run=run)
                yield _column(f"{name}/{epoch}" + ("" if run is None else f"/run{run}"), info, values)


def _schedule(name: str) -> int:
    return int(name.partition("@")[2] or 0)


def _column(name: str, info: ColumnInfo, values: NDArray[Any]) -> _Column:
    missing = np.isnan(values) if values.dtype.kind == "f" else values == missing_value(values.dtype)
    return _Column(name, "fraction" if info.images and info.epochs else info.unit, values, missing)


def _cells(column: _Column, block: slice) -> list[Any]:
    """Return numbers as Python has them, whose text is the shortest that gives them back; None where there is none."""
    cells: list[Any] = column.values[block].tolist()
    for i in np.flatnonzero(column.missing[block]).tolist():
        cells[i] = None
    return cells


def _lacking(package: str, what: str) -> ExportError:
    return ExportError(f"{what} needs {package}, which is not installed: pip install 'nasbench-suite[export]'.")
