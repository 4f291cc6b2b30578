"""Whether our trainings look like runs of the benchmark: Student's t, Holm's correction, Kendall's tau."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nasbench.analysis import Floats, holm
from nasbench.training.verify.said import Said

_LEVEL = 0.05
TEST = (
    "Student's two-sample t, two-sided, with the run-to-run deviation of the table pooled over the twentieth of its "
    "architectures with the most similar mean; p after Holm; 'lower' and 'higher' are p < 0.05"
)
_PAIRS = 3
"""Fewer architectures have no order that could agree by more than chance."""


def student(difference: float, deviation: float, freedom: int, ours: int, theirs: int) -> tuple[float, float]:
    """Return t and two-sided p of a difference between the means of two samples of one deviation (Student 1908).

    Args:
        difference: Difference of the means.
        deviation: Standard deviation of one run, above 0.
        freedom: Degrees of freedom behind it, at least 1.
        ours: Size of one sample.
        theirs: Size of the other.
    """
    from scipy.stats import t as law

    t = difference / (deviation * math.sqrt(1 / ours + 1 / theirs))
    return t, 2 * float(law.sf(abs(t), freedom))


def judge(rows: Sequence[dict[str, Any]], said: Said) -> None:
    """Add difference, t, p and verdict to each architecture, in place."""
    tested = []
    for row, deviation, freedom in zip(rows, said.deviations.tolist(), said.freedom, strict=True):
        ours, theirs = row["trained"]["runs"], row["benchmark"]["runs"]
        if not ours or not theirs or not deviation > 0:
            row["verdict"] = "not tested"
            continue
        difference = row["trained"]["mean"] - row["benchmark"]["mean"]
        t, p = student(difference, deviation, freedom, len(ours), len(theirs))
        row.update(difference=difference, t=t, degrees_of_freedom=freedom, p_value=p)
        tested.append(row)
    for row, p in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_value_holm"] = p
        row["verdict"] = "consistent" if p >= _LEVEL else "higher" if row["difference"] > 0 else "lower"


def kendall(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Compare the two orders, of all architectures that have both means; None for fewer than three."""
    from scipy.stats import kendalltau

    pairs = [(row["benchmark"]["mean"], row["trained"]["mean"]) for row in rows]
    pairs = [pair for pair in pairs if None not in pair]
    if len(pairs) < _PAIRS:
        return None
    said, trained = zip(*pairs, strict=True)
    ties = len(set(said)) < len(said) or len(set(trained)) < len(trained)
    method = "asymptotic" if ties else "exact"
    found = kendalltau(said, trained, method=method)
    return numbers(tau=found.statistic, p_value=found.pvalue) | {"method": method, "architectures": len(pairs)}


def numbers(**values: float) -> dict[str, Any]:
    """Return numbers as JSON has them: none for nan."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def present(runs: Floats) -> list[float]:
    """Return those runs that are recorded."""
    return [float(value) for value in runs[np.isfinite(runs)]]
