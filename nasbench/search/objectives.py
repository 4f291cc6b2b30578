"""What a search minimises or maximises, and within which bounds: from names on a command line to numbers of a trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nasbench.errors import ConstraintError, NotRecordedError, SearcherError
from nasbench.metrics import COUNTS, METRICS, Metric
from nasbench.types import Architecture, Benchmark, Constraint, Metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nasbench.tables.table import Table

_ACCURACY = "validation_accuracy"


def objectives_of(benchmark: Benchmark, names: Sequence[str]) -> tuple[Metric, ...]:
    """Return what a benchmark knows of some metrics that are to be objectives.

    Raises:
        NotRecordedError: It does not know one of them; the message has the nearest one.
        SearcherError: One of them is test accuracy, which no search may see, or stands there twice.
    """
    _check(names)
    return tuple(benchmark.metric(name) for name in names)


def satisfying(benchmark: Benchmark, constraints: Sequence[Constraint]) -> NDArray[np.bool_] | None:
    """Return which rows of a table satisfy constraints, by means over runs at the highest fidelity; None of no table.

    Raises:
        NotRecordedError: The benchmark does not know a metric.
        SearcherError: One of them is test accuracy.
        ConstraintError: No architecture satisfies them.
    """
    from nasbench.tables.table import Table

    _check([*dict.fromkeys(constraint.metric for constraint in constraints)])
    for constraint in constraints:
        benchmark.metric(constraint.metric)
    if not isinstance(benchmark, Table):
        return None
    allowed = np.ones(len(benchmark), np.bool_)
    for metric, least, most in constraints:
        values = column_of(benchmark, metric)
        allowed &= (values >= least) & (values <= most)
        if not allowed.any():
            raise ConstraintError(
                f"no architecture of {benchmark.name} has {' and '.join(map(str, constraints))}: {metric} goes from "
                f"{np.nanmin(values):.6g} to {np.nanmax(values):.6g} {benchmark.metric(metric).unit}."
            )
    return allowed


def column_of(table: Table, metric: str) -> NDArray[np.float64]:
    """Return a metric of all architectures of a table, means over runs at the highest fidelity, shape (n,).

    Raises:
        NotRecordedError: There is no such metric.
    """
    if metric in COUNTS and metric not in table.metrics:
        return np.asarray(getattr(table.space, f"{metric}_many")(table.architectures), np.float64)
    return np.asarray(table.column(metric), np.float64)


class Known:
    """A function from an architecture to those of some metrics that are known before it is trained, by name.

    A searcher gets it where its constructor names ``known``. It answers nothing that training would have to show.

    Args:
        benchmark: What knows them.
        names: Metrics; those that take training are left out.
    """

    def __init__(self, benchmark: Benchmark, names: Sequence[str]) -> None:
        self.names: tuple[str, ...] = tuple(name for name in names if benchmark.known(name))
        self._benchmark = benchmark

    def __call__(self, architecture: Architecture) -> dict[str, float]:
        """Return their values, by name.

        Raises:
            InvalidArchitectureError: It is no architecture of the space, or none that the benchmark has.
        """
        return {name: self._benchmark.value(architecture, name) for name in self.names}


class Observed(NamedTuple):
    """What a history records of each trial, and how it is read."""

    metrics: tuple[Metric, ...]
    """The objectives."""
    constraints: tuple[Constraint, ...]
    names: tuple[str, ...]
    """The objectives, then those constrained metrics that are none."""
    told: bool
    """Whether the searcher is told all of them, or validation accuracy alone."""
    read: tuple[Callable[[Architecture, Metrics], float], ...]
    benchmark: Benchmark

    def values(self, architecture: Architecture, metrics: Metrics) -> tuple[float, ...]:
        """Return the values of one trial, in the order of ``names``.

        Raises:
            NotRecordedError: One of them is not recorded.
        """
        found = tuple([read(architecture, metrics) for read in self.read])
        for name, value in zip(self.names, found, strict=True):
            if value != value:
                raise NotRecordedError(
                    f"{self.benchmark.name} records no {name} of {self.benchmark.space.format(architecture)} at "
                    f"schedule {metrics.schedule}, epoch {metrics.epoch}: nothing to tell a searcher."
                )
        return found


def observed_by(
    searcher: object,
    benchmark: Benchmark,
    objectives: Sequence[Metric] = (),
    constraints: Sequence[Constraint] = (),
) -> Observed | None:
    """Return what is recorded of the trials of a searcher; None where it is validation accuracy alone.

    Args:
        searcher: Who is told.
        benchmark: What answers.
        objectives: By default those of the searcher.
        constraints: By default those of the searcher.

    Raises:
        NotRecordedError: The benchmark does not know a metric.
        SearcherError: One of them is test accuracy, or stands there twice.
    """
    own = getattr(searcher, "objectives", None)
    metrics = tuple(objectives or own or ())
    bounds = tuple(constraints or getattr(searcher, "constraints", None) or ())
    if not metrics and not bounds:
        return None
    metrics = metrics or (METRICS[_ACCURACY],)
    _check([metric.name for metric in metrics])
    names = tuple(dict.fromkeys([*(metric.name for metric in metrics), *(bound.metric for bound in bounds)]))
    for name in names:
        _check([name])
        benchmark.metric(name)
    return Observed(metrics, bounds, names, own is not None, tuple(_reader(benchmark, n) for n in names), benchmark)


def _check(names: Sequence[str]) -> None:
    if "test_accuracy" in names:
        raise SearcherError("test_accuracy is no objective and no constraint: a search must not see it.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SearcherError(f"{', '.join(twice)}: is an objective already; name each once.")


def _reader(benchmark: Benchmark, name: str) -> Callable[[Architecture, Metrics], float]:
    """Return how a metric is had of a trial that was answered with ``metrics``."""
    if name in COUNTS or name not in Metrics._fields:
        value: Any = benchmark.value
        fixed = benchmark.known(name)

        def read(architecture: Architecture, metrics: Metrics) -> float:
            if fixed:
                return float(value(architecture, name))
            return float(value(architecture, name, schedule=metrics.schedule, epoch=metrics.epoch, run=metrics.run))

        return read
    place = Metrics._fields.index(name)
    return lambda architecture, metrics: float(metrics[place])  # type: ignore[arg-type]  # counts are read above
