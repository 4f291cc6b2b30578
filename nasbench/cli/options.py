"""What the options of several commands have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object


def command(
    commands: Commands, name: str, do: Callable[[argparse.Namespace], int | None], help: str
) -> argparse.ArgumentParser:
    """Add a command; its help gives the default of each option."""
    added = commands.add_parser(
        name, help=help, description=help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    added.set_defaults(do=do)
    return added


def add_table(parser: argparse.ArgumentParser, *, positional: bool = False) -> None:
    """Add the table and its image dataset."""
    if positional:
        parser.add_argument("table", nargs="?", default="nasbench201", help="name or path of a .h5 file")
    else:
        parser.add_argument("--table", default="nasbench201", help="name or path of a .h5 file")
    parser.add_argument("--dataset", help="image dataset; the file's first by default")


def add_output(parser: argparse.ArgumentParser, *, quiet: bool = True) -> None:
    """Add how much is printed; see :func:`nasbench.cli.terminal.tell`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    if quiet:
        group.add_argument("--quiet", action="store_true", help="print only errors and the files of the result")


def add_images(parser: argparse._ActionsContainer) -> None:
    """Add the options of images to train on."""
    parser.add_argument("--data", type=Path, help="folder of the binary CIFAR-10 files; fetched by default")
    parser.add_argument("--subset", action="store_true", help="8,000 images to train on and 2,000 to validate")
    parser.add_argument("--side", type=int, choices=(32, 16), help="pixels; 32 by default, 16 with --subset only")


def add_devices(parser: argparse.ArgumentParser) -> None:
    """Add where trainings run, and how many at once."""
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps, or auto")
    parser.add_argument("--workers", type=int, help="trainings at once; one a core, or one a GPU, by default")


def cores() -> int:
    """Return how many cores this process may use."""
    from joblib import cpu_count

    return int(cpu_count())
