"""``nasbench export``: write a table as CSV or Parquet."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    from nasbench.benchmark import load
    from nasbench.tables.export import write_csv, write_parquet
    from nasbench.tables.table import Table

    writers: dict[str, Callable[..., None]] = {".csv": write_csv, ".parquet": write_parquet}
    if options.out.suffix not in writers:
        raise ExportError(f"{options.out}: cannot write {options.out.suffix!r} files; choose .csv or .parquet.")
    table = load(options.table, options.dataset)
    given = {"every_epoch": options.every_epoch, "force": options.force}
    if isinstance(table, Table):
        writers[options.out.suffix](options.out, table, every_run=options.every_run, **given)
    else:
        _export_predictions(options, table, given)
    print(f"{options.out}: {table.name}, digest {table.digest}")


def _export_predictions(options: argparse.Namespace, benchmark: Any, given: dict[str, bool]) -> None:
    if benchmark.origin != "predicted":
        raise ExportError(f"{benchmark.name}: only tables and surrogates are exported; nasbench train-table makes one.")
    if options.every_run:
        raise ExportError(
            f"{benchmark.name}: its runs are drawn, so that only means are exported: without --every-run."
        )
    from surrogates.benchmark.export import write_csv, write_parquet

    write = write_csv if options.out.suffix == ".csv" else write_parquet
    write(options.out, benchmark, **given)
