"""``nasbench fetch``: download an official file and keep its table in the cache."""

from __future__ import annotations

import argparse

from nasbench.cli.options import Commands, command
from nasbench.cli.terminal import print_report, progress_bar


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands, "fetch", do, "download an official file, verify and convert it, and keep its table in the cache"
    )
    parser.add_argument("name", help="such as nasbench101, or cifar10; what lies on a drive is explained instead")
    parser.add_argument("--keep", action="store_true", help="keep the downloaded file after its conversion")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from nasbench.sources.fetch import fetch
    from nasbench.tables import TableFile

    if options.name == "cifar10":  # images, not a table
        _fetch_cifar10()
        return
    with progress_bar("fetching", "") as progress:
        fetched = fetch(options.name, progress=progress, keep=options.keep)
    print_report(TableFile(fetched.path).report)
    print(f"{fetched.message}\n{fetched.path}")


def _fetch_cifar10() -> None:
    from nasbench.training import needing_torch

    with needing_torch("fetch cifar10 needs"):
        from nasbench.training.images.cifar10 import fetch
    with progress_bar("fetching", "bytes") as progress:
        folder = fetch(progress=progress)
    print(folder)
