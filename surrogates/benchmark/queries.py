"""SurrogateBenchmark: predicts for every architecture of a search space what a table records of its rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import NotRecordedError, unknown_name
from nasbench.single_metrics import SingleMetrics
from nasbench.spaces import SearchSpace
from nasbench.tables.row_reader import Curve
from nasbench.tables.table import Table
from nasbench.types import Architecture, Fidelity, Metrics, Origin
from surrogates.benchmark.answers import Answers
from surrogates.benchmark.saved import Saved, load
from surrogates.benchmark.surrogate import ACCURACIES, About, Surrogate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_NAN = float("nan")


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


class SurrogateBenchmark(SingleMetrics):
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
        """Return the benchmark of a surrogate that has no folder yet: it cannot be pickled, and has no digest.

        Args:
            surrogate: What predicts.
            rows: The rows of the table that it was fitted to.
            table: Its table.
        """
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
        self._answers = Answers(saved.surrogate, self.space)

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

        Args:
            architecture: As for :meth:`query`.
            schedule: As for :meth:`query`.
            epoch: As for :meth:`query`.

        Raises:
            InvalidArchitectureError: It is no architecture of the space.
            NotRecordedError: There is no such schedule or epoch.
        """
        self._answers.of(architecture)
        self._fidelity(schedule, epoch)
        return range(self._answers.run_count)

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
        if run is not None and (isinstance(run, bool) or run not in range(self._answers.run_count)):
            raise NotRecordedError(f"{self.name} has {self._answers.run_count:,} runs, from 0 on, not run {run!r}.")
        answer = self._answers.of(architecture)
        columns, at = self._places[fidelity]
        if run is None:
            means = answer.accuracies
            values = [_NAN if column is None else float(means[column]) for column in columns]
        else:
            values = self._answers.drawn(answer, int(run), columns)
        return Metrics(
            values[0],
            values[1],
            values[2],
            training_time=_NAN if at is None else float(answer.seconds[at]),
            latency=_NAN,
            parameters=answer.parameters,
            flops=answer.flops,
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
        accuracies = self._answers.of(architecture).accuracies
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
            runs: For each architecture, the drawn runs whose mean is taken, nan where there are none; by default the
                mean that all of them are drawn around.

        Raises:
            InvalidArchitectureError: One of them is no architecture of the space.
            NotRecordedError: The metric is not predicted there.
        """
        column = self._last(metric)
        choices = self.space.validated(architectures)
        if runs is not None:
            of, draw = self._answers.of, self._answers.drawn
            answers = [of(tuple(row)) for row in choices.tolist()]
            drawn = [[draw(one, run, [column])[0] for run in asked] for one, asked in zip(answers, runs, strict=True)]
            return np.array([np.mean(values) if values else _NAN for values in drawn], np.float64)
        return self._answers.means(choices, column)

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
        everything = self._answers.everything
        return None if everything is None else float(everything[0][:, column].max())

    def count(self, architecture: Architecture | str, metric: str) -> float:
        """Return parameters or flops of one architecture.

        Raises:
            InvalidArchitectureError: It is no architecture of the space.
        """
        choices = self.space.parse(architecture) if isinstance(architecture, str) else architecture
        return float(getattr(self.space, metric)(choices))

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
