"""Drop-in for ``nasbench.lib.model_spec`` of google-research/nasbench: a cell as old scripts write it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.lib.graph_util import hash_module, integers
from nasbench.spaces import graph as graphs

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class ModelSpec:
    """A cell, pruned when it is made: vertices that do not lie between the input and the output are removed.

    Args:
        matrix: Adjacency matrix, upper triangular without its diagonal, shape (v, v). Vertex 0 is the input, the last
            one the output. Whole floats become integers.
        ops: The label of each vertex; they are checked when the table is asked.
        data_format: Kept, and used by nothing here.

    Attributes:
        original_matrix: A copy of the matrix as it was given, as an array.
        original_ops: The labels as they were given, as a list.
        matrix: The pruned matrix; None if no path leads from the input to the output.
        ops: The labels of the pruned matrix, or None.
        valid_spec: Whether there is such a path.
        data_format: As given.

    Raises:
        InvalidArchitectureError: The matrix is not square, has not as many rows as there are labels, or is not upper
            triangular; a ValueError with the texts of the original.
    """

    def __init__(self, matrix: ArrayLike, ops: Sequence[Any], data_format: str = "channels_last") -> None:
        array = integers(matrix)
        if array.ndim != 2 or array.shape[0] != array.shape[1]:
            raise InvalidArchitectureError("matrix must be square")
        if len(array) != len(ops):
            raise InvalidArchitectureError("length of ops must match matrix dimensions")
        if not is_upper_triangular(array):
            raise InvalidArchitectureError("matrix must be upper triangular")
        self.original_matrix: NDArray[Any] = array
        self.original_ops: list[Any] = list(ops)
        self.matrix: NDArray[Any] | None = None
        self.ops: list[Any] | None = None
        self.valid_spec = False
        self.data_format = data_format
        self._prune()

    def _prune(self) -> None:
        columns = self.original_matrix.T.tolist()
        before = [sum([1 << x for x, entry in enumerate(column) if entry]) for column in columns]
        mask = graphs.kept(before) if len(before) > 1 else 0
        if not mask:
            return
        self.valid_spec = True
        if mask == (1 << len(before)) - 1:
            self.matrix, self.ops = self.original_matrix.copy(), self.original_ops.copy()
        else:
            live = [vertex for vertex in range(len(before)) if mask >> vertex & 1]
            self.matrix = self.original_matrix[np.ix_(live, live)]
            self.ops = [self.original_ops[vertex] for vertex in live]

    def hash_spec(self, canonical_ops: Sequence[Any]) -> str:
        """Return the official hash of the pruned cell, 32 hexadecimal digits; see :func:`graph_util.hash_module`.

        Args:
            canonical_ops: The operations of interior vertices in the order that numbers them; for NAS-Bench-101
                ``["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]``.

        Raises:
            InvalidArchitectureError: The cell has no path from input to output, or an operation that is none of these.
        """
        if self.matrix is None or self.ops is None:
            raise InvalidArchitectureError("invalid spec, provided graph is disconnected: it has no hash.")
        known = list(canonical_ops)
        for op in self.ops[1:-1]:
            if op not in known:
                raise InvalidArchitectureError(f"unsupported op {op!r} (canonical ops = {known})")
        return hash_module(self.matrix, [-1, *map(known.index, self.ops[1:-1]), -2])

    def visualize(self) -> Any:
        """Return the pruned cell as a ``graphviz.Digraph``, which notebooks draw.

        Raises:
            InvalidArchitectureError: The cell has no path from input to output: there is nothing to draw.
            ImportError: The package graphviz is not installed.
        """
        if self.matrix is None or self.ops is None:
            raise InvalidArchitectureError("invalid spec, provided graph is disconnected: there is nothing to draw.")
        try:
            graphviz = importlib.import_module("graphviz")
        except ImportError:
            raise ImportError(
                "visualize() needs the package graphviz, which is not installed: run `pip install graphviz`."
            ) from None
        graph = graphviz.Digraph()
        for vertex, op in enumerate(["input", *self.ops[1:-1], "output"]):
            graph.node(str(vertex), str(op))
        for source, target in np.argwhere(self.matrix).tolist():
            graph.edge(str(source), str(target))
        return graph


def is_upper_triangular(matrix: ArrayLike) -> bool:
    """Tell whether all entries on and below the diagonal are 0."""
    return not any([any(row[: i + 1]) for i, row in enumerate(np.asarray(matrix).tolist())])
