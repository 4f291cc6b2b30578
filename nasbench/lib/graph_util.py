"""Drop-in for ``nasbench.lib.graph_util`` of google-research/nasbench: small graphs as matrices with labelled vertices.

A graph is an adjacency matrix, ``matrix[x][y]`` for an edge from x to y, and a list with a label for each vertex. Any
size, any labels. Differences from the original (docs/legacy_nasbench.md): a matrix of floats is one of integers, and
:func:`is_isomorphic` does not try all permutations.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nb101.hash import hash_graph

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Graph = tuple[ArrayLike, Sequence[Hashable]]


def gen_is_edge_fn(bits: int) -> Callable[..., NDArray[np.int64]]:
    """Return a function of x and y, numbers or arrays, that tells whether ``bits`` has the edge from x to y, as 0 or 1.

    Bit ``x + y (y - 1) / 2`` stands for the edge from x to y, where x < y. Meant for ``np.fromfunction``.
    """

    def is_edge(x: int, y: int) -> int:
        return 0 if x >= y else bits >> (x + y * (y - 1) // 2) & 1

    # The numbers come in as Python's, whatever the type of the array: indexes of large graphs do not overflow.
    return np.vectorize(is_edge, otypes=[np.int64])


def is_full_dag(matrix: ArrayLike) -> bool:
    """Tell whether every vertex but the last has an edge out and every vertex but the first has one in.

    An upper triangular matrix of this kind has no vertex that pruning would remove.
    """
    edges = integers(matrix) != 0
    return bool(edges[:-1].any(axis=1).all() and edges[:, 1:].any(axis=0).all())


def num_edges(matrix: ArrayLike) -> int:
    """Return the sum of all entries."""
    return int(integers(matrix).sum())


def hash_module(matrix: ArrayLike, labeling: Sequence[Any]) -> str:
    """Return the MD5 hash of a labelled graph, which does not depend on the order of its vertices.

    As published, see :mod:`nasbench.spaces.nb101.hash`. Isomorphic graphs have the same hash; in the space of
    NAS-Bench-101 different ones have different hashes, among larger graphs not always.

    Args:
        matrix: Square, of whole numbers.
        labeling: A label for each vertex: -1 for the input, -2 for the output, the index of its operation for others.

    Raises:
        InvalidArchitectureError: The matrix is not square, or there is not one label for each vertex.
    """
    edges = _square(matrix, labeling)
    vertices = range(len(edges))
    into = [[x for x in vertices if edges[x, y]] for y in vertices]
    out_of = [[y for y in vertices if edges[x, y]] for x in vertices]
    degrees = zip(edges.sum(axis=1).tolist(), edges.sum(axis=0).tolist(), _plain(labeling), strict=True)
    return hash_graph(into, out_of, [str(vertex) for vertex in degrees])


def permute_graph(
    graph: ArrayLike, label: Sequence[Any], permutation: Sequence[int]
) -> tuple[NDArray[np.bool_], list[Any]]:
    """Return the same graph with its vertices in another order: vertex i becomes vertex ``permutation[i]``.

    Args:
        graph: The matrix; what is not 1 is no edge.
        label: The label of each vertex.
        permutation: The numbers from 0 to the number of vertices minus 1.

    Raises:
        InvalidArchitectureError: The matrix is not square, there is not one label for each vertex, or the numbers are
            no permutation of the vertices.
    """
    edges = _square(graph, label)
    if sorted(permutation) != list(range(len(edges))):
        raise InvalidArchitectureError(f"{permutation!r} is no permutation of {len(edges)} vertices.")
    old = np.argsort(permutation)
    return edges[np.ix_(old, old)] == 1, [label[vertex] for vertex in old.tolist()]


def is_isomorphic(graph1: Graph, graph2: Graph) -> bool:
    """Tell whether some order of the vertices makes the two graphs the same, with their labels.

    Vertices are first told apart by their labels and, again and again, by the vertices around them. Only those that
    remain alike are tried for one another, so that cells of any usual kind take no time.

    Args:
        graph1: Matrix and labels; what is not 1 in the matrix is no edge.
        graph2: Matrix and labels. Graphs of different sizes are not isomorphic.

    Raises:
        InvalidArchitectureError: A matrix is not square, or there is not one label for each vertex.
    """
    first, second = (_square(*graph) == 1 for graph in (graph1, graph2))
    if len(first) != len(second):
        return False
    colours, others = _colours(first, second, [*_plain(graph1[1]), *_plain(graph2[1])])
    if sorted(colours) != sorted(others):
        return False
    # The vertices with the fewest partners first: most have one.
    order = sorted(range(len(colours)), key=lambda vertex: colours.count(colours[vertex]))
    return _matches(first.tolist(), second.tolist(), order, [_partners(colours[v], others) for v in order], [])


def integers(matrix: ArrayLike) -> NDArray[Any]:
    """Return a new array of the matrix, whose numbers are integers (or booleans) if they are whole.

    The published hash is made of the decimal digits of integers: ``2.0`` would give another one than ``2``.

    Raises:
        InvalidArchitectureError: It is no array of numbers.
    """
    try:
        array: NDArray[Any] = np.array(matrix)
    except ValueError:  # rows of different lengths
        array = np.empty(0, object)
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = array.astype(np.int64)
        return whole if (whole == array).all() else array
    if array.dtype.kind not in "biu":
        raise InvalidArchitectureError(f"a matrix must be a rectangle of numbers, found {matrix!r}.")
    return array


def _square(matrix: ArrayLike, labels: Sequence[Any]) -> NDArray[Any]:
    array = integers(matrix)
    if array.shape != (len(labels), len(labels)):
        raise InvalidArchitectureError(
            f"a graph needs a square matrix and a label for each vertex, found shape {array.shape} and "
            f"{len(labels)} labels."
        )
    return array


def _plain(labels: Sequence[Any]) -> list[Any]:
    """Return labels without numpy's types, whose texts differ."""
    return [label.item() if isinstance(label, np.generic) else label for label in labels]


def _colours(first: NDArray[np.bool_], second: NDArray[np.bool_], labels: Sequence[Hashable]) -> tuple[list[int], ...]:
    """Number the vertices of two graphs together: those with different numbers cannot be partners."""
    n = len(first)
    edges = np.zeros((2 * n, 2 * n), np.bool_)
    edges[:n, :n], edges[n:, n:] = first, second
    into, out_of = ([np.flatnonzero(line).tolist() for line in lines] for lines in (edges.T, edges))
    numbers: dict[Hashable, int] = {}
    colours = [numbers.setdefault(label, len(numbers)) for label in labels]
    for _ in range(n):
        numbers = {}
        seen = [
            (colours[v], *(tuple(sorted([colours[u] for u in around[v]])) for around in (into, out_of)))
            for v in range(2 * n)
        ]
        colours = [numbers.setdefault(sight, len(numbers)) for sight in seen]
    return colours[:n], colours[n:]


def _partners(colour: int, others: Sequence[int]) -> list[int]:
    return [vertex for vertex, other in enumerate(others) if other == colour]


def _matches(
    first: list[list[bool]], second: list[list[bool]], order: list[int], partners: list[list[int]], chosen: list[int]
) -> bool:
    """Tell whether partners can be chosen for the rest of ``order`` so that all edges agree.

    Loops do where the others do: partners have the same numbers of edges.
    """
    if len(chosen) == len(order):
        return True
    vertex = order[len(chosen)]

    def fits(partner: int) -> bool:
        return partner not in chosen and all(
            first[vertex][v] == second[partner][p] and first[v][vertex] == second[p][partner]
            for v, p in zip(order, chosen, strict=False)
        )

    return any(
        fits(partner) and _matches(first, second, order, partners, [*chosen, partner])
        for partner in partners[len(chosen)]
    )
