"""``nasbench query``: answer for one architecture."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nasbench.cli.architectures import architecture_of, choices_of
from nasbench.cli.options import Commands, add_output, add_table, command
from nasbench.cli.terminal import tell
from nasbench.system.text import printable

if TYPE_CHECKING:
    from nasbench.tables import ColumnInfo


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "query", do, "answer for one architecture")
    parser.add_argument(
        "architecture", help="its text, comma-separated choices, its official index, or row:5 for that row of a table"
    )
    add_table(parser)
    add_output(parser, quiet=False)
    for name in ("schedule", "epoch", "run"):
        parser.add_argument(f"--{name}", type=int, help="see `nasbench info`; by default longest, last, mean over runs")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.benchmark import load
    from nasbench.tables.table import Table
    from nasbench.types import Metrics

    table = load(options.table, options.dataset)
    asked = {name: getattr(options, name) for name in ("schedule", "epoch", "run")}
    where, runs, others = "", "", {}
    if isinstance(table, Table):
        row = table.row(architecture_of(options.architecture, table))
        architecture = table.at_row(row)
        index = None if table.indexes is None else int(table.indexes[row])
        where = f"row {row}" if index is None else f"index {index}" if index == row else f"index {index}, row {row}"
        where = f" ({where})"
        recorded = table.runs(architecture, schedule=asked["schedule"], epoch=asked["epoch"])
        runs = f" {', '.join(map(str, recorded))}"
        values = table.values(architecture, **asked)
        others = {name: value for name, value in values.items() if name not in Metrics._fields}
    else:
        architecture = choices_of(options.architecture, table)
        official = table.space.architectures
        if official is not None:
            where = f" (index {int((official == architecture).all(axis=1).argmax())})"
    metrics = table.query(architecture, **asked)
    text = table.space.format(architecture)
    found = {"table": table.name, "digest": table.digest, "architecture": text, "choices": architecture}

    def show() -> None:
        print(f"architecture: {text}{where}")
        units = {name: f" [{_unit(table.info(name))}]" for name in others} if isinstance(table, Table) else {}
        for name, value in {**metrics._asdict(), **others}.items():
            unknown = value is None or value != value
            mean = f"mean over runs{runs}"
            shown = mean if name == "run" and unknown else "not recorded" if unknown else value
            print(f"{name}{units.get(name, '')}: {shown}")

    tell(options, found | metrics._asdict() | others, show)


def _unit(info: ColumnInfo) -> str:
    return "fraction" if info.images else printable(info.unit)
