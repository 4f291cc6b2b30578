"""What commands print: progress, reports, failures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nasbench.errors import MissingPackageError


@contextmanager
def progress_bar(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the terminal's error stream, and nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_report(report: Mapping[str, Any], indent: str = "") -> None:
    """Print a report, one entry a line; those of an entry that is a dictionary are indented below it.

    Counts of nothing are left out, and what consists of them: a report tells what is to be known, and the table that it
    is of keeps all of it.
    """
    for name, value in report.items():
        if _is_nothing(value):
            continue
        if isinstance(value, dict):
            print(f"{indent}{name}:")
            print_report(value, indent + "  ")
        else:
            print(f"{indent}{name}: {value}")


def _is_nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return value == [] or (type(value) is int and value == 0)


def tell_failures(failures: Sequence[Any]) -> int:
    """Name the trainings that failed; return the exit status."""
    for failure in failures:
        print(f"failed: {failure.architecture}, seed {failure.seed}: {failure.reason}", file=sys.stderr)
    return 1 if failures else 0


@contextmanager
def needing_surrogates(command: str) -> Iterator[None]:
    """Say what to install where a package of the predictors is missing: their imports stand inside."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{command} needs {error.name}, which is not installed: pip install 'nasbench-suite[surrogates]'."
        ) from error
