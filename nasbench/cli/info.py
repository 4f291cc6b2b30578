"""``nasbench info``: describe a table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from nasbench.cli.options import Commands, add_output, add_table, command
from nasbench.cli.terminal import tell
from nasbench.system.text import printable

if TYPE_CHECKING:
    from nasbench.tables.table import Table

_TOLD = ("unit", "shape", "epochs", "images", "trained_on", "evaluated_on")
"""What is told of each column."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "info", do, "describe a table: what it holds, from where, measured on which split")
    add_table(parser, positional=True)
    add_output(parser, quiet=False)


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.benchmark import load
    from nasbench.tables.table import Table

    benchmark = load(options.table, options.dataset)
    if isinstance(benchmark, Table):
        tell(options, _facts(benchmark), lambda: _show(benchmark))
    else:
        tell(options, _facts_of_benchmark(benchmark), lambda: _show_benchmark(benchmark))


def _facts(table: Table) -> dict[str, Any]:
    """Return the same for machines."""
    best = table.optimum("validation_accuracy") if "validation_accuracy" in table.metrics else None
    return {
        "name": table.name,
        "architectures": len(table),
        "space": table.space.name,
        "datasets": table.datasets,
        "columns": {name: {key: getattr(info, key) for key in _TOLD} for name, info in table.describe().items()},
        "optimum": best and {"value": best.value, "architectures": list(map(table.space.format, best.architectures))},
        "source": table.source,
        "digest": table.digest,
    }


def _show(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    print(f"{table.name}: {len(table):,} architectures of {table.space.name}")
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("metric", "unit", "schedule", "epochs", "runs"):
        grid.add_column(column, overflow="fold")
    splits = []
    for name, info in table.describe().items():
        metric, _, schedule = name.partition("@")
        epochs = f"{len(info.epochs)}, {info.epochs[0]} to {info.epochs[-1]}" if len(info.epochs) > 1 else ""
        unit = printable(f"{info.unit} of {info.images:,}" if info.images else info.unit)
        runs = str(info.shape[-1]) if schedule else ""
        grid.add_row(metric, unit, schedule, epochs or ", ".join(map(str, info.epochs)), runs)
        if info.evaluated_on:
            splits.append(f"{name}: trained on {info.trained_on}; measured on {info.evaluated_on}")
    Console(markup=False).print(grid)
    print(printable("\n".join(splits)))
    print(f"image datasets: {', '.join(table.datasets)}")
    for name in table.metrics:
        if name == "validation_accuracy":
            best = table.optimum(name)
            cells = ", ".join(table.space.format(a) for a in best.architectures)
            print(f"optimum: {name} {best.value:.6f}, mean over runs, by {cells}")
    print(printable(f"source: {table.source['name']}, {table.source['address']}"))
    print(printable(f"licence: {table.source['licence']}"))
    print(printable(f"not here: {table.source['elsewhere']}"))
    print(f"digest: {table.digest}")


def _facts_of_benchmark(benchmark: Any) -> dict[str, Any]:
    manifest = getattr(benchmark, "manifest", {})
    return {
        "name": benchmark.name,
        "origin": benchmark.origin,
        "space": benchmark.space.name,
        "fidelities": [list(fidelity) for fidelity in benchmark.fidelities],
        "dataset": benchmark.dataset,
        "source": benchmark.source,
        "digest": benchmark.digest,
        **{name: manifest[name] for name in ("about", "score_card", "table") if name in manifest},
    }


def _show_benchmark(benchmark: Any) -> None:
    """Say what a surrogate predicts and how well, or what a live benchmark trains."""
    print(f"{benchmark.name}: {benchmark.origin}, {benchmark.space.size:,} combinations of {benchmark.space.name}")
    schedules: dict[int, list[int]] = {}
    for schedule, epoch in benchmark.fidelities:
        schedules.setdefault(schedule, []).append(epoch)
    for schedule, epochs in schedules.items():
        several = f"{len(epochs)} epochs, {epochs[0]} to {epochs[-1]}" if len(epochs) > 1 else f"epoch {epochs[0]}"
        print(f"schedule {schedule}: {several}")
    print(f"image dataset: {benchmark.dataset}")
    if benchmark.origin == "predicted":
        _describe_surrogate(benchmark)
    for name, title in (("name", "source"), ("address", "address"), ("licence", "licence")):
        if benchmark.source.get(name):
            print(printable(f"{title}: {benchmark.source[name]}"))
    print(f"digest: {benchmark.digest}")


def _describe_surrogate(surrogate: Any) -> None:
    about, mean = surrogate.manifest["about"], surrogate.manifest["score_card"].get("mean", {})
    print(f"metrics: {', '.join(surrogate.metrics)}")
    print(f"learnt: {about['metric']}, by the model {about['model']}, from {about['labels']:,} labels")
    print(f"table: {surrogate.manifest['table']['name']}, digest {surrogate.manifest['table']['digest']}")
    held_out = surrogate.manifest["score_card"].get("held_out")
    scores = {"kendall": "Kendall tau", "spearman": "Spearman", "coverage_90": "share inside 90 % intervals"}
    for name, title in scores.items():
        if isinstance(mean.get(name), float):
            print(f"{title}: {mean[name]:.3f}, on {held_out} architectures that it did not see")
    if isinstance(mean.get("mae"), float):
        print(f"mean absolute error: {100 * mean['mae']:.3f} percentage points")
