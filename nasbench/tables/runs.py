"""Repeated trainings in arrays: one of them, their mean, and which of them an architecture has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.tables import ColumnInfo, missing_value

if TYPE_CHECKING:
    from numpy.typing import NDArray


def present(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell of each stored value whether it was measured."""
    return np.asarray(~np.isnan(values) if values.dtype.kind == "f" else values != missing_value(values.dtype))


def of_run(values: NDArray[Any], info: ColumnInfo, run: int | None) -> NDArray[np.float64]:
    """Return one run of stored values, or the mean over the recorded ones; nan where there is none.

    Args:
        values: As they are stored; the last axis is the runs, and the result has all others.
        info: Their column; accuracies become fractions of its images.
        run: The index of a run, or None for the mean.
    """
    if run is not None:
        # One stored run stands for all: the source gives the same value for every run.
        values = values[..., [0 if values.shape[-1] == 1 else run]]
    there = present(values)
    totals = np.where(there, values, 0).sum(axis=-1, dtype=np.float64)
    # A mean of counts is rounded once: total correct images over total images.
    with np.errstate(invalid="ignore"):
        return np.asarray(totals / (there.sum(axis=-1) * (info.images or 1)), np.float64)


def patterns_of(there: NDArray[np.bool_]) -> tuple[list[tuple[int, ...]], NDArray[np.intp]]:
    """Return the different sets of runs that architectures have, and which of them each has, shape (n,).

    Args:
        there: Whether a run is recorded, shape (n, runs); any number of runs.
    """
    patterns: list[tuple[int, ...]] = [()]
    which = np.zeros(len(there), np.intp)
    for run in range(there.shape[1]):
        codes = which * 2 + there[:, run]
        used = np.bincount(codes, minlength=2 * len(patterns)) > 0
        patterns = [patterns[code >> 1] + ((run,) if code & 1 else ()) for code in np.flatnonzero(used).tolist()]
        which = (np.cumsum(used) - 1)[codes]
    return patterns, which
