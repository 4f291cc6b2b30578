"""Enumerate NAS-Bench-101; do two different cells share a hash? ``python benchmarks/nb101_enumeration.py``.

Prints the number of cells, the digest of all official hashes, and, by exact canonical forms (the smallest of the 120
numberings of the interior vertices), the number of cells that are not isomorphic. All agree on 423,624: neither the
official hash nor the key of :class:`nasbench.spaces.nb101.NB101` lets two different cells of this space coincide.
"""

from __future__ import annotations

import hashlib
import time
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces import graph
from nasbench.spaces.nb101 import EDGES, NB101, VERTICES
from nasbench.spaces.nb101.enumerate import labelled_cells

INTERIOR = range(1, VERTICES - 1)


def canonical_forms(cells: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return an integer for each cell, shape (n,): equal exactly for isomorphic ones, by trying every numbering."""
    edges, live = graph.prune_many(np.ascontiguousarray(cells.T[: len(EDGES)]), VERTICES)
    nothing = np.zeros(len(cells), np.int64)
    edge = dict(zip(EDGES, edges.astype(np.int64), strict=True))
    # A vertex that was pruned is a fourth kind of operation.
    label = {v: np.where(live[v], cells[:, len(EDGES) + v - 1], 3).astype(np.int64) for v in INTERIOR}
    best = np.full(len(cells), np.iinfo(np.int64).max)
    for numbering in permutations(INTERIOR):
        order = (0, *numbering, VERTICES - 1)
        code = nothing.copy()
        for a in order:
            for b in order:
                if a != b and b != 0 and a != VERTICES - 1:
                    code = 2 * code + edge.get((a, b), nothing)
        for v in numbering:
            code = 4 * code + label[v]
        np.minimum(best, code, out=best)
    return best


def main() -> None:
    """Print what the module says."""
    start = time.process_time()
    space = NB101()
    cells = space.cells
    digest = hashlib.sha256("\n".join(sorted(space.hash_many(cells))).encode()).hexdigest()
    print(f"{len(cells):,} cells, sha256 of their sorted hashes {digest}: {time.process_time() - start:.0f} s")
    everything = np.concatenate([block for v in range(2, VERTICES + 1) for block in labelled_cells(v)])
    forms, keys = canonical_forms(everything), space.key_many(everything)
    pairs = np.unique(np.stack([forms, keys], axis=1), axis=0)
    print(
        f"{len(everything):,} labelled cells: {len(np.unique(forms)):,} that are not isomorphic, "
        f"{len(np.unique(keys)):,} keys, {len(pairs):,} pairs of both: {time.process_time() - start:.0f} s"
    )


if __name__ == "__main__":
    assert len(EDGES) == 21
    main()
