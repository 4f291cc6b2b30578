"""``nasbench cite``: say whom to cite."""

from __future__ import annotations

import argparse

from nasbench import __version__
from nasbench.cli.options import Commands, add_table, command
from nasbench.system.text import printable


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "cite", do, "say whom to cite for a table")
    add_table(parser, positional=True)


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.benchmark import load

    table = load(options.table, options.dataset)
    source = table.source
    lines = [source["citation"], f"  {', '.join(filter(None, (source['name'], source['address'])))}"]
    for name, title in (("licence", "licence"), ("sha256", "sha256 of the raw files")):
        if source.get(name):
            lines.append(f"  {title}: {source[name].replace(chr(10), '; ')}")
    kind = {"recorded": "table", "predicted": "surrogate"}.get(table.origin, "benchmark")
    lines.append(f"nasbench-suite {__version__}, {kind} {table.name}, digest {table.digest}.")
    print(*(printable(line) for line in lines if line), sep="\n")
