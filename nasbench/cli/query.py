"""``nasbench query``: answer for one architecture."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from nasbench.cli.architectures import choices_of
from nasbench.cli.options import Commands, add_table, command
from nasbench.types import Architecture


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "query", do, "answer for one architecture")
    parser.add_argument("architecture", help="its text, comma-separated choices, or its official index")
    add_table(parser)
    for name in ("schedule", "epoch", "run"):
        parser.add_argument(f"--{name}", type=int, help="see `nasbench info`; by default longest, last, mean over runs")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.benchmark import load
    from nasbench.table import Table

    table = load(options.table, options.dataset)
    asked = {name: getattr(options, name) for name in ("schedule", "epoch", "run")}
    architecture = choices_of(options.architecture, table)
    metrics = table.query(architecture, **asked)
    runs = "mean over runs"
    if isinstance(table, Table):
        recorded = table.runs(architecture, schedule=asked["schedule"], epoch=asked["epoch"])
        runs = f"mean over runs {', '.join(map(str, recorded))}"
    print(f"architecture: {table.space.format(architecture)}{_index(table, architecture)}")
    for name, value in metrics._asdict().items():
        unknown = value is None or value != value
        print(f"{name}: {runs if name == 'run' and unknown else 'not recorded' if unknown else value}")


def _index(table: Any, architecture: Architecture) -> str:
    """Say the official index of an architecture; of a table without one, the row."""
    if hasattr(table, "row"):
        row = table.row(architecture)
        return f" (row {row})" if table.indexes is None else f" (index {table.indexes[row]})"
    official = table.space.architectures
    if official is None:
        return ""
    return f" (index {np.flatnonzero((official == architecture).all(axis=1))[0]})"
