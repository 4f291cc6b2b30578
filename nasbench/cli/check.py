"""``nasbench check``: verify every value of a table."""

from __future__ import annotations

import argparse

from nasbench.cli.options import Commands, command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "check", do, "verify every value of a table file against its digests")
    parser.add_argument("table", help="name or path")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.benchmark import load
    from nasbench.tables.table import Table

    table = load(options.table)
    if not isinstance(table, Table):
        print(f"{table.locator}: sound. {table.origin}; digest {table.digest}")
        return
    print(f"{table.path}: sound. {table.verify()} columns of {', '.join(table.datasets)}; digest {table.digest}")
