"""NAS-Bench-101: cells of up to seven vertices and nine edges, 423,624 different ones.

C. Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
https://github.com/google-research/nasbench.

An architecture is a cell on seven vertices: 21 edges, 0 or 1, in the order 0>1, 0>2, 1>2, 0>3, 1>3, 2>3, ..., 5>6,
then the operations of the five interior vertices. Vertex 0 is the input, vertex 6 the output. What does not lie between
the two is pruned before anything is computed, and a cell is valid if at most nine edges are left; smaller cells leave
vertices without edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces import graph as graphs
from nasbench.spaces.base import SearchSpace
from nasbench.spaces.nb101 import costs
from nasbench.spaces.nb101 import hash as hashing
from nasbench.spaces.nb101 import matrices as matrix_forms
from nasbench.spaces.nb101.cells import (
    EDGES,
    NAME,
    Cells,
    checked,
    fault_of,
    prune_all,
    pruned,
    sources_of,
    until_valid,
)
from nasbench.spaces.nb101.enumerate import VERTICES, representatives
from nasbench.spaces.nb101.matrix import OPERATIONS, from_matrix
from nasbench.spaces.nb101.text import choices_of, text_of
from nasbench.types import Architecture, Graph, RandomSource

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_FLIP, _CHANGE = 1 / 7, 1 / 5


class NB101(SearchSpace):
    """The NAS-Bench-101 cell space."""

    name = NAME
    choices = (2,) * len(EDGES) + (3,) * (VERTICES - 2)
    networks = "nasbench.training.networks.nb101:NETWORKS"
    features = "surrogates.encodings.cells101:FEATURES"
    constrained = True

    def from_cell(self, matrix: ArrayLike, operations: Sequence[str]) -> Architecture:
        """Return the architecture of a cell given as an adjacency matrix and operations, in any isomorphic form.

        Args:
            matrix: Upper triangular, 0 or 1 (or booleans), shape (v, v). More than seven vertices are fine if at most
                seven are left when those that do not lie between input and output are pruned.
            operations: ``"input"``, those of the interior vertices, ``"output"``. As in the source, those of pruned
                vertices may be anything.

        Raises:
            InvalidArchitectureError: This is no cell of the space; the message says why.
        """
        return from_matrix(matrix, operations)

    def from_cells(self, matrices: ArrayLike, operations: ArrayLike) -> NDArray[np.uint8]:
        """Return what :meth:`from_cell` does for many cells of one size, shape (n, 26).

        Args:
            matrices: Upper triangular, 0 or 1 (or booleans), shape (n, v, v), v at most seven.
            operations: The names of each cell's operations, shape (n, v).

        Raises:
            InvalidArchitectureError: A row is no cell of the space, or the arrays have other shapes; the message says
                why and names the first such row.
        """
        edges, interior = matrix_forms.compact(matrices, operations, OPERATIONS, VERTICES)
        sources, targets = np.array(EDGES).T
        return self.validated(np.concatenate([edges[:, sources, targets], interior], axis=1))

    def cell(self, architecture: Architecture) -> tuple[NDArray[np.int8], list[str]]:
        """Return the pruned adjacency matrix, int8 of shape (v, v), and its v operations; the form of the official API.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        before, labels = pruned(self.check(architecture))
        matrix = np.array([[mask >> x & 1 for mask in before] for x in range(len(before))], np.int8)
        return matrix, ["input", *[OPERATIONS[label - 1] for label in labels[1:-1]], "output"]

    @property
    def distinct(self) -> int:
        """Number of different cells."""
        return 423_624

    @cached_property
    def cells(self) -> NDArray[np.uint8]:
        """One form of each of the 423,624 cells, in the order in which the authors list them, shape (423624, 26)."""
        return representatives(self.key_many)

    def parse(self, text: str) -> Architecture:
        """Read ``0>1,1>6 conv3x3,conv1x1,maxpool3x3,conv3x3,conv3x3``: edges, and the five interior operations.

        Raises:
            InvalidArchitectureError: The text does not follow this grammar, or the cell is not valid.
        """
        return self.check(choices_of(text))

    def format(self, architecture: Architecture) -> str:
        """Return the text that :meth:`parse` reads.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        return text_of(self.check(architecture))

    def graph(self, architecture: Architecture) -> Graph:
        """Return the pruned cell; its vertices carry the operations already.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        matrix, names = self.cell(architecture)
        return Graph(matrix.astype(np.bool_), tuple(names))

    # Validity.

    def is_valid(self, architecture: object) -> bool:
        """Tell whether this is a choice vector whose input reaches its output over at most nine edges after pruning."""
        return super().is_valid(architecture) and not fault_of(sources_of(architecture))  # type: ignore[arg-type]

    def check(self, architecture: object) -> Architecture:
        """Return the architecture as a tuple of Python integers, or refuse it.

        Raises:
            InvalidArchitectureError: It is no choice vector, or no valid cell; the message says why.
        """
        if not super().is_valid(architecture):
            return super().check(architecture)
        fault = fault_of(sources_of(architecture))  # type: ignore[arg-type]
        if fault:
            raise InvalidArchitectureError(f"{architecture!r} is no cell of {self.name}: {fault}.")
        return tuple(map(int, architecture))  # type: ignore[call-overload]

    def validated(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Return many architectures as a uint8 array (n, 26).

        Raises:
            InvalidArchitectureError: As in every space, or a row is no valid cell; the message names the first one.
        """
        array = super().validated(architectures)
        checked(array)
        return array

    def valid_many(self, choices: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Tell which choice vectors, shape (n, 26), are valid cells."""
        return prune_all(choices)[1]

    def decode(self, codes: ArrayLike) -> NDArray[np.uint8]:
        """Return the choice vectors at these positions of lexicographic order; the inverse of :meth:`codes`.

        Raises:
            InvalidArchitectureError: A code is not in [0, size), or its vector is no valid cell.
        """
        return self.validated(super().decode(codes))

    # Moves.

    def sample(self, rng: RandomSource) -> Architecture:
        """Draw a choice vector uniformly among the valid ones, as NASBench.ipynb does.

        That is not uniform over cells: a cell is as likely as it has forms on seven vertices.
        """
        while True:
            drawn = super().sample(rng)
            if not fault_of(sources_of(drawn)):
                return drawn

    def mutate(self, architecture: Architecture, rng: RandomSource) -> Architecture:
        """Flip each edge with probability 1/7 and change each operation with probability 1/5, until valid.

        The mutation of NASBench.ipynb, except that a copy is drawn again too.
        """
        random = rng.random
        while True:
            child = (
                *[bit ^ (random() < _FLIP) for bit in architecture[: len(EDGES)]],
                *[(o + 1 + int(random() * 2)) % 3 if random() < _CHANGE else o for o in architecture[len(EDGES) :]],
            )
            if child != architecture and not fault_of(sources_of(child)):
                return child

    def crossover(self, first: Architecture, second: Architecture, rng: RandomSource) -> Architecture:
        """Cross two architectures until the child is valid; one of 27 draws is ``first`` itself."""
        while True:
            child = super().crossover(first, second, rng)
            if not fault_of(sources_of(child)):
                return child

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """Return the valid architectures that differ in exactly one edge or operation."""
        return [neighbor for neighbor in super().neighbors(architecture) if not fault_of(sources_of(neighbor))]

    def sample_many(self, n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw n architectures as :meth:`sample` does, shape (n, 26)."""
        draw = super().sample_many
        return until_valid(draw(n, rng), lambda rows: draw(len(rows), rng))

    def mutate_many(self, architectures: ArrayLike, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Mutate each row as :meth:`mutate` does."""
        parents = self.validated(architectures)

        def draw(rows: NDArray[np.intp]) -> NDArray[np.uint8]:
            changes = rng.random((len(rows), 26)) < np.repeat((_FLIP, _CHANGE), (21, 5))
            steps = rng.integers(1, self.choices, size=changes.shape, dtype=np.uint8)
            children: NDArray[np.uint8] = (parents[rows] + changes * steps) % np.array(self.choices, np.uint8)
            children[~changes.any(axis=1)] = 0  # no valid cell, so that a copy is drawn again
            return children

        return until_valid(draw(np.arange(len(parents))), draw)

    def crossover_many(self, first: ArrayLike, second: ArrayLike, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Cross each row of ``first`` with the same row of ``second`` as :meth:`crossover` does.

        Raises:
            InvalidArchitectureError: The two have different lengths.
        """
        a, b, cross = self.validated(first), self.validated(second), super().crossover_many
        return until_valid(cross(a, b, rng), lambda rows: cross(a[rows], b[rows], rng))

    def neighbors_many(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Refuse: cells have different numbers of neighbours; use :meth:`neighbors`."""
        raise NotImplementedError(
            f"architectures of {self.name} have different numbers of neighbours: use neighbors()."
        )

    # Identity.

    def key(self, architecture: Architecture) -> int:
        """Return :meth:`key_many` of one architecture, in Python's integers."""
        return self.identity(self.check(architecture))

    def key_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return 64-bit keys, equal exactly for isomorphic cells, shape (n,).

        They are those of :func:`nasbench.spaces.graph.key_many`. Over the whole space there are 423,624 of them, as
        many as official hashes and as classes of isomorphic cells: so no two different cells have one key. The classes
        are counted exactly, by Burnside's lemma in tests/spaces/test_nb101_enumeration.py and by canonical forms in
        benchmarks/nb101_enumeration.py. Tables store these keys: they must never change.
        """
        return graphs.key_many(*self.pruned_many(architectures))

    def identity(self, architecture: Architecture) -> int:
        """Return :meth:`key` of what is known to be an architecture."""
        return graphs.key(*pruned(architecture))

    def identity_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return :meth:`key_many`: the source trained one form of each cell."""
        return self.key_many(architectures)

    def hash(self, architecture: Architecture) -> str:
        """Return the official hash, 32 hexadecimal digits."""
        return hashing.hash_cell(*pruned(self.check(architecture)))

    def hash_many(self, architectures: ArrayLike) -> list[str]:
        """Return the official hashes (graph_util.hash_module of the pruned cell)."""
        return hashing.hash_cells(*self.pruned_many(architectures))

    # Costs.

    def parameters_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the exact numbers of trainable parameters, shape (n,).

        Three stacks of three cells with 128, 256 and 512 channels; each convolution is followed by batch normalisation
        (nasbench/lib/model_builder.py). Isomorphic forms may differ a little: channels that cannot be shared equally go
        to the first vertices.
        """
        return costs.parameters(*self.pruned_many(architectures))

    def flops_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return multiply-accumulates of the convolutions and the dense layer for one image of 32 x 32, shape (n,).

        The source records none; this is the convention of NAS-Bench-201, without its bias.
        """
        return costs.multiply_accumulates(*self.pruned_many(architectures))

    def pruned_many(self, architectures: ArrayLike) -> Cells:
        """Return the pruned cells: edges, uint8 of shape (21, n), and labels, uint8 of shape (7, n), a cell a column.

        A label is an operation's index in OPERATIONS plus one, 4 for the input, 5 for the output, 0 for no vertex.

        Raises:
            InvalidArchitectureError: A row is no architecture of the space.
        """
        return checked(super().validated(architectures))
