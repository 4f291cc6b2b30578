"""What a surrogate is as a benchmark, beside the table that it came from: how its runs vary, and what searches find.

The score card of a fit says how well values and order are predicted. Neither says whether a comparison of searches on
the surrogate comes out as on the table: that is tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.analysis import incumbents
from nasbench.history import History
from nasbench.search import Rules, run
from nasbench.table import Table
from nasbench.types import Benchmark, Budget
from surrogates._ranked import Floats

if TYPE_CHECKING:
    from surrogates.benchmark import SurrogateBenchmark

SEARCHES = ("random_search", "regularized_evolution", "local_search")
"""What is compared, all with their defaults."""
EVALUATIONS, RUNS = 500, 20
_PARTS = (0.0, 0.02, 0.1, 0.5, 0.9, 0.98, 1.0)
"""Quantiles of the table's means between which the spread of runs is told."""
_ARCHITECTURES, _DRAWN = 300, 5
"""Per part: at most so many architectures, and runs of each."""
_PREDICTED = 2000
"""Held-out architectures of a space that is not predicted whole."""

Observe = Literal["run", "mean"]


def spread_by_level(benchmark: SurrogateBenchmark, table: Table) -> list[dict[str, float]]:
    """Return how far runs lie apart in the metric of the surrogate, in the table and drawn, from poor to good.

    Returns:
        ``from`` and ``to``, between which means lie; ``table``, the standard deviation of single runs of architectures
        that are no labels (pooled over these, r - 1 degrees of freedom for r runs); ``surrogate``, that of drawn runs
        from the means that the surrogate answers. Fractions. Empty where no such architecture has two runs.
    """
    metric = benchmark.about.metric
    runs = runs_of(table, metric)
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
    known = values[np.isfinite(values)]
    if len(known) < 2:  # nearly all searches saw all runs of their incumbents
        return [float("nan"), float("nan")]
    return [float(known.mean()), float(known.std(ddof=1) / np.sqrt(len(known)))]


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

    On a surrogate, and where means are observed, the incumbent is judged by the mean that the benchmark answers, and
    the optimum is the largest one. On a table of several runs it is judged by the mean of those runs of it that the
    search did not see, nan if it saw all; the optimum is what the best by all other runs has in the run left out,
    averaged over runs. That is the same in expectation, but rests on as many architectures as there are runs: it may be
    off by the noise of a run, and regrets may be negative.
    """
    histories = [search_history(benchmark, search, observe, seed, evaluations) for seed in seeds]
    last = [int(incumbents(history.validation_accuracy)[-1]) for history in histories]
    found = np.array([history.architectures[at] for history, at in zip(histories, last, strict=True)])
    if isinstance(benchmark, Table) and observe == "run":
        runs = runs_of(benchmark, "validation_accuracy")
        if (np.isfinite(runs).sum(axis=1) > 1).any():
            rows = benchmark.rows(found)
            held = [_unseen(history, at, runs[row]) for history, at, row in zip(histories, last, rows, strict=True)]
            return left_out_optimum(runs) - np.array(held, np.float64)
    optimum = benchmark.best("validation_accuracy")
    return np.asarray((np.nan if optimum is None else optimum) - benchmark.means(found, "validation_accuracy"))


def search_history(benchmark: Benchmark, search: str, observe: Observe, seed: int, evaluations: int) -> History:
    """Return what a search with its defaults did; both its seeds are the same number."""
    searcher = registry.find("searchers", search)(benchmark.space, seed=seed)
    return run(searcher, benchmark, Budget(evaluations), seed=seed, rules=Rules(observe=observe))


def _unseen(history: History, at: int, runs: Floats) -> float:
    """Return the mean of the runs of the incumbent that a search did not see; nan if it saw all."""
    same = (history.architectures == history.architectures[at]).all(axis=1)
    left = np.setdiff1d(np.flatnonzero(np.isfinite(runs)), history.runs[same])
    return float(runs[left].mean()) if len(left) else float("nan")


def left_out_optimum(runs: Floats) -> float:
    """Return what the best architecture by all runs but one has in that one, averaged over which is left out.

    Args:
        runs: Shape (n, r), nan where there is none.
    """
    found = []
    for i in range(runs.shape[1]):
        others = np.delete(runs, i, axis=1)
        there = np.flatnonzero(np.isfinite(runs[:, i]) & np.isfinite(others).any(axis=1))
        found.append(runs[there[np.nanmean(others[there], axis=1).argmax()], i])
    return float(np.mean(found))


def runs_of(table: Table, metric: str) -> Floats:
    """Return all runs at the end of the longest schedule, shape (n, runs), nan where there is none."""
    many = table.describe()[f"{metric}@{table.fidelities[-1].schedule}"].shape[-1]
    return np.stack([np.asarray(table.column(metric, run=i), np.float64) for i in range(many)], axis=1)
