"""Features of NAS-Bench-101 cells as graphs: paths, kinds of edges, degrees, costs. Equal for all isomorphic forms."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.nb101 import EDGES, NB101, OPERATIONS, VERTICES
from surrogates._cells201 import Groups

_KINDS = len(OPERATIONS)
_SHORT = ("conv3", "conv1", "pool")
_SIGNATURES = [signature for length in range(VERTICES - 1) for signature in product(range(_KINDS), repeat=length)]
_STARTS = np.cumsum([0, *[_KINDS**length for length in range(VERTICES - 2)]])
"""Where the sequences of each length begin."""
_LABELS = ("nothing", *_SHORT, "input", "output")


def features(choices: NDArray[np.uint8]) -> Groups:
    """Return the groups of features of many cells, shape (n, 26): names, and values of shape (n, features)."""
    space = NB101()
    edges, labels = space.pruned_many(choices)
    edge = {pair: column.astype(np.float64) for pair, column in zip(EDGES, edges, strict=True)}
    counts = _path_counts(edge, labels)
    lengths = np.stack([counts[:, s : s + _KINDS**k].sum(axis=1) for k, s in enumerate(_STARTS)], axis=1)
    operations = np.stack([(labels == i + 1).sum(axis=0) for i in range(_KINDS)], axis=1).astype(np.float64)
    return {
        "paths": ([f"paths of {_spelled(s)}" for s in _SIGNATURES], np.log1p(counts)),
        "operations": ([f"live {name}" for name in _SHORT], operations),
        "shape": _shape(space, choices, edge, labels, lengths),
        "edges": _edge_kinds(edge, labels),
    }


def _path_counts(edge: dict[tuple[int, int], NDArray[np.float64]], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Count the paths from input to output by their sequences of operations, shape (n, 364)."""
    n = labels.shape[1]
    size = len(_SIGNATURES)
    at = np.zeros((VERTICES, n, size), np.float32)
    at[0, :, 0] = 1
    for y in range(1, VERTICES):
        arriving = sum(at[x] * edge[x, y][:, None].astype(np.float32) for x in range(y))
        if y == VERTICES - 1:
            return np.asarray(arriving, np.float64)
        for i in range(_KINDS):
            rows = np.flatnonzero(labels[y] == i + 1)
            for length in range(VERTICES - 2):
                start, after, width = _STARTS[length], _STARTS[length + 1], _KINDS**length
                # Sequence s of this length becomes number 3 s + i of the next.
                at[y, rows, after + i : after + _KINDS * width : _KINDS] = arriving[rows, start : start + width]
    raise AssertionError("the last vertex is the output")


def _shape(
    space: NB101,
    choices: NDArray[np.uint8],
    edge: dict[tuple[int, int], NDArray[np.float64]],
    labels: NDArray[np.uint8],
    lengths: NDArray[np.float64],
) -> tuple[list[str], NDArray[np.float64]]:
    steps = np.arange(lengths.shape[1])
    there = lengths > 0
    columns: dict[str, NDArray[np.generic]] = {
        "vertices": (labels > 0).sum(axis=0),
        "edges": np.sum(list(edge.values()), axis=0),
        "log paths": np.log1p(lengths.sum(axis=1)),
        "longest path": np.where(there, steps, -1).max(axis=1),
        "shortest path": np.where(there, steps, 9).min(axis=1),
        "mean path": lengths @ steps / np.maximum(lengths.sum(axis=1), 1),
        "edges from the input": np.sum([edge[0, y] for y in range(1, VERTICES)], axis=0),
        "edges to the output": np.sum([edge[x, VERTICES - 1] for x in range(VERTICES - 1)], axis=0),
        "input to output": edge[0, VERTICES - 1],
        "log parameters": np.log(space.parameters_many(choices)),
        "log flops": np.log(space.flops_many(choices)),
        **{f"log paths of {k} operations": np.log1p(lengths[:, k]) for k in steps.tolist()},
    }
    for i, name in enumerate(_SHORT):
        depth = _depth(edge, labels, i + 1)
        columns |= {f"most {name} on a path": depth[0], f"fewest {name} on a path": depth[1]}
    convolutions = _depth(edge, labels, 1, 2)
    columns |= {"most convolutions on a path": convolutions[0], "fewest convolutions on a path": convolutions[1]}
    return list(columns), np.stack(list(columns.values()), axis=1).astype(np.float64)


def _depth(
    edge: dict[tuple[int, int], NDArray[np.float64]], labels: NDArray[np.uint8], *counted: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the most and the fewest vertices of these labels on a path from input to output."""
    n = labels.shape[1]
    most, fewest = [np.zeros(n)], [np.zeros(n)]
    for y in range(1, VERTICES):
        own = np.isin(labels[y], counted)
        most.append(np.max([np.where(edge[x, y] > 0, most[x], -99) for x in range(y)], axis=0) + own)
        fewest.append(np.min([np.where(edge[x, y] > 0, fewest[x], 99) for x in range(y)], axis=0) + own)
    return most[-1], fewest[-1]


def _edge_kinds(
    edge: dict[tuple[int, int], NDArray[np.float64]], labels: NDArray[np.uint8]
) -> tuple[list[str], NDArray[np.float64]]:
    """Count the edges by the labels of their ends."""
    kinds = len(_LABELS)
    counts = np.zeros((labels.shape[1], kinds * kinds))
    rows = np.arange(labels.shape[1])
    for (x, y), there in edge.items():
        counts[rows, labels[x].astype(np.intp) * kinds + labels[y]] += there
    sources, targets = (1, 2, 3, 4), (1, 2, 3, 5)
    chosen = [x * kinds + y for x in sources for y in targets]
    return [f"{_LABELS[x]} to {_LABELS[y]}" for x in sources for y in targets], counts[:, chosen]


def _spelled(signature: tuple[int, ...]) -> str:
    return " ".join(_SHORT[i] for i in signature) or "nothing"
