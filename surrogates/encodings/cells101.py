"""Features of NAS-Bench-101 cells as graphs: paths, parts, kinds of edges, degrees, costs. Equal for isomorphic forms.

Those of :mod:`surrogates.encodings.flows101` come with them: how wide the vertices are, and what walks and signals
meet.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.nb101 import EDGES, NB101, OPERATIONS, VERTICES
from surrogates.encodings.cells201 import Groups
from surrogates.encodings.flows101 import Cells

COUNTS = ("paths", "parts")
"""The groups that hold many counts, of which most are zero."""

_KINDS = len(OPERATIONS)
_SHORT = ("conv3", "conv1", "pool")
_SIGNATURES = [signature for length in range(VERTICES - 1) for signature in product(range(_KINDS), repeat=length)]
_STARTS = np.cumsum([0, *[_KINDS**length for length in range(VERTICES - 2)]])
"""Where the sequences of each length begin."""
_LABELS = ("nothing", *_SHORT, "input", "output")
_INPUT, _OUTPUT = 4, 5
_NEIGHBOURS = [counts for counts in product(range(4), repeat=_KINDS) if sum(counts) <= 3]
"""Numbers of neighbours of each operation: of four and more there are few vertices."""


def features(choices: NDArray[np.uint8]) -> Groups:
    """Return the groups of features of many cells, shape (n, 26): names, and values of shape (n, features)."""
    edges, labels = NB101().pruned_many(choices)
    edge = {pair: column.astype(np.float64) for pair, column in zip(EDGES, edges, strict=True)}
    cells = Cells(edge, labels)
    counts = _path_counts(edge, labels)
    lengths = np.stack([counts[:, s : s + _KINDS**k].sum(axis=1) for k, s in enumerate(_STARTS)], axis=1)
    operations = np.stack([(labels == i + 1).sum(axis=0) for i in range(_KINDS)], axis=1).astype(np.float64)
    return {
        "paths": ([f"paths of {_spelled(s)}" for s in _SIGNATURES], np.log1p(counts)),
        "parts": _parts(edge, labels),
        "operations": ([f"live {name}" for name in _SHORT], operations),
        "shape": _shape(cells, edge, labels, lengths),
        "edges": _edge_kinds(edge, labels),
        "widths": cells.widths(),
        "walks": cells.walks(),
        "signals": cells.signals(),
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


def _parts(
    edge: dict[tuple[int, int], NDArray[np.float64]], labels: NDArray[np.uint8]
) -> tuple[list[str], NDArray[np.float64]]:
    """Count vertices by what they are and what feeds them, and by what they are and what they feed.

    The first step of the Weisfeiler-Lehman kernel (Shervashidze, Schweitzer, van Leeuwen, Mehlhorn & Borgwardt,
    "Weisfeiler-Lehman Graph Kernels", JMLR 2011), with separate colours for sources and targets.
    """
    n = labels.shape[1]
    place = np.full((4,) * _KINDS, -1)
    for i, counts in enumerate(_NEIGHBOURS):
        place[counts] = i
    names: list[str] = []
    columns: list[NDArray[np.float64]] = []
    for word, own, end in (("after", _OUTPUT, _INPUT), ("before", _INPUT, _OUTPUT)):
        found = np.zeros((n, 4, 2, len(_NEIGHBOURS)))
        for v in range(VERTICES):
            others = range(v) if word == "after" else range(v + 1, VERTICES)
            met = np.zeros((_LABELS.index("output") + 1, n), np.intp)
            for other in others:
                there = edge[min(v, other), max(v, other)] > 0
                met[labels[other], np.arange(n)] += there
            seen = place[tuple(np.minimum(met[1 : _KINDS + 1], 3))]
            kind = np.where(labels[v] == own, 0, labels[v])
            rows = np.flatnonzero((labels[v] > 0) & (labels[v] != end) & (met[1 : _KINDS + 1].sum(axis=0) <= 3))
            found[rows, kind[rows], met[end][rows], seen[rows]] += 1
        columns.append(found.reshape(n, -1))
        names += [
            f"{name} {word} {_neighbours(counts, _LABELS[end] * touched)}"
            for name, touched, counts in product((_LABELS[own], *_SHORT), (0, 1), _NEIGHBOURS)
        ]
    return names, np.concatenate(columns, axis=1)


def _neighbours(counts: tuple[int, ...], end: str) -> str:
    listed = [
        *[f"{count} {name}" for count, name in zip(counts, _SHORT, strict=True) if count],
        *([end] if end else []),
    ]
    return ", ".join(listed) or "nothing"


def _shape(
    cells: Cells,
    edge: dict[tuple[int, int], NDArray[np.float64]],
    labels: NDArray[np.uint8],
    lengths: NDArray[np.float64],
) -> tuple[list[str], NDArray[np.float64]]:
    steps = np.arange(lengths.shape[1])
    there = lengths > 0
    parameters, flops = cells.costs()
    columns: dict[str, NDArray[np.generic]] = {
        "vertices": (labels > 0).sum(axis=0),
        "edges": np.sum(list(edge.values()), axis=0),
        "log paths": np.log1p(lengths.sum(axis=1)),
        "longest path": np.where(there, steps, -1).max(axis=1),
        "shortest path": np.where(there, steps, 9).min(axis=1),
        "mean path": (lengths * steps).sum(axis=1) / np.maximum(lengths.sum(axis=1), 1),
        "edges from the input": np.sum([edge[0, y] for y in range(1, VERTICES)], axis=0),
        "edges to the output": np.sum([edge[x, VERTICES - 1] for x in range(VERTICES - 1)], axis=0),
        "input to output": edge[0, VERTICES - 1],
        "log parameters": np.log(parameters),
        "log flops": np.log(flops),
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
