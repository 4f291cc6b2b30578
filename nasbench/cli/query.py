"""``nasbench query``: answer for one architecture."""

from __future__ import annotations

import argparse

from nasbench._text import printable
from nasbench.cli.architectures import architecture_of, choices_of
from nasbench.cli.options import Commands, add_table, command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "query", do, "answer for one architecture")
    parser.add_argument(
        "architecture", help="its text, comma-separated choices, its official index, or row:5 for that row of a table"
    )
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
        architecture = table.at_row(row)
        metrics = table.query(architecture, **asked)
        index = None if table.indexes is None else int(table.indexes[row])
        where = f"row {row}" if index is None else f"index {index}" if index == row else f"index {index}, row {row}"
        print(f"architecture: {table.space.format(architecture)} ({where})")
        recorded = table.runs(architecture, schedule=asked["schedule"], epoch=asked["epoch"])
        runs = f"mean over runs {', '.join(map(str, recorded))}"
        others = {
            f"{name} [{printable('fraction' if table.info(name).images else table.info(name).unit)}]": value
            for name, value in table.values(architecture, **asked).items()
            if name not in metrics._fields
        }
    else:
        architecture = choices_of(options.architecture, table)
        metrics = table.query(architecture, **asked)
        print(f"architecture: {table.space.format(architecture)}")
        runs, others = "mean over runs", {}
    for name, value in {**metrics._asdict(), **others}.items():
        unknown = value is None or value != value
        print(f"{name}: {runs if name == 'run' and unknown else 'not recorded' if unknown else value}")
