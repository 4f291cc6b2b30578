"""Table: the results of one image dataset of one table file, answered by row, by column, or one query at a time."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from nasbench import registry
from nasbench.errors import InvalidArchitectureError, NotRecordedError, TableFileError, unknown_name
from nasbench.metrics import COUNTS, METRICS, Better, Metric, better_of
from nasbench.spaces import SearchSpace
from nasbench.tables import ColumnInfo, TableFile
from nasbench.tables.index import RowIndex
from nasbench.tables.runs import of_run, patterns_of, present
from nasbench.types import Architecture, Fidelity, Metrics, Origin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_NAN = float("nan")
_ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")
# Latency is measured once by most sources, and for each training by some.
_SCHEDULED = (*_ACCURACIES, "training_time", "latency")
_FIXED = ("latency", "parameters", "flops")
_REMEMBERED = 2**16
# Reading all rows of a larger table takes longer than reading a few times one.
_LARGE, _WORTH_COLUMNS = 2**16, 16


class Curve(NamedTuple):
    """One metric of one architecture over a schedule."""

    epochs: tuple[int, ...]
    """Completed epochs, rising."""
    values: NDArray[np.float64]
    """Shape (epochs,): fractions for accuracies, nan where nothing was recorded."""


class Optimum(NamedTuple):
    """The best value of a metric, and every architecture that attains it."""

    value: float
    architectures: tuple[Architecture, ...]


class Table:
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
        self._file = TableFile(path, dataset)
        self.path: str = self._file.path
        self.dataset: str = self._file.dataset
        self.name: str = f"{os.path.splitext(os.path.basename(self.path))[0]} ({self.dataset})"
        self.digest: str = self._file.digest
        self.space: SearchSpace = registry.find("spaces", self._file.space)()
        self.fidelities: tuple[Fidelity, ...] = tuple(
            Fidelity(schedule, epoch)
            for schedule, infos in self._file.schedules.items()
            for epoch in sorted({epoch for info in infos.values() for epoch in info.epochs})
        )
        """Everything that can be asked for, from the shortest schedule to the last epoch of the longest."""
        self._rows = RowIndex(self._file, self.space, self.name)
        self._row_of = self._rows.known
        self._columns: dict[tuple[str, Fidelity, int | None], NDArray[Any]] = {}
        self._asked: Counter[tuple[int | None, int | None, int | None]] = Counter()
        self._answers: dict[tuple[int | None, int | None, int | None], Callable[[int], Metrics]] = {}
        self._recorded: dict[tuple[int | None, int | None], Callable[[int], tuple[int, ...]]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Table, (self.path, self.dataset)

    def __repr__(self) -> str:
        return f"<table {self.name}: {len(self):,} architectures of {self.space.name}>"

    @property
    def architectures(self) -> NDArray[np.uint8]:
        """All choice vectors, shape (n, decisions), in table order, read-only."""
        return self._rows.architectures

    def __len__(self) -> int:
        return self._file.size

    def __iter__(self) -> Iterator[Architecture]:
        return map(tuple, self.architectures.tolist())

    def __contains__(self, architecture: object) -> bool:
        try:
            self.row(architecture)  # type: ignore[arg-type]
        except InvalidArchitectureError:
            return False
        return True

    @property
    def origin(self) -> Origin:
        """Its source measured what it answers."""
        return "recorded"

    @property
    def locator(self) -> str:
        """The path, wherever the process stands."""
        return os.path.abspath(self.path)

    @property
    def file(self) -> TableFile:
        """The file behind the table, for who needs the values as they are stored."""
        return self._file

    @property
    def datasets(self) -> tuple[str, ...]:
        """The image datasets of the file."""
        return self._file.datasets

    @property
    def source(self) -> dict[str, str]:
        """Name, address, licence, citation and sha256 of the raw files, and where to find what they lack."""
        return self._file.source

    @property
    def report(self) -> dict[str, Any]:
        """What the conversion found in the raw files."""
        return self._file.report

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the recorded metrics."""
        scheduled = {metric for infos in self._file.schedules.values() for metric in infos}
        return (*sorted(scheduled), *sorted(self._file.columns))

    def verify(self) -> int:
        """Read everything in the file, compare it with its digests, and its identities with those of the space.

        Returns:
            The number of columns, over all image datasets.

        Raises:
            TableFileError: Something was altered, an identity is not that of its row, or rows are the same.
        """
        columns = self._file.verify()
        identities = self._rows.identities
        wrong = np.flatnonzero(identities != self.space.identity_many(self.architectures))
        if wrong.size:
            raise TableFileError(
                f"{self.path}: at /identities: row {wrong[0]} has {identities[wrong[0]]}, which is not that of "
                f"its architecture in {self.space.name}. Make the table again with `nasbench convert`."
            )
        self._rows.prepare()
        return columns

    def describe(self) -> dict[str, ColumnInfo]:
        """Return what the file says of each column: unit, epochs, splits. Scheduled ones are ``"metric@schedule"``."""
        scheduled = {
            f"{metric}@{schedule}": info
            for schedule, infos in self._file.schedules.items()
            for metric, info in infos.items()
        }
        return scheduled | self._file.columns

    # Rows.

    def row(self, architecture: Architecture | str | int) -> int:
        """Return the row of an architecture given as a tuple, as text, as the source's hash, or as its index.

        An index is the official one of the benchmark, :attr:`indexes`; it is the row where a table is complete and in
        the official order, and another number where it holds some architectures only.

        Raises:
            InvalidArchitectureError: It is no architecture of the space, is not in this table, the index is out of
                range, or nothing says what an index means: the space has no official order, and the table is not
                complete.
            TableFileError: The table has an architecture twice.
        """
        return self._rows.row(architecture)

    def at_row(self, row: int) -> Architecture:
        """Return the architecture in a row, 0 to n - 1: to ask for what stands there.

        Raises:
            InvalidArchitectureError: There is no such row.
        """
        if isinstance(row, bool) or not isinstance(row, (int, np.integer)) or not 0 <= row < len(self):
            raise InvalidArchitectureError(f"row {row!r} is outside of {self.name}: 0 to {len(self) - 1}.")
        return tuple(self.architectures[row].tolist())

    @property
    def indexes(self) -> NDArray[np.int64] | None:
        """The official index of each row, shape (n,); None where nothing says what an index means.

        That of the benchmark, where its search space has an official order; else the row, in a complete table.
        """
        return self._rows.indexes

    def rows(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the rows of many architectures, given as an integer array (n, decisions).

        Raises:
            InvalidArchitectureError: One of them is no architecture of the space, or is not in this table.
            TableFileError: The table has an architecture twice.
        """
        return self._rows.rows(architectures)

    def rows_of_hashes(self, hashes: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of many architectures, given as the source's MD5 hashes, 32 hexadecimal digits each.

        Raises:
            InvalidArchitectureError: The source has no hashes, or one of them is none of its architectures.
        """
        return self._rows.rows_of_hashes(hashes)

    def row_of_identity(self, identity: int) -> int:
        """Return the row with this ``SearchSpace.identity``, or -1: for who asks for many, and knows them already."""
        self._rows.prepare()
        return self._rows.row_of_identity(identity)

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
        if metric in self._file.columns:
            fidelity, run = Fidelity(0, 0), None
        else:
            fidelity = self._fidelity(schedule, epoch)
        key = (metric, fidelity, run)
        if key not in self._columns:
            self._columns[key] = self._read(metric, fidelity, run)
        return self._columns[key]

    def _read(self, metric: str, fidelity: Fidelity, run: int | None) -> NDArray[Any]:
        if metric in self._file.columns:
            return self._file.read(self._file.columns[metric])
        infos = self._file.schedules[fidelity.schedule]
        if metric not in infos:
            self._lacks_metric(metric, f" of schedule {fidelity.schedule}", [*infos, *self._file.columns])
        info = infos[metric]
        if fidelity.epoch not in info.epochs:
            raise NotRecordedError(
                f"{self.name} records {metric} of schedule {fidelity.schedule} at "
                f"{_few(info.epochs, 'epoch')}, not at epoch {fidelity.epoch}. {self.source['elsewhere']}"
            )
        if run is not None:
            self._check_run(run, infos, fidelity)
        result = of_run(self._file.read(info, fidelity.epoch), info, run)
        result.flags.writeable = False
        return result

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
        values = self.column(metric, schedule=schedule, epoch=epoch)
        better = self.better(metric) if better is None else better
        if better not in ("higher", "lower"):
            raise NotRecordedError(f"better={better!r}: expected 'higher' or 'lower'.")
        recorded = values[present(values)]
        if not recorded.size:
            raise NotRecordedError(f"{self.name} has no value of {metric} there.")
        best = recorded.max() if better == "higher" else recorded.min()
        return Optimum(best.item(), tuple(map(self.at_row, np.flatnonzero(values == best).tolist())))

    def better(self, metric: str) -> Better:
        """Say whether ``"higher"`` or ``"lower"`` is better.

        Raises:
            NotRecordedError: There is no such metric, or neither its name nor its unit nor the file says it.
        """
        info = self.info(metric)
        return better_of(metric, info.unit, info.better)

    def metric(self, name: str) -> Metric:
        """Describe a metric: name, unit, and whether more or less of it is better.

        Parameters and flops are those of the search space where the file has none.

        Raises:
            NotRecordedError: There is no such metric, or nothing says whether more of it is better.
        """
        if name in _ACCURACIES and name in self.metrics:  # stored as counts of images, answered as fractions
            return METRICS[name]
        if name in COUNTS and name not in self._file.columns:
            return METRICS[name]
        return Metric(name, self.info(name).unit, self.better(name))

    def known(self, metric: str) -> bool:
        """Say whether a metric belongs to architectures and not to trainings: it costs nothing to know."""
        return metric in self._file.columns or metric in COUNTS

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
        if metric in COUNTS and metric not in self._file.columns:
            return float(getattr(self.space, metric)(self.at_row(row)))
        return float(self.column(metric, schedule=schedule, epoch=epoch, run=run)[row])

    def info(self, metric: str, *, schedule: int | None = None) -> ColumnInfo:
        """Return what the file says of a metric: of the longest schedule that has it, by default.

        Raises:
            NotRecordedError: There is no such metric.
        """
        if metric in self._file.columns:
            return self._file.columns[metric]
        for known in sorted(self._file.schedules, reverse=True):
            if schedule in (None, known) and metric in self._file.schedules[known]:
                return self._file.schedules[known][metric]
        return self._lacks_metric(metric, "" if schedule is None else f" of schedule {schedule}", self.metrics)

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
            runs: Of each architecture the runs that count, n of them; all by default. Those that are not recorded do
                not count; nan where none is left.

        Raises:
            InvalidArchitectureError: As for :meth:`rows`.
            NotRecordedError: As for :meth:`column`.
        """
        rows = self.rows(architectures)
        if runs is None:
            return np.asarray(self.column(metric)[rows], np.float64)
        result = np.full(len(rows), _NAN)
        for i, (row, counted) in enumerate(zip(rows.tolist(), runs, strict=True)):
            values = [float(self.column(metric, run=run)[row]) for run in counted]
            recorded = [value for value in values if value == value]
            if recorded:
                result[i] = math.fsum(recorded) / len(recorded)
        return result

    def best(self, metric: str = "validation_accuracy") -> float:
        """Return the value of :meth:`optimum`."""
        return float(np.nanmax(self.column(metric)))

    # Queries.

    def runs(
        self,
        architecture: Architecture | str | int,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
    ) -> Sequence[int]:
        """Return the indexes of the recorded runs of one architecture, in rising order.

        Raises:
            InvalidArchitectureError: As for :meth:`row`.
            NotRecordedError: The table holds no such schedule or epoch.
        """
        try:
            row = self._row_of[architecture]  # type: ignore[index]
        except (KeyError, TypeError):
            row = self.row(architecture)
        try:
            recorded = self._recorded[schedule, epoch]
        except KeyError:
            recorded = self._recorded[schedule, epoch] = self._recorded_runs(self._fidelity(schedule, epoch))
        return recorded(row)

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
        row = self.row(architecture)
        fidelity = self._fidelity(schedule, None)
        infos = self._file.schedules[fidelity.schedule]
        if metric not in infos:
            self._lacks_metric(metric, f" of schedule {fidelity.schedule}", list(infos))
        if run is not None:
            self._check_run(run, infos, fidelity)
        info = infos[metric]
        stored = np.concatenate(self._file.read_row([(info, epoch) for epoch in info.epochs], row))
        return Curve(info.epochs, of_run(stored, info, run))

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
        row = self.row(architecture)
        places: dict[str, tuple[ColumnInfo, int | None]] = {m: (i, None) for m, i in self._file.columns.items()}
        if self.fidelities or schedule is not None:
            fidelity = self._fidelity(schedule, epoch)
            infos = self._file.schedules[fidelity.schedule]
            if run is not None:
                self._check_run(run, infos, fidelity)
            places |= {m: (info, fidelity.epoch) for m, info in infos.items() if fidelity.epoch in info.epochs}
        found = {}
        for (metric, (info, at)), stored in zip(
            places.items(), self._file.read_row([*places.values()], row), strict=True
        ):
            there = present(stored).any()
            found[metric] = _NAN if not there else stored.item() if at is None else of_run(stored, info, run).item()
        return dict(sorted(found.items()))

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
            row = self._row_of[architecture]  # type: ignore[index]
        except (KeyError, TypeError):
            row = self.row(architecture)
        try:
            answer = self._answers[schedule, epoch, run]
        except KeyError:
            fidelity = self._fidelity(schedule, epoch)
            key = (schedule, epoch, run)
            if len(self) > _LARGE and self._asked[key] < _WORTH_COLUMNS:
                self._asked[key] += 1
                return self._answer_from_file(row, fidelity, run)
            answer = self._answers[key] = self._answer(fidelity, run)
        return answer(row)

    def _answer_from_file(self, row: int, fidelity: Fidelity, run: int | None) -> Metrics:
        """Answer from single values of the file: for who asks a large table a few times only."""
        infos = self._file.schedules[fidelity.schedule]
        if run is not None:
            self._check_run(run, infos, fidelity)
        scheduled = [m for m in _SCHEDULED if m in infos and fidelity.epoch in infos[m].epochs]
        fixed = [metric for metric in _FIXED if metric in self._file.columns]
        values = self._file.read_row(
            [*((infos[m], fidelity.epoch) for m in scheduled), *((self._file.columns[m], None) for m in fixed)], row
        )
        found: dict[str, Any] = dict.fromkeys(_SCHEDULED, _NAN) | dict.fromkeys(("parameters", "flops"))
        for metric, value in zip(scheduled, values, strict=False):
            found[metric] = of_run(value, infos[metric], run).item()
        for metric, value in zip(fixed, values[len(scheduled) :], strict=True):
            found[metric] = value.item()
        if run is not None and all(found[metric] != found[metric] for metric in _ACCURACIES):
            self._refuse_missing(row, fidelity, run, self._recorded_runs(fidelity)(row))
        return Metrics(**found, schedule=fidelity.schedule, epoch=fidelity.epoch, run=run)

    def _refuse_missing(self, row: int, fidelity: Fidelity, run: int, recorded: tuple[int, ...]) -> NoReturn:
        raise NotRecordedError(
            f"{self.name} has {_few(recorded, 'run')} of {self.space.format(self.at_row(row))} at schedule "
            f"{fidelity.schedule}, "
            f"epoch {fidelity.epoch}, not run {run}: it is missing in the source."
        )

    def _answer(self, fidelity: Fidelity, run: int | None) -> Callable[[int], Metrics]:
        """Build the function from row to Metrics for one fidelity and run; its speed is that of every search."""
        infos = self._file.schedules[fidelity.schedule]
        if run is not None:
            self._check_run(run, infos, fidelity)
        validation, test, train, seconds, latency = (
            self.column(metric, schedule=fidelity.schedule, epoch=fidelity.epoch, run=run).item
            if metric in self._file.columns or (metric in infos and fidelity.epoch in infos[metric].epochs)
            else _not_recorded
            for metric in _SCHEDULED
        )
        parameters, flops = (
            self.column(metric).item if metric in self._file.columns else _none for metric in _FIXED[1:]
        )
        schedule, epoch = fidelity
        new = tuple.__new__
        known: dict[int, Metrics] = {}  # searches ask for the same few thousand again and again
        remembered = known.get

        def answer(row: int) -> Metrics:
            metrics = remembered(row)
            if metrics is not None:
                return metrics
            accuracies = validation(row), test(row), train(row)
            if run is not None and all(accuracy != accuracy for accuracy in accuracies):
                self._refuse_missing(row, fidelity, run, self._recorded_runs(fidelity)(row))
            costs = seconds(row), latency(row), parameters(row), flops(row)
            metrics = new(Metrics, (*accuracies, *costs, schedule, epoch, run, "recorded"))
            if len(known) < _REMEMBERED:
                known[row] = metrics
            return metrics

        return answer

    def _recorded_runs(self, fidelity: Fidelity) -> Callable[[int], tuple[int, ...]]:
        infos = self._file.schedules[fidelity.schedule]
        runs = max(info.shape[-1] for info in infos.values())
        there = np.zeros((len(self), runs), np.bool_)
        counted = {m for m, info in infos.items() if info.images is not None and fidelity.epoch in info.epochs}
        # A search draws among these: where validation accuracy is recorded, a run without it is none of them.
        for metric in {"validation_accuracy"} & counted or sorted(counted):
            there |= present(self._file.read(infos[metric], fidelity.epoch))
        patterns, which = patterns_of(there)
        at = which.item
        return lambda row: patterns[at(row)]

    def _fidelity(self, schedule: int | None, epoch: int | None) -> Fidelity:
        schedules = self._file.schedules
        if schedule is None and schedules:
            schedule = max(schedules)
        if schedule is None or schedule not in schedules:
            raise NotRecordedError(
                f"{self.name} has {_few(tuple(schedules), 'schedule')}, not {schedule}. {self.source['elsewhere']}"
            )
        epochs = [fidelity.epoch for fidelity in self.fidelities if fidelity.schedule == schedule]
        if epoch is None:
            epoch = epochs[-1]
        if epoch not in epochs:
            raise NotRecordedError(
                f"{self.name} has {_few(tuple(epochs), 'epoch')} of schedule {schedule}, not epoch {epoch}. "
                f"{self.source['elsewhere']}"
            )
        return Fidelity(schedule, epoch)

    def _check_run(self, run: int, infos: dict[str, ColumnInfo], fidelity: Fidelity) -> None:
        runs = max(info.shape[-1] for info in infos.values())
        if isinstance(run, bool) or not isinstance(run, (int, np.integer)) or not 0 <= run < runs:
            raise NotRecordedError(
                f"{self.name} has {_few(tuple(range(runs)), 'run')} of schedule {fidelity.schedule}, not run {run!r}."
            )

    def _lacks_metric(self, metric: str, where: str, known: Sequence[str]) -> NoReturn:
        error = unknown_name(f"metric{where} in {self.name}:", metric, known, hint=self.source["elsewhere"])
        raise NotRecordedError(str(error))


def _not_recorded(_row: int) -> float:
    return _NAN


def _none(_row: int) -> None:
    return None


def _few(values: Sequence[int], word: str) -> str:
    """Spell ``epochs 1 to 200`` or ``runs 0, 1 and 2``."""
    if len(values) == 1:
        return f"{word} {values[0]}"
    if len(values) > 6:
        return f"{len(values)} {word}s from {values[0]} to {values[-1]}"
    return f"{word}s {', '.join(map(str, values[:-1]))} and {values[-1]}" if values else f"no {word}s"
