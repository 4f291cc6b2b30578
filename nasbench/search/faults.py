"""What is said when a searcher breaks the ask/tell contract: what it did, at which evaluation, and what to do."""

from __future__ import annotations

from nasbench.errors import SearcherError
from nasbench.system.usercode import frames_of
from nasbench.types import Benchmark, Searcher, Seed

_LONGEST_TEXT = 300


def check_methods(searcher: object) -> None:
    """Make sure that a searcher has what it needs.

    Raises:
        SearcherError: It lacks ask() or tell().
    """
    for method in ("ask", "tell"):
        if not callable(getattr(searcher, method, None)):
            raise SearcherError(
                f"{type(searcher).__name__} has no method {method}(): a searcher needs ask() and tell()."
            )


def what_to_do(benchmark: Benchmark, trial: object, table: str = "") -> str:
    """Return what helps where a searcher asks a table of some architectures for another one; else nothing.

    Args:
        benchmark: What was asked.
        trial: For what.
        table: The name by which people open it; by default its path.
    """
    from nasbench.tables.table import Table

    space = benchmark.space
    architecture = trial[0] if isinstance(trial, tuple) and trial else None
    if not isinstance(benchmark, Table) or not space.is_valid(architecture) or architecture in benchmark:
        return ""
    of = "" if space.constrained else f"of {space.size:,} "  # how many are valid is known of no other space
    return (
        f" It has {len(benchmark):,} {of}architectures of {space.name}. Fit a surrogate, which answers for all of "
        f"them (nasbench fit --table {table or benchmark.path} --out FOLDER), and search with --table "
        f"surrogate:FOLDER; or train what is asked for, with --table live:{space.name}; or write a search that "
        f"proposes only what {benchmark.name} has."
    )


def waits_for_nothing(searcher: Searcher, done: int, seed: Seed) -> SearcherError:
    """Return the error for a searcher that waits while nothing runs."""
    return SearcherError(
        f"{type(searcher).__name__}.ask() returned None at {when(done, seed)}, which means to wait until something is "
        "told, but nothing is running: all that was asked for has been told. It must return a Trial then."
    )


def no_trial(searcher: Searcher, trial: object, error: Exception, benchmark: Benchmark, where: str) -> SearcherError:
    """Return the error for something that ask() returned and the benchmark cannot answer.

    Args:
        searcher: Whose ask() it was.
        trial: What it returned.
        error: Why it cannot be answered.
        benchmark: What was asked.
        where: At which evaluation, as :func:`when` says it.
    """
    sound = isinstance(trial, tuple) and 2 <= len(trial) <= 3
    reason = error if sound else "expected Trial(architecture), which is a pair of architecture and fidelity."
    return SearcherError(
        f"{type(searcher).__name__}.ask() returned {line(repr(trial))} at {where}, which {benchmark.name} cannot "
        f"answer: {reason}{what_to_do(benchmark, trial)}"
    )


def raised(searcher: Searcher, method: str, error: Exception, done: int, seed: Seed) -> SearcherError:
    """Return the error for an exception out of a searcher's own code.

    Args:
        searcher: The searcher.
        method: Which of its methods, ``"ask"`` or ``"tell"``.
        error: What it raised.
        done: How many evaluations were told before.
        seed: The seed of the run.
    """
    name = type(searcher).__name__
    found = SearcherError(f"{name}.{method}() raised {type(error).__name__} at {when(done, seed)}: {line(error)}")
    found.traceback = frames_of(error, type(searcher))
    return found


def line(value: object) -> str:
    """Return a text on one line, cut where it is long: of an array, or a message of many lines."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def when(done: int, seed: Seed) -> str:
    """Say where in a search something happened."""
    return f"evaluation {done + 1} (seed {seed})"
