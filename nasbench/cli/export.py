"""``nasbench export``: write a table as CSV or Parquet."""

from __future__ import annotations

import argparse
from pathlib import Path

from nasbench.cli.options import Commands, add_table, command
from nasbench.errors import ExportError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "export", do, "write a table as .csv or .parquet, one row an architecture")
    add_table(parser, positional=True)
    parser.add_argument("--every-epoch", action="store_true", help="all epochs, not only the last of each schedule")
    parser.add_argument("--every-run", action="store_true", help="all runs beside their mean")
    parser.add_argument("--out", type=Path, required=True, help="file to write, .csv or .parquet")
    parser.add_argument("--force", action="store_true", help="replace --out if it exists")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.export import write_csv, write_parquet
    from nasbench.table import load

    writers = {".csv": write_csv, ".parquet": write_parquet}
    if options.out.suffix not in writers:
        raise ExportError(f"{options.out}: cannot write {options.out.suffix!r} files; choose .csv or .parquet.")
    table = load(options.table, options.dataset)
    writers[options.out.suffix](
        options.out, table, every_epoch=options.every_epoch, every_run=options.every_run, force=options.force
    )
    print(f"{options.out}: {table.name}, digest {table.digest}")
