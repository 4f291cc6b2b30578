"""The enumeration of NAS-Bench-101 (google-research/nasbench, nasbench/scripts/generate_graphs.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from nasbench.spaces import graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERTICES, MAX_EDGES = 7, 9


def labelled_cells(vertices: int) -> Iterator[NDArray[np.uint8]]:
    """Yield all cells of exactly so many vertices with all labels, in the order of the authors' generate_graph.py.

    Blocks of shape (m, 26): graphs by their bits, and for each all operations of its interior vertices. Every vertex
    but the output has an edge out, every one but the input an edge in, and there are at most nine edges.
    """
    interior = vertices - 2
    graphs = graph.enumerate_graphs(vertices, MAX_EDGES).T
    into_output = (vertices - 1) * interior // 2
    operations = np.array([*product(range(3), repeat=interior)], np.uint8)
    for start in range(0, len(graphs), 256):
        block = graphs[start : start + 256, None]
        cells = np.zeros((len(block), len(operations), 26), np.uint8)
        cells[:, :, :into_output] = block[:, :, :into_output]
        cells[:, :, 15 : 15 + vertices - 1] = block[:, :, into_output:]  # the output is vertex 6, however few there are
        cells[:, :, 21 : 21 + interior] = operations
        yield cells.reshape(-1, 26)


def representatives(key_many: Callable[[NDArray[np.uint8]], NDArray[np.int64]]) -> NDArray[np.uint8]:
    """Return the first form of every cell in the authors' order, shape (423624, 26); cells of one key are one."""
    result = []
    for vertices in range(2, VERTICES + 1):
        seen = np.empty(0, np.int64)
        for cells in labelled_cells(vertices):
            keys, first = np.unique(key_many(cells), return_index=True)
            new = ~np.isin(keys, seen, assume_unique=True)
            seen = np.concatenate([seen, keys[new]])
            result.append(cells[np.sort(first[new])])
    return np.concatenate(result)
