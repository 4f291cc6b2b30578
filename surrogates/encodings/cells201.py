"""Features of NAS-Bench-201 cells as graphs: what is alive, by what paths, and which parts it is made of.

Equal for cells that differ only in dead operations, in the order of sums, and in which of two nodes comes first.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.nb201 import NB201, OPERATIONS

Groups = dict[str, tuple[list[str], NDArray[np.float64]]]

_NONE, _SKIP = OPERATIONS.index("none"), OPERATIONS.index("skip_connect")
_REAL = ("nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""Operations that a network computes; their indexes follow each other."""
_FIRST = OPERATIONS.index(_REAL[0])
_PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))
"""Edges of each path from the input to the output."""
_COMMON = 20
"""A part counts as a feature if so many cells have it."""
_SIGNATURES = [signature for length in range(4) for signature in product(range(len(_REAL)), repeat=length)]
_SHORT = {"nor_conv_1x1": "conv1", "nor_conv_3x3": "conv3", "avg_pool_3x3": "pool"}


def features(choices: NDArray[np.uint8]) -> Groups:
    """Return the groups of features of many cells, shape (n, 6): names, and values of shape (n, features)."""
    paths = _Paths(choices)
    alive, terms = _alive(choices), _terms(choices)
    parts = _common_parts()
    counts = np.zeros((len(choices), len(parts)))
    for edge in range(6):
        place = np.minimum(np.searchsorted(parts, terms[:, edge]), len(parts) - 1)
        rows = np.flatnonzero((parts[place] == terms[:, edge]) & alive[:, edge] & (choices[:, edge] >= _FIRST))
        counts[rows, place[rows]] += 1
    operations = np.stack([(alive & (choices == _FIRST + i)).sum(axis=1) for i in range(len(_REAL))], axis=1)
    names = [_SHORT[name] for name in _REAL]
    return {
        "paths": ([f"paths of {_spelled(signature)}" for signature in _SIGNATURES], _logarithms(paths.signatures())),
        "operations": ([f"live {name}" for name in names], operations.astype(np.float64)),
        "shape": paths.shape(operations, alive),
        "parts": ([f"part {i}" for i in range(len(parts))], _logarithms(counts)),
    }


def _logarithms(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace counts, most of which are zero, by the logarithms of one more."""
    return np.asarray(np.log1p(counts, out=counts, where=counts > 0))


class _Paths:
    """The four paths of many cells: whether each is alive, and how many of each operation lie on it."""

    def __init__(self, choices: NDArray[np.uint8]) -> None:
        self._operations = [choices.T[list(edges)].astype(np.intp) for edges in _PATHS]
        # Shape (4, n): sums over a long row of each path are several times as fast as over four neighbours.
        self.alive = np.stack([(operations != _NONE).all(axis=0) for operations in self._operations])
        self.on = np.stack(
            [
                np.stack([(operations == _FIRST + i).sum(axis=0, dtype=np.int8) for operations in self._operations])
                for i in range(len(_REAL))
            ]
        )
        """Shape (3, 4, n)."""

    def signatures(self) -> NDArray[np.float64]:
        """Count the live paths of each sequence of operations, skip connections left out, shape (n, 40)."""
        starts = [0, 1, 4, 13]  # of the sequences of each length
        counts = np.zeros((self.alive.shape[1], len(_SIGNATURES)))
        for operations, alive in zip(self._operations, self.alive, strict=True):
            code, length = np.zeros(len(alive), np.intp), np.zeros(len(alive), np.intp)
            for operation in operations:
                real = operation >= _FIRST
                code = np.where(real, code * len(_REAL) + operation - _FIRST, code)
                length += real
            rows = np.flatnonzero(alive)
            counts[rows, np.take(starts, length[rows]) + code[rows]] += 1
        return counts

    def shape(self, operations: NDArray[np.int64], alive: NDArray[np.bool_]) -> tuple[list[str], NDArray[np.float64]]:
        """Summarise how long, how deep and how parallel the cell is.

        Over the live paths, for all operations, convolutions and so on: the most and the fewest on a path, their sum,
        how many paths have none, one, two and three, and a sum of powers, to which short paths contribute.

        Args:
            operations: Live operations of each kind, shape (n, 3).
            alive: Which edges are alive, shape (n, 6).
        """
        conv1, conv3, pool = self.on
        kinds = {"operations": conv1 + conv3 + pool, "convolutions": conv1 + conv3, "conv3": conv3, "pools": pool}
        columns: dict[str, NDArray[np.generic]] = {"live paths": self.alive.sum(axis=0)}
        for name, on in kinds.items():
            columns[f"most {name} on a path"] = np.where(self.alive, on, -1).max(axis=0)
            columns[f"fewest {name} on a path"] = np.where(self.alive, on, 9).min(axis=0)
            columns[f"{name} over all paths"] = np.where(self.alive, on, 0).sum(axis=0)
            for k in range(4):
                columns[f"paths with {k} {name}"] = (self.alive & (on == k)).sum(axis=0)
            if name != "conv3":
                for base in (0.3, 0.6):
                    columns[f"{base} to the {name}, over paths"] = np.where(
                        self.alive, np.take(base ** np.arange(4.0), on), 0
                    ).sum(axis=0)
        pooled, convolved = pool > 0, kinds["convolutions"] > 0
        columns["paths without pool"] = (self.alive & ~pooled).sum(axis=0)
        columns["paths of pools alone"] = (self.alive & pooled & ~convolved).sum(axis=0)
        columns["paths of conv3 without pool"] = (self.alive & (conv3 > 0) & ~pooled).sum(axis=0)
        columns["paths that begin with pool"] = self._with_pool(first=True)
        columns["paths that end with pool"] = self._with_pool(first=False)
        columns["live convolutions"] = operations[:, 0] + operations[:, 1]
        columns["log live weights"] = np.log1p(operations[:, 0] + 9 * operations[:, 1])
        columns["live edges into the output"] = alive[:, 3:].sum(axis=1)
        columns["most live edges into a node between"] = np.maximum(alive[:, 0], alive[:, 1:3].sum(axis=1))
        return list(columns), np.stack(list(columns.values()), axis=1).astype(np.float64)

    def _with_pool(self, *, first: bool) -> NDArray[np.int64]:
        """Count the live paths whose first, or last, operation that is no skip connection is pooling."""
        total = np.zeros(self.alive.shape[1], np.int64)
        for operations, alive in zip(self._operations, self.alive, strict=True):
            ordered = operations if first else operations[::-1]
            end = np.take_along_axis(ordered, (ordered >= _FIRST).argmax(axis=0)[None], 0)[0]
            total += alive & (end == _FIRST + _REAL.index("avg_pool_3x3"))
        return total


def _alive(choices: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which edges lie on a live path, shape (n, 6)."""
    a, b, c, d, e, f = (choices != _NONE).T
    reached = b | (a & c)
    return np.stack([a & (e | (c & f)), b & f, a & c & f, d, a & e, reached & f], axis=1)


def _terms(choices: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return a key of what each edge computes, shape (n, 6): of the cell that ends with it."""
    space, n = NB201(), len(choices)
    found = np.empty((n, 6), np.int64)
    for edge in range(6):
        cut = np.zeros_like(choices)  # nothing but this edge and what feeds its source
        if edge in (2, 4):
            cut[:, 0], cut[:, 4] = choices[:, 0], choices[:, edge]
        elif edge == 5:
            cut[:, [0, 1, 2, 5]] = choices[:, [0, 1, 2, 5]]
        else:
            cut[:, 3] = choices[:, edge]
        found[:, edge] = space.key_many(cut)
    return found


@cache
def _common_parts() -> NDArray[np.int64]:
    """Return the keys of all operations applied to what, that enough of the cells contain."""
    choices = NB201().decode(np.arange(NB201().size))
    here = _alive(choices) & (choices >= _FIRST)
    keys, counts = np.unique(_terms(choices)[here], return_counts=True)
    return np.asarray(keys[counts >= _COMMON])


def _spelled(signature: tuple[int, ...]) -> str:
    return " ".join(_SHORT[_REAL[i]] for i in signature) or "nothing"
