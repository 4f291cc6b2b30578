"""``nasbench merge``: put the tables of trainings that several machines made into one."""

from __future__ import annotations

import argparse
from pathlib import Path

from nasbench.cli.options import Commands, command
from nasbench.cli.terminal import print_report
from nasbench.system.files import refuse_existing


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "merge", do, "put tables of trainings of one setting, made by train-table, into one")
    parser.add_argument("tables", nargs="+", type=Path, metavar="TABLE", help="at least two .h5 files")
    parser.add_argument("--out", type=Path, required=True, help="the .h5 file to write")
    parser.add_argument("--force", action="store_true", help="replace --out if it exists")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.tables import write
    from nasbench.training import needing_torch

    with needing_torch("merge needs"):
        from nasbench.training.campaign.resume import merge

    refuse_existing(options.out, force=options.force)
    merged = merge(options.tables)
    write(options.out, merged.content, force=options.force)
    print_report(merged.content.report)
    if merged.both:
        print(f"{merged.both:,} trainings were in several tables, with equal counts; seconds are those of the first.")
    print(f"{merged.trainings:,} trainings of {len(options.tables)} tables", options.out, sep="\n")
