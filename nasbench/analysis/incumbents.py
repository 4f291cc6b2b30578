"""Which architecture a search holds, and how good it is by runs that the search did not see.

The incumbent is the architecture with the best validation accuracy that the search was told, the first of equals. If
fidelities differ, it is the best at the highest fidelity that was evaluated so far: accuracies at an early epoch or of
a short schedule say little of those at the end, and the best of a thousand cheap trainings would hide the best of ten
whole ones. Until anything is evaluated at the highest fidelity of the benchmark, the highest of those that were counts.
Results that break a constraint, as observed, are never held.

A search that sees one recorded run at a time prefers architectures whose runs were lucky: the run that made an
incumbent win says too much about it, and never counts. An incumbent is judged by the mean, at the highest fidelity,
over those recorded runs of its architecture that the search had not seen by then. If it had seen all of them, the runs
other than the one that made it win count: these the search knows, and could choose by them. If one run is all that was
recorded, that run counts, and luck with it. :func:`incumbents_seen_whole` says how often searches end in one of these
two ways.

The optimum, from which regret is measured, is chosen and judged in the same way: it is what a search holds that sees
one run of every architecture, averaged over all ways to draw these runs. The largest mean over runs would contain the
luck of its own runs. Regret can therefore be negative: the luckiest of all runs misleads that search, and one that
looks at fewer and better architectures less.

A search that sees means over runs (``Rules(observe="mean")``) is judged by the same means, and the optimum is the
largest of them: there is no noise, and regret is never negative. So it is with what predicts: it knows the mean that
its runs are drawn around.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nasbench.errors import AnalysisError
from nasbench.search.history import History
from nasbench.types import Architecture, Benchmark, Constraint

Floats = NDArray[np.float64]
Accuracy = Literal["validation_accuracy", "test_accuracy"]
Observe = Literal["run", "mean"]

_MEAN = -1
"""How a History writes that the mean over runs was seen."""


def incumbents(
    observed: ArrayLike, ranks: ArrayLike | None = None, allowed: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Return which evaluation is held after each: the best so far of the highest rank so far, the first of equals.

    Args:
        observed: Validation accuracies in order of evaluation, shape (..., n); (n,) where there are ranks.
        ranks: Of the fidelity of each, shape (n,), higher is later and longer; one for all by default.
        allowed: Whether each may be held, shape (n,); all by default.

    Returns:
        Indexes, shape (..., n); -1 as long as nothing is held.
    """
    values = np.asarray(observed, np.float64)
    n = values.shape[-1]
    if allowed is not None:
        values = np.where(allowed, values, -np.inf)
    if ranks is None:
        return _best_so_far(values, 0)
    levels = np.where(np.isneginf(values), -1, np.asarray(ranks))
    highest = np.maximum.accumulate(levels, axis=-1)
    held = np.full(values.shape, -1, np.int64)
    starts = np.flatnonzero(np.diff(highest, prepend=-2))
    for start, end in zip(starts.tolist(), [*starts.tolist()[1:], n], strict=True):
        among = np.where(levels[start:end] == highest[start], values[..., start:end], -np.inf)
        held[..., start:end] = _best_so_far(among, start)
    return held


def _best_so_far(values: Floats, start: int) -> NDArray[np.int64]:
    """Return the index of the largest value so far, counted from ``start``; -1 while all are minus infinity."""
    before = np.full_like(values, -np.inf)
    before[..., 1:] = np.maximum.accumulate(values, axis=-1)[..., :-1]
    at = np.where(values > before, start + np.arange(values.shape[-1]), -1)
    return np.asarray(np.maximum.accumulate(at, axis=-1), np.int64)


def judged(history: History, benchmark: Benchmark, metric: Accuracy = "validation_accuracy") -> Floats:
    """Return how good the incumbent is after each evaluation, by the runs that the search had not seen by then.

    Args:
        history: One search.
        benchmark: What it searched.
        metric: In what the incumbent is judged; it is chosen by observed validation accuracy all the same.

    Returns:
        Fractions, shape (n,); nan as long as nothing satisfies the constraints of the search.

    Raises:
        AnalysisError: The history is of another benchmark.
        NotRecordedError: The benchmark does not record this metric.
    """
    _check(history, benchmark)
    if not len(history):
        return np.zeros(0)
    spans = _spans(history, benchmark)
    if not spans:
        return np.full(len(history), np.nan)
    choices = np.array([span.architecture for span in spans], np.uint8)
    if benchmark.origin == "predicted" or observe_of([history]) == "mean":
        values = benchmark.means(choices, metric)
    else:
        values = benchmark.means(choices, metric, runs=[span.unseen for span in spans])
        if np.isnan(values).any():
            others = benchmark.means(choices, metric, runs=[span.others for span in spans])
            values = np.where(np.isnan(values), others, values)
        if np.isnan(values).any():
            values = np.where(np.isnan(values), benchmark.means(choices, metric), values)
    lengths = np.diff([*(span.start for span in spans), len(history)])
    return np.concatenate([np.full(spans[0].start, np.nan), np.repeat(values, lengths)])


def incumbents_seen_whole(histories: Iterable[History], benchmark: Benchmark) -> int:
    """Return how many searches end with an incumbent of which no run is recorded that they did not see.

    Searches that see means are not counted, nor those of what predicts: they are judged without noise.
    """
    if benchmark.origin == "predicted":
        return 0
    count = 0
    for history in histories:
        _check(history, benchmark)
        if len(history) and observe_of([history]) == "run":
            *_, last = [None, *_spans(history, benchmark)]
            count += last is not None and bool(np.isnan(benchmark.means([last.architecture], runs=[last.unseen])[0]))
    return count


def constraints_of(histories: Iterable[History]) -> tuple[Constraint, ...]:
    """Return the constraints of searches that are compared.

    Raises:
        AnalysisError: Some searches had others.
    """
    found = {tuple(history.header.get("constraints", ())) for history in histories}
    if len(found) > 1:
        raise AnalysisError("some of these searches had other constraints than others: they cannot be compared.")
    return tuple(Constraint.parse(each) for text in next(iter(found), ()) for each in text.split())


def satisfied(history: History) -> NDArray[np.bool_]:
    """Return which results of a search satisfy its constraints, as observed, shape (n,)."""
    allowed = np.ones(len(history), np.bool_)
    names = history.header.get("values", [])
    for constraint in constraints_of([history]):
        values = history.values[:, names.index(constraint.metric)]
        allowed &= (values >= constraint.least) & (values <= constraint.most)
    return allowed


def observe_of(histories: Iterable[History]) -> Observe:
    """Return what the searches saw: single runs or means.

    Raises:
        AnalysisError: Some saw one and some the other.
    """
    found = {bool((history.runs == _MEAN).all()) for history in histories if len(history)}
    if len(found) > 1:
        raise AnalysisError("some of these searches saw single runs and others means: they cannot be compared.")
    return "mean" if True in found else "run"


def judged_by(runs: Floats, place: int | NDArray[np.int64], unseen: NDArray[np.bool_]) -> Floats:
    """Return the value of incumbents: the mean over unseen runs, else over all but the one that won, else of that one.

    Args:
        runs: Every run of their architectures, shape (n, runs), nan where missing.
        place: Which run made them win: one for all, or shape (n,).
        unseen: Which runs the search did not see, shape (n, runs).
    """
    recorded = np.isfinite(runs)
    others = recorded.copy()
    others[np.arange(len(runs)), place] = False
    counted = unseen & others
    counted = np.where(counted.any(axis=1, keepdims=True), counted, others)
    counted = np.where(counted.any(axis=1, keepdims=True), counted, recorded)
    totals = np.zeros(len(runs))
    for run in range(runs.shape[1]):  # in this order on every machine
        totals = totals + np.where(counted[:, run], runs[:, run], 0.0)
    return np.asarray(totals / counted.sum(axis=1), np.float64)


class _Span(NamedTuple):
    """From one evaluation on, the search holds this architecture, and these runs of it can judge."""

    start: int
    architecture: Architecture
    unseen: tuple[int, ...]
    """Runs that the search has not seen by then."""
    others: tuple[int, ...]
    """Runs other than the one that made it win."""


def _spans(history: History, benchmark: Benchmark) -> list[_Span]:
    """Return what the search holds, and what it has not seen of that, as long as neither changes."""
    at = incumbents(history.validation_accuracy, _ranks(history, benchmark), satisfied(history))
    firsts = np.flatnonzero(np.diff(at, prepend=-1)).tolist()
    if not firsts:  # nothing satisfied the constraints
        return []
    identities = benchmark.space.identity_many(history.architectures)
    # A run of another schedule is another training: it says nothing about those that judge.
    judges = history.schedules == benchmark.fidelities[-1].schedule
    spans = []
    for first, end in zip(firsts, [*firsts[1:], len(history)], strict=True):
        architecture = tuple(history.architectures[first].tolist())  # what is held was evaluated just then
        runs = benchmark.runs(architecture)
        same = np.flatnonzero((identities[:end] == identities[first]) & judges[:end]).tolist()
        seen = {int(history.runs[i]) for i in same if i <= first}
        others = tuple(run for run in runs if run != history.runs[first] or not judges[first])
        spans.append(_Span(first, architecture, tuple(run for run in runs if run not in seen), others))
        for i in same:
            if i > first and int(history.runs[i]) not in seen:
                seen.add(int(history.runs[i]))
                spans.append(_Span(i, architecture, tuple(run for run in runs if run not in seen), others))
    return spans


def _check(history: History, benchmark: Benchmark) -> None:
    """Refuse what cannot be judged by this benchmark."""
    searched = history.header.get("benchmark", {})
    digest, name = searched.get("digest"), str(searched.get("name", ""))
    if digest != benchmark.digest:
        raise AnalysisError(
            f"a history of a benchmark with the digest {digest}, but {benchmark.name} has {benchmark.digest}: judge a "
            "search by what it searched."
        )
    # One file has several image datasets. Histories of early versions say which one in the name alone.
    dataset = searched.get("dataset", name.rpartition("(")[2].rstrip(")") if name.endswith(")") else benchmark.dataset)
    if dataset != benchmark.dataset:
        raise AnalysisError(
            f"a history of the image dataset {dataset}, but {benchmark.name} is of {benchmark.dataset}: judge a search "
            "by what it searched."
        )


def _ranks(history: History, benchmark: Benchmark) -> NDArray[np.int64] | None:
    """Return the place of each evaluation's fidelity among those of the benchmark; None where there is one."""
    if not len(history) or (
        (history.schedules == history.schedules[0]).all() and (history.epochs == history.epochs[0]).all()
    ):
        return None
    rank = {tuple(fidelity): i for i, fidelity in enumerate(benchmark.fidelities)}
    try:
        pairs = zip(history.schedules.tolist(), history.epochs.tolist(), strict=True)
        return np.array([rank[pair] for pair in pairs], np.int64)
    except KeyError as error:
        raise AnalysisError(
            f"a history with an evaluation at {error.args[0]} (schedule, epoch), which {benchmark.name} does not have."
        ) from None
