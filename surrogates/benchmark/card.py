"""What a surrogate is as a benchmark, beside the table that it came from: how its runs vary, and what searches find.

The score card of a fit says how well values and order are predicted. Neither says whether a comparison of searches on
the surrogate comes out as on the table: that is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.analysis import best_known, judged
from nasbench.analysis.incumbents import Accuracy, Observe, every_run
from nasbench.search import Rules, run
from nasbench.search.history import History
from nasbench.tables.table import Table
from nasbench.types import Benchmark, Budget
from surrogates.models.ranked import Floats

if TYPE_CHECKING:
    from surrogates.benchmark.queries import SurrogateBenchmark

SEARCHES = ("random_search", "regularized_evolution", "local_search")
"""What is compared, all with their defaults."""
EVALUATIONS, RUNS = 500, 20
_PARTS = (0.0, 0.02, 0.1, 0.5, 0.9, 0.98, 1.0)
"""Quantiles of the table's means between which the spread of runs is told."""
_ARCHITECTURES, _DRAWN = 300, 5
"""Per part: at most so many architectures, and runs of each."""
_PREDICTED = 2000
"""Held-out architectures of a space that is not predicted whole."""


def spread_by_level(benchmark: SurrogateBenchmark, table: Table) -> list[dict[str, float]]:
    """Return how far runs lie apart in the metric of the surrogate, in the table and drawn, from poor to good.

    Returns:
        ``from`` and ``to``, between which means lie; ``table``, the standard deviation of single runs of architectures
        that are no labels (pooled over these, r - 1 degrees of freedom for r runs); ``surrogate``, that of drawn runs
        from the means that the surrogate answers. Fractions. Empty where no such architecture has two runs.
    """
    metric = benchmark.about.metric
    runs = every_run(table, cast(Accuracy, metric))
    held_out = np.setdiff1d(np.flatnonzero(np.isfinite(runs).sum(axis=1) > 1), benchmark.rows)
    if not len(held_out) or len(benchmark.runs(tuple(table.architectures[held_out[0]].tolist()))) < 2:
        return []
    if benchmark.best(metric) is None:
        held_out = np.random.default_rng(0).permutation(held_out)[:_PREDICTED]
    there = runs[held_out]
    levels, freedom = np.nanmean(there, axis=1), np.isfinite(there).sum(axis=1) - 1
    squares = np.nansum((there - levels[:, None]) ** 2, axis=1)
    means = benchmark.means(table.architectures[held_out], metric)
    edges = np.quantile(levels, _PARTS)
    found = []
    for low, high in pairwise(edges.tolist()):
        recorded = (levels >= low) & (levels <= high)
        alike = np.flatnonzero((means >= low) & (means <= high))
        if low < high and recorded.any() and len(alike):
            some = alike[:: -(-len(alike) // _ARCHITECTURES)]
            off = _drawn(benchmark, table.architectures[held_out[some]], metric) - means[some, None]
            drawn = float(np.sqrt((off**2).mean()))
            pooled = float(np.sqrt(squares[recorded].sum() / freedom[recorded].sum()))
            found.append({"from": float(low), "to": float(high), "table": pooled, "surrogate": drawn})
    return found


def _drawn(benchmark: Benchmark, architectures: NDArray[np.uint8], metric: str) -> Floats:
    answers = [
        [getattr(benchmark.query(tuple(row), run=i), metric) for i in range(_DRAWN)] for row in architectures.tolist()
    ]
    return np.array(answers, np.float64)


def searched(benchmark: SurrogateBenchmark, table: Table) -> dict[str, Any]:
    """Compare searches on a surrogate and on its table.

    Returns:
        ``why_not``, a text, where they cannot be compared; else ``evaluations``, ``runs``, and for what a search
        observes, ``run`` and ``mean``: ``surrogate`` and ``table``, the mean final regrets by algorithm and their
        standard errors. How they are judged: see :func:`regrets`.
    """
    why_not = _why_not(benchmark, table)
    if why_not:
        return {"why_not": why_not}
    found: dict[str, Any] = {"evaluations": EVALUATIONS, "runs": RUNS}
    observations: tuple[Observe, ...] = ("run", "mean")
    for observe in observations:
        found[observe] = {}
        for name, place in (("surrogate", benchmark), ("table", table)):
            each = {search: regrets(place, search, observe, range(RUNS)) for search in SEARCHES}
            found[observe][name] = {search: _mean_and_error(values) for search, values in each.items()}
    return found


def _mean_and_error(values: Floats) -> list[float]:
    return [float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))]


def _why_not(benchmark: SurrogateBenchmark, table: Table) -> str:
    space = table.space
    if "validation_accuracy" not in table.metrics or "validation_accuracy" not in benchmark.metrics:
        return "there is no validation accuracy to tell a search"
    if benchmark.best() is None:
        return "the space is too large to be predicted whole"
    everything = space.identity_many(space.decode(np.arange(space.size)))
    recorded = np.isfinite(table.column("validation_accuracy"))
    if not np.isin(everything, space.identity_many(table.architectures[recorded])).all():
        return "the table does not have all architectures of its space"
    return ""


def regrets(
    benchmark: Benchmark,
    search: str,
    observe: Observe,
    seeds: Sequence[int],
    *,
    evaluations: int = EVALUATIONS,
) -> Floats:
    """Return the final regret of each search, shape (len(seeds),).

    Incumbents and the optimum are judged as :mod:`nasbench.analysis.incumbents` says: on a table by runs that the
    search did not see, on a surrogate, and where means are observed, by the mean that the benchmark answers.
    """
    histories = [search_history(benchmark, search, observe, seed, evaluations) for seed in seeds]
    return best_known(histories, benchmark) - np.array([judged(history, benchmark)[-1] for history in histories])


def search_history(benchmark: Benchmark, search: str, observe: Observe, seed: int, evaluations: int) -> History:
    """Return what a search with its defaults did; both its seeds are the same number."""
    searcher = registry.find("searchers", search)(benchmark.space, seed=seed)
    return run(searcher, benchmark, Budget(evaluations), seed=seed, rules=Rules(observe=observe))
