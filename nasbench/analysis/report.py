"""What a comparison found: the numbers of summary.json, and the table on the screen."""

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
from nasbench.analysis.front_report import front_grid, summarise_fronts
from nasbench.errors import AnalysisError, ComparisonError, NotRecordedError
from nasbench.search.compare import Comparison
from nasbench.search.history import History
from nasbench.tables.table import Table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table as Grid

_POINTS = 200
_DIGITS = 12
"""Significant digits of what is written: libraries may differ in the last of the sixteen that a number has."""
_LAWS = {"evaluations": "exact law", "seconds": "law on the clock"}
_ORIGIN = {
    "recorded": "",
    "predicted": "All values are PREDICTED by a surrogate, not measured. ",
    "trained": "All values were measured here, by training. ",
}


def summarise(comparison: Comparison, *, target: float = 0.001) -> dict[str, Any]:
    """Return all numbers of a comparison as JSON; regrets and accuracies are fractions.

    Args:
        comparison: A finished comparison.
        target: Validation regret that counts as success at the end; 0.001 is 0.1 percentage points.

    Raises:
        ComparisonError: The budget does not pay for one evaluation in every run.
    """
    settings, benchmark = comparison.settings, comparison.benchmark
    for label, histories in comparison.histories.items():
        empty = sum(not len(history) for history in histories)
        if empty:
            raise ComparisonError(
                f"a budget of {settings.budget} does not pay for one evaluation in {empty} of {settings.runs} runs of "
                f"{label}. Raise the budget."
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


def render(summary: dict[str, Any]) -> Group:
    """Return the tables that ``nasbench compare`` ends with: regrets in percentage points.

    The mean has its interval where there is one; with fewer runs the median has.
    """
    from rich.console import Group

    return Group(_grid_of(summary), _legend(summary), *_further(summary))


def width_of(summary: dict[str, Any]) -> int:
    """Return how many characters wide :func:`render` needs to be for no name to be cut: 80, or more."""
    from rich.console import Console

    grids = [_grid_of(summary), *_further(summary)]
    return max(80, *(Console(width=10_000).measure(grid).maximum for grid in grids))


def _further(summary: dict[str, Any]) -> list[Grid]:
    """Return the table of fronts, if there are several objectives, and that of duels, if there are two algorithms."""
    fronts = [front_grid(summary, _grid(f"\nfronts of {_objectives(summary)}"))] if summary["fronts"] else []
    return [*fronts, *([_duel_grid(summary)] if summary["duels"] else [])]


def _objectives(summary: dict[str, Any]) -> str:
    """Name objectives and constraints."""
    fronts = summary["fronts"]
    names = " and ".join(metric["name"] for metric in fronts["objectives"])
    return ", ".join([names, *fronts["constraints"]])


def _grid_of(summary: dict[str, Any]) -> Grid:
    from rich.console import Console

    unit, amount = summary["budget"]["unit"], summary["budget"]["amount"]
    algorithms, target = summary["algorithms"], _target(summary)
    tested = _tested(summary)
    sure = any(found["validation_regret"]["mean"]["low"] is not None for found in algorithms.values())
    grid = _grid(f"{summary['benchmark']['name']}: {summary['runs']:,} runs of {amount:,.15g} {unit}")
    grid.add_column("algorithm", min_width=12, overflow="fold")  # it gives way, a number must not
    headers = ["regret [95 %]", "median"] if sure else ["regret", "median [95 %]"]
    for header in (*headers, "IQM", *(["test"] if tested else []), f"end<={target:.3g}", "ERT", "unique"):
        grid.add_column(header.replace("[", "\\["), justify="right", no_wrap=True)
    for label, found in algorithms.items():
        regret, reached = found["validation_regret"], found["target"]
        expected = reached["expected_running_time"]
        grid.add_row(
            label,
            _estimate(regret["mean"], sure),
            _estimate(regret["median"], not sure),
            _points(regret["interquartile_mean"]["estimate"]),
            *([_points(found["test_regret"]["mean"]["estimate"]) if found["test_regret"] else "-"] if tested else []),
            f"{reached['success_rate']['estimate']:.1%}".replace("100.0%", "100%"),
            "never" if expected is None else f"{expected:,.0f}" if expected < 1e6 else f"{expected:.2e}",
            f"{found['unique_architectures']:,.0f}",
        )
    if Console(width=1000).measure(grid).maximum > 80:
        grid.padding = (0, 1, 0, 0)
    return grid


def _target(summary: dict[str, Any]) -> float:
    return float(100 * next(iter(summary["algorithms"].values()))["target"]["validation_regret"])


def _tested(summary: dict[str, Any]) -> bool:
    return any(found["test_regret"] for found in summary["algorithms"].values())


def _estimate(found: dict[str, Any], wanted: bool) -> str:
    if not wanted or found["low"] is None:
        return _points(found["estimate"])
    return "{} \\[{}, {}]".format(*(_points(found[name]) for name in ("estimate", "low", "high")))


def _legend(summary: dict[str, Any]) -> str:
    """Say in words what stands in the columns."""
    benchmark, law, unit = summary["benchmark"], summary["random_search_law"], summary["budget"]["unit"]
    optimum = f"{benchmark['optimum']:.2%}"
    if not benchmark["optimum_is_known"]:
        zero = f"the best validation accuracy that these searches found, {optimum}"
    elif summary["judged_by"] == "means" or benchmark["origin"] != "recorded":
        zero = f"the best mean validation accuracy, {optimum}"
    else:
        mean = f"{benchmark['largest_mean']:.2%}"
        zero = f"the validation accuracy held after one run of every architecture, {optimum} (largest mean: {mean})"
    judge = ", by runs that the search did not see" if summary["judged_by"] == "unseen runs" else ""
    whole = {label: found["incumbents_seen_whole"] for label, found in summary["algorithms"].items()}
    exhausted = ", ".join(f"{label} {count:,}" for label, count in whole.items() if count)
    must = f"Random search must have {_points(law['mean'][-1])} ({_LAWS[unit]}). " if law and law["mean"][-1] else ""
    return (
        f"{_ORIGIN[benchmark['origin']]}incumbent: the best seen at the highest fidelity evaluated so far. regret: "
        f"{zero}, minus that of the incumbent{judge}; in percentage points. Mean over runs, median, interquartile "
        f"mean{'; mean test regret' * _tested(summary)}. {must}end<={_target(summary):.3g}: runs that end with at most "
        f"this regret. ERT: expected {unit} until it stays so. unique: different architectures evaluated."
        + (f" Incumbents of which the search saw every run: {exhausted}." if exhausted else "")
    )


def _points(fraction: float) -> str:
    return f"{100 * fraction:.3f}"


def _grid(title: str) -> Grid:
    from rich.table import Table

    return Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0), pad_edge=False)


def _duel_grid(summary: dict[str, Any]) -> Grid:
    grid = _grid("\nHow often the row ends with less regret than the column")
    labels = list(summary["algorithms"])
    cells = {}
    for duel in summary["duels"]:
        star = "*" if duel["p_value"] < 0.05 else " "
        cells[duel["first"], duel["second"]] = f"{duel['probability']:.1%}{star}"
        cells[duel["second"], duel["first"]] = f"{1 - duel['probability']:.1%}{star}"
    grid.caption = "Ties count half. *: p < 0.05, Mann-Whitney with Holm."
    grid.caption_justify = "left"
    grid.add_column("")
    for i in range(1, len(labels) + 1):
        grid.add_column(str(i), justify="right")
    for i, row in enumerate(labels, start=1):
        grid.add_row(f"{i} {row}", *(cells.get((row, column), "- ") for column in labels))
    return grid
