"""Architectures as people type them."""

from __future__ import annotations

import re
from typing import Any

from nasbench.errors import InvalidArchitectureError
from nasbench.types import Architecture, Benchmark


def architecture_of(text: str, table: Benchmark) -> Architecture | int:
    """Read what people type for an architecture; text of the space comes first, since it may be all digits.

    A number is the official index; ``row:5`` is what stands in a row of a table.
    """
    row = re.fullmatch(r"row:([0-9]{1,9})", text)
    if row and hasattr(table, "at_row"):
        found: Architecture = table.at_row(int(row[1]))
        return found
    if re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})+", text):
        return tuple(int(choice) for choice in text.split(","))
    try:
        return table.space.parse(text)
    except InvalidArchitectureError:
        if re.fullmatch(r"0|[1-9][0-9]{0,8}", text):
            return int(text)
        raise


def choices_of(text: str, benchmark: Any) -> Architecture:
    """Read what people type for an architecture, whatever the benchmark; an index becomes its choices."""
    found = architecture_of(text, benchmark)
    if isinstance(found, tuple):
        return tuple(benchmark.space.check(found))
    if hasattr(benchmark, "row"):
        return tuple(benchmark.at_row(benchmark.row(found)))
    official = benchmark.space.architectures
    if official is None:
        raise InvalidArchitectureError(
            f"{benchmark.name}: an index says nothing in {benchmark.space.name}, which has no official order; "
            "give the text of an architecture."
        )
    if found >= len(official):
        raise InvalidArchitectureError(f"index {found} is outside of {benchmark.name}: 0 to {len(official) - 1}.")
    return tuple(official[found].tolist())
