"""What an evaluation found: a table for the screen, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from nasbench.system.files import replacing
from surrogates.evaluation.protocol import POINTS

if TYPE_CHECKING:
    from rich.table import Table as Grid

    from nasbench.tables.table import Table
    from surrogates.benchmark.surrogate import Fitted

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
_LESS = ("spearman", "fit_seconds", "predict_seconds")
_OF_THE_BEST = ("kendall_top_half", "kendall_top_1_percent", "regret")
"""What asks which is best: shown where the table says whether that is the largest or the smallest."""
# Colours of the palette of Okabe & Ito; line styles and markers tell lines apart in grey.
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
    accuracies = found["unit"] == POINTS
    # What inputs cost and bring stands in the place of seconds that nobody compares with hours.
    hidden = {*(_LESS if found["inputs"] else ()), *(() if found["better"] else _OF_THE_BEST)}
    shown = [name for name in _COLUMNS if name not in hidden]
    titles = {
        name: title if accuracies else title.replace(" pp", f" {found['unit']}") for name, title in _COLUMNS.items()
    }
    costs = ["labels h", "inputs h", "gain in tau"] if found["inputs"] else []
    for name in ("labels", *[titles[name] for name in shown], *costs):
        grid.add_column(name, justify="right", no_wrap=True)
    for model, sizes in found["results"].items():
        for size, result in sizes.items():
            seconds = {name: float(np.mean(values)) for name, values in result["seconds"].items()}
            mean, error = {**result["mean"], **seconds}, result["error"]["kendall"]
            cells = [f"{_scaled(name, mean[name]) if accuracies else mean[name]:.3f}" for name in shown]
            cells[0] += f" ± {error:.3f}" if error == error else ""
            if costs:
                cells += _costs(found, model, size)
            grid.add_row(model, size, *cells)
    return grid


def _costs(found: dict[str, Any], model: str, size: str) -> list[str]:
    """Say what labels and inputs took to train, in hours, and what the inputs brought; nothing where nobody said."""
    mean = found["results"][model][size]["mean"]
    hours = [f"{mean[name] / 3600:,.1f}" for name in ("label_seconds", "input_seconds")]
    without = model.removesuffix(", inputs")
    gain = mean["kendall"] - found["results"][without][size]["mean"]["kendall"]
    return [*("not stated" if cell == "nan" else cell for cell in hours), f"{gain:+.3f}" if model != without else ""]


def _scaled(name: str, value: float) -> float:
    return 100 * value if name in ("mae", "regret") else value


def score_card(fitted: Fitted, table: Table) -> Grid:
    """Return what a fitted surrogate was measured to be, for rich to print."""
    from rich.table import Table as Grid

    card, about = fitted.score_card, fitted.surrogate.about
    grid = Grid(
        box=None,
        pad_edge=False,
        title=f"{about.model}: {about.metric} of {table.name}, {about.labels:,} labels, {len(card['seeds'])} seeds; "
        f"on {card['held_out']:,} architectures that it did not see",
        title_justify="left",
    )
    grid.add_column("score")
    grid.add_column("mean over seeds", justify="right")
    grid.add_column("in the table", justify="right")
    for name, title in _COLUMNS.items():
        if name in card["mean"]:
            error = card["error"][name]
            spread = f" ± {_scaled(name, error):.3f}" if error == error else ""
            grid.add_row(title, f"{_scaled(name, card['mean'][name]):.3f}{spread}")
    for name, error in card["columns"].items():
        grid.add_row(f"MAE pp of {name}, mean over the other epochs", f"{100 * error:.3f}")
    if "training_time" in card:
        grid.add_row("training time, median relative error", f"{card['training_time']:.1%}")
    for part in card["levels"]:
        between = f"{100 * part['from']:.1f} and {100 * part['to']:.1f}"
        cells = [f"{100 * part[place]:.3f}" for place in ("surrogate", "table")]
        grid.add_row(f"runs lie apart, pp, means between {between}", *cells)
    _add_searches(grid, card["searches"])
    return grid


def _add_searches(grid: Grid, searches: dict[str, Any]) -> None:
    """Say what searches find on the surrogate and on its table, or why nobody tried."""
    if "why_not" in searches:
        grid.add_row(f"searches were not compared: {searches['why_not']}")
        return
    for observe, title in (("run", "seeing single runs"), ("mean", "seeing means")):
        for search in searches[observe]["surrogate"]:
            each = [searches[observe][place][search] for place in ("surrogate", "table")]
            cells = [f"{100 * mean:.3f} ± {100 * error:.3f}" for mean, error in each]
            grid.add_row(f"regret pp after {searches['evaluations']}, {title}: {search}", *cells)


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw tau against labels, predicted against recorded values, and nominal against actual coverage."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.4), layout="constrained")
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
    figure.legend(loc="outside upper left", ncols=6, frameon=False)  # inside it would hide a curve

    # The first model, at the middle number of labels.
    size = list(found["results"][models[0]])[len(labels) // 2]
    points = {name: np.array(values) for name, values in found["results"][models[0]][size]["points"].items()}
    scale, unit = (100, "percent") if found["unit"] == POINTS else (1, found["unit"])
    recorded, predicted = scale * points["recorded"], scale * points["predicted"]
    low = min(np.quantile(recorded, 0.05), np.quantile(predicted, 0.05))
    high = max(recorded.max(), predicted.max())
    high += 0.02 * (high - low)
    scatter.plot([low, high], [low, high], color="0.4", linestyle="--")
    scatter.plot(recorded, predicted, ".", markersize=2, alpha=0.5, color=_LOOKS[0]["color"])
    scatter.set(xlim=(low, high), ylim=(low, high), xlabel=f"recorded, {unit}", ylabel=f"predicted, {unit}")
    scatter.set_title(f"{models[0]}, {size} labels; the upper 95 %")

    nominal = np.linspace(0.02, 0.98, 49)
    z = np.abs(points["recorded"] - points["predicted"]) / points["deviation"]
    actual = [(z <= norm.ppf((1 + p) / 2)).mean() for p in nominal]
    coverage.plot([0, 1], [0, 1], color="0.4", linestyle="--")
    coverage.plot(nominal, actual, color=_LOOKS[0]["color"])
    coverage.set(xlabel="nominal coverage of the central interval", ylabel="share of recorded values inside")
    coverage.set_title(f"{models[0]}, {size} labels")
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150, metadata={"Software": None})
