"""The architectures that are verified: the best of a comparison, or those that somebody named."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nasbench.analysis import incumbents
from nasbench.errors import CampaignError
from nasbench.search.compare import read_comparison
from nasbench.types import Architecture, Benchmark


class Finalists(NamedTuple):
    """What is verified."""

    benchmark: Benchmark
    architectures: list[Architecture]
    """Distinct, at least one."""
    chosen: str
    """How, in words."""


def best_of(folder: str | os.PathLike[str], top: int, table: str | None = None) -> Finalists:
    """Return the best distinct architectures that the searches of a comparison ended with.

    Those are the final incumbents of all searches, which observed validation accuracy chose; they are ranked by the
    benchmark's mean validation accuracy.

    Args:
        folder: The ``out`` of :func:`nasbench.search.compare.compare`.
        top: How many; fewer if there are not so many.
        table: Where the benchmark is now; by default where the comparison found it.

    Raises:
        CampaignError: top is not positive.
        NasbenchError: As for :func:`nasbench.search.compare.read_comparison`.
    """
    if top < 1:
        raise CampaignError(f"expected at least the top 1, not {top}.")
    benchmark, histories = read_comparison(folder, table)
    every = [history for found in histories.values() for history in found]
    held = np.array([history.architectures[incumbents(history.validation_accuracy)[-1]] for history in every])
    identities, first = np.unique(benchmark.space.identity_many(held), return_index=True)
    means = benchmark.means(held[first])
    best = np.lexsort((identities, -means))[:top]
    architectures = [tuple(choices) for choices in held[first[best]].tolist()]
    return Finalists(
        benchmark,
        architectures,
        f"the best {len(architectures)} of {len(identities)} distinct final incumbents of {len(every):,} searches "
        f"({', '.join(histories)}), ranked by mean validation accuracy of {benchmark.name}",
    )


def named(benchmark: Benchmark, architectures: Sequence[Architecture]) -> Finalists:
    """Return architectures that somebody named; of several forms of one network the first.

    Raises:
        InvalidArchitectureError: One of them is no architecture of the space, or is not in the table.
    """
    distinct: dict[int, Architecture] = {}
    for architecture in architectures:
        distinct.setdefault(benchmark.space.identity(architecture), architecture)
    return Finalists(benchmark, list(distinct.values()), "named one by one")
