"""The header of a history: all that anyone needs to repeat the search."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import numpy as np

from nasbench.search.objectives import Observed
from nasbench.search.rules import Rules
from nasbench.types import Benchmark, Budget, Searcher, Seed

# Given by the benchmark or the comparison, and recorded as what they are.
_GIVEN = ("space", "seed", "fidelities", "objectives", "constraints", "known")


def header_of(
    searcher: Searcher,
    benchmark: Benchmark,
    budget: Budget,
    seed: Seed,
    rules: Rules,
    workers: int,
    observed: Observed | None,
) -> dict[str, Any]:
    """Return the header of a search.

    What is as in a search on one worker for validation accuracy alone is left out, so that such a search has the
    header that it always had.

    Args:
        searcher: Its class, arguments and seed are recorded.
        benchmark: Its name, image dataset, digest and search space are recorded.
        budget: As :func:`nasbench.run` got it.
        seed: That of the draws of runs.
        rules: As :func:`nasbench.run` got them.
        workers: Recorded if there are several.
        observed: Objectives and constraints; None without them.
    """
    import nasbench

    kind = type(searcher)
    header: dict[str, Any] = {
        "nasbench": nasbench.__version__,
        "benchmark": {
            "name": benchmark.name,
            "dataset": benchmark.dataset,
            "digest": benchmark.digest,
            "space": benchmark.space.name,
            "origin": benchmark.origin,
        },
        "searcher": f"{kind.__module__}:{kind.__qualname__}",
        "arguments": {name: _plain(getattr(searcher, name)) for name in _parameters(kind) if hasattr(searcher, name)},
        "searcher_seed": _plain(getattr(searcher, "seed", None)),
        "seed": _plain(seed),
        "budget": {"amount": budget.amount, "unit": budget.unit},
        "rules": rules._asdict(),
    }
    if workers > 1:
        header["workers"] = workers
    if observed is not None:
        header["objectives"] = [metric._asdict() for metric in observed.metrics]
        header["constraints"] = [str(constraint) for constraint in observed.constraints]
        header["values"] = list(observed.names)
    return header


@cache
def _parameters(kind: type) -> tuple[str, ...]:
    return tuple(name for name in inspect.signature(kind).parameters if name not in _GIVEN)


def _plain(value: Any) -> Any:
    """Return what JSON can hold; anything else as its repr."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else repr(value)
