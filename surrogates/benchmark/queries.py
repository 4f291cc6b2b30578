"""SurrogateBenchmark: predicts for every architecture of a search space what a table records of its rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import NotRecordedError, unknown_name
from nasbench.metrics import COUNTS, Metric, metric_among
from nasbench.spaces import SearchSpace
from nasbench.tables.table import Curve, Table
from nasbench.types import Architecture, Fidelity, Metrics, Origin
from surrogates.benchmark.saved import Saved, load
from surrogates.benchmark.surrogate import ACCURACIES, About, Surrogate
from surrogates.models.draws import WINDOW

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_NAN = float("nan")
_ENUMERABLE = 2**16
"""Spaces of up to so many architectures are predicted whole, once."""
_RUNS = 1000
_MASK = 2**64 - 1


def open_surrogate(folder: str, dataset: str | None = None) -> SurrogateBenchmark:
    """Open what ``nasbench fit`` wrote: ``nasbench.load("surrogate:FOLDER")``.

    Raises:
        SurrogateFolderError: As for :func:`surrogates.benchmark.saved.load`.
        UnknownNameError: It is about another image dataset.
    """
    benchmark = SurrogateBenchmark(folder)
    if dataset not in (None, benchmark.dataset):
        raise unknown_name("image dataset", str(dataset), [benchmark.dataset], hint="A surrogate is about one.")
    return benchmark


class SurrogateBenchmark:
    """A benchmark of predicted results, which says so in every answer.

    The mean over runs, in :meth:`query`, :meth:`means`, :meth:`curve` and :meth:`best` alike, is what the surrogate
    predicts, plus a residual that is drawn once for each architecture, as
    :meth:`surrogates.benchmark.surrogate.Surrogate.plausible` says: predictions alone lie too close together, and the
    best of them too low. It is one world that might be the true one; :meth:`predictions` are without. Architectures
    that the surrogate was fitted to have their predictions in it.

    A single run is the mean, plus how a run of a training architecture of similar accuracy differed from its mean, at
    all epochs and in all accuracies at once. There are a thousand runs of each architecture; the same run is the same
    whenever it is asked for. Where the table has one run of each architecture nothing is known of the noise, and the
    only run is the mean.

    The object holds no open file and can be pickled, by its folder.

    Args:
        folder: What ``nasbench fit`` wrote.

    Raises:
        SurrogateFolderError: As for :func:`surrogates.benchmark.saved.load`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder: str = os.fspath(folder)
        self._answer(load(self.folder))

    @classmethod
    def unsaved(cls, surrogate: Surrogate, rows: NDArray[np.int64], table: Table) -> SurrogateBenchmark:
        """Return the benchmark of a surrogate that has no folder yet: it cannot be pickled, and has no digest."""
        benchmark = cls.__new__(cls)
        benchmark.folder = "unsaved"
        about = {"name": table.name, "dataset": table.dataset, "digest": table.digest, "source": table.source}
        benchmark._answer(Saved(surrogate, {"table": about, "digest": ""}, rows))
        return benchmark

    def _answer(self, saved: Saved) -> None:
        self.manifest: dict[str, Any] = saved.manifest
        """What the folder says of itself: table, score card, versions."""
        self.rows: NDArray[np.int64] = saved.rows
        """The rows of its table that it was fitted to."""
        self._surrogate = saved.surrogate
        about = saved.surrogate.about
        self.space: SearchSpace = registry.find("spaces", about.space)()
        self.dataset: str = str(self.manifest["table"]["dataset"])
        self.name: str = f"{Path(self.folder).name} (surrogate of {self.manifest['table']['name']})"
        self.digest: str = str(self.manifest["digest"])
        self.fidelities: tuple[Fidelity, ...] = tuple(sorted({fidelity for _, fidelity in about.columns}))
        self._column = {column: i for i, column in enumerate(about.columns)}
        times = {fidelity: i for i, fidelity in enumerate(about.times)}
        self._places = {
            fidelity: (tuple(self._column.get((name, fidelity)) for name in ACCURACIES), times.get(fidelity))
            for fidelity in self.fidelities
        }
        self._epochs: dict[int, tuple[int, ...]] = {}
        for fidelity in self.fidelities:
            self._epochs[fidelity.schedule] = (*self._epochs.get(fidelity.schedule, ()), fidelity.epoch)
        self._answers: dict[Architecture, _Answers] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return SurrogateBenchmark, (self.folder,)

    def __repr__(self) -> str:
        return f"<{self.name}: predicts {', '.join(self.metrics)} of {self.space.name}>"

    @property
    def about(self) -> About:
        """What the surrogate is about."""
        return self._surrogate.about

    @property
    def origin(self) -> Origin:
        """All values are predicted."""
        return "predicted"

    @property
    def locator(self) -> str:
        """The folder, wherever the process stands."""
        return f"surrogate:{os.path.abspath(self.folder)}"

    @property
    def source(self) -> dict[str, str]:
        """The source of the table that it was fitted to, and that this is a surrogate of it."""
        table = self.manifest["table"]
        return {
            **table["source"],
            "name": f"surrogate of {table['source'].get('name')}, table digest {table['digest']}",
        }

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of what is predicted."""
        return (
            *sorted({name for name, _ in self._column}),
            *(["training_time"] if self._surrogate.about.times else []),
        )

    def runs(
        self, architecture: Architecture | str, *, schedule: int | None = None, epoch: int | None = None
    ) -> Sequence[int]:
        """Return the indexes of the runs that can be drawn.

        Raises:
            InvalidArchitectureError: It is no architecture of the space.
            NotRecordedError: There is no such schedule or epoch.
        """
        self._of(architecture)
        self._fidelity(schedule, epoch)
        return range(self._run_count)

    def query(
        self,
        architecture: Architecture | str,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> Metrics:
        """Return what is predicted for one architecture: pure, with no random numbers and no counters.

        Args:
            architecture: A tuple of choices, or its text.
            schedule: As for a table; the longest by default.
            epoch: As for a table; the last by default.
            run: Which drawn run; the mean by default, residual included. Training times are those of the mean.

        Raises:
            InvalidArchitectureError: It is no architecture of the space.
            NotRecordedError: There is no such schedule, epoch or run.
        """
        fidelity = self._fidelity(schedule, epoch)
        if run is not None and (isinstance(run, bool) or run not in range(self._run_count)):
            raise NotRecordedError(f"{self.name} has {self._run_count:,} runs, from 0 on, not run {run!r}.")
        answers = self._of(architecture)
        columns, at = self._places[fidelity]
        if run is None:
            means = answers.accuracies
            values = [_NAN if column is None else float(means[column]) for column in columns]
        else:
            values = self._drawn(answers, int(run), columns)
        return Metrics(
            values[0],
            values[1],
            values[2],
            training_time=_NAN if at is None else float(answers.seconds[at]),
            latency=_NAN,
            parameters=answers.parameters,
            flops=answers.flops,
            schedule=fidelity.schedule,
            epoch=fidelity.epoch,
            run=run,
            origin="predicted",
        )

    def curve(self, architecture: Architecture | str, metric: str = "validation_accuracy") -> Curve:
        """Return the predicted learning curve of the longest schedule, as a table does: the mean at each epoch.

        Raises:
            InvalidArchitectureError: It is no architecture of the space.
            NotRecordedError: The metric is not predicted.
        """
        last = self.fidelities[-1].schedule
        columns = sorted((f.epoch, i) for (name, f), i in self._column.items() if name == metric and f.schedule == last)
        if not columns:
            raise NotRecordedError(str(unknown_name(f"accuracy of {self.name}:", metric, self.metrics)))
        accuracies = self._of(architecture).accuracies
        return Curve(tuple(epoch for epoch, _ in columns), accuracies[[i for _, i in columns]])

    def means(
        self,
        architectures: ArrayLike,
        metric: str = "validation_accuracy",
        *,
        runs: Sequence[Iterable[int]] | None = None,
    ) -> NDArray[np.float64]:
        """Return the means of architectures, shape (n,), at the last epoch of the longest schedule.

        Args:
            architectures: Choices, shape (n, decisions).
            metric: An accuracy that is predicted there.
            runs: Of each architecture the drawn runs whose mean is taken, nan where there are none; by default the
                mean that all of them are drawn around.

        Raises:
            InvalidArchitectureError: One of them is no architecture of the space.
            NotRecordedError: The metric is not predicted there.
        """
        column = self._last(metric)
        choices = self.space.validated(architectures)
        if runs is not None:
            answers = [self._of(tuple(row)) for row in choices.tolist()]
            drawn = [[self._drawn(one, run, [column])[0] for run in of] for one, of in zip(answers, runs, strict=True)]
            return np.array([np.mean(values) if values else _NAN for values in drawn], np.float64)
        if self._all is not None:
            return np.asarray(self._all[0][self.space.codes(choices), column])
        self._learn(choices)
        return np.array([self._answers[tuple(row)].accuracies[column] for row in choices.tolist()], np.float64)

    def predictions(self, architectures: ArrayLike, metric: str = "validation_accuracy") -> NDArray[np.float64]:
        """Return what is predicted without residuals: the best guess for each architecture, shape (n,).

        Raises:
            InvalidArchitectureError, NotRecordedError: As for :meth:`means`.
        """
        column = self._last(metric)
        return np.asarray(self._surrogate.accuracies(self.space.validated(architectures))[:, column])

    def best(self, metric: str = "validation_accuracy") -> float | None:
        """Return the largest mean of the whole space; None where the space is too large to predict.

        Raises:
            NotRecordedError: The metric is not predicted at the last epoch of the longest schedule.
        """
        column = self._last(metric)
        return None if self._all is None else float(self._all[0][:, column].max())

    def metric(self, name: str) -> Metric:
        """Describe a metric: name, unit, and whether more or less of it is better.

        Raises:
            NotRecordedError: There is no such metric.
        """
        return metric_among(name, self.metrics, self.name)

    def known(self, metric: str) -> bool:
        """Say whether a metric costs nothing to know: parameters and flops, which the search space tells."""
        return metric in COUNTS

    def value(
        self,
        architecture: Architecture | str,
        metric: str,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> float:
        """Return one metric of one architecture, nan where there is none.

        Args:
            architecture: As for :meth:`query`.
            metric: One of :attr:`metrics`, or parameters or flops.
            schedule: As for :meth:`query`.
            epoch: As for :meth:`query`.
            run: As for :meth:`query`.

        Raises:
            InvalidArchitectureError, NotRecordedError: As for :meth:`query` and :meth:`metric`.
        """
        self.metric(metric)
        if metric in COUNTS:
            choices = self.space.parse(architecture) if isinstance(architecture, str) else architecture
            return float(getattr(self.space, metric)(choices))
        return float(getattr(self.query(architecture, schedule=schedule, epoch=epoch, run=run), metric))

    def _last(self, metric: str) -> int:
        column = self._column.get((metric, self.fidelities[-1]))
        if column is None:
            raise NotRecordedError(
                f"{self.name} predicts {', '.join(self.metrics)}; not {metric} at the end of the longest schedule."
            )
        return column

    def _fidelity(self, schedule: int | None, epoch: int | None) -> Fidelity:
        if schedule is None:
            schedule = self.fidelities[-1].schedule
        epochs = self._epochs.get(schedule, ())
        if epoch is None and epochs:
            epoch = epochs[-1]
        if (schedule, epoch) not in self._places:
            known = ", ".join(f"schedule {schedule}: {len(each)} epochs" for schedule, each in self._epochs.items())
            raise NotRecordedError(f"{self.name} predicts {known}; not schedule {schedule}, epoch {epoch}.")
        return Fidelity(schedule, int(epoch or 0))

    @cached_property
    def _run_count(self) -> int:
        return 1 if self._surrogate.runs_ is None else _RUNS

    @cached_property
    def _all(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Predictions of the whole space, by code: accuracies and seconds; None where it is too large."""
        if self.space.constrained or self.space.size > _ENUMERABLE:
            return None
        everything = self.space.decode(np.arange(self.space.size))
        return self._surrogate.plausible(everything), self._surrogate.seconds(everything)

    def _of(self, architecture: Architecture | str) -> _Answers:
        answers = self._answers.get(architecture)  # type: ignore[arg-type]
        if answers is None:
            known = self.space.parse(architecture) if isinstance(architecture, str) else self.space.check(architecture)
            self._learn(np.array([known], np.uint8))
            answers = self._answers[known]
        return answers

    def _learn(self, choices: NDArray[np.uint8]) -> None:
        """Predict those that were not asked for yet, all at once; of a small space all there are."""
        if self._all is not None and not self._answers:
            choices = self.space.decode(np.arange(self.space.size))
        new = choices[[tuple(row) not in self._answers for row in choices.tolist()]]
        if not len(new):
            return
        if self._all is None:
            accuracies, seconds = self._surrogate.plausible(new), self._surrogate.seconds(new)
        else:
            codes = self.space.codes(new)
            accuracies, seconds = self._all[0][codes], self._all[1][codes]
        costs = self._surrogate.about.costs
        counts = [
            formula(new).tolist() if name in costs else [None] * len(new)
            for name, formula in (("parameters", self.space.parameters_many), ("flops", self.space.flops_many))
        ]
        identities = self.space.identity_many(new).tolist()
        rows = zip(
            map(tuple, new.tolist()),
            accuracies,
            seconds,
            *counts,
            identities,
            *self._noise(accuracies[:, 0]),
            strict=True,
        )
        for architecture, *values in rows:
            self._answers[architecture] = _Answers(*values)

    def _noise(self, levels: NDArray[np.float64]) -> Iterator[list[Any]]:
        """Yield what runs at these levels are drawn from: where kept runs start, deviations, and limits."""
        runs = self._surrogate.runs_
        if runs is None:
            yield from [[0] * len(levels)] * 3
        else:
            yield runs.window(levels)[0].tolist()
            yield np.where(self._surrogate.is_still(levels), 0, runs.spread_.at(levels)).tolist()
            yield runs.limit(levels).tolist()

    def _drawn(self, answers: _Answers, run: int, columns: Sequence[int | None]) -> list[float]:
        """Return some accuracies of one run: those of the mean, and the difference of a kept run."""
        runs, deviation = self._surrogate.runs_, answers.deviation
        means = answers.accuracies
        if runs is None or not deviation:
            return [_NAN if column is None else float(means[column]) for column in columns]
        chosen = answers.start + _mixed(self._surrogate.salt ^ (answers.identity * _RUNS + run)) % min(
            WINDOW, len(runs.levels_)
        )
        difference = runs.rows_[chosen]
        first = difference[0] * deviation
        if first > answers.limit:
            deviation *= answers.limit / first
        return [
            _NAN if column is None else min(max(float(means[column] + deviation * difference[column]), 0.0), 1.0)
            for column in columns
        ]


class _Answers(NamedTuple):
    accuracies: NDArray[np.float64]
    seconds: NDArray[np.float64]
    parameters: int | None
    flops: int | None
    identity: int
    start: int
    """The first of the kept runs that one is drawn from."""
    deviation: float
    """Standard deviation of runs, in the first accuracy; zero where all are the same."""
    limit: float
    """How far above the mean the first accuracy of a run may lie."""


def _mixed(number: int) -> int:
    """Return one number as :func:`surrogates.models.draws.mixed` does, at a tenth of what an array of one takes."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _MASK
    return number ^ number >> 31
