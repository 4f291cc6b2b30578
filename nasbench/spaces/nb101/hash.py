"""The official hash of NAS-Bench-101 cells: of one, and of many at once.

google-research/nasbench, nasbench/lib/graph_util.py, ``hash_module``. Every vertex begins with the MD5 of its degrees
and its label. As often as the cell has vertices, every vertex is given the MD5 of its predecessors' hashes, sorted,
of its successors' hashes, sorted, and of its own. The MD5 of all of them, sorted, is the hash of the cell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from itertools import groupby, pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nasbench.spaces import graph
from nasbench.spaces.nb101 import md5 as md5_of_many

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABELS = (0, 0, 1, 2, -1, -2)
"""Official label of each of ours: no vertex, conv3x3-bn-relu, conv1x1-bn-relu, maxpool3x3, input, output."""

_CHUNK = 16_384


def hash_cell(before: Sequence[int], labels: Sequence[int]) -> str:
    """Return the hash of a pruned cell, 32 hexadecimal digits.

    Args:
        before: The mask of the predecessors of each vertex.
        labels: Our label of each vertex.
    """
    vertices = range(len(before))
    into = [[x for x in vertices if before[y] >> x & 1] for y in vertices]
    out_of = [[y for y in vertices if before[y] >> x & 1] for x in vertices]
    return hash_graph(into, out_of, [_text(len(out_of[v]), len(into[v]), labels[v]) for v in vertices])


def hash_graph(into: Sequence[Sequence[int]], out_of: Sequence[Sequence[int]], texts: Sequence[str]) -> str:
    """Return the hash of a graph of any size, 32 hexadecimal digits.

    Args:
        into: The predecessors of each vertex.
        out_of: The successors of each vertex.
        texts: What is said of each vertex at first: ``(successors, predecessors, label)``.
    """
    vertices = range(len(texts))
    hashes = list(map(_hash, texts))
    for _ in vertices:
        hashes = [_hash(f"{_joined(hashes, into[v])}|{_joined(hashes, out_of[v])}|{hashes[v]}") for v in vertices]
    return _hash(str(sorted(hashes)))


def hash_cells(edges: NDArray[np.uint8], labels: NDArray[np.uint8]) -> list[str]:
    """Return the hashes of pruned cells; arrays as in :mod:`nasbench.spaces.graph`.

    MD5 works on arrays; nothing is a loop over cells but the making of the texts.
    """
    words = np.empty((labels.shape[1], 8), "<u4")
    sizes = np.count_nonzero(labels, axis=0)
    for size in np.unique(sizes).tolist():
        cells = np.flatnonzero(sizes == size)
        for start in range(0, len(cells), _CHUNK):
            part = cells[start : start + _CHUNK]
            words[part] = _hashes(edges[:, part], labels[:, part], size).T
    text = words.tobytes().decode("ascii")
    return [text[i : i + 32] for i in range(0, len(text), 32)]


class _Group(NamedTuple):
    """Vertices that have the same numbers of predecessors and of successors, and so messages of the same form."""

    begin: int
    end: int
    into: NDArray[np.intp]
    """Their predecessors, shape (end - begin, predecessors)."""
    out_of: NDArray[np.intp]


def _hashes(edges: NDArray[np.uint8], labels: NDArray[np.uint8], size: int) -> NDArray[np.uint32]:
    """Return the hexadecimal digits of cells that all have ``size`` vertices, words of shape (8, n)."""
    n = labels.shape[1]
    adjacency = np.zeros((n, *labels.shape[:1] * 2), np.bool_)
    for (x, y), column in zip(graph.edges(len(labels)), edges, strict=True):
        adjacency[:, x, y] = column
    into, out_of = adjacency.sum(axis=1, dtype=np.uint8), adjacency.sum(axis=2, dtype=np.uint8)
    # Vertices are numbered by their degrees, so that equal ones stand together; what is no vertex has degree 0.
    form = ((into + out_of) * 8 + into).ravel()
    order = np.argsort(form, kind="stable")[-n * size :]
    number = np.empty(form.size, np.intp)
    number[order] = np.arange(len(order))
    number = number.reshape(n, -1)
    bounds = [0, *(np.flatnonzero(np.diff(form[order])) + 1).tolist(), len(order)]
    groups = [_group(order, begin, end, adjacency, number) for begin, end in pairwise(bounds)]
    codes = (out_of.ravel()[order] * 7 + into.ravel()[order]).astype(np.intp) * len(LABELS) + labels.T.ravel()[order]
    digests = _initials()[:, codes]
    for _ in range(size):
        digests = _refine(digests, groups)
    members = number[labels.T != 0].reshape(n, size)
    return md5_of_many.hexadecimal(_final(digests, members))


def _group(
    order: NDArray[np.intp], begin: int, end: int, adjacency: NDArray[np.bool_], number: NDArray[np.intp]
) -> _Group:
    cell, vertex = np.divmod(order[begin:end], number.shape[1])
    numbers = number[cell]
    into, out_of = adjacency[cell, :, vertex], adjacency[cell, vertex, :]
    rows = end - begin
    return _Group(begin, end, numbers[into].reshape(rows, -1), numbers[out_of].reshape(rows, -1))


def _refine(digests: NDArray[np.uint32], groups: list[_Group]) -> NDArray[np.uint32]:
    """Return the next digest of every vertex, shape (4, vertices)."""
    text, rank = md5_of_many.hexadecimal(digests), _ranks(digests)
    result = np.empty_like(digests)
    for degree, alike in groupby(groups, key=lambda group: group.into.shape[1] + group.out_of.shape[1]):
        batch = list(alike)
        begin, end = batch[0].begin, batch[-1].end
        messages = md5_of_many.blank(32 * degree + 34, end - begin)
        for group in batch:
            part = messages[:, group.begin - begin : group.end - begin]
            for i, members in enumerate(_sorted(group.into, rank)):
                md5_of_many.write(part, 32 * i, text[:, members])
            between = 32 * group.into.shape[1]
            md5_of_many.write(part, between, b"|")
            for i, members in enumerate(_sorted(group.out_of, rank)):
                md5_of_many.write(part, between + 1 + 32 * i, text[:, members])
            md5_of_many.write(part, 32 * degree + 1, b"|")
            md5_of_many.write(part, 32 * degree + 2, text[:, group.begin : group.end])
        result[:, begin:end] = md5_of_many.digests(messages)
    return result


def _final(digests: NDArray[np.uint32], members: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Return the digest of each cell from those of its vertices; the message is a Python list of texts."""
    text = md5_of_many.hexadecimal(digests)
    n, size = members.shape
    messages = md5_of_many.blank(36 * size, n)
    for i, vertices in enumerate(_sorted(members, _ranks(digests))):
        md5_of_many.write(messages, 36 * i, b"['" if i == 0 else b"")
        md5_of_many.write(messages, 36 * i + 2, text[:, vertices])
        md5_of_many.write(messages, 36 * i + 34, b"', '" if i < size - 1 else b"']")
    return md5_of_many.digests(messages)


def _sorted(members: NDArray[np.intp], rank: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the members of each row by rank, transposed."""
    if members.shape[1] > 1:
        members = np.take_along_axis(members, np.argsort(rank[members], axis=1), axis=1)
    return members.T


def _ranks(digests: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return numbers in the order of the hexadecimal texts: the first half of each digest."""
    first, second = digests[:2].byteswap().astype(np.uint64)
    return np.asarray(first << np.uint64(32) | second, np.uint64)


@cache
def _initials() -> NDArray[np.uint32]:
    """Return the first digest for all degrees up to 6 and all labels, shape (4, codes)."""
    codes = product(range(7), range(7), range(len(LABELS)))
    table = bytes.fromhex("".join([_hash(_text(*code)) for code in codes]))
    return np.ascontiguousarray(np.frombuffer(table, "<u4").astype(np.uint32).reshape(-1, 4).T)


def _text(out_of: int, into: int, label: int) -> str:
    return f"({out_of}, {into}, {LABELS[label]})"


def _hash(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _joined(hashes: list[str], members: Sequence[int]) -> str:
    return "".join(sorted([hashes[v] for v in members]))
