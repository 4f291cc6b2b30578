"""``nasbench query``: answer for one architecture."""

from __future__ import annotations

import argparse

from nasbench.cli.architectures import architecture_of
from nasbench.cli.options import Commands, add_table, command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "query", do, "answer for one architecture")
    parser.add_argument("architecture", help="its text, comma-separated choices, or its index")
    add_table(parser)
    for name in ("schedule", "epoch", "run"):
        parser.add_argument(f"--{name}", type=int, help="see `nasbench info`; by default longest, last, mean over runs")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.benchmark import load
    from nasbench.table import Table

    table = load(options.table, options.dataset)
    asked = {name: getattr(options, name) for name in ("schedule", "epoch", "run")}
    if isinstance(table, Table):
        row = table.row(architecture_of(options.architecture, table))
        metrics = table.query(row, **asked)
        print(f"architecture: {table.space.format(tuple(table.architectures[row].tolist()))} (index {row})")
        runs = (
            f"mean over runs {', '.join(map(str, table.runs(row, schedule=asked['schedule'], epoch=asked['epoch'])))}"
        )
    else:
        architecture = architecture_of(options.architecture, table)
        metrics = table.query(architecture, **asked)
        print(f"architecture: {table.space.format(architecture)}")
        runs = "mean over runs"
    for name, value in metrics._asdict().items():
        unknown = value is None or value != value
        print(f"{name}: {runs if name == 'run' and unknown else 'not recorded' if unknown else value}")
