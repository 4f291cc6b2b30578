"""What a benchmark stands for in the table of docs/performance.md."""

from __future__ import annotations

from typing import Any


def row(
    benchmark: Any,
    title: str,
    *,
    items: int = 1,
    at_most: float | None = None,
    at_least: float | None = None,
    why_not: str = "",
) -> None:
    """Make a benchmark a row of the table.

    Args:
        benchmark: pytest-benchmark's fixture.
        title: What is measured.
        items: How many of what the title names one round does.
        at_most: Target, in seconds an item.
        at_least: Target, in items a second.
        why_not: One sentence for the table if the target is missed.
    """
    benchmark.extra_info.update(title=title, items=items, at_most=at_most, at_least=at_least, why_not=why_not)


def size(benchmark: Any, title: str, megabytes: float, *, at_most: float, why_not: str = "") -> None:
    """Make a number of megabytes a row of the table, and what there is to time nothing.

    Args:
        benchmark: pytest-benchmark's fixture.
        title: What is measured.
        megabytes: Millions of bytes.
        at_most: Target.
        why_not: One sentence for the table if the target is missed.
    """
    row(benchmark, title, at_most=at_most, why_not=why_not)
    benchmark.extra_info["megabytes"] = megabytes
    benchmark.pedantic(lambda: None, rounds=1)


def peer(benchmark: Any, name: str, of: str, *, items: int = 1, times: float = 1.0) -> None:
    """Say that a benchmark measures a peer, beside the row of this title.

    Args:
        benchmark: pytest-benchmark's fixture.
        name: The peer and its version.
        of: Title of the row.
        items: As in :func:`row`.
        times: Target: how many times faster we must be.
    """
    benchmark.extra_info.update(peer=name, of=of, items=items, times=times)
