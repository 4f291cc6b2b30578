"""What commands print: progress, reports, failures."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nasbench.errors import MissingPackageError, PackageConflictError
from nasbench.system.packages import trouble_with
from nasbench.system.text import printable


@contextmanager
def progress_bar(what: str, unit: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the terminal's error stream, and nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def tell(options: argparse.Namespace, result: Any, show: Callable[[], object], files: Sequence[object] = ()) -> None:
    """Print what a command found: with ``--json`` the result alone, with ``--quiet`` the files alone.

    Args:
        options: As parsed; see :func:`nasbench.cli.options.add_output`.
        result: For machines: what JSON can hold, numpy numbers and arrays, and nan, which becomes null.
        show: Prints the same for people.
        files: That were written.
    """
    if options.json:
        print(json.dumps(_plain(result), indent=2, ensure_ascii=False, allow_nan=False))
        return
    if not getattr(options, "quiet", False):
        show()
    for file in files:
        print(file)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # of numpy
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def print_report(report: Mapping[str, Any], indent: str = "") -> None:
    """Print a report, one entry a line; those of an entry that is a dictionary are indented below it.

    Counts of nothing are left out, and what consists of them: a report tells what is to be known, and the table that it
    is of keeps all of it.
    """
    for name, value in report.items():
        if _is_nothing(value):
            continue
        if isinstance(value, dict):
            print(printable(f"{indent}{name}:"))
            print_report(value, indent + "  ")
        else:
            print(printable(f"{indent}{name}: {value}"))


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
    except Exception as error:  # another package of that name may fail in any way
        conflict = trouble_with("surrogates")
        if conflict:
            raise PackageConflictError(f"{command}: {conflict}.") from error
        if not isinstance(error, ModuleNotFoundError):
            raise
        raise MissingPackageError(
            f"{command} needs {error.name}, which is not installed: pip install 'nasbench-suite[surrogates]'."
        ) from error
