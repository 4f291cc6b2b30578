"""One NAS-Bench-101 cell given as an adjacency matrix and operations, in any isomorphic form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces import graph as graphs
from nasbench.spaces.nb101.cells import NAME, fault_of
from nasbench.spaces.nb101.enumerate import VERTICES
from nasbench.types import Architecture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
_INDEX = {operation: i for i, operation in enumerate(OPERATIONS)}


def from_matrix(matrix: ArrayLike, operations: Sequence[str]) -> Architecture:
    """Return the architecture of a cell: see :meth:`nasbench.spaces.nb101.NB101.from_cell`."""
    before = _sources(matrix)
    try:
        names = [str(operation) for operation in operations]
    except TypeError:
        raise InvalidArchitectureError(f"expected the operations of a cell, got {operations!r}.") from None
    if len(names) != len(before):
        raise InvalidArchitectureError(f"{len(before)} vertices need as many operations, found {len(names)}.")
    fault = fault_of(before)
    if fault:
        raise InvalidArchitectureError(f"this is no cell of {NAME}: {fault}.")
    for place, expected in ((0, "input"), (-1, "output")):
        if names[place] != expected:
            raise InvalidArchitectureError(f"operation {place} must be {expected!r}, it is {names[place]!r}.")
    live, before = graphs.prune(before)
    for name in (names[vertex] for vertex in live[1:-1]):
        if name not in _INDEX:
            raise InvalidArchitectureError(f"unknown operation {name!r}: expected one of {', '.join(OPERATIONS)}.")
    # The output is vertex 6 however few there are.
    unused = [0] * (VERTICES - len(live))
    masks = [*before[1:-1], *unused, before[-1]]
    bits = [mask >> x & 1 for y, mask in enumerate(masks, start=1) for x in range(y)]
    return (*bits, *[_INDEX[names[vertex]] for vertex in live[1:-1]], *unused)


def _sources(matrix: ArrayLike) -> list[int]:
    """Return the masks of a well-formed adjacency matrix of any size."""
    try:
        array: NDArray[Any] = np.asarray(matrix)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2 or array.dtype.kind not in "biuf":
        raise InvalidArchitectureError(f"the adjacency matrix must be square, of 0 and 1; found {matrix!r}.")
    before = [0] * len(array)
    for x, row in enumerate(array.tolist()):
        for y, entry in enumerate(row):
            if entry not in (0, 1):
                raise InvalidArchitectureError(f"the adjacency matrix must hold 0 and 1 only; at {x}, {y} is {entry}.")
            if entry and y <= x:
                raise InvalidArchitectureError(
                    f"the adjacency matrix must be upper triangular: the edge {x}>{y} does not lead to a later vertex."
                )
            before[y] |= int(entry) << x
    return before
