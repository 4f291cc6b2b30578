"""What a surrogate says of single architectures, predicted once for each, and the runs that are drawn around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces import SearchSpace
from nasbench.types import Architecture
from surrogates.benchmark.surrogate import Surrogate
from surrogates.models.draws import WINDOW

_NAN = float("nan")
_ENUMERABLE = 2**16
"""Spaces of up to so many architectures are predicted whole, once."""
_RUNS = 1000
_MASK = 2**64 - 1


class PredictedRow(NamedTuple):
    """What is known of one architecture."""

    accuracies: NDArray[np.float64]
    """Shape (columns,): means over runs."""
    seconds: NDArray[np.float64]
    """Shape (times,): of training."""
    parameters: int | None
    flops: int | None
    identity: int
    start: int
    """The first of the kept runs that one is drawn from."""
    deviation: float
    """Standard deviation of runs, in the first accuracy; zero where all are the same."""
    limit: float
    """How far above the mean the first accuracy of a run may lie."""


class Answers:
    """The answers of a surrogate by architecture, each made when it is first asked for.

    Args:
        surrogate: What predicts.
        space: Its search space.
    """

    def __init__(self, surrogate: Surrogate, space: SearchSpace) -> None:
        self._surrogate, self._space = surrogate, space
        self._known: dict[Architecture, PredictedRow] = {}

    @cached_property
    def run_count(self) -> int:
        """How many runs of an architecture can be drawn."""
        return 1 if self._surrogate.runs_ is None else _RUNS

    @cached_property
    def everything(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Predictions of the whole space, by code: accuracies and seconds; None where it is too large."""
        if self._space.constrained or self._space.size > _ENUMERABLE:
            return None
        choices = self._space.decode(np.arange(self._space.size))
        return self._surrogate.plausible(choices), self._surrogate.seconds(choices)

    def of(self, architecture: Architecture | str) -> PredictedRow:
        """Return what is known of one architecture.

        Raises:
            InvalidArchitectureError: It is no architecture of the space.
        """
        answer = self._known.get(architecture)  # type: ignore[arg-type]
        if answer is None:
            space = self._space
            known = space.parse(architecture) if isinstance(architecture, str) else space.check(architecture)
            self._learn(np.array([known], np.uint8))
            answer = self._known[known]
        return answer

    def means(self, choices: NDArray[np.uint8], column: int) -> NDArray[np.float64]:
        """Return one accuracy of valid architectures, shape (n,): the mean over runs."""
        if self.everything is not None:
            return np.asarray(self.everything[0][self._space.codes(choices), column])
        self._learn(choices)
        return np.array([self._known[tuple(row)].accuracies[column] for row in choices.tolist()], np.float64)

    def drawn(self, answer: PredictedRow, run: int, columns: Sequence[int | None]) -> list[float]:
        """Return some accuracies of one run: those of the mean, and the difference of a kept run.

        Args:
            answer: What is known of the architecture.
            run: From 0 to below :attr:`run_count`.
            columns: Which accuracies; nan for None.
        """
        runs, deviation = self._surrogate.runs_, answer.deviation
        means = answer.accuracies
        if runs is None or not deviation:
            return [_NAN if column is None else float(means[column]) for column in columns]
        chosen = answer.start + _mixed(self._surrogate.salt ^ (answer.identity * _RUNS + run)) % min(
            WINDOW, len(runs.levels_)
        )
        difference = runs.rows_[chosen]
        first = difference[0] * deviation
        if first > answer.limit:
            deviation *= answer.limit / first
        return [
            _NAN if column is None else min(max(float(means[column] + deviation * difference[column]), 0.0), 1.0)
            for column in columns
        ]

    def _learn(self, choices: NDArray[np.uint8]) -> None:
        """Predict those that were not asked for yet, all at once; of a small space all there are."""
        if self.everything is not None and not self._known:
            choices = self._space.decode(np.arange(self._space.size))
        new = choices[[tuple(row) not in self._known for row in choices.tolist()]]
        if not len(new):
            return
        if self.everything is None:
            accuracies, seconds = self._surrogate.plausible(new), self._surrogate.seconds(new)
        else:
            codes = self._space.codes(new)
            accuracies, seconds = self.everything[0][codes], self.everything[1][codes]
        costs = self._surrogate.about.costs
        counts = [
            formula(new).tolist() if name in costs else [None] * len(new)
            for name, formula in (("parameters", self._space.parameters_many), ("flops", self._space.flops_many))
        ]
        identities = self._space.identity_many(new).tolist()
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
            self._known[architecture] = PredictedRow(*values)

    def _noise(self, levels: NDArray[np.float64]) -> Iterator[list[Any]]:
        """Yield what runs at these levels are drawn from: where kept runs start, deviations, and limits."""
        runs = self._surrogate.runs_
        if runs is None:
            yield from [[0] * len(levels)] * 3
        else:
            yield runs.window(levels)[0].tolist()
            yield np.where(self._surrogate.is_still(levels), 0, runs.spread_.at(levels)).tolist()
            yield runs.limit(levels).tolist()


def _mixed(number: int) -> int:
    """Return one number as :func:`surrogates.models.draws.mixed` does, at a tenth of what an array of one takes."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _MASK
    return number ^ number >> 31
