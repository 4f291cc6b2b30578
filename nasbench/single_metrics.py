"""What benchmarks share that answer single metrics by their query()."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from nasbench.metrics import COUNTS, Metric, metric_among
from nasbench.spaces import SearchSpace


class _Queried(Protocol):
    name: str
    space: SearchSpace

    @property
    def metrics(self) -> Sequence[str]: ...

    def query(self, architecture: Any, **fidelity: Any) -> Any: ...

    def count(self, architecture: Any, metric: str) -> float: ...


class SingleMetrics:
    """metric(), known() and value() of a benchmark that has ``name``, ``metrics``, ``query()`` and ``count()``."""

    def metric(self: _Queried, name: str) -> Metric:
        """Describe a metric: name, unit, and whether more or less of it is better.

        Raises:
            NotRecordedError: There is no such metric.
        """
        return metric_among(name, self.metrics, self.name)

    def known(self, metric: str) -> bool:
        """Say whether a metric costs nothing to know: parameters and flops, which the search space tells."""
        return metric in COUNTS

    def value(
        self: _Queried,
        architecture: Any,
        metric: str,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> float:
        """Return one metric of one architecture, nan where there is none.

        Args:
            architecture: As for ``query()``.
            metric: One of ``metrics``, or parameters or flops.
            schedule: As for ``query()``.
            epoch: As for ``query()``.
            run: As for ``query()``.

        Raises:
            InvalidArchitectureError, NotRecordedError: As for ``query()`` and :meth:`metric`.
        """
        metric_among(metric, self.metrics, self.name)
        if metric in COUNTS:
            return self.count(architecture, metric)
        return float(getattr(self.query(architecture, schedule=schedule, epoch=epoch, run=run), metric))
