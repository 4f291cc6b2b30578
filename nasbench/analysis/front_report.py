"""What a comparison with several objectives found: fronts, hypervolumes, and how much smaller at equal accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.analysis.fronts import TrueFront, hypervolume_curve, scale_of, score_front, true_front
from nasbench.analysis.incumbents import Floats, constraints_of, judged_by, observe_of, satisfied
from nasbench.analysis.intervals import Interval, mean_band, mean_interval, median_interval
from nasbench.analysis.optimum import every_run
from nasbench.analysis.pareto import attainment_surfaces, hypervolume, non_dominated, oriented
from nasbench.analysis.smaller import ALLOWANCES, best_reference, rates_over_time, smallest
from nasbench.metrics import Metric
from nasbench.search.compare import Comparison
from nasbench.search.history import History
from nasbench.search.objectives import column_of, objectives_of, satisfying
from nasbench.tables.table import Table
from nasbench.types import Benchmark

if TYPE_CHECKING:
    from rich.table import Table as Grid

_ACCURACY = "validation_accuracy"
_SHARES = {"quarter": 0.25, "half": 0.5, "three_quarters": 0.75}


def summarise_fronts(comparison: Comparison, positions: Floats) -> dict[str, Any] | None:
    """Return all numbers on several objectives as JSON; None of a comparison with one.

    The true front, the scale on which hypervolumes are computed, and the reference point are part of it. Where nobody
    knows the front of the benchmark, it is that of all that these searches held.

    Args:
        comparison: A finished comparison.
        positions: Amounts of spent budget at which curves are given, shape (g,).
    """
    settings, benchmark = comparison.settings, comparison.benchmark
    if len(settings.objectives) < 2:
        return None
    metrics = objectives_of(benchmark, settings.objectives)
    seen = {label: [_observed(h, metrics) for h in histories] for label, histories in comparison.histories.items()}
    worth = {label: [_worth(h, benchmark, metrics) for h in each] for label, each in comparison.histories.items()}
    truth = _truth(comparison, metrics, seen, worth)
    algorithms = {
        label: _of_algorithm(histories, seen[label], worth[label], truth, positions)
        for label, histories in comparison.histories.items()
    }
    return {
        "objectives": [metric._asdict() for metric in metrics],
        "constraints": [str(constraint) for constraint in settings.constraints],
        "front": truth.values.tolist(),
        "front_is_known": isinstance(benchmark, Table),
        "hypervolume": truth.hypervolume,
        "scale": {
            "ideal": truth.scale.ideal.tolist(),
            "nadir": truth.scale.nadir.tolist(),
            "reference": truth.scale.reference.tolist(),
        },
        "algorithms": algorithms,
        "smaller": _smaller(comparison, metrics, worth),
    }


def _observed(history: History, metrics: Sequence[Metric]) -> Floats:
    """Return what a search saw of the objectives, shape (n, k); nan where that breaks a constraint, or does not count.

    Results count at the highest fidelity that the search evaluated.
    """
    names = history.header["values"]
    values = history.values[:, [names.index(metric.name) for metric in metrics]].copy()
    fidelity = np.stack([history.schedules, history.epochs], axis=1)
    values[~satisfied(history) | (fidelity != max(map(tuple, fidelity.tolist()))).any(axis=1)] = np.nan
    return values


def _worth(history: History, benchmark: Benchmark, metrics: Sequence[Metric]) -> Floats:
    """Return what the evaluated architectures are worth, shape (n, k), by means at the highest fidelity.

    Accuracy is judged by the runs other than the one that was seen. Rows are nan where a constraint is broken, as
    observed or by means.
    """
    choices, first, place = np.unique(history.architectures, axis=0, return_index=True, return_inverse=True)
    del first
    columns = []
    for metric in metrics:
        if metric.name == _ACCURACY and isinstance(benchmark, Table) and observe_of([history]) == "run":
            runs = every_run(benchmark)[benchmark.rows(history.architectures)]
            seen = np.where(history.schedules == benchmark.fidelities[-1].schedule, history.runs, -1)
            columns.append(_by_others(runs, seen))
        elif isinstance(benchmark, Table):
            columns.append(column_of(benchmark, metric.name)[benchmark.rows(choices)][place.ravel()])
        else:
            each = [benchmark.value(tuple(row), metric.name) for row in choices.tolist()]
            columns.append(np.array(each, np.float64)[place.ravel()])
    worth = np.stack(columns, axis=1)
    worth[~satisfied(history)] = np.nan
    allowed = satisfying(benchmark, constraints_of([history]))
    if allowed is not None and isinstance(benchmark, Table):
        worth[~allowed[benchmark.rows(history.architectures)]] = np.nan
    return worth


def _by_others(runs: Floats, seen: NDArray[np.int32]) -> Floats:
    """Return means over all runs but the one that was seen, -1 for none of them; if there is no other, that one."""
    means = np.asarray(np.nanmean(runs, axis=1), np.float64)
    known = seen >= 0
    means[known] = judged_by(runs[known], seen[known].astype(np.int64), np.isfinite(runs[known]))
    return means


def _truth(
    comparison: Comparison,
    metrics: Sequence[Metric],
    seen: dict[str, list[Floats]],
    worth: dict[str, list[Floats]],
) -> TrueFront:
    """Return the front of the table, or where there is none of all that the searches held."""
    benchmark, names = comparison.benchmark, [metric.name for metric in metrics]
    better = tuple(metric.better for metric in metrics)
    if isinstance(benchmark, Table):
        return true_front(benchmark, names, better, allowed=satisfying(benchmark, comparison.settings.constraints))
    counted = [
        values[np.isfinite(told).all(axis=1)]
        for label, histories in worth.items()
        for values, told in zip(histories, seen[label], strict=True)
    ]
    values = np.unique(np.concatenate(counted), axis=0)
    front = values[non_dominated(oriented(values, better))]
    scale = scale_of(front, values, better)
    volume = hypervolume(scale.scaled(front), scale.reference)
    return TrueFront(tuple(names), np.zeros(0, np.int64), front, scale, volume)


def _of_algorithm(
    histories: Sequence[History],
    seen: Sequence[Floats],
    worth: Sequence[Floats],
    truth: TrueFront,
    positions: Floats,
) -> dict[str, Any]:
    curves = np.zeros((len(histories), len(positions)))
    scores = []
    for curve, history, observed, judged in zip(curves, histories, seen, worth, strict=True):
        share = hypervolume_curve(observed, judged, truth.scale) / truth.hypervolume
        last = np.searchsorted(history.spent, positions, side="right") - 1
        curve[last >= 0] = share[last[last >= 0]]
        scores.append(score_front(observed, judged, truth))
    mean, low, high = mean_band(curves)
    distances = [score.igd_plus for score in scores]
    return {
        "share": _estimates([score.share for score in scores]),
        "igd_plus": _estimates(distances) if np.isfinite(distances).all() else None,
        "held": float(np.mean([len(score.held) for score in scores])),
        "curve": {"mean": mean.tolist(), "mean_low": _finite(low), "mean_high": _finite(high)},
        "attained": _attained([score.values for score in scores], truth),
    }


def _attained(fronts: Sequence[Floats], truth: TrueFront) -> dict[str, list[list[float]]] | None:
    """Return what a quarter, half and three quarters of the searches attained, in natural units, of two objectives."""
    better = truth.scale.better
    if len(better) != 2:
        return None
    surfaces = attainment_surfaces([oriented(front, better) for front in fronts], list(_SHARES.values()))
    # oriented() is its own inverse: it changes signs.
    return {name: oriented(each, better).tolist() for name, each in zip(_SHARES, surfaces, strict=True)}


def _smaller(
    comparison: Comparison, metrics: Sequence[Metric], worth: dict[str, list[Floats]]
) -> dict[str, Any] | None:
    """Return how many times less of each cost is needed at nearly the best accuracy, at the end of each search."""
    names = [metric.name for metric in metrics]
    costs = [metric.name for metric in metrics if metric.better == "lower"]
    table = comparison.benchmark
    if _ACCURACY not in names or not costs or not isinstance(table, Table):
        return None
    accuracy = column_of(table, _ACCURACY).copy()
    allowed = satisfying(table, comparison.settings.constraints)
    if allowed is not None:
        accuracy[~allowed] = np.nan
    found: dict[str, Any] = {"allowances": list(ALLOWANCES), "metrics": {}}
    for cost in costs:
        resource = column_of(table, cost)
        reference = best_reference(accuracy, resource)
        most = [smallest(accuracy, resource, reference, allowance) for allowance in ALLOWANCES]
        rates = {
            label: np.mean(
                [
                    rates_over_time(values[:, names.index(_ACCURACY)], values[:, names.index(cost)], reference)[:, -1]
                    for values in histories
                ],
                axis=0,
            ).tolist()
            for label, histories in worth.items()
        }
        found["metrics"][cost] = {
            "reference": reference._asdict(),
            "possible": [None if each is None else each.rate for each in most],
            "algorithms": rates,
        }
    return found


def _estimates(values: Sequence[float]) -> dict[str, Any]:
    intervals: dict[str, Interval] = {"mean": mean_interval(values), "median": median_interval(values)}
    return {name: interval._asdict() for name, interval in intervals.items()}


def _finite(values: Floats) -> list[float | None]:
    return [value if value == value else None for value in values.tolist()]


def front_grid(summary: dict[str, Any], grid: Grid) -> Grid:
    """Fill the table of fronts that ``nasbench compare`` ends with, if there are several objectives.

    Args:
        summary: What :func:`nasbench.analysis.summary.summarise` returned.
        grid: An empty table with a title.
    """
    fronts = summary["fronts"]
    smaller = fronts["smaller"]["metrics"] if fronts["smaller"] else {}
    grid.add_column("algorithm", min_width=12, overflow="fold")
    for header in ("hypervolume \\[95 %]", "median", "IGD+", "held", *(f"1/{cost}" for cost in smaller)):
        grid.add_column(header, justify="right", no_wrap=True)
    for label, found in fronts["algorithms"].items():
        share, distance = found["share"]["mean"], found["igd_plus"]
        bounds = "" if share["low"] is None else f" \\[{share['low']:.1%}, {share['high']:.1%}]"
        grid.add_row(
            label,
            f"{share['estimate']:.1%}{bounds}",
            f"{found['share']['median']['estimate']:.1%}",
            "-" if distance is None else f"{distance['mean']['estimate']:.3f}",
            f"{found['held']:.1f}",
            *(f"{each['algorithms'][label][1]:.2f}" for each in smaller.values()),
        )
    possible = "; ".join(f"{cost} {each['possible'][1]:.2f}" for cost, each in smaller.items() if each["possible"][1])
    known = "the table's front" if fronts["front_is_known"] else "the front of all that these searches held"
    grid.caption = (
        f"hypervolume: share of that of {known} ({len(fronts['front'])} points), reference point 1.1 where that front "
        "goes from 0 to 1. IGD+: distance from it on this scale. Accuracy is judged by the runs other than "
        "the one that was seen."
        + (f" 1/cost: how many times less at most 0.5 points below the best; possible: {possible}." if possible else "")
    )
    grid.caption_justify = "left"
    return grid
