"""What a verification found: a table for the screen, and a picture."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING, Any, NamedTuple

from nasbench.system.files import replacing

if TYPE_CHECKING:
    from rich.console import Group

# Okabe & Ito, "Color Universal Design" (2008): blue and vermilion; filled and open markers tell them apart in grey.
_THEIRS, _OURS = "#0072B2", "#D55E00"
_SAYS = {"recorded": "recorded", "predicted": "PREDICTED", "trained": "benchmark"}
_MOST_LINES = 4
"""Into so many lines an architecture's text folds in the picture; what is longer ends with an ellipsis."""


class _Room(NamedTuple):
    """What fits into a picture of so many inches: text is not measured, but folded at a safe number of characters."""

    width: float
    label: int
    """Characters of a label of 5.5 points, fixed width, in one panel."""
    title: int
    """Characters of a title of 8 points."""


_ONE_PANEL, _TWO_PANELS = _Room(7.2, 110, 86), _Room(9.2, 66, 110)


def render(verification: dict[str, Any]) -> Group:
    """Return the table that ``nasbench verify`` ends with, accuracies in percent, and what it means."""
    from rich.console import Group
    from rich.table import Table as Grid

    benchmark, trained, rows = (verification[name] for name in ("benchmark", "trained", "architectures"))
    tested = verification["test"] is not None
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), title_justify="left", title_style="bold")
    grid.title = (
        f"{benchmark['name']}: {len(rows)} architectures trained for {_epochs(trained['epochs'])}, "
        f"seeds {', '.join(map(str, trained['seeds']))}"
    )
    grid.add_column("")
    grid.add_column("architecture", min_width=16, overflow="fold")
    for header in (_SAYS[benchmark["origin"]], "trained", *(("difference", "p", "verdict") if tested else ("seeds",))):
        grid.add_column(header, justify="right", no_wrap=header != "seeds")
    for number, row in enumerate(rows, start=1):
        said, found = row["benchmark"], row["trained"]
        cells = [_percent(said["mean"], len(said["runs"])), _percent(found["mean"], len(found["runs"]))]
        if not tested:
            cells.append(", ".join(_percent(value) for value in found["runs"]))
        elif "p_value_holm" in row:
            cells += [f"{100 * row['difference']:+.2f}", f"{row['p_value_holm']:.3f}", row["verdict"]]
        else:
            cells += ["-", "-", row["verdict"]]
        grid.add_row(str(number), row["architecture"], *cells)
    return Group(grid, *(_explained(verification)))


def _explained(verification: dict[str, Any]) -> list[str]:
    """Return the sentences below the table."""
    benchmark, trained, kendall = (verification[name] for name in ("benchmark", "trained", "kendall"))
    metric = verification["metric"].replace("_", " ")
    lines = [
        f"Architectures: {verification['chosen']}.",
        f"{_SAYS[benchmark['origin']]}: mean {metric}, percent (runs); {benchmark['measured']}; schedule of "
        f"{_epochs(benchmark['schedule'])}.",
        f"trained: mean {metric}, percent (seeds); {trained['measured']}: {trained['images']['name']}; schedule of "
        f"{_epochs(trained['epochs'])}; recipe {trained['recipe']['name']}; on {', '.join(trained['devices']) or '-'}.",
    ]
    if verification["test"]:
        lines.append(f"Test: {verification['test']}.")
        if any(row["verdict"] == "not tested" for row in verification["architectures"]):
            lines.append(
                "Not tested: there is no training, no recorded run, or no repeated runs to know their spread by."
            )
        if "incumbents" in verification["chosen"]:
            lines.append("They were chosen by their recorded figures, which are therefore rather too high.")
    else:
        lines.append(f"No verdict of consistency: {verification['why_no_test']}. Only orders can be compared.")
    if kendall and kendall["tau"] is not None:
        lines.append(
            f"Kendall's tau between the two orders of {kendall['architectures']}: {kendall['tau']:.3f}, "
            f"p = {kendall['p_value']:.3g} ({kendall['method']})."
        )
    elif not kendall:
        lines.append("Fewer than three architectures: no tau.")
    lines += [f"diverged: {row['architecture']}" for row in verification["architectures"] if row["trained"]["diverged"]]
    return lines


def _epochs(number: int) -> str:
    return f"{number} epoch{'s' if number > 1 else ''}"


def _percent(value: float | None, runs: int = 0) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f}" + (f" ({runs})" if runs else "")


def draw(verification: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Draw one line an architecture: the benchmark's mean, with the band of its runs, and ours with its seeds.

    Where the setting is one, both share an axis; else each has its own, since only their orders can be compared.

    Args:
        verification: What :func:`nasbench.training.verify.verification.verify` returned.
        path: The ``.png`` or ``.pdf`` to write, without dates.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    benchmark, trained, rows = (verification[name] for name in ("benchmark", "trained", "architectures"))
    one = verification["test"] is not None
    room = _ONE_PANEL if one else _TWO_PANELS
    labels = [_folded(f"{number}  {row['architecture']}", room.label) for number, row in enumerate(rows, start=1)]
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    with rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42}):
        # A row has room for its markers, for a line of text, and for more where there are more.
        height = 1.5 + (0.42 + 0.1 * (lines - 1)) * len(rows)
        figure = Figure(figsize=(room.width, height), dpi=200, layout="constrained")
        axes = figure.subplots(1, 1 if one else 2, sharey=True, squeeze=False)[0]
        for place, (row, label) in enumerate(zip(rows, labels, strict=True)):
            _draw_said(axes[0], place, row["benchmark"])
            _draw_trained(axes[-1], place, row["trained"])
            axes[0].annotate(
                label,
                (0.012, place - 0.25),
                xycoords=("axes fraction", "data"),
                fontsize=5.5,
                family="monospace",
                va="bottom",
                annotation_clip=False,
            )
        metric = f"{verification['metric'].replace('_', ' ')} (percent)"
        epochs = benchmark["schedule"], trained["epochs"]
        for ax, schedule in zip(axes, epochs, strict=False):
            ax.set(ylim=(len(rows) - 0.6, -0.75), xlabel=metric if one else f"{metric}, {_epochs(schedule)}")
            ax.grid(axis="x", alpha=0.25, linewidth=0.5)
            ax.tick_params(left=False, labelleft=False)
            ax.margins(x=0.08)
        figure.suptitle(textwrap.fill(_title(verification), room.title), fontsize=8)
        figure.legend(*_legend(verification), loc="outside lower center", ncols=4, frameon=False, fontsize=7)
        ending = os.path.splitext(path)[1].removeprefix(".")
        # No dates and versions: the same numbers give the same file.
        metadata = {"CreationDate": None, "ModDate": None} if ending == "pdf" else {"Software": None}
        with replacing(path) as temporary:
            figure.savefig(temporary, format=ending, metadata=metadata)


def _title(verification: dict[str, Any]) -> str:
    benchmark, trained = verification["benchmark"], verification["trained"]
    ours = f"{benchmark['name']}, and {_epochs(trained['epochs'])} trained here"
    return f"{ours} on the same images" if verification["test"] else f"{ours}: other settings, only orders compare"


def _draw_said(ax: Any, place: int, said: dict[str, Any]) -> None:
    if said["mean"] is None:
        return
    if said["deviation"] is not None:
        low, high = (100 * (said["mean"] + sign * said["deviation"]) for sign in (-1, 1))
        ax.fill_betweenx([place - 0.17, place + 0.17], low, high, color=_THEIRS, alpha=0.22, linewidth=0)
    ax.plot([100 * said["mean"]], [place], color=_THEIRS, marker="D", markersize=6, markerfacecolor="white", zorder=3)


def _draw_trained(ax: Any, place: int, found: dict[str, Any]) -> None:
    runs = [100 * value for value in found["runs"]]
    if runs:
        ax.plot(runs, [place + 0.12] * len(runs), color=_OURS, marker="|", markersize=6, linestyle="", zorder=4)
        ax.plot([100 * found["mean"]], [place], color=_OURS, marker="o", markersize=5, linestyle="", zorder=5)


def _legend(verification: dict[str, Any]) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    origin = _SAYS[verification["benchmark"]["origin"]]
    entries: list[tuple[Any, str]] = [
        (Line2D([], [], color=_THEIRS, marker="D", markerfacecolor="white", linestyle=""), f"{origin}: mean")
    ]
    if any(row["benchmark"]["deviation"] is not None for row in verification["architectures"]):
        entries.append((Patch(color=_THEIRS, alpha=0.22), "± run-to-run deviation"))
    entries.append((Line2D([], [], color=_OURS, marker="o", linestyle=""), "trained: mean"))
    entries.append((Line2D([], [], color=_OURS, marker="|", linestyle=""), "trained: each seed"))
    handles, labels = zip(*entries, strict=True)
    return list(handles), list(labels)


def _folded(text: str, width: int) -> str:
    """Break a text, which need not have a space, into lines; what hangs over is indented."""
    lines = [text[:width]]
    text = text[width:]
    while text:
        lines.append(f"   {text[: width - 3]}")
        text = text[width - 3 :]
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1][:-1]}…"]
    return "\n".join(lines)
