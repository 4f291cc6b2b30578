"""The numbers of a comparison, as JSON: what ``summary.json`` holds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.analysis import (
    Accuracy,
    Floats,
    best_known,
    duels,
    incumbents_seen_whole,
    interquartile_mean_interval,
    mean_band,
    mean_interval,
    median_interval,
    proportion_interval,
    random_search_clock_law,
    random_search_law,
    regret_curves,
    running_time,
    unique_architectures,
)
from nasbench.analysis.front_report import summarise_fronts
from nasbench.analysis.incumbents import satisfied
from nasbench.errors import AnalysisError, ComparisonError, NotRecordedError
from nasbench.search.compare import Comparison
from nasbench.search.history import History
from nasbench.tables.table import Table

if TYPE_CHECKING:
    pass


_POINTS = 200


_DIGITS = 12
"""Significant digits of what is written: libraries may differ in the last of the sixteen that a number has."""


def summarise(comparison: Comparison, *, target: float = 0.001) -> dict[str, Any]:
    """Return all numbers of a comparison as JSON; regrets and accuracies are fractions.

    Args:
        comparison: A finished comparison.
        target: Validation regret that counts as success at the end; 0.001 is 0.1 percentage points.

    Raises:
        ComparisonError: In some run the budget does not pay for one evaluation, or nothing satisfied the constraints.
    """
    settings, benchmark = comparison.settings, comparison.benchmark
    for label, histories in comparison.histories.items():
        empty = sum(not len(history) for history in histories)
        if empty:
            raise ComparisonError(
                f"a budget of {settings.budget} does not pay for one evaluation in {empty} of {settings.runs} runs of "
                f"{label}. Raise the budget."
            )
        lacking = sum(not satisfied(history).any() for history in histories)
        if lacking:
            raise ComparisonError(
                f"{lacking} of {settings.runs} searches of {label} found nothing with "
                f"{' and '.join(map(str, settings.constraints))} within {settings.budget}: they hold no architecture "
                "that could be judged. Raise the budget, or loosen the constraint."
            )
    positions = _positions(comparison)
    optimum = _optimum(comparison, "validation_accuracy")
    algorithms: dict[str, Any] = {}
    final: dict[str, Floats] = {}
    for label, histories in comparison.histories.items():
        curves = regret_curves(histories, benchmark, positions, optimum=optimum)
        final[label] = curves[:, -1]
        reached = running_time(histories, benchmark, target, optimum=optimum)
        mean, low, high = mean_band(curves)
        quartiles = np.quantile(curves, (0.25, 0.5, 0.75), axis=0)
        algorithms[label] = {
            "validation_regret": _estimates(curves[:, -1]),
            "test_regret": _test_regret(comparison, histories, positions[-1:]),
            "incumbents_seen_whole": incumbents_seen_whole(histories, benchmark),
            "target": {
                "validation_regret": target,
                "success_rate": proportion_interval(reached.successes, reached.runs)._asdict(),
                "expected_running_time": reached.expected if math.isfinite(reached.expected) else None,
            },
            "evaluations": float(np.mean([len(history) for history in histories])),
            "unique_architectures": float(unique_architectures(histories, benchmark).mean()),
            "simulated_seconds": _number(np.mean([history.seconds.sum() for history in histories])),
            "utilisation": _number(np.mean([_utilisation(history, settings.workers) for history in histories])),
            "curve": {
                name: _numbers(values)
                for name, values in zip(
                    ("mean", "mean_low", "mean_high", "quartile_1", "median", "quartile_3"),
                    (mean, low, high, *quartiles),
                    strict=True,
                )
            },
        }
    best = benchmark.best()
    summary = {
        "benchmark": {
            "name": benchmark.name,
            "digest": benchmark.digest,
            "origin": benchmark.origin,
            "optimum": optimum,
            "optimum_is_known": best is not None,
            "largest_mean": best,
        },
        "judged_by": "means" if settings.rules.observe == "mean" or benchmark.origin == "predicted" else "unseen runs",
        "budget": settings.budget._asdict(),
        "rules": settings.rules._asdict(),
        "workers": settings.workers,
        "runs": settings.runs,
        "seed": settings.seed,
        "confidence": 0.95,
        "positions": positions.tolist(),
        "algorithms": algorithms,
        "random_search_law": _law(comparison, positions),
        "duels": [duel._asdict() for duel in duels(final)],
        "fronts": summarise_fronts(comparison, positions),
    }
    return {name: _rounded(value) for name, value in summary.items()}


def _utilisation(history: History, workers: int) -> float:
    """Return the share of the time until the last result in which workers trained what ended by then."""
    last = float(history.ends[-1])
    return float(history.seconds.sum()) / (workers * last) if last > 0 else math.nan


def _positions(comparison: Comparison) -> Floats:
    """Budgets at which curves are given: every whole one of the first, then evenly spaced on a logarithmic axis."""
    budget = comparison.settings.budget
    first = 1.0
    if budget.unit != "evaluations":
        first = max(history.spent[0] for histories in comparison.histories.values() for history in histories)
    points = np.geomspace(first, budget.amount, _POINTS)
    if budget.unit == "evaluations":
        points = np.unique(np.rint(points))
    points[-1] = budget.amount
    return np.array(_rounded(points.tolist()))


def _law(comparison: Comparison, positions: Floats) -> dict[str, Any] | None:
    """Random search's exact regret by evaluations, or by time on the clock, where every draw has a row of its own."""
    settings, table = comparison.settings, comparison.benchmark
    if settings.budget.unit == "epochs" or not settings.rules.repeats_cost or settings.constraints:
        return None
    if not isinstance(table, Table) or len(table) != table.space.size:
        return None
    observe = settings.rules.observe
    try:
        if settings.budget.unit == "seconds":
            law = random_search_clock_law(table, positions, workers=settings.workers, observe=observe)
            mean, deviation = law.mean, law.standard_deviation
        elif settings.workers == 1:
            mean, deviation = random_search_law(table, positions, observe=observe)
        else:
            return None
    except AnalysisError:  # too many runs of an architecture
        return None
    return {"mean": _numbers(mean), "standard_deviation": _numbers(deviation)}


def _optimum(comparison: Comparison, metric: Accuracy) -> float:
    """The best known value: the benchmark's, or of all that any of the algorithms evaluated."""
    every = (history for histories in comparison.histories.values() for history in histories)
    return best_known(every, comparison.benchmark, metric)


def _test_regret(comparison: Comparison, histories: list[History], position: Floats) -> dict[str, Any] | None:
    """Final test regret; None if the benchmark does not record it for every incumbent."""
    try:
        optimum = _optimum(comparison, "test_accuracy")
        values = regret_curves(histories, comparison.benchmark, position, metric="test_accuracy", optimum=optimum)[:, 0]
    except NotRecordedError:
        return None
    return _estimates(values) if np.isfinite(values).all() else None


def _estimates(values: Floats) -> dict[str, Any]:
    return {
        "mean": mean_interval(values)._asdict(),
        "median": median_interval(values)._asdict(),
        "interquartile_mean": interquartile_mean_interval(values)._asdict(),
    }


def _rounded(value: Any) -> Any:
    """Return the same structure with its numbers rounded, so that any machine writes the same text."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, (list, tuple)) else value


def _numbers(values: Floats) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float | np.floating[Any]) -> float | None:
    """Return what JSON can hold; not every table has training times."""
    return float(value) if math.isfinite(value) else None
