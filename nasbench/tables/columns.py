"""One metric of all architectures of a table, and what follows from it: the best value, and means of some."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import NotRecordedError
from nasbench.metrics import Better
from nasbench.tables.recorded import Recorded
from nasbench.tables.runs import of_run, present
from nasbench.types import Fidelity

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_TRAINING = Fidelity(0, 0)


class Columns:
    """The columns of a table file, each read, and verified, when it is first needed.

    Args:
        recorded: What the file records.
    """

    def __init__(self, recorded: Recorded) -> None:
        self._recorded, self._file = recorded, recorded.file
        self._read: dict[tuple[str, Fidelity, int | None], NDArray[Any]] = {}

    def column(
        self, metric: str, schedule: int | None = None, epoch: int | None = None, run: int | None = None
    ) -> NDArray[Any]:
        """Return one metric of all architectures, shape (n,): see :meth:`nasbench.tables.table.Table.column`.

        Args:
            metric: Its name.
            schedule: The longest by default.
            epoch: The last by default.
            run: The mean over the recorded ones by default.
        """
        if metric in self._recorded.columns:
            key: tuple[str, Fidelity, int | None] = metric, _NO_TRAINING, None
        else:
            key = metric, self._recorded.fidelity(schedule, epoch), run
        if key not in self._read:
            self._read[key] = self._values(*key)
        return self._read[key]

    def _values(self, metric: str, fidelity: Fidelity, run: int | None) -> NDArray[Any]:
        if metric in self._recorded.columns:
            return self._file.read(self._recorded.columns[metric])
        info = self._recorded.trained(metric, fidelity)
        self._recorded.check_run(run, fidelity.schedule)
        result = of_run(self._file.read(info, fidelity.epoch), info, run)
        result.flags.writeable = False
        return result

    def optimum(
        self, metric: str, schedule: int | None, epoch: int | None, better: Better | None
    ) -> tuple[float, NDArray[np.intp]]:
        """Return the best mean and the rows that attain it: see :meth:`nasbench.tables.table.Table.optimum`.

        Args:
            metric: Its name.
            schedule: The longest where None.
            epoch: The last where None.
            better: Which values are better; what is known of the metric where None.
        """
        values = self.column(metric, schedule, epoch)
        better = self._recorded.better(metric) if better is None else better
        if better not in ("higher", "lower"):
            raise NotRecordedError(f"better={better!r}: expected 'higher' or 'lower'.")
        there = values[present(values)]
        if not there.size:
            raise NotRecordedError(f"{self._recorded.name} has no value of {metric} there.")
        best = there.max() if better == "higher" else there.min()
        return best.item(), np.flatnonzero(values == best)

    def means(self, rows: NDArray[np.int64], metric: str, runs: Sequence[Iterable[int]] | None) -> NDArray[np.float64]:
        """Return the means over runs of some rows: see :meth:`nasbench.tables.table.Table.means`.

        Args:
            rows: Their numbers, shape (n,).
            metric: Its name.
            runs: The runs of each row that count; all where None.
        """
        if runs is None:
            return np.asarray(self.column(metric)[rows], np.float64)
        result = np.full(len(rows), math.nan)
        for i, (row, counted) in enumerate(zip(rows.tolist(), runs, strict=True)):
            values = [float(self.column(metric, run=run)[row]) for run in counted]
            there = [value for value in values if value == value]
            if there:
                result[i] = math.fsum(there) / len(there)
        return result
