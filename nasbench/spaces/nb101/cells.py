"""Cells of NAS-Bench-101 as choice vectors: pruned, and held against the rules of the space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces import graph as graphs
from nasbench.spaces.nb101.enumerate import MAX_EDGES, VERTICES
from nasbench.types import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "nb101"
EDGES = graphs.edges(VERTICES)
"""(source, target) of each of the first 21 decisions."""
# Labels of vertices in graphs: an operation plus one, the input, the output; 0 is no vertex.
_INPUT, _OUTPUT = 4, 5
# The mask of the sources of a vertex, from the bits of its incoming edges.
_MASKS = {bits: sum(bit << x for x, bit in enumerate(bits)) for y in range(1, 7) for bits in product((0, 1), repeat=y)}


class Cells(NamedTuple):
    """Many pruned cells, a cell a column."""

    edges: NDArray[np.uint8]
    """Shape (21, n), 0 or 1."""
    labels: NDArray[np.uint8]
    """Shape (7, n)."""


# One cell: the mask of the sources of each vertex, as in nasbench.spaces.graph.


def sources_of(architecture: Architecture) -> list[int]:
    """Return the mask of the sources of each vertex."""
    a = architecture
    return [0, *[_MASKS[bits] for bits in (a[:1], a[1:3], a[3:6], a[6:10], a[10:15], a[15:21])]]


def fault_of(before: Sequence[int]) -> str:
    """Say why this is no valid cell; nothing if it is one."""
    live = graphs.kept(before)
    if not live:
        return "it is disconnected: no path leads from its input to its output"
    if live.bit_count() > VERTICES:
        return f"pruned, it has {live.bit_count()} vertices, at most {VERTICES} are allowed"
    edges = sum([(mask & live).bit_count() for vertex, mask in enumerate(before) if live >> vertex & 1])
    return f"pruned, it has {edges} edges, at most {MAX_EDGES} are allowed" if edges > MAX_EDGES else ""


def pruned(architecture: Architecture) -> tuple[list[int], list[int]]:
    """Return the masks and labels of the pruned cell."""
    live, before = graphs.prune(sources_of(architecture))
    return before, [_INPUT, *[architecture[len(EDGES) + v - 1] + 1 for v in live[1:-1]], _OUTPUT]


# Many cells.


def prune_all(array: NDArray[np.uint8]) -> tuple[Cells, NDArray[np.bool_]]:
    """Return the pruned cells, and which of them are valid, shape (n,)."""
    columns = np.ascontiguousarray(array.T)
    edges, labels = graphs.prune_many(columns[: len(EDGES)], VERTICES)
    labels[0] *= _INPUT
    labels[1:-1] *= columns[len(EDGES) :] + 1
    labels[-1] *= _OUTPUT
    return Cells(edges, labels), (labels[0] != 0) & (edges.sum(axis=0, dtype=np.uint8) <= MAX_EDGES)


def checked(array: NDArray[np.uint8]) -> Cells:
    """Return the pruned cells.

    Raises:
        InvalidArchitectureError: A row is no valid cell; the message names the first one.
    """
    cells, valid = prune_all(array)
    if not valid.all():
        row = int(np.argmin(valid))
        fault = fault_of(sources_of(tuple(array[row].tolist())))
        raise InvalidArchitectureError(f"row {row} is no cell of {NAME}: {fault}.")
    return cells


def until_valid(array: NDArray[np.uint8], draw: Callable[[NDArray[np.intp]], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Draw rows again until all are valid cells."""
    rows = np.flatnonzero(~prune_all(array)[1])
    while rows.size:
        array[rows] = draw(rows)
        rows = rows[~prune_all(array[rows])[1]]
    return array
