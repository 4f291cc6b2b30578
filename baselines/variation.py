"""What the searchers that breed share: a mutation of each decision by itself, and a shuffle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nasbench.spaces import SearchSpace
from nasbench.types import Architecture

NASZILLA = {"nb201": (1 / 4,) * 6, "nb101": (1 / 21,) * 21 + (1 / 5,) * 5}
"""The chance of each decision to change in naszilla (cell_201.py, mutations.py), by space."""


def mutate_each(
    space: SearchSpace, architecture: Architecture, probabilities: Sequence[float], random: Callable[[], float]
) -> Architecture:
    """Change each decision with its own probability to another value, chosen uniformly.

    :meth:`nasbench.SearchSpace.mutate` makes a neighbour; this may change several decisions or none. A decision with
    one choice stays. In a constrained space the result may be no architecture.

    Args:
        space: The search space.
        architecture: One of its architectures.
        probabilities: The chance of each decision, in [0, 1].
        random: Uniform numbers in [0, 1).
    """
    return tuple(
        [
            (old + 1 + int(random() * (choices - 1))) % choices if random() < probability else old
            for old, choices, probability in zip(architecture, space.choices, probabilities, strict=True)
        ]
    )


def shuffle(items: list[Any], random: Callable[[], float]) -> None:
    """Put the items in an order drawn uniformly (Fisher & Yates).

    Args:
        items: Any; they change places.
        random: Uniform numbers in [0, 1).
    """
    for i in range(len(items) - 1, 0, -1):
        j = int(random() * (i + 1))
        items[i], items[j] = items[j], items[i]
