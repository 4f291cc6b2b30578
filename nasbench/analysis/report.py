"""The tables on the screen that ``nasbench compare`` ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nasbench.analysis.front_report import front_grid
from nasbench.analysis.plot import law_name

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table as Grid

_ORIGIN = {
    "recorded": "",
    "predicted": "All values are PREDICTED by a surrogate, not measured. ",
    "trained": "All values were measured here, by training. ",
}


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
    must = (
        f"Random search must have {_points(law['mean'][-1])} ({law_name(summary)}). " if law and law["mean"][-1] else ""
    )
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
