"""``nasbench query``: answer for one architecture."""

from __future__ import annotations

import argparse

from nasbench.cli.architectures import architecture_of
from nasbench.cli.options import Commands, add_output, add_table, command
from nasbench.cli.terminal import tell


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "query", do, "answer for one architecture")
    parser.add_argument("architecture", help="its text, comma-separated choices, or its index")
    add_table(parser)
    add_output(parser, quiet=False)
    for name in ("schedule", "epoch", "run"):
        parser.add_argument(f"--{name}", type=int, help="see `nasbench info`; by default longest, last, mean over runs")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.benchmark import load
    from nasbench.table import Table

    table = load(options.table, options.dataset)
    asked = {name: getattr(options, name) for name in ("schedule", "epoch", "run")}
    architecture = architecture_of(options.architecture, table)
    index, runs = "", ""
    if isinstance(table, Table):
        row = table.row(architecture)
        architecture = tuple(table.architectures[row].tolist())
        index = f" (index {row})"
        means = table.runs(row, schedule=asked["schedule"], epoch=asked["epoch"])
        runs = f" {', '.join(map(str, means))}"
    metrics = table.query(architecture, **asked)
    text = table.space.format(architecture)
    found = {"table": table.name, "digest": table.digest, "architecture": text, "choices": architecture}

    def show() -> None:
        print(f"architecture: {text}{index}")
        for name, value in metrics._asdict().items():
            unknown = value is None or value != value
            mean = f"mean over runs{runs}"
            print(f"{name}: {mean if name == 'run' and unknown else 'not recorded' if unknown else value}")

    tell(options, found | metrics._asdict(), show)
