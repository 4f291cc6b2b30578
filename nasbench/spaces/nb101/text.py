"""The texts of NAS-Bench-101 cells, such as ``0>1,1>6 conv3x3,conv1x1,maxpool3x3,conv3x3,conv3x3``."""

from __future__ import annotations

import re

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nb101.cells import EDGES
from nasbench.types import Architecture

_POSSIBLE = frozenset(EDGES)
_NAMES = dict(zip(("conv3x3", "conv1x1", "maxpool3x3"), range(3), strict=True))
_PATTERN = re.compile(r"((?:\d>\d,)*\d>\d) ((?:conv3x3|conv1x1|maxpool3x3)(?:,(?:conv3x3|conv1x1|maxpool3x3)){4})")


def choices_of(text: str) -> Architecture:
    """Read a text; whether the cell is valid is not checked.

    Raises:
        InvalidArchitectureError: The text does not follow the grammar.
    """
    match = _PATTERN.fullmatch(text)
    edges = [(int(edge[0]), int(edge[2])) for edge in match[1].split(",")] if match else []
    if match is None or not _POSSIBLE.issuperset(edges) or len(set(edges)) < len(edges):
        raise InvalidArchitectureError(
            f"{text!r} is no NAS-Bench-101 cell: expected edges and five operations, such as "
            "'0>1,1>6 conv3x3,conv1x1,maxpool3x3,conv3x3,conv3x3'; vertex 0 is the input, 6 the output."
        )
    bits = [int(edge in edges) for edge in EDGES]
    return (*bits, *(_NAMES[name] for name in match[2].split(",")))


def text_of(architecture: Architecture) -> str:
    """Return the text of an architecture of the space."""
    edges = ",".join(f"{a}>{b}" for (a, b), bit in zip(EDGES, architecture, strict=False) if bit)
    names = tuple(_NAMES)
    return f"{edges} {','.join(names[i] for i in architecture[len(EDGES) :])}"
