"""``nasbench tables``: list what there is."""

from __future__ import annotations

import argparse

from nasbench import registry
from nasbench.cli.options import Commands, add_output, command
from nasbench.cli.terminal import tell

_OTHERS: dict[registry.Kind, str] = {
    "searchers": "algorithms",
    "converters": "converters",
    "attachments": "attachments",
    "spaces": "search spaces",
}
"""Kinds of names, and their titles."""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "tables", do, "list tables, search algorithms and converters")
    add_output(parser, quiet=False)


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.sources import fetch
    from nasbench.sources.named import load

    tables = {name: load(name) for name in registry.names("tables")}
    official = {name: fetch.cached_table(name) for name in fetch.names()}
    others = {title: registry.names(kind) for kind, title in _OTHERS.items()}

    def show() -> None:
        print("tables")
        for name, table in tables.items():
            print(f"  {name}: {len(table):,} architectures of {table.space.name}; {', '.join(table.datasets)}")
        print("official files")
        for name, path in official.items():
            print(f"  {name}: {path or f'not here yet: nasbench fetch {name}'}")
        for title, names in others.items():
            print(f"{title}\n  {', '.join(names)}")

    about = {
        name: {"architectures": len(table), "space": table.space.name, "datasets": table.datasets}
        for name, table in tables.items()
    }
    tell(options, {"tables": about, "official files": official, **others}, show)
