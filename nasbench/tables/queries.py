"""Single answers of a table, remembered by architecture: what a search asks for in its inner loop."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np

from nasbench.errors import NotRecordedError
from nasbench.tables.columns import Columns
from nasbench.tables.index import RowIndex
from nasbench.tables.recorded import ACCURACIES, Recorded, few
from nasbench.tables.row_reader import SCHEDULED, RowReader
from nasbench.tables.runs import patterns_of, present
from nasbench.types import Architecture, Fidelity, Metrics

_REMEMBERED = 2**16
# Reading all rows of a larger table takes longer than reading a few times one.
_LARGE, _WORTH_COLUMNS = 2**16, 16

_Answer = TypeVar("_Answer")


class Remembered(dict[Any, _Answer], Generic[_Answer]):
    """Answers by choices, text or hash, each made when it is first asked for: searches repeat the same few thousand.

    Args:
        rows: Where architectures are.
        at_row: Makes the answer of a row.
    """

    def __init__(self, rows: RowIndex, at_row: Callable[[int], _Answer]) -> None:
        self._known_row, self._row, self._at_row = rows.known.get, rows.row, at_row
        self._by_row: dict[int, _Answer] = {}

    def __missing__(self, architecture: Any) -> _Answer:
        # An index is no key: True is equal to 1, but no index.
        if not isinstance(architecture, (tuple, str)):
            return self.of(architecture)
        row = self._known_row(architecture)
        answer = self._at_row(self._row(architecture) if row is None else row)
        if len(self) < _REMEMBERED:
            self[architecture] = answer
        return answer

    def of(self, architecture: Any) -> _Answer:
        """Return the answer of what is no key: an index, a list or an array."""
        row = self._row(architecture)
        answer = self._by_row.get(row)
        if answer is None:
            answer = self._at_row(row)
            if len(self._by_row) < _REMEMBERED:
                self._by_row[row] = answer
        return answer


class Queries:
    """The single answers of a table, by fidelity and run.

    Args:
        recorded: What its file records.
        rows: Where architectures are.
        columns: The columns of the file.
        reader: Reads single rows of it.
    """

    def __init__(self, recorded: Recorded, rows: RowIndex, columns: Columns, reader: RowReader) -> None:
        self._recorded, self._rows, self._columns, self._reader = recorded, rows, columns, reader
        self.metrics: dict[tuple[int | None, int | None, int | None], Remembered[Metrics]] = {}
        """What was asked for, by schedule, epoch and run as they were given."""
        self.runs: dict[tuple[int | None, int | None], Remembered[tuple[int, ...]]] = {}
        """Recorded runs, by schedule and epoch as they were given."""
        self._asked: Counter[tuple[int | None, int | None, int | None]] = Counter()
        """How often a large table was asked, as long as its columns are not read."""

    def query(
        self, architecture: Architecture | str | int, schedule: int | None, epoch: int | None, run: int | None
    ) -> Metrics:
        """Answer what is not in :attr:`metrics` yet: see :meth:`nasbench.tables.table.Table.query`.

        Args:
            architecture: Anything that a table takes for one.
            schedule: The longest where None.
            epoch: The last where None.
            run: The mean over the recorded ones where None.
        """
        answers = self.metrics.get((schedule, epoch, run))
        if answers is None:
            row = self._rows.row(architecture)  # what is no architecture is refused before what is not recorded
            fidelity = self._recorded.fidelity(schedule, epoch)
            self._recorded.check_run(run, fidelity.schedule)
            if len(self._rows) > _LARGE and self._asked[schedule, epoch, run] < _WORTH_COLUMNS:
                self._asked[schedule, epoch, run] += 1
                return self._from_file(row, fidelity, run)
            answers = self.metrics[schedule, epoch, run] = Remembered(self._rows, self._metrics_at(fidelity, run))
        return answers.of(architecture)

    def recorded_runs(
        self, architecture: Architecture | str | int, schedule: int | None, epoch: int | None
    ) -> tuple[int, ...]:
        """Answer what is not in :attr:`runs` yet: see :meth:`nasbench.tables.table.Table.runs`.

        Args:
            architecture: Anything that a table takes for one.
            schedule: The longest where None.
            epoch: The last where None.
        """
        answers = self.runs.get((schedule, epoch))
        if answers is None:
            self._rows.row(architecture)
            at_row = self._runs_at(self._recorded.fidelity(schedule, epoch))
            answers = self.runs[schedule, epoch] = Remembered(self._rows, at_row)
        return answers.of(architecture)

    def _metrics_at(self, fidelity: Fidelity, run: int | None) -> Callable[[int], Metrics]:
        """Make the function from row to Metrics of one fidelity and run, out of whole columns."""
        columns, infos = self._recorded.columns, self._recorded.schedules[fidelity.schedule]
        schedule, epoch = fidelity
        validation, test, train, seconds, latency = (
            self._columns.column(metric, schedule, epoch, run).item
            if metric in columns or (metric in infos and epoch in infos[metric].epochs)
            else _not_recorded
            for metric in SCHEDULED
        )
        parameters, flops = (
            self._columns.column(metric).item if metric in columns else _none for metric in ("parameters", "flops")
        )
        new = tuple.__new__

        def metrics_at(row: int) -> Metrics:
            first, second, third = validation(row), test(row), train(row)
            if run is not None and first != first and second != second and third != third:
                self._refuse_missing(row, fidelity, run)
            costs = seconds(row), latency(row), parameters(row), flops(row)
            return new(Metrics, (first, second, third, *costs, schedule, epoch, run, "recorded"))

        return metrics_at

    def _from_file(self, row: int, fidelity: Fidelity, run: int | None) -> Metrics:
        """Answer from single values of the file."""
        metrics = self._reader.metrics(row, fidelity, run)
        if run is not None and all(math.isnan(getattr(metrics, accuracy)) for accuracy in ACCURACIES):
            self._refuse_missing(row, fidelity, run)
        return metrics

    def _runs_at(self, fidelity: Fidelity) -> Callable[[int], tuple[int, ...]]:
        """Make the function from row to recorded runs of one fidelity."""
        infos = self._recorded.schedules[fidelity.schedule]
        there = np.zeros((len(self._rows), self._recorded.run_count(fidelity.schedule)), np.bool_)
        counted = {m for m, info in infos.items() if info.images is not None and fidelity.epoch in info.epochs}
        # A search draws among these: where validation accuracy is recorded, a run without it is none of them.
        for metric in {"validation_accuracy"} & counted or sorted(counted):
            there |= present(self._recorded.file.read(infos[metric], fidelity.epoch))
        patterns, which = patterns_of(there)
        at = which.item
        return lambda row: patterns[at(row)]

    def _refuse_missing(self, row: int, fidelity: Fidelity, run: int) -> NoReturn:
        raise NotRecordedError(
            f"{self._recorded.name} has {few(self._runs_at(fidelity)(row), 'run')} of {self._rows.text(row)} at "
            f"schedule {fidelity.schedule}, epoch {fidelity.epoch}, not run {run}: it is missing in the source."
        )


def _not_recorded(_row: int) -> float:
    return math.nan


def _none(_row: int) -> None:
    return None
