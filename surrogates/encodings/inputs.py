"""Inputs beside the architecture: zero-cost scores, accuracies after a few epochs, whatever was measured cheaply.

A predictor that uses them needs them of every architecture that it predicts, not of the labelled ones alone: their cost
belongs beside that of the labels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from nasbench import registry
from nasbench.errors import NasbenchError
from nasbench.spaces import SearchSpace
from nasbench.tables.table import Table
from nasbench.types import Fidelity
from surrogates.encodings.cells201 import Groups
from surrogates.encodings.encoding import Encoding, encoding_of

_TEXT = re.compile(r"([A-Za-z0-9_.+-]+)(?:@(\d{1,6})(?:/(\d{1,6}))?)?(?:=(\d+\.?\d*))?", re.ASCII)
GROUP = "inputs"
"""Name of the group of features."""


class InputError(NasbenchError, ValueError):
    """An input that a table lacks, that gives the labels away, or that has no value for an architecture."""


@dataclass(frozen=True, eq=False)
class Extra:
    """One number of many architectures, that a predictor may look at.

    Args:
        name: What it is.
        identities: Of the architectures: :meth:`nasbench.SearchSpace.identity_many`, shape (n,), rising.
        values: Shape (n,), nan where there is none.
        seconds: What it costs, in seconds of training an architecture; nan where nobody said.
    """

    name: str
    identities: NDArray[np.int64]
    values: NDArray[np.float64]
    seconds: float = math.nan

    @classmethod
    def of(
        cls, space: SearchSpace, name: str, architectures: ArrayLike, values: ArrayLike, seconds: float = math.nan
    ) -> Self:
        """Make an input of architectures, shape (n, decisions), and their values, shape (n,).

        Raises:
            InvalidArchitectureError: A row is no architecture of the space.
            InputError: The shapes do not fit, a value is infinite, or an architecture comes twice.
        """
        identities, found = space.identity_many(architectures), np.asarray(values, np.float64)
        if found.shape != identities.shape or np.isinf(found).any():
            raise InputError(
                f"input {name}: expected {len(identities)} values, finite or nan, one an architecture; their shape is "
                f"{found.shape}, {int(np.isinf(found).sum())} are infinite."
            )
        order = np.argsort(identities, kind="stable")
        twice = np.flatnonzero(np.diff(identities[order]) == 0)
        if len(twice):
            text = space.format(tuple(np.asarray(architectures)[order[twice[0]]].tolist()))
            raise InputError(f"input {name}: the architecture {text} comes twice: give each one value.")
        return cls(name, identities[order], found[order], seconds)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """The normal quantiles of the ranks of the values, shape (n,): of mean zero and variance about one.

        Ranks, as of labels: what failed in a few epochs lies far from the others. They are those among all
        architectures that have a value, so that an architecture's feature does not depend on which are labelled.
        """
        scores, known = np.full(len(self.values), np.nan), np.isfinite(self.values)
        scores[known] = norm.ppf((rankdata(self.values[known]) - 0.5) / max(known.sum(), 1))
        return scores


class WithInputs(Encoding):
    """The encoding of an architecture, and a group of one column an input, looked up by the architecture's identity.

    Args:
        space: Name of a search space, which :func:`surrogates.encodings.encoding_of` encodes.
        inputs: What to append.

    Raises:
        InputError: On fitting or transforming, an input has no value for an architecture; the message names it.
    """

    def __init__(self, space: str = "nb201", inputs: Sequence[Extra] = ()) -> None:
        super().__init__(space)
        self.inputs = inputs

    def _encode(self, choices: NDArray[np.uint8]) -> Groups:
        found = encoding_of(self.space)._encode(choices)
        if self.inputs:
            space = registry.find("spaces", self.space)()
            columns = np.stack([column_of(extra, space, choices) for extra in self.inputs], axis=1)
            found[GROUP] = ([f"input {extra.name}" for extra in self.inputs], columns)
        return found


def column_of(extra: Extra, space: SearchSpace, choices: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the scores of an input for architectures, shape (n, decisions), as shape (n,).

    Raises:
        InputError: One of them has no value; the message names it.
    """
    asked = space.identity_many(choices)
    place = np.minimum(np.searchsorted(extra.identities, asked), len(extra.identities) - 1)
    column = np.where(extra.identities[place] == asked, extra.scores[place], np.nan)
    missing = np.flatnonzero(np.isnan(column))
    if len(missing):
        text = space.format(tuple(choices[missing[0]].tolist()))
        more = f", nor for {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"input {extra.name} has no value for {text}{more}: a predictor needs it of every architecture that it "
            "learns from or predicts. Measure it there, or leave the input out."
        )
    return column


def read(table: Table, text: str, metric: str) -> Extra:
    """Return what ``--input NAME[@SCHEDULE[/EPOCH]][=SECONDS]`` names: a column of a table, as an input.

    ``synflow=3`` is a column without epochs, such as ``nasbench attach`` adds; ``validation_accuracy@12`` the end of
    another schedule; ``validation_accuracy@200/12`` an early epoch of a schedule. What was not said to cost something
    costs what the table records: the training seconds until then, mean over architectures, times the number of runs
    that the value is a mean of.

    Args:
        table: The table of the labels.
        text: The above.
        metric: The labels, at the end of the longest schedule.

    Raises:
        InputError: The text has another form, or the column gives the labels away: test accuracies, what is measured at
            the end of the labels' own training, and columns in the very order of the labels.
        NotRecordedError: The table has no such column, schedule or epoch.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise InputError(f"cannot read the input {text!r}: write NAME[@SCHEDULE[/EPOCH]][=SECONDS], such as synflow=3.")
    name, seconds = match[1], float(match[4]) if match[4] else math.nan
    schedule, epoch = (int(part) if part else None for part in match.group(2, 3))
    fixed = name in table.file.columns
    if fixed and schedule is not None:
        raise InputError(f"input {text}: {name} of {table.name} has no schedules: write {name!r} alone.")
    values = np.asarray(table.column(name, schedule=schedule, epoch=epoch), np.float64)
    if not fixed:
        fidelity = _fidelity(table, schedule, epoch)
        if name == "test_accuracy" or fidelity == table.fidelities[-1]:
            why = (
                "no search may see it" if name == "test_accuracy" else f"it comes with the trainings of {metric} itself"
            )
            raise InputError(
                f"input {text}: {why}. Name validation_accuracy@SCHEDULE or @SCHEDULE/EPOCH of less training, which "
                "`nasbench info` lists, or an attached column."
            )
        if math.isnan(seconds):
            seconds = _seconds(table, name, fidelity)
    labels = np.asarray(table.column(metric), np.float64)
    known = np.isfinite(values) & np.isfinite(labels)
    if np.unique(labels[known]).size > 1 and (rankdata(values[known]) == rankdata(labels[known])).all():
        raise InputError(f"input {text}: its order is exactly that of {metric}: it is the labels by another name.")
    return Extra.of(table.space, text.partition("=")[0], table.architectures, values, seconds)


def _fidelity(table: Table, schedule: int | None, epoch: int | None) -> Fidelity:
    """Return what a column was read at, which exists."""
    schedule = table.fidelities[-1].schedule if schedule is None else schedule
    last = [fidelity for fidelity in table.fidelities if fidelity.schedule == schedule][-1]
    return last if epoch is None else Fidelity(schedule, epoch)


def _seconds(table: Table, name: str, fidelity: Fidelity) -> float:
    """Return the training seconds of a recorded value, mean over architectures, nan where the table has none."""
    if f"training_time@{fidelity.schedule}" not in table.describe():
        return math.nan
    runs = recorded_runs(table, name, fidelity)
    spent = np.asarray(table.column("training_time", schedule=fidelity.schedule, epoch=fidelity.epoch)) * runs
    return float(np.nanmean(spent)) if np.isfinite(spent).any() else math.nan


def recorded_runs(table: Table, metric: str, fidelity: Fidelity) -> NDArray[np.int64]:
    """Return how many runs a metric is the mean of, for each architecture, shape (n,)."""
    number = table.describe()[f"{metric}@{fidelity.schedule}"].shape[-1]
    if number == 1:
        return np.ones(len(table), np.int64)
    each = [table.column(metric, schedule=fidelity.schedule, epoch=fidelity.epoch, run=run) for run in range(number)]
    return np.asarray(np.isfinite(each).sum(axis=0), np.int64)
