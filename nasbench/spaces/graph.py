"""Cells as small directed acyclic graphs: pruning, and a key that tells networks apart; one at a time or many.

Vertices are numbered in topological order, the input first, the output last. A cell is a list of bit masks,
``before[y] >> x & 1`` for an edge from x to y, and a list of labels: what a vertex is, a positive number, or 0 where
there is no vertex. Many cells are two uint8 arrays with a cell a column: edges, 0 or 1, in the order of
:func:`edges`, and labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALL = 2**64 - 1
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_CHUNK = 8192
"""Cells whose numbers fit a processor's cache."""


def edges(vertices: int) -> tuple[tuple[int, int], ...]:
    """Return all (source, target), by target and then by source: x -> y is number x + y (y - 1) / 2."""
    return tuple((x, y) for y in range(vertices) for x in range(y))


def kept(before: Sequence[int]) -> int:
    """Return the mask of the vertices on a path from the input to the output: 0 if there is no path."""
    reached = 1
    for vertex, mask in enumerate(before):
        if mask & reached:
            reached |= 1 << vertex
    last = len(before) - 1
    if not reached >> last:
        return 0
    useful = 1 << last
    for vertex in range(last, 0, -1):
        if useful >> vertex & 1:
            useful |= before[vertex]
    return reached & useful


def prune(before: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the numbers of the kept vertices, and their masks in the numbering without the others."""
    mask = kept(before)
    order = [vertex for vertex in range(len(before)) if mask >> vertex & 1]
    return order, [sum([(before[y] >> x & 1) << i for i, x in enumerate(order)]) for y in order]


def prune_many(edge: NDArray[np.uint8], vertices: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the edges between kept vertices, and which are kept, shape (vertices, n): none if there is no path."""
    pairs = edges(vertices)
    reached = np.zeros((vertices, edge.shape[1]), np.uint8)
    useful = reached.copy()
    reached[0] = useful[-1] = 1
    for (x, y), there in zip(pairs, edge, strict=True):
        reached[y] |= there & reached[x]
    for (x, y), there in zip(reversed(pairs), edge[::-1], strict=True):
        useful[x] |= there & useful[y]
    reached &= useful
    pruned = edge.copy()
    for (x, y), there in zip(pairs, pruned, strict=True):
        there &= reached[x]
        there &= reached[y]
    return pruned, reached


def enumerate_graphs(vertices: int, max_edges: int) -> NDArray[np.uint8]:
    """Return all graphs of so many vertices that pruning leaves as they are, shape (edges, n).

    They are in the order of the numbers whose bit i is edge i of :func:`edges`.
    """
    pairs = edges(vertices)
    numbers = np.arange(2 ** len(pairs), dtype=np.int32)
    edge = np.empty((len(pairs), len(numbers)), np.uint8)
    for i, column in enumerate(edge):
        column[:] = numbers >> i & 1
    all_kept = prune_many(edge, vertices)[1].all(axis=0)
    return edge[:, all_kept & (edge.sum(axis=0, dtype=np.uint8) <= max_edges)]


def key(before: Sequence[int], labels: Sequence[int]) -> int:
    """Return a 64-bit integer that does not depend on the numbering; the same as :func:`key_many`."""
    values = [label * _GOLDEN for label in labels]
    for vertex, mask in enumerate(before):
        values[vertex] = _mixed(values[vertex] + sum([values[x] for x in range(vertex) if mask >> x & 1]))
    total = 0
    for vertex in range(len(before) - 1, -1, -1):
        value, mask = _mixed(values[vertex]), before[vertex]
        total += value
        for x in range(vertex):
            if mask >> x & 1:
                values[x] += value
    total &= _ALL
    return total - 2**64 if total >> 63 else total


def key_many(edge: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return 64-bit integers that do not depend on the numbering of the vertices, shape (n,).

    Colour refinement in topological order: the colour of a vertex is hashed with those of its predecessors, from the
    input to the output, and then with those of its successors, from the output to the input. The key is the sum of
    the colours. Multisets are hashed by the sum of their members modulo 2**64. What is no vertex adds 0 everywhere.
    """
    keys = np.empty(labels.shape[1], np.uint64)
    for start in range(0, len(keys), _CHUNK):
        part = slice(start, start + _CHUNK)
        keys[part] = _keys(edge[:, part], labels[:, part])
    return keys.view(np.int64)


def _keys(edge: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    pairs = edges(len(labels))
    masks = np.negative(edge, dtype=np.int64).view(np.uint64)
    values: NDArray[np.uint64] = labels * np.uint64(_GOLDEN)
    at = 0
    for y in range(len(labels)):
        for x in range(y):
            values[y] += values[x] & masks[at]
            at += 1
        _mix(values[y])
    for (x, y), mask in zip(reversed(pairs), masks[::-1], strict=True):
        if x == y - 1:
            _mix(values[y])
        values[x] += values[y] & mask
    _mix(values[0])
    return np.asarray(values.sum(axis=0), np.uint64)


# The finaliser of splitmix64 (Steele, Lea & Flood 2014); of 0 it is 0.


def _mixed(value: int) -> int:
    value &= _ALL
    value = (value ^ value >> 30) * _FIRST & _ALL
    value = (value ^ value >> 27) * _SECOND & _ALL
    return value ^ value >> 31


def _mix(values: NDArray[np.uint64]) -> None:
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        values ^= values >> np.uint64(shift)
        values *= np.uint64(factor)
    values ^= values >> np.uint64(31)
