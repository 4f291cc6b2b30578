"""Compare neural architecture search algorithms offline, on real CIFAR-10 results, in seconds.

Public names load what they need when they are first used: ``import nasbench`` itself loads no third-party package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name to the module that defines it.
_PUBLIC = {
    "Architecture": "types",
    "Budget": "types",
    "Fidelity": "types",
    "History": "search.history",
    "Metrics": "types",
    "NasbenchError": "errors",
    "Rules": "search",
    "SearchSpace": "spaces",
    "Table": "tables.table",
    "Trial": "types",
    "load": "benchmark",
    "network": "training",
    "run": "search",
}
__all__ = [
    "Architecture",
    "Budget",
    "Fidelity",
    "History",
    "Metrics",
    "NasbenchError",
    "Rules",
    "SearchSpace",
    "Table",
    "Trial",
    "load",
    "network",
    "run",
]

if TYPE_CHECKING:
    from nasbench.benchmark import load
    from nasbench.errors import NasbenchError
    from nasbench.search import Rules, run
    from nasbench.search.history import History
    from nasbench.spaces import SearchSpace
    from nasbench.tables.table import Table
    from nasbench.training import network
    from nasbench.types import Architecture, Budget, Fidelity, Metrics, Trial


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"nasbench.{_PUBLIC[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'nasbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
