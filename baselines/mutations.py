"""Mutations that were published with evolution, where they differ from :meth:`nasbench.SearchSpace.mutate`."""

from __future__ import annotations

from baselines.variation import NASZILLA, mutate_each
from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture

MUTATIONS = ("space", "nats", "naszilla")


def mutated(space: SearchSpace, name: str, architecture: Architecture, rng: Uniforms) -> Architecture:
    """Return a child by one of :data:`MUTATIONS`; in a space that the source does not know, by the space's own.

    Args:
        space: The search space.
        name: ``"space"``: a neighbour, in NAS-Bench-101 that of NASBench.ipynb; ``"nats"``: that of NATS-Bench
            (regularized_ea.py); ``"naszilla"``: each decision by itself (cell_201.py, mutations.py).
        architecture: The parent.
        rng: Where random numbers come from.
    """
    if name == "nats" and space.name == "nb201":
        return _nats_topology(architecture, rng)
    if name == "nats" and space.name == "nats_sss":
        return _nats_size(space, architecture, rng)
    if name == "naszilla" and space.name in NASZILLA:
        while True:
            child = mutate_each(space, architecture, NASZILLA[space.name], rng.random)
            if not space.constrained or space.is_valid(child):
                return child
    return space.mutate(architecture, rng)


def _nats_topology(architecture: Architecture, rng: Uniforms) -> Architecture:
    """Draw one of the three nodes, one of its incoming edges, and another operation."""
    random = rng.random
    node = 1 + int(random() * 3)
    edge = node * (node - 1) // 2 + int(random() * node)
    operation = (architecture[edge] + 1 + int(random() * 4)) % 5
    return (*architecture[:edge], operation, *architecture[edge + 1 :])


def _nats_size(space: SearchSpace, architecture: Architecture, rng: Uniforms) -> Architecture:
    """Draw a stage, and one of all widths, the old one too."""
    stage = int(rng.random() * len(architecture))
    width = int(rng.random() * space.choices[stage])
    return (*architecture[:stage], width, *architecture[stage + 1 :])
