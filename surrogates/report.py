"""What an evaluation found: a table for the screen, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

if TYPE_CHECKING:
    from rich.table import Table as Grid

_COLUMNS = {
    "kendall": "Kendall tau",
    "kendall_top_half": "top half",
    "kendall_top_1_percent": "top 1 %",
    "spearman": "Spearman",
    "mae": "MAE pp",
    "regret": "regret pp",
    "coverage_90": "in 90 %",
    "fit_seconds": "fit s",
    "predict_seconds": "predict s",
}
# Of the palette of Okabe & Ito; line styles and markers tell lines apart in grey.
_LOOKS = [
    {"color": colour, "linestyle": style, "marker": marker}
    for colour, style, marker in zip(
        ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
        ("-", "--", "-.", ":", "-", "--", "-."),
        "osD^vPX",
        strict=True,
    )
]


def render(found: dict[str, Any]) -> Grid:
    """Return the means over splits, with the standard error of tau, for rich to print."""
    from rich.table import Table as Grid

    protocol = found["protocol"]
    grid = Grid(
        box=None,
        pad_edge=False,
        title=f"{found['table']}: {protocol['metric']} of {found['architectures']:,} architectures, means of "
        f"{protocol['splits']} splits; the truth would reach tau {found['ceiling']:.3f}",
        title_justify="left",
    )
    grid.add_column("model")
    for name in ("labels", *_COLUMNS.values()):
        grid.add_column(name, justify="right")
    for model, sizes in found["results"].items():
        for size, result in sizes.items():
            mean, error = result["mean"], result["error"]["kendall"]
            cells = [f"{_scaled(name, mean[name]):.3f}" for name in _COLUMNS]
            cells[0] += f" ± {error:.3f}" if error == error else ""
            grid.add_row(model, size, *cells)
    return grid


def _scaled(name: str, value: float) -> float:
    return 100 * value if name in ("mae", "regret") else value


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw tau against labels, predicted against recorded values, and nominal against actual coverage."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4), layout="constrained")
    against, scatter, coverage = figure.subplots(1, 3)
    models = list(found["results"])
    for i, model in enumerate(models):
        sizes = found["results"][model]
        labels = [int(size) for size in sizes]
        means = [result["mean"]["kendall"] for result in sizes.values()]
        errors = [1.96 * np.nan_to_num(result["error"]["kendall"]) for result in sizes.values()]
        against.errorbar(labels, means, yerr=errors, capsize=2, label=model, **_LOOKS[i % len(_LOOKS)])
    if found["ceiling"] == found["ceiling"]:
        against.axhline(found["ceiling"], color="0.4", linestyle="--", label="knowing the truth")
    against.set(xscale="log", xlabel="labels", ylabel="Kendall tau (mean, 95 % interval)")
    against.set_xticks(labels, [f"{size:,}" for size in labels])
    against.minorticks_off()
    against.legend(loc="lower right")

    # The first model, at the middle number of labels.
    size = list(found["results"][models[0]])[len(labels) // 2]
    points = {name: np.array(values) for name, values in found["results"][models[0]][size]["points"].items()}
    recorded, predicted = 100 * points["recorded"], 100 * points["predicted"]
    low = min(np.quantile(recorded, 0.05), np.quantile(predicted, 0.05))
    high = max(recorded.max(), predicted.max()) + 0.3
    scatter.plot([low, high], [low, high], color="0.4", linestyle="--")
    scatter.plot(recorded, predicted, ".", markersize=2, alpha=0.5, color=_LOOKS[0]["color"])
    scatter.set(xlim=(low, high), ylim=(low, high), xlabel="recorded, percent", ylabel="predicted, percent")
    scatter.set_title(f"{models[0]}, {size} labels; the upper 95 %")

    nominal = np.linspace(0.02, 0.98, 49)
    z = np.abs(points["recorded"] - points["predicted"]) / points["deviation"]
    actual = [(z <= norm.ppf((1 + p) / 2)).mean() for p in nominal]
    coverage.plot([0, 1], [0, 1], color="0.4", linestyle="--")
    coverage.plot(nominal, actual, color=_LOOKS[0]["color"])
    coverage.set(xlabel="nominal coverage of the central interval", ylabel="share of recorded values inside")
    coverage.set_title(f"{models[0]}, {size} labels")
    figure.savefig(path, dpi=150)
