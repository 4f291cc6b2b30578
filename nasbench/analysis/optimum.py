"""Where regret is zero: what a search is expected to hold that sees one run of every architecture.

How an incumbent is judged, and why the optimum is judged in the same way: :mod:`nasbench.analysis.incumbents`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from nasbench.analysis.incumbents import Accuracy, Floats, constraints_of, judged, judged_by, observe_of
from nasbench.errors import AnalysisError
from nasbench.search.history import History
from nasbench.search.objectives import satisfying
from nasbench.tables.table import Table
from nasbench.types import Benchmark

_NEGLIGIBLE = 1e-12
"""A chance so small that it changes no printed digit."""


def best_known(histories: Iterable[History], benchmark: Benchmark, metric: Accuracy = "validation_accuracy") -> float:
    """Return the optimum that regret is measured from, or where nobody knows it the best incumbent of these searches.

    Args:
        histories: All searches that are compared; all saw single runs, or all saw means.
        benchmark: What they searched.
        metric: The accuracy.

    Raises:
        AnalysisError: As for :func:`judged`; some searches saw single runs and others saw means, or had other
            constraints; or nobody knows the optimum, and none found what satisfies the constraints.
        NotRecordedError: The benchmark does not record this metric.
        ConstraintError: No architecture of the table satisfies the constraints.
    """
    histories = list(histories)
    observe = observe_of(histories)
    constraints = constraints_of(histories)
    if isinstance(benchmark, Table):
        allowed = satisfying(benchmark, constraints)
        if observe == "run":
            return unseen_optimum(every_run(benchmark, metric)[allowed])
        return float(np.nanmax(np.asarray(benchmark.column(metric), np.float64)[allowed]))
    best = None if constraints else benchmark.best(metric)
    if best is not None:
        return best
    ends = [judged(history, benchmark, metric) for history in histories if len(history)]
    found = [float(np.nanmax(each)) for each in ends if np.isfinite(each).any()]
    if not found:
        raise AnalysisError(f"none of these searches found what has {' and '.join(map(str, constraints))}.")
    return max(found)


def every_run(table: Table, metric: Accuracy = "validation_accuracy") -> Floats:
    """Return every run of every architecture, shape (architectures, runs), nan where missing.

    Raises:
        NotRecordedError: The table does not record this metric.
    """
    info = table.describe().get(f"{metric}@{table.fidelities[-1].schedule}")
    if info is None:
        table.column(metric)  # says what the table holds
    assert info is not None
    runs = range(info.shape[-1])
    return np.stack([np.asarray(table.column(metric, run=run), np.float64) for run in runs], axis=1)


def unseen_optimum(runs: Floats) -> float:
    """Return what a search is expected to hold that sees one run of every architecture and is judged by the others.

    It goes through the table in its order; each architecture shows one of its recorded runs, every one equally likely,
    independently of the others. From the best run of all downwards: a run wins if it is shown and no better one is.

    Args:
        runs: Shape (architectures, runs), nan where missing.
    """
    recorded = np.isfinite(runs)
    rows, places = np.nonzero(recorded)
    order = np.lexsort((rows, -runs[rows, places]))  # among equals the first in the table stays
    share = 1 / recorded.sum(axis=1)[rows]
    hidden: dict[int, float] = {}
    total, nobody = 0.0, 1.0
    for i in order.tolist():
        row = int(rows[i])
        left = hidden.get(row, 1.0)  # the chance that this architecture shows none of its better runs
        chance = min(1.0, float(share[i]) / left)
        value = judged_by(runs[row : row + 1], int(places[i]), recorded[row : row + 1])
        total += nobody * chance * float(value[0])
        nobody *= 1 - chance
        if nobody < _NEGLIGIBLE:
            break
        hidden[row] = left - float(share[i])
    return total / (1 - nobody)
