"""``nasbench convert``: make a table from a raw benchmark file."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path

from nasbench import registry
from nasbench.cli.options import Commands, command
from nasbench.cli.terminal import print_report, progress_bar
from nasbench.errors import ConversionError
from nasbench.system.files import refuse_existing


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "convert", do, "make a table from a raw benchmark file")
    parser.add_argument("converter", help="format of the raw file; see `nasbench tables`")
    parser.add_argument("source", nargs="?", type=Path, help="raw file or folder")
    parser.add_argument("--out", type=Path, required=True, help="the .h5 file to write")
    parser.add_argument("--force", action="store_true", help="replace --out if it exists")
    parser.add_argument("--processes", type=int, default=1, help="how many read, where a source has many files")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.tables import write

    refuse_existing(options.out, force=options.force)
    convert = registry.find("converters", options.converter)
    parameters = inspect.signature(convert).parameters
    if options.source is None and parameters["source"].default is inspect.Parameter.empty:
        raise ConversionError(
            f"{options.converter} needs the raw file or folder: nasbench convert NAME SOURCE --out FILE."
        )
    processes = {"processes": options.processes} if "processes" in parameters else {}
    with progress_bar("reading", "") as progress:
        content = convert(options.source, progress=progress, **processes)
    write(options.out, content, force=options.force)
    print_report(content.report)
    print(options.out)
