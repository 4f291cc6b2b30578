"""The command ``nasbench``: where tables, searchers and converters meet. Nothing imports this package.

One file a command; each adds its options and does the work by calling the library.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from nasbench import __version__
from nasbench.cli import (
    attach,
    check,
    cite,
    compare,
    convert,
    doctor,
    evaluate_surrogates,
    export,
    fetch,
    fit,
    info,
    merge,
    query,
    tables,
    train_table,
    verify,
)
from nasbench.errors import NasbenchError
from nasbench.system.text import printable

_COMMANDS = (
    compare,
    verify,
    train_table,
    merge,
    tables,
    info,
    query,
    convert,
    fetch,
    attach,
    export,
    evaluate_surrogates,
    fit,
    check,
    doctor,
    cite,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 done, 1 refused with a message, 2 misused, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    unreadable = next((word for word in words if not _is_utf8(word)), None)
    if unreadable is not None:  # Python keeps such bytes as surrogates; HDF5, JSON and print refuse them, each late
        shown = os.fsencode(unreadable).decode(errors="backslashreplace")
        print(
            f"nasbench: {shown}: has bytes that are no UTF-8. Rename the file, or choose another name.", file=sys.stderr
        )
        return 1
    options = _parser().parse_args(words)
    try:
        status = int(options.do(options) or 0)
        sys.stdout.flush()  # a reader that has left is noticed here rather than at exit
        return status
    except KeyboardInterrupt:
        resumable = (compare.do, fetch.do, verify.do, train_table.do, evaluate_surrogates.do)
        again = " The same command goes on where it stopped." if options.do in resumable else ""
        print(f"\nnasbench: interrupted.{again}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `nasbench ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
        return 1
    except (NasbenchError, OSError) as error:
        print(f"nasbench: {printable(_message(error, options))}", file=sys.stderr)
        return 1


def _message(error: NasbenchError | OSError, options: argparse.Namespace) -> str:
    """Return what is told of an error: one line; and below it where a user's own code failed."""
    if isinstance(error, NasbenchError):
        return f"{error}\n{error.traceback}" if error.traceback else str(error)
    out = getattr(options, "out", None)
    if isinstance(error, FileExistsError) and error.filename is not None:
        return f"{error.filename}: is there already, and is no folder. Choose another name."
    if error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}."
    if out is None:
        return str(error)
    return f"{error}, while {out} was made"  # of a full disk the system names no file


def _is_utf8(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nasbench",
        description="Compare neural architecture search algorithms offline, on real results. Try: nasbench compare",
    )
    parser.add_argument("--version", action="version", version=f"nasbench-suite {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for each in _COMMANDS:
        each.add(commands)
    return parser
