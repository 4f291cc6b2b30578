"""Table: the results of one image dataset of one table file, answered by row, by column, or one query at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nasbench.metrics import COUNTS, Better
from nasbench.tables.catalogue import Catalogue
from nasbench.tables.columns import Columns
from nasbench.tables.queries import Queries
from nasbench.tables.row_reader import Curve, RowReader
from nasbench.types import Architecture, Metrics

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Optimum(NamedTuple):
    """The best value of a metric, and every architecture that attains it."""

    value: float
    architectures: tuple[Architecture, ...]


class Table(Catalogue):
    """A benchmark of recorded results, in the official order of its architectures.

    Columns are read from the file, and verified, when they are first needed. The object holds no open file: it can be
    pickled (by path), shared by threads, and carried through fork.

    Args:
        path: A table file.
        dataset: The image dataset in it; the file's first by default.

    Raises:
        TableFileError: The file is no sound table.
        UnknownNameError: The file has no such image dataset, or its search space is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], dataset: str | None = None) -> None:
        super().__init__(path, dataset)
        self._columns = Columns(self._recorded)
        self._reader = RowReader(self._recorded)
        self._queries = Queries(self._recorded, self._rows, self._columns, self._reader)
        self._answers, self._runs = self._queries.metrics, self._queries.runs

    def __reduce__(self) -> tuple[Any, ...]:
        return Table, (self.path, self.dataset)

    # Columns.

    def column(
        self, metric: str, *, schedule: int | None = None, epoch: int | None = None, run: int | None = None
    ) -> NDArray[Any]:
        """Return one metric of all architectures, in table order, shape (n,), read-only.

        Accuracies are fractions in [0, 1]; ``nan`` where the run of that architecture is missing.

        Args:
            metric: One of :attr:`metrics`.
            schedule: The training schedule in epochs; the longest by default.
            epoch: A recorded epoch of it; the last by default.
            run: Index of a repeated training; the mean over the recorded ones by default. Metrics that do not
                depend on training ignore these three.

        Raises:
            NotRecordedError: The table holds no such metric, schedule, epoch or run; the message says which it holds.
        """
        return self._columns.column(metric, schedule, epoch, run)

    def optimum(
        self,
        metric: str = "validation_accuracy",
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        better: Better | None = None,
    ) -> Optimum:
        """Return the best mean over runs of a metric, and all architectures that attain it.

        The best is the largest accuracy, and the smallest time, count, energy or loss: name and unit of a metric say
        which, or its file.

        Args:
            metric: One of :attr:`metrics`.
            schedule: As for :meth:`column`.
            epoch: As for :meth:`column`.
            better: ``"higher"`` or ``"lower"``, for a metric of which nothing says it.

        Raises:
            NotRecordedError: As for :meth:`column`; the metric has no value; or nothing says what its best is.
        """
        value, rows = self._columns.optimum(metric, schedule, epoch, better)
        return Optimum(value, tuple(map(self.at_row, rows.tolist())))

    def best(self, metric: str = "validation_accuracy") -> float:
        """Return the value of :meth:`optimum`."""
        return float(np.nanmax(self.column(metric)))

    def means(
        self,
        architectures: ArrayLike,
        metric: str = "validation_accuracy",
        *,
        runs: Sequence[Iterable[int]] | None = None,
    ) -> NDArray[np.float64]:
        """Return the means over runs of architectures, shape (n,), at the last epoch of the longest schedule.

        Args:
            architectures: Choices, shape (n, decisions).
            metric: A metric that is recorded.
            runs: For each architecture, the runs that count; all by default. Those that are not recorded do not count;
                nan where none is left.

        Raises:
            InvalidArchitectureError: As for :meth:`rows`.
            NotRecordedError: As for :meth:`column`.
        """
        return self._columns.means(self.rows(architectures), metric, runs)

    # Single architectures.

    def runs(
        self, architecture: Architecture | str | int, *, schedule: int | None = None, epoch: int | None = None
    ) -> Sequence[int]:
        """Return the indexes of the recorded runs of one architecture, in rising order.

        Args:
            architecture: As for :meth:`row`.
            schedule: As for :meth:`query`.
            epoch: As for :meth:`query`.

        Raises:
            InvalidArchitectureError: As for :meth:`row`.
            NotRecordedError: The table holds no such schedule or epoch.
        """
        try:
            return self._runs[schedule, epoch][architecture]
        except (KeyError, TypeError):  # asked for the first time, or a list of choices, which cannot be a key
            return self._queries.recorded_runs(architecture, schedule, epoch)

    def query(
        self,
        architecture: Architecture | str | int,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> Metrics:
        """Return what was measured for one architecture: pure, with no random numbers and no counters.

        Args:
            architecture: As for :meth:`row`: a tuple of choices, its text, or its official index.
            schedule: The training schedule in epochs; the longest by default.
            epoch: A recorded epoch of it; the last by default.
            run: Index of a repeated training; the mean over the recorded ones by default.

        Raises:
            InvalidArchitectureError: As for :meth:`row`.
            NotRecordedError: The table holds no such schedule or epoch, or this architecture lacks the run; the
                message says what exists.
        """
        try:
            return self._answers[schedule, epoch, run][architecture]
        except (KeyError, TypeError):  # as in runs()
            return self._queries.query(architecture, schedule, epoch, run)

    def value(
        self,
        architecture: Architecture | str | int,
        metric: str,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> float:
        """Return one metric of one architecture, nan where nothing is recorded.

        Args:
            architecture: As for :meth:`row`.
            metric: One of :attr:`metrics`, or parameters or flops.
            schedule: As for :meth:`column`.
            epoch: As for :meth:`column`.
            run: As for :meth:`column`.

        Raises:
            InvalidArchitectureError: As for :meth:`row`.
            NotRecordedError: As for :meth:`column`.
        """
        row = self.row(architecture)
        if metric in COUNTS and metric not in self.file.columns:
            return float(getattr(self.space, metric)(self.at_row(row)))
        return float(self.column(metric, schedule=schedule, epoch=epoch, run=run)[row])

    def values(
        self,
        architecture: Architecture | str | int,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> dict[str, float]:
        """Return all metrics of one architecture by name, also those that :meth:`query` does not answer.

        What was attached (latency on a device, energy, scores) and what else a source recorded (losses) is among them;
        :meth:`info` has their units. A metric without a value is nan.

        Args:
            architecture: As for :meth:`row`.
            schedule: As for :meth:`query`.
            epoch: As for :meth:`query`; metrics that are not recorded at this epoch are left out.
            run: As for :meth:`query`.

        Raises:
            InvalidArchitectureError: As for :meth:`row`.
            NotRecordedError: The table holds no such schedule, epoch or run.
        """
        return self._reader.values(self.row(architecture), schedule, epoch, run)

    def curve(
        self,
        architecture: Architecture | str | int,
        metric: str = "validation_accuracy",
        *,
        schedule: int | None = None,
        run: int | None = None,
    ) -> Curve:
        """Return the learning curve of one architecture: a metric at each epoch that the table has of it.

        Its values are those of :meth:`column`, but only this architecture is read.

        Args:
            architecture: As for :meth:`row`.
            metric: A metric that depends on training.
            schedule: The training schedule in epochs; the longest by default.
            run: Index of a repeated training; the mean over the recorded ones by default.

        Raises:
            InvalidArchitectureError: As for :meth:`row`.
            NotRecordedError: The table holds no such metric, schedule or run.
        """
        return self._reader.curve(self.row(architecture), metric, schedule, run)
