"""What a table file records of its architectures; errors that name it where something else is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NoReturn

import numpy as np

from nasbench.errors import NotRecordedError, unknown_name
from nasbench.metrics import COUNTS, METRICS, Better, Metric, better_of
from nasbench.tables import ColumnInfo, TableFile
from nasbench.types import Fidelity

ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")


class Recorded:
    """The metrics, schedules, epochs and runs of a table file.

    Args:
        file: The table file.
        name: The name of the table, for messages.
    """

    def __init__(self, file: TableFile, name: str) -> None:
        self.file, self.name = file, name
        self.columns: dict[str, ColumnInfo] = file.columns
        """The metrics that do not depend on training, by name."""
        self.schedules: dict[int, dict[str, ColumnInfo]] = file.schedules
        """The metrics of each schedule, by name."""
        self.fidelities: tuple[Fidelity, ...] = tuple(
            Fidelity(schedule, epoch)
            for schedule, infos in file.schedules.items()
            for epoch in sorted({epoch for info in infos.values() for epoch in info.epochs})
        )
        scheduled = {metric for infos in file.schedules.values() for metric in infos}
        self.metrics: tuple[str, ...] = (*sorted(scheduled), *sorted(file.columns))

    # Metrics.

    def describe(self) -> dict[str, ColumnInfo]:
        """Return what the file says of each column: see :meth:`nasbench.tables.table.Table.describe`."""
        scheduled = {
            f"{metric}@{schedule}": info for schedule, infos in self.schedules.items() for metric, info in infos.items()
        }
        return scheduled | self.columns

    def info(self, metric: str, schedule: int | None = None) -> ColumnInfo:
        """Return what the file says of a metric: see :meth:`nasbench.tables.table.Table.info`."""
        if metric in self.columns:
            return self.columns[metric]
        for known in sorted(self.schedules, reverse=True):
            if schedule in (None, known) and metric in self.schedules[known]:
                return self.schedules[known][metric]
        return self.refuse_metric(metric, "" if schedule is None else f" of schedule {schedule}", self.metrics)

    def metric(self, name: str) -> Metric:
        """Describe a metric: see :meth:`nasbench.tables.table.Table.metric`."""
        if name in ACCURACIES and name in self.metrics:  # stored as counts of images, answered as fractions
            return METRICS[name]
        if name in COUNTS and name not in self.columns:
            return METRICS[name]
        return Metric(name, self.info(name).unit, self.better(name))

    def better(self, metric: str) -> Better:
        """Say whether more or less is better: see :meth:`nasbench.tables.table.Table.better`."""
        info = self.info(metric)
        return better_of(metric, info.unit, info.better)

    # Schedules, epochs and runs.

    def fidelity(self, schedule: int | None, epoch: int | None) -> Fidelity:
        """Fill in the longest schedule and its last epoch where they are not given.

        Raises:
            NotRecordedError: There is no such schedule or epoch.
        """
        if schedule is None and self.schedules:
            schedule = max(self.schedules)
        if schedule is None or schedule not in self.schedules:
            raise NotRecordedError(
                f"{self.name} has {few(tuple(self.schedules), 'schedule')}, not {schedule}. {self._elsewhere}"
            )
        epochs = [fidelity.epoch for fidelity in self.fidelities if fidelity.schedule == schedule]
        if epoch is None:
            epoch = epochs[-1]
        if epoch not in epochs:
            raise NotRecordedError(
                f"{self.name} has {few(tuple(epochs), 'epoch')} of schedule {schedule}, not epoch {epoch}. "
                f"{self._elsewhere}"
            )
        return Fidelity(schedule, epoch)

    def trained(self, metric: str, fidelity: Fidelity) -> ColumnInfo:
        """Return what the file says of a metric that depends on training, at an epoch.

        Raises:
            NotRecordedError: The schedule has no such metric, or has it at other epochs.
        """
        infos = self.schedules[fidelity.schedule]
        if metric not in infos:
            self.refuse_metric(metric, f" of schedule {fidelity.schedule}", [*infos, *self.columns])
        if fidelity.epoch not in infos[metric].epochs:
            raise NotRecordedError(
                f"{self.name} records {metric} of schedule {fidelity.schedule} at "
                f"{few(infos[metric].epochs, 'epoch')}, not at epoch {fidelity.epoch}. {self._elsewhere}"
            )
        return infos[metric]

    def run_count(self, schedule: int) -> int:
        """Return how many runs the metrics of a schedule have room for."""
        return max(info.shape[-1] for info in self.schedules[schedule].values())

    def check_run(self, run: int | None, schedule: int) -> None:
        """Refuse what is no index of a run; None, the mean over runs, is fine.

        Raises:
            NotRecordedError: The schedule has no such run.
        """
        if run is None:
            return
        runs = self.run_count(schedule)
        if isinstance(run, bool) or not isinstance(run, (int, np.integer)) or not 0 <= run < runs:
            raise NotRecordedError(
                f"{self.name} has {few(tuple(range(runs)), 'run')} of schedule {schedule}, not run {run!r}."
            )

    # Errors.

    def refuse_metric(self, metric: str, where: str, known: Iterable[str]) -> NoReturn:
        """Raise an error about a metric that is not recorded.

        Args:
            metric: Its name.
            where: Where it was looked for, for the message: nothing, or a schedule after a space.
            known: The names of those that are there.

        Raises:
            NotRecordedError: Always.
        """
        error = unknown_name(f"metric{where} in {self.name}:", metric, [*known], hint=self._elsewhere)
        raise NotRecordedError(str(error))

    @property
    def _elsewhere(self) -> str:
        return self.file.source["elsewhere"]


def few(values: Sequence[int], word: str) -> str:
    """Spell ``epochs 1 to 200`` or ``runs 0, 1 and 2``."""
    if len(values) == 1:
        return f"{word} {values[0]}"
    if len(values) > 6:
        return f"{len(values)} {word}s from {values[0]} to {values[-1]}"
    return f"{word}s {', '.join(map(str, values[:-1]))} and {values[-1]}" if values else f"no {word}s"
