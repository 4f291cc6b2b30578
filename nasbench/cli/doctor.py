"""``nasbench doctor``: check this installation."""

from __future__ import annotations

import argparse

from nasbench import registry
from nasbench.cli.options import Commands, command
from nasbench.errors import NasbenchError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command(commands, "doctor", do, "check this installation")


def do(options: argparse.Namespace) -> int:
    """Say what could go wrong here; the exit status is the number of problems, at most 1."""
    from nasbench.sources.named import load
    from nasbench.system.doctor import problems, versions

    for name, found in versions().items():
        print(f"{name}: {found}")
    troubles = problems()
    for name in registry.names("tables"):
        try:
            load(name).verify()
            print(f"table {name}: sound")
        except NasbenchError as error:
            troubles.append(str(error))
    for trouble in troubles:
        print(f"problem: {trouble}")
    print("no problem found" if not troubles else f"{len(troubles)} found")
    return min(len(troubles), 1)
