"""The picture of a comparison with several objectives: what half of the searches attained, hypervolume over time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from nasbench.analysis.plot import budget_axis, line_of
from nasbench.system.files import replacing


def draw_fronts(
    summary: dict[str, Any], paths: Sequence[str | os.PathLike[str]], *, x: Literal["log", "linear"] = "log"
) -> None:
    """Draw fronts (of two objectives) and the hypervolume over the budget, in the format of each path's ending.

    Args:
        summary: What :func:`nasbench.analysis.summary.summarise` returned of a comparison with several objectives.
        paths: Files to write, ``.png`` or ``.pdf``.
        x: Scale of the budget axis.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    fronts = summary["fronts"]
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}):
        two = len(fronts["objectives"]) == 2
        figure = Figure(figsize=(9.2 if two else 5.6, 3.8), dpi=200, layout="constrained")
        axes = figure.subplots(1, 2 if two else 1, squeeze=False)[0]
        if two:
            _draw_plane(axes[0], fronts)
        _draw_hypervolume(axes[-1], summary, x)
        handles, labels = axes[-1].get_legend_handles_labels()
        if two:
            more = axes[0].get_legend_handles_labels()
            handles, labels = [more[0][0], *handles], [more[1][0], *labels]
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8, handlelength=4)
        name = summary["benchmark"]["name"]
        figure.suptitle(f"{name}: {summary['runs']:,} runs, {' and '.join(_names(fronts))}", fontsize=9)
        for path in paths:
            ending = os.path.splitext(path)[1].removeprefix(".")
            metadata = {"CreationDate": None, "ModDate": None} if ending == "pdf" else {"Software": None}
            with replacing(path) as temporary:
                figure.savefig(temporary, format=ending, metadata=metadata)


def _names(fronts: dict[str, Any]) -> list[str]:
    return [metric["name"].replace("_", " ") for metric in fronts["objectives"]]


def _draw_plane(axes: Any, fronts: dict[str, Any]) -> None:
    """Draw the true front, and of each algorithm what half of its searches attained, as steps: the costs on x."""
    metrics = fronts["objectives"]
    down, up = (0, 1) if metrics[0]["better"] == "lower" and metrics[1]["better"] == "higher" else (1, 0)
    truth = sorted(fronts["front"], key=lambda point: point[down])
    name = "true front" if fronts["front_is_known"] else "front of all searches"
    factors = [100 if metric["unit"] == "fraction" else 1 for metric in metrics]

    def scaled(points: list[list[float]], place: int) -> list[float]:
        return [factors[place] * point[place] for point in points]

    axes.plot(scaled(truth, down), scaled(truth, up), color="0.2", marker="x", markersize=5, lw=0, label=name, zorder=4)
    for i, (label, found) in enumerate(fronts["algorithms"].items()):
        points = sorted(found["attained"]["half"], key=lambda point: point[down])
        if points:
            line = line_of(i) | {"markersize": 4, "markevery": (0.02 * (i % 6), 0.15)}
            # Between two corners the better one is not attained yet: a step after each.
            axes.step(scaled(points, down), scaled(points, up), where="post", **line, linewidth=1.2, label=label)
    units = ["%" if metric["unit"] == "fraction" else metric["unit"] for metric in metrics]
    words = _names(fronts)
    axes.set(xlabel=f"{words[down]} ({units[down]})", ylabel=f"{words[up]} ({units[up]})")
    values = scaled(truth, up)
    room = 0.08 * (max(values) - min(values) or 1)
    axes.set_ylim(min(values) - room, max(values) + room)
    axes.set_title("attained by half of the searches", fontsize=8)
    axes.grid(alpha=0.25, linewidth=0.5)


def _draw_hypervolume(axes: Any, summary: dict[str, Any], x: str) -> None:
    per = 3600 if summary["budget"]["unit"] == "seconds" else 1
    at = [position / per for position in summary["positions"]]
    for i, (label, found) in enumerate(summary["fronts"]["algorithms"].items()):
        curve = {name: [float("nan") if y is None else 100 * y for y in ys] for name, ys in found["curve"].items()}
        line = line_of(i)
        axes.fill_between(at, curve["mean_low"], curve["mean_high"], color=line["color"], alpha=0.2, linewidth=0)
        axes.plot(at, curve["mean"], **line, lw=1.4, markersize=4, markevery=(0.02 * (i % 6), 0.125), label=label)
    axes.axhline(100, color="0.6", linewidth=0.6, zorder=0)
    axes.set(xscale=x, xlabel=budget_axis(summary), ylabel="mean hypervolume (% of the front's)")
    if x == "log":
        axes.xaxis.set_major_formatter("{x:,.4g}")
    curves = [found["curve"]["mean_low"] for found in summary["fronts"]["algorithms"].values()]
    banded = any(low is not None for curve in curves for low in curve)
    what = "; bands: 95 % interval of the mean" if banded else ""
    axes.set_title(f"hypervolume of what is held{what}", fontsize=8)
    axes.grid(alpha=0.25, linewidth=0.5)
