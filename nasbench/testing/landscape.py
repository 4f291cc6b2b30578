"""Landscape: a small made-up benchmark over any search space, with learning curves, times and several metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nasbench.errors import NotRecordedError
from nasbench.metrics import COUNTS, METRICS, Metric, metric_among
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Fidelity, Metrics, Origin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_RUNS = 3
_METRICS = ("validation_accuracy", "training_time", "latency")


class Landscape:
    """Three runs of every architecture of a space, over one schedule of nine epochs; nothing is measured.

    The accuracy of an architecture rises with each of its choices, over the epochs, and a little with the run; the last
    choice everywhere is the best, and many architectures are equally good. The better one is, the longer an epoch
    takes. Everything follows from the numbers of the choices: no random numbers.

    Args:
        space: The search space.

    >>> from nasbench.spaces.nb201 import NB201
    >>> round(Landscape(NB201()).query((4, 4, 4, 4, 4, 4)).validation_accuracy, 3)
    0.8
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.name: str = f"landscape of {space.name}"
        self.dataset: str = "none"
        self.digest: str = f"landscape:{space.name}"
        self.locator: str = self.digest
        self.origin: Origin = "recorded"
        self.source: dict[str, str] = dict.fromkeys(("name", "address", "licence", "citation"), "made up")
        self.fidelities: Sequence[Fidelity] = tuple(Fidelity(9, epoch) for epoch in range(1, 10))

    def level(self, architecture: Architecture) -> float:
        """Return how good an architecture is, from 0 to below 1."""
        choices = zip(architecture, self.space.choices, strict=True)
        return sum(choice / k for choice, k in choices) / len(architecture)

    def runs(
        self, architecture: Architecture, *, schedule: int | None = None, epoch: int | None = None
    ) -> Sequence[int]:
        """Return the indexes of the three runs."""
        self.space.check(architecture)
        return range(_RUNS)

    def query(
        self,
        architecture: Architecture,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> Metrics:
        """Return what the formula gives.

        Raises:
            InvalidArchitectureError: It is no architecture of the space.
            NotRecordedError: There is no such schedule, epoch or run.
        """
        level = self.level(self.space.check(architecture))
        schedule, epoch = schedule or 9, epoch or 9
        if (schedule, epoch) not in self.fidelities or run not in (None, *range(_RUNS)):
            raise NotRecordedError(f"{self.name} has epochs 1 to 9 of schedule 9 and runs 0 to 2.")
        noise = 0.0 if run is None else 0.001 * (run - 1)
        accuracy = level * (1 - 0.5 ** (1 + epoch)) + noise * (level > 0)
        return Metrics(
            validation_accuracy=accuracy,
            test_accuracy=float("nan"),
            train_accuracy=float("nan"),
            training_time=epoch * (1 + level),
            latency=0.001 * (1 + architecture[0]),
            parameters=None,
            flops=None,
            schedule=schedule,
            epoch=epoch,
            run=run,
        )

    def means(
        self,
        architectures: ArrayLike,
        metric: str = "validation_accuracy",
        *,
        runs: Sequence[Iterable[int]] | None = None,
    ) -> NDArray[np.float64]:
        """Return the means over runs at the ninth epoch, shape (n,)."""
        rows = [tuple(row) for row in self.space.validated(architectures).tolist()]
        chosen: list[list[int | None]] = [[None]] * len(rows) if runs is None else [list(each) for each in runs]
        values = [[self.value(row, metric, run=run) for run in each] for row, each in zip(rows, chosen, strict=True)]
        return np.array([np.mean(each) if each else np.nan for each in values], np.float64)

    def best(self, metric: str = "validation_accuracy") -> float | None:
        """Return None: nobody needs to know."""
        return None

    def metric(self, name: str) -> Metric:
        """Describe a metric.

        Raises:
            NotRecordedError: There is no such metric.
        """
        return metric_among(name, _METRICS, self.name)

    def known(self, metric: str) -> bool:
        """Say whether a metric costs nothing to know."""
        return metric in (*COUNTS, "latency")

    def value(
        self,
        architecture: Architecture,
        metric: str,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> float:
        """Return one metric of one architecture; arguments as for :meth:`query`. Counts are the search space's."""
        if metric in COUNTS:
            return float(getattr(self.space, metric)(architecture))
        return float(
            getattr(self.query(architecture, schedule=schedule, epoch=epoch, run=run), self.metric(metric).name)
        )


OBJECTIVES = (METRICS["validation_accuracy"], METRICS["latency"])
"""The objectives that contract tests give to searches with several."""
