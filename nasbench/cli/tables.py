"""``nasbench tables``: list what there is."""

from __future__ import annotations

import argparse

from nasbench import registry
from nasbench.cli.options import Commands, command


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command(commands, "tables", do, "list tables, search algorithms and converters")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench import fetch
    from nasbench.table import load

    print("tables")
    for name in registry.names("tables"):
        table = load(name)
        print(f"  {name}: {len(table):,} architectures of {table.space.name}; {', '.join(table.datasets)}")
    print("official files")
    for name in fetch.names():
        print(f"  {name}: {fetch.cached_table(name) or f'not here yet: nasbench fetch {name}'}")
    for kind, title in (
        ("searchers", "algorithms"),
        ("converters", "converters"),
        ("attachments", "attachments"),
        ("spaces", "search spaces"),
    ):
        print(f"{title}\n  {', '.join(registry.names(kind))}")  # type: ignore[arg-type]
