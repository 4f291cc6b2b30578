"""``nasbench cite``: say whom to cite."""

from __future__ import annotations

import argparse

from nasbench import __version__
from nasbench._text import printable
from nasbench.cli.options import Commands, add_table, command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "cite", do, "say whom to cite for a table")
    add_table(parser, positional=True)


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.table import load

    table = load(options.table, options.dataset)
    print(printable(f"{table.source['citation']}\n  {table.source['name']}, {table.source['address']}"))
    print(printable(f"  licence: {table.source['licence']}"))
    print(printable(f"  sha256 of the raw files: {table.source['sha256'].replace(chr(10), '; ')}"))
    print(f"nasbench-suite {__version__}, table {table.name}, digest {table.digest}.")
