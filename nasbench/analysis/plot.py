"""The picture of a comparison: regret against budget, readable in colour, in grey and by the colour-blind."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Literal

from nasbench.system.files import replacing

# Okabe & Ito, "Color Universal Design" (2008), without yellow, which is lost on white; then line styles and markers, so
# that grey prints tell the lines apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", "*", ">", "h", "d", "8")
# Below this regret, in percentage points, the axis is linear: there a regret may be zero, or negative.
_LINEAR_BELOW = 0.1
# With more algorithms the legend stands beside the curves: over them it would hide some.
_BESIDE = 7
_LONGEST_TITLE = 80


def line_of(i: int) -> dict[str, Any]:
    """Return how the i-th algorithm is drawn: no two of the first 14 share a marker, no two of the first 84 all."""
    line: dict[str, Any] = {
        "color": _COLOURS[i % len(_COLOURS)],
        "linestyle": _STYLES[i % len(_STYLES)],
        "marker": _MARKERS[(i + i // 42) % len(_MARKERS)],
    }
    if i // len(_COLOURS) % 2:  # from the eighth on a colour comes again: an open marker tells it from the first
        line["markerfacecolor"] = "white"
    return line


def draw(
    summary: dict[str, Any],
    paths: Sequence[str | os.PathLike[str]],
    *,
    center: Literal["mean", "median"] = "mean",
    x: Literal["log", "linear"] = "log",
) -> None:
    """Draw the curves of a summary, and write them in the format of each path's ending, without dates.

    Args:
        summary: What :func:`nasbench.analysis.summary.summarise` returned.
        paths: Files to write, ``.png`` or ``.pdf``.
        center: ``"mean"`` with its 95 % interval, or ``"median"`` with the quartiles.
        x: Scale of the budget axis.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}):
        crowded = len(summary["algorithms"]) > _BESIDE
        figure = Figure(figsize=(8.0 if crowded else 5.6, 3.6), dpi=200, layout="constrained")
        axes = figure.add_subplot()
        bands = ("mean_low", "mean_high") if center == "mean" else ("quartile_1", "quartile_3")
        per = 3600 if summary["budget"]["unit"] == "seconds" else 1
        at = [position / per for position in summary["positions"]]
        for i, (label, found) in enumerate(summary["algorithms"].items()):
            line = line_of(i)
            curve = {
                name: [math.nan if y is None else 100 * y for y in values] for name, values in found["curve"].items()
            }
            axes.fill_between(at, curve[bands[0]], curve[bands[1]], color=line["color"], alpha=0.2, linewidth=0)
            axes.plot(
                at,
                curve[center],
                **line,
                linewidth=1.4,
                markersize=4,
                markevery=(0.02 * (i % 6), 0.125),  # about eight a line, shifted so that none hides another
                label=label,
            )
        law = summary["random_search_law"]
        if law and center == "mean":
            values = [math.nan if y is None else 100 * y for y in law["mean"]]
            axes.plot(at, values, color="0.35", linewidth=0.8, zorder=1, label=f"random search, {law_name(summary)}")
        axes.set(
            xscale=x,
            xlim=(at[0], at[-1] if at[-1] > at[0] else None),
            xlabel=budget_axis(summary),
            ylabel=f"{center} validation regret (percentage points)",
        )
        axes.set_yscale("symlog", linthresh=_LINEAR_BELOW, linscale=0.6)
        axes.set_ylim(*_limits(summary, center, bands))
        axes.yaxis.set_major_locator(FixedLocator(_ticks(*axes.get_ylim())))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter("{x:g}")
        axes.axhline(0, color="0.6", linewidth=0.6, zorder=0)
        if x == "log":
            axes.xaxis.set_major_formatter("{x:,.4g}" if per > 1 else "{x:,.0f}")
        what = "bands: middle half of the runs" if center == "median" else _band_of_means(summary)
        title = f"{summary['benchmark']['name']}: {summary['runs']:,} runs; {what}"
        axes.set_title(title if len(title) <= _LONGEST_TITLE else title.replace("; ", ";\n"), fontsize=8)
        axes.grid(alpha=0.25, linewidth=0.5)
        beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)} if crowded else {}
        axes.legend(
            edgecolor="none", framealpha=0.8, fontsize=8, handlelength=4, **beside
        )  # long enough for dashes beside the marker
        for path in paths:
            ending = os.path.splitext(path)[1].removeprefix(".")
            # No dates and versions: the same numbers give the same file.
            metadata = {"CreationDate": None, "ModDate": None} if ending == "pdf" else {"Software": None}
            with replacing(path) as temporary:
                figure.savefig(temporary, format=ending, metadata=metadata)


def law_name(summary: dict[str, Any]) -> str:
    """Return what the law of random search is called: that of the clock is computed on a lattice."""
    return {"evaluations": "exact law", "seconds": "law on the clock"}[summary["budget"]["unit"]]


def budget_axis(summary: dict[str, Any]) -> str:
    """Return the name of the budget axis of a summary; positions in seconds are drawn in hours."""
    workers = summary["workers"]
    name = {"evaluations": "evaluations, repeats counted", "seconds": "simulated hours", "epochs": "training epochs"}
    return name[summary["budget"]["unit"]] + (f", {workers} workers" if workers > 1 else "")


def _limits(summary: dict[str, Any], center: str, bands: tuple[str, str]) -> tuple[float, float]:
    """Return the limits of the regret axis: zero and all that is drawn is in sight, and a line more of room."""
    drawn = [
        100 * y
        for found in summary["algorithms"].values()
        for name in (center, *bands)
        for y in found["curve"][name]
        if y is not None
    ]
    low, high = min(0.0, *drawn), max(_LINEAR_BELOW, *drawn)
    return low - _LINEAR_BELOW / 4 if low > -_LINEAR_BELOW else 1.3 * low, 1.3 * high


def _ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 of every power of ten between the limits, zero, and steps of the linear part."""
    steps = [digit * 10.0**power for power in range(-1, 3) for digit in (1, 2, 5)]
    return [tick for tick in (*(-step for step in steps), -0.05, 0.0, 0.05, *steps) if low <= tick <= high]


def _band_of_means(summary: dict[str, Any]) -> str:
    known = any(y is not None for found in summary["algorithms"].values() for y in found["curve"]["mean_low"])
    return "bands: 95 % interval of the mean" if known else "too few for an interval of the mean"
