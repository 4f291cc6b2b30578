"""The official hash of NAS-Bench-101 cells, in bulk, and the enumeration of the whole space.

nasbench/lib/graph_util.py (hash_module) refines a digest for each vertex from those of its neighbours, as often as the
cell has vertices. The same state of a vertex turns up in many cells: each is digested once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasbench.spaces.nb101 import EDGES, MAX_EDGES, VERTICES, Pruned, mix

try:
    # A third less time a digest than hashlib's, which goes through OpenSSL: a cell takes about forty.
    from _md5 import md5  # type: ignore[import-not-found]
except ImportError:  # an interpreter that was built without it
    from hashlib import md5

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 2**17
_HEX = np.array([list(b"%02x" % byte) for byte in range(256)], np.uint8)


def hash_cells(architectures: NDArray[np.uint8]) -> list[str]:
    """Return the hash of each valid architecture, shape (n, 26), as 32 hexadecimal digits."""
    hashes: list[str] = []
    for start in range(0, len(architectures), _BLOCK):
        block = architectures[start : start + _BLOCK]
        size = np.sum(Pruned(block).live, axis=0)
        found = np.empty((len(block), 32), np.uint8)
        for vertices in np.unique(size).tolist():
            rows = np.flatnonzero(size == vertices)
            found[rows] = _hash_cells_of(vertices, Pruned(block[rows]))
        hashes += found.view("S32").ravel().astype(str).tolist()
    return hashes


class _Digests(NamedTuple):
    """Distinct MD5 digests: their hexadecimal digits, shape (m, 32), and their first eight bytes, which order them."""

    digits: NDArray[np.uint8]
    prefix: NDArray[np.uint64]


def _hash_cells_of(vertices: int, cells: Pruned) -> NDArray[np.uint8]:
    """Return the hashes of cells that all have so many vertices, as digits, shape (n, 32)."""
    n = len(cells.valid)
    live = np.stack(cells.live, axis=1)
    edges = np.zeros((n, VERTICES, VERTICES), np.bool_)
    for (source, target), present in cells.edge.items():
        edges[:, source, target] = present
    labels = np.full((n, VERTICES), -1)
    labels[:, 1:-1] = cells.operations.T
    labels[:, -1] = -2
    kinds = ((edges.sum(axis=2) * VERTICES + edges.sum(axis=1)) * 8 + labels + 2)[live]
    distinct, inverse = np.unique(kinds, return_inverse=True)
    texts = [f"({k // 8 // VERTICES}, {k // 8 % VERTICES}, {k % 8 - 2})".encode() for k in distinct.tolist()]
    digests = _readable(np.array([list(md5(text).digest()) for text in texts], np.uint8))
    state = np.zeros((n, VERTICES), np.int64)
    state[live] = inverse
    for _ in range(vertices):
        names = _names(digests.prefix[state], cells)[live]
        _, first, inverse = np.unique(names, return_index=True, return_inverse=True)
        cell, vertex = (places[first] for places in np.nonzero(live))
        digests = _refined(digests, state[cell], state[cell, vertex], edges[cell, :, vertex], edges[cell, vertex, :])
        state[live] = inverse
    ordered = _ordered(digests, state[live].reshape(n, vertices))
    # The text of a Python list of texts: ['0a..', '1b..'].
    piece = np.empty((n, vertices, 36), np.uint8)
    piece[:] = np.frombuffer(b"'" + b" " * 32 + b"', ", np.uint8)
    piece[:, :, 1:33] = digests.digits[ordered]
    text = np.full((n, 36 * vertices), ord("["), np.uint8)
    text[:, 1:] = piece.reshape(n, -1)[:, :-1]
    text[:, -1] = ord("]")
    return _readable(_raw(text)).digits


def _names(prefix: NDArray[np.uint64], cells: Pruned) -> NDArray[np.uint64]:
    """Return a 64-bit name for the next state of each vertex: equal for equal sources, targets and self."""
    own = np.ascontiguousarray(prefix.T)
    as_source, as_target = mix(own ^ np.uint64(3)), mix(own ^ np.uint64(5))
    sources, targets = np.zeros_like(own), np.zeros_like(own)
    for (source, target), present in cells.edge.items():
        sources[target] += as_source[source] * present
        targets[source] += as_target[target] * present
    return mix(own + mix(sources + mix(targets))).T


def _refined(
    digests: _Digests,
    around: NDArray[np.int64],
    own: NDArray[np.int64],
    from_source: NDArray[np.bool_],
    to_target: NDArray[np.bool_],
) -> _Digests:
    """Digest ``sources|targets|self``, the digests of the neighbours sorted, one row a vertex."""
    n_sources, n_targets = from_source.sum(axis=1), to_target.sum(axis=1)
    raw = np.empty((len(own), 16), np.uint8)
    for s, t in product(range(VERTICES), repeat=2):
        rows = np.flatnonzero((n_sources == s) & (n_targets == t))
        if not len(rows):
            continue
        text = np.full((len(rows), 32 * (s + t + 1) + 2), ord("|"), np.uint8)
        places = (slice(0, 32 * s), slice(32 * s + 1, 32 * (s + t) + 1), slice(-32, None))
        sources, targets = (
            _ordered(digests, around[rows][present[rows]].reshape(len(rows), -1))
            for present in (from_source, to_target)
        )
        for place, states in zip(places, (sources, targets, own[rows, None]), strict=True):
            text[:, place] = digests.digits[states].reshape(len(rows), -1)
        raw[rows] = _raw(text)
    return _readable(raw)


def _ordered(digests: _Digests, states: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort each row of states by digest: exchanges of whole columns, faster than numpy on rows this short."""
    columns = list(states.T)
    prefixes = [digests.prefix[column] for column in columns]
    for i, j in combinations(range(len(columns)), 2):
        swap = prefixes[i] > prefixes[j]
        for values in (columns, prefixes):
            values[i], values[j] = np.where(swap, values[j], values[i]), np.where(swap, values[i], values[j])
    return np.stack(columns, axis=1) if columns else states


def _raw(texts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the MD5 digest of each row, shape (n, 16)."""
    data, width = texts.tobytes(), texts.shape[1]
    digests = [md5(data[i : i + width]).digest() for i in range(0, len(data), width)]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)


def _readable(raw: NDArray[np.uint8]) -> _Digests:
    prefix = np.ascontiguousarray(raw[:, :8]).view(">u8").ravel().astype(np.uint64)
    return _Digests(_HEX[raw].reshape(-1, 32), prefix)


def labelled_cells(vertices: int) -> Iterator[NDArray[np.uint8]]:
    """Yield all cells of exactly so many vertices with all labels, in the order of the authors' generate_graph.py.

    Blocks of shape (m, 26): graphs by their bits, and for each all operations of its interior vertices. Every vertex
    but the output has an edge out, every one but the input an edge in, and there are at most nine edges.
    """
    pairs = [(a, b) for a, b in EDGES if b < vertices]
    masks = np.arange(2 ** len(pairs), dtype=np.uint32)
    bits = {pair: (masks >> i & 1).astype(np.bool_) for i, pair in enumerate(pairs)}
    keep = np.sum(list(bits.values()), axis=0) <= MAX_EDGES
    for v in range(vertices):
        if v < vertices - 1:
            keep &= np.any([bits[pair] for pair in pairs if pair[0] == v], axis=0)
        if v > 0:
            keep &= np.any([bits[pair] for pair in pairs if pair[1] == v], axis=0)
    graphs = np.zeros((int(keep.sum()), len(EDGES)), np.uint8)
    for (a, b), bit in bits.items():
        # The output is vertex 6, however few there are.
        graphs[:, EDGES.index((a, VERTICES - 1 if b == vertices - 1 else b))] = bit[keep]
    labels = np.array(list(product(range(3), repeat=vertices - 2)), np.uint8).reshape(3 ** (vertices - 2), -1)
    labels = np.pad(labels, ((0, 0), (0, VERTICES - vertices)))
    for start in range(0, len(graphs), 1000):
        block = graphs[start : start + 1000]
        yield np.concatenate([np.repeat(block, len(labels), axis=0), np.tile(labels, (len(block), 1))], axis=1)


def representatives() -> NDArray[np.uint8]:
    """Return the first form of every cell in the authors' order, shape (423624, 26)."""
    from nasbench.spaces.nb101 import NB101

    space = NB101()
    cells = np.concatenate([block for v in range(2, VERTICES + 1) for block in labelled_cells(v)])
    _, first = np.unique(space.key_many(cells), return_index=True)
    return cells[np.sort(first)]
