"""One row of a table file, read without the columns that it stands in: fast where few rows are asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nasbench.tables import ColumnInfo
from nasbench.tables.recorded import ACCURACIES, Recorded
from nasbench.tables.runs import of_run, present
from nasbench.types import Fidelity, Metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Latency is measured once by most sources, and for each training by some.
SCHEDULED = (*ACCURACIES, "training_time", "latency")
_FIXED = ("latency", "parameters", "flops")


class Curve(NamedTuple):
    """One metric of one architecture over a schedule."""

    epochs: tuple[int, ...]
    """Completed epochs, rising."""
    values: NDArray[np.float64]
    """Shape (epochs,): fractions for accuracies, nan where nothing was recorded."""


class RowReader:
    """Reads single rows.

    Args:
        recorded: What the file records.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded, self._file = recorded, recorded.file

    def metrics(self, row: int, fidelity: Fidelity, run: int | None) -> Metrics:
        """Return what :meth:`nasbench.tables.table.Table.query` answers of a row, nan in accuracies of a missing run.

        Args:
            row: Its number.
            fidelity: One that is recorded.
            run: One that the schedule has, or None for the mean.
        """
        infos, columns = self._recorded.schedules[fidelity.schedule], self._recorded.columns
        scheduled = [m for m in SCHEDULED if m in infos and fidelity.epoch in infos[m].epochs]
        fixed = [metric for metric in _FIXED if metric in columns]
        values = self._file.read_row(
            [*((infos[m], fidelity.epoch) for m in scheduled), *((columns[m], None) for m in fixed)], row
        )
        found: dict[str, Any] = dict.fromkeys(SCHEDULED, math.nan) | dict.fromkeys(("parameters", "flops"))
        for metric, value in zip(scheduled, values, strict=False):
            found[metric] = of_run(value, infos[metric], run).item()
        for metric, value in zip(fixed, values[len(scheduled) :], strict=True):
            found[metric] = value.item()
        return Metrics(**found, schedule=fidelity.schedule, epoch=fidelity.epoch, run=run)

    def curve(self, row: int, metric: str, schedule: int | None, run: int | None) -> Curve:
        """Return a metric at each epoch that a row has of it: see :meth:`nasbench.tables.table.Table.curve`.

        Args:
            row: Its number.
            metric: One that depends on training.
            schedule: The longest where None.
            run: The mean over the recorded ones where None.
        """
        schedule = self._recorded.fidelity(schedule, None).schedule
        infos = self._recorded.schedules[schedule]
        if metric not in infos:
            self._recorded.refuse_metric(metric, f" of schedule {schedule}", infos)
        self._recorded.check_run(run, schedule)
        info = infos[metric]
        stored = np.concatenate(self._file.read_row([(info, epoch) for epoch in info.epochs], row))
        return Curve(info.epochs, of_run(stored, info, run))

    def values(self, row: int, schedule: int | None, epoch: int | None, run: int | None) -> dict[str, float]:
        """Return all metrics of a row by name: see :meth:`nasbench.tables.table.Table.values`.

        Args:
            row: Its number.
            schedule: The longest where None.
            epoch: The last where None.
            run: The mean over the recorded ones where None.
        """
        places: dict[str, tuple[ColumnInfo, int | None]] = {m: (i, None) for m, i in self._recorded.columns.items()}
        if self._recorded.fidelities or schedule is not None:
            fidelity = self._recorded.fidelity(schedule, epoch)
            self._recorded.check_run(run, fidelity.schedule)
            infos = self._recorded.schedules[fidelity.schedule]
            places |= {m: (info, fidelity.epoch) for m, info in infos.items() if fidelity.epoch in info.epochs}
        found = {}
        for (metric, (info, at)), stored in zip(
            places.items(), self._file.read_row([*places.values()], row), strict=True
        ):
            there = present(stored).any()
            found[metric] = math.nan if not there else stored.item() if at is None else of_run(stored, info, run).item()
        return dict(sorted(found.items()))
