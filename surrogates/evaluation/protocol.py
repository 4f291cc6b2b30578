"""What is predicted from what, by the field's protocol for predictors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from nasbench.errors import NasbenchError, NotRecordedError
from nasbench.metrics import Better
from nasbench.tables.table import Table

SIZES: Mapping[str, tuple[int, ...]] = {
    "nb201": (78, 156, 469, 781, 1563),
    "nb101": (100, 172, 424, 4236),
    "nb_macro": (50, 100, 500, 1000),
}
"""Numbers of labels that publications use (PINAT, NAR-Former and their baselines; for NAS-Bench-Macro our own)."""

POINTS = "percentage points"
"""The unit in which errors of accuracies are shown; everywhere else accuracies are fractions."""

Copies = Literal["apart", "together", "one"]
"""Forms of the same network: drawn like any others, as publications do; on one side of a split; or only the first."""


class EvaluationError(NasbenchError, ValueError):
    """An evaluation that cannot start: too many labels, a metric without values, no such model, another's folder."""


class Protocol(NamedTuple):
    """What is predicted from what.

    Args:
        metric: A metric of the table, at the end of its longest schedule.
        sizes: Numbers of labels.
        splits: Random splits of each size.
        copies: What becomes of several forms of one network.
        tested: How many of the other architectures are predicted, drawn at random; all by default.
        seed: Of the splits, and of the models.
        inputs: Columns of the table that models may look at, as :func:`surrogates.encodings.inputs.read` takes them;
            each model is then evaluated with and without them.
    """

    metric: str
    sizes: tuple[int, ...]
    splits: int = 10
    copies: Copies = "apart"
    tested: int | None = None
    seed: int = 0
    inputs: tuple[str, ...] = ()


def protocol_of(table: Table) -> Protocol:
    """Return what publications do on this table: its search space decides.

    Raises:
        EvaluationError: The table has neither validation nor test accuracy.
    """
    for metric in ("validation_accuracy", "test_accuracy"):
        if metric in table.metrics and np.isfinite(table.column(metric)).any():
            sizes = SIZES.get(table.space.name, (100, 300, 1000))
            return Protocol(metric, sizes, copies="one" if table.space.name == "nb_macro" else "apart")
    raise EvaluationError(f"{table.name} has neither validation_accuracy nor test_accuracy: name a metric of it.")


def unit_of(table: Table, metric: str) -> str:
    """Return the unit in which differences of a metric are shown: of an accuracy ``POINTS``, else the column's own."""
    info = table.info(metric)
    return POINTS if info.images else info.unit


def better_of(table: Table, metric: str) -> Better | None:
    """Say whether ``"higher"`` or ``"lower"`` is better; None where nobody says it."""
    try:
        return table.better(metric)
    except NotRecordedError:
        return None
