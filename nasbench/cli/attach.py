"""``nasbench attach``: make a table with more metrics."""

from __future__ import annotations

import argparse
from pathlib import Path

from nasbench import registry
from nasbench.cli.options import Commands, command
from nasbench.cli.terminal import print_report
from nasbench.system.files import refuse_existing


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands, "attach", do, "make a table with more metrics: a copy of one, with what a file says of its rows"
    )
    parser.add_argument("table", help="name or path")
    parser.add_argument("kind", choices=registry.names("attachments"), help="format of the file")
    parser.add_argument("source", type=Path, help="the file")
    parser.add_argument(
        "--dataset", help="image dataset that plain columns or latencies of devices belong to; the first by default"
    )
    parser.add_argument("--out", type=Path, required=True, help="the .h5 file to write")
    parser.add_argument("--force", action="store_true", help="replace --out if it exists")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.sources.named import find
    from nasbench.tables import TableFile, write
    from nasbench.tables.attach import attach

    refuse_existing(options.out, force=options.force)
    read = registry.find("attachments", options.kind)
    table = TableFile(find(options.table), options.dataset)
    content = attach(table, read(options.source, table))
    write(options.out, content, force=options.force)
    print_report(content.report)
    print(options.out)
