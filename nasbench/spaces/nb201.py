"""NAS-Bench-201: four nodes, one of five operations on each of the six edges, 15,625 cells.

Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search", ICLR 2020,
https://github.com/D-X-Y/NAS-Bench-201. NATS-Bench calls the same space "topology" (tss).

An architecture is the operation of each edge in the order of the official text: 1<-0, 2<-0, 2<-1, 3<-0, 3<-1,
3<-2. A node is the sum of its incoming edges.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.base import SearchSpace
from nasbench.types import Architecture, Graph

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(source, target) of each decision."""

_NONE, _SKIP, _CONV1, _CONV3, _POOL = range(5)
_CLASSES = {"cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}
_PATTERN = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")
_INDEX = {operation: i for i, operation in enumerate(OPERATIONS)}


class NB201(SearchSpace):
    """The NAS-Bench-201 cell space."""

    name = "nb201"
    choices = (5,) * 6

    def parse(self, text: str) -> Architecture:
        """Read the official text, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``.

        Raises:
            InvalidArchitectureError: The text does not follow this grammar, or names an unknown operation.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise InvalidArchitectureError(
                f"{text!r} is no NAS-Bench-201 cell: expected |op~0|+|op~0|op~1|+|op~0|op~1|op~2|, "
                f"each op one of {', '.join(OPERATIONS)}."
            )
        try:
            return tuple([_INDEX[operation] for operation in match.groups()])
        except KeyError as unknown:
            raise InvalidArchitectureError(
                f"unknown operation {unknown} in {text!r}: expected one of {', '.join(OPERATIONS)}."
            ) from None

    def format(self, architecture: Architecture) -> str:
        """Return the official text.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        a, b, c, d, e, f = (OPERATIONS[i] for i in self.check(architecture))
        return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"

    @cached_property
    def architectures(self) -> NDArray[np.uint8]:
        """All 15,625 architectures in the official index order, shape (15625, 6), read-only.

        The authors list the cells lexicographically and shuffle the list after ``random.seed(88)``
        (AutoDL-Projects, exps/NAS-Bench-201); here with a generator of its own.
        """
        from random import Random  # only for who asks for all: a table has them in its file

        order = list(range(self.size))
        Random(88).shuffle(order)
        result = self.decode(order)
        result.flags.writeable = False
        return result

    @cached_property
    def _index_of_code(self) -> NDArray[np.int64]:
        return np.argsort(self.codes(self.architectures))

    def index(self, architecture: Architecture) -> int:
        """Return the official index in [0, 15625), as in NAS-Bench-201 v1.1, NATS-Bench and HW-NAS-Bench."""
        return int(self._index_of_code[self.codes([self.check(architecture)])[0]])

    def graph(self, architecture: Architecture) -> Graph:
        """Return the cell with its operations on the vertices: input, the six edges in order, output.

        Operation ``(i, j)`` feeds operation ``(j, k)``; those that leave node 0 are fed by the input, those that
        enter node 3 feed the output. Operations named none stay, as vertices.
        """
        adjacency = np.zeros((8, 8), np.bool_)
        for i, (source, target) in enumerate(EDGES, start=1):
            adjacency[0, i] = source == 0
            adjacency[i, 7] = target == 3
            for j, (next_source, _) in enumerate(EDGES, start=1):
                adjacency[i, j] = next_source == target
        names = tuple(OPERATIONS[i] for i in self.check(architecture))
        return Graph(adjacency, ("input", *names, "output"))

    def key_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return 64-bit keys, equal exactly for cells that compute the same function of their operations.

        Edges named none and operations that receive nothing drop out, skip connections splice, and nested sums
        flatten into multisets; convolutions and pooling stay opaque. That leaves 4,930 distinct networks, one of
        them the 341 cells whose output is not connected. A multiset is hashed by the sum of its members'
        hashes modulo 2**64; over the whole space no two networks share a key (tests/spaces/test_nb201.py).
        """
        a, b, c, d, e, f = self.validated(architectures).T
        node0 = np.full(len(a), 0x9E3779B97F4A7C15, np.uint64)
        node1 = _term(a, node0)
        node2 = _term(b, node0) + _term(c, node1)
        node3 = _term(d, node0) + _term(e, node1) + _term(f, node2)
        return node3.view(np.int64)

    def topology(self, architecture: Architecture) -> str:
        """Return NATS-Bench's unique string: 6,466 distinct ones over the space.

        A published rule on strings (nats_bench ``get_unique_str``), not an isomorphism: sums are not flattened
        and vanished terms keep their ``#``. Use :meth:`key` to tell networks apart.
        """
        nodes = ["0"]
        operations = iter(self.check(architecture))
        for target in (1, 2, 3):
            terms = []
            for source in range(target):
                operation = next(operations)
                value = nodes[source]
                if operation == _NONE or value == "#":
                    terms.append("#")
                elif operation == _SKIP:
                    terms.append(value)
                else:
                    terms.append(f"({value})@{OPERATIONS[operation]}")
            nodes.append("+".join(sorted(terms)))
        return nodes[3]

    def parameters_many(self, architectures: ArrayLike, *, dataset: str = "cifar10") -> NDArray[np.int64]:
        """Return the exact numbers of trainable parameters, shape (n,).

        Fifteen cells in three stages of 16, 32 and 64 channels; every convolution is followed by batch
        normalisation except in the shortcut of the two residual blocks. All operations count, also those on dead
        edges, as in the source.

        Args:
            architectures: uint8 array of shape (n, 6).
            dataset: ``"cifar10"``, ``"cifar100"`` or ``"ImageNet16-120"``: the size of the linear head.
        """
        array = self.validated(architectures)
        ones, threes = (array == _CONV1).sum(axis=1), (array == _CONV3).sum(axis=1)
        cells = sum(5 * (ones * (c * c + 2 * c) + threes * (9 * c * c + 2 * c)) for c in (16, 32, 64))
        stem = 27 * 16 + 32
        residuals = sum(9 * c * d + 2 * d + 9 * d * d + 2 * d + c * d for c, d in ((16, 32), (32, 64)))
        k = _CLASSES[dataset]
        return np.asarray(stem + cells + residuals + 2 * 64 + 64 * k + k, np.int64)

    def flops_many(self, architectures: ArrayLike, *, dataset: str = "cifar10") -> NDArray[np.int64]:
        """Return multiply-accumulates of convolutions and the linear layer (its bias counted), shape (n,).

        The convention of the source: batch normalisation, ReLU and pooling are not counted. Images have 32 x 32
        pixels, those of ImageNet16-120 16 x 16.
        """
        array = self.validated(architectures)
        ones, threes = (array == _CONV1).sum(axis=1), (array == _CONV3).sum(axis=1)
        side = 16 if dataset == "ImageNet16-120" else 32
        # Channels double as the side halves, so a convolution costs the same in all three stages.
        full = side * side * 16 * 16
        cells = 15 * full * (ones + 9 * threes)
        residual = (9 * 2 + 9 * 4 + 2) * full // 4
        k = _CLASSES[dataset]
        return np.asarray(side * side * 27 * 16 + cells + 2 * residual + 64 * k + k, np.int64)


def _term(operation: NDArray[np.uint8], value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash of an edge's contribution to its target: 0 for nothing, the source itself for a skip connection."""
    # The finaliser of splitmix64 (Steele, Lea & Flood 2014), keyed by the operation.
    mixed = value + operation * np.uint64(0xD1342543DE82EF95)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    mixed = np.where(operation == _SKIP, value, mixed)
    return np.where((operation == _NONE) | (value == 0), np.uint64(0), mixed)
