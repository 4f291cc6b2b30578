"""NAS-Bench-101: cells of up to seven vertices and nine edges, 423,624 different ones.

C. Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
https://github.com/google-research/nasbench.

An architecture is a cell on seven vertices: 21 edges, 0 or 1, in the order 0>1, 0>2, 1>2, 0>3, 1>3, 2>3, ..., 5>6,
then the operations of the five interior vertices. Vertex 0 is the input, vertex 6 the output. What does not lie between
the two is pruned before anything is computed, and a cell is valid if at most nine edges are left; smaller cells leave
vertices without edges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces._choices import SearchSpace
from nasbench.types import Architecture, Graph, RandomSource

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
VERTICES, MAX_EDGES = 7, 9
EDGES = tuple((source, target) for target in range(VERTICES) for source in range(target))
"""(source, target) of each of the first 21 decisions."""

_N_EDGES = len(EDGES)
_POSITION = {edge: i for i, edge in enumerate(EDGES)}
_OUTPUT = VERTICES - 1
_NAMES = dict(zip(("conv3x3", "conv1x1", "maxpool3x3"), range(3), strict=True))
_PATTERN = re.compile(r"((?:\d>\d,)*\d>\d) ((?:conv3x3|conv1x1|maxpool3x3)(?:,(?:conv3x3|conv1x1|maxpool3x3)){4})")
_BLOCK = 4096  # rows whose columns fit into the first cache
_ATTEMPTS = 1000


class NB101(SearchSpace):
    """The NAS-Bench-101 cell space."""

    name = "nb101"
    choices = (2,) * _N_EDGES + (3,) * (VERTICES - 2)
    constrained = True

    # Cells as people and files write them.

    def from_cell(self, matrix: Sequence[Sequence[int]] | NDArray[Any], operations: Sequence[str]) -> Architecture:
        """Return the architecture of a cell given as an adjacency matrix and operations, in any isomorphic form.

        Args:
            matrix: Upper triangular, 0 or 1 (or booleans), shape (v, v). More than seven vertices are fine if at most
                seven are left when those that do not lie between input and output are pruned.
            operations: ``"input"``, those of the interior vertices, ``"output"``.

        Raises:
            InvalidArchitectureError: This is no cell of the space; the message says why.
        """
        rows = _matrix(matrix, operations)
        live = _live(rows)
        if len(live) < 2:
            raise InvalidArchitectureError("the cell is disconnected: no path leads from its input to its output.")
        if len(live) > VERTICES:
            raise InvalidArchitectureError(f"the pruned cell has {len(live)} vertices, at most {VERTICES} are allowed.")
        edges = [(live.index(a), live.index(b)) for a in live for b in live if a < b and rows[a][b]]
        if len(edges) > MAX_EDGES:
            raise InvalidArchitectureError(f"the pruned cell has {len(edges)} edges, at most {MAX_EDGES} are allowed.")
        names = [operations[v] for v in live]
        for place, expected in ((0, "input"), (-1, "output")):
            if names[place] != expected:
                raise InvalidArchitectureError(f"operation {place} must be {expected!r}, it is {names[place]!r}.")
        result = [0] * len(self.choices)
        for a, b in edges:
            # The output is vertex 6 however few there are.
            result[_POSITION[a, _OUTPUT if b == len(live) - 1 else b]] = 1
        for vertex, name in enumerate(names[1:-1]):
            if name not in OPERATIONS:
                raise InvalidArchitectureError(f"unknown operation {name!r}: expected one of {', '.join(OPERATIONS)}.")
            result[_N_EDGES + vertex] = OPERATIONS.index(name)
        return tuple(result)

    @cached_property
    def cells(self) -> NDArray[np.uint8]:
        """One form of each of the 423,624 cells, in the order in which the authors list them, shape (423624, 26)."""
        from nasbench.spaces._nb101_cells import representatives

        return representatives()

    def cell(self, architecture: Architecture) -> tuple[NDArray[np.int8], list[str]]:
        """Return the pruned adjacency matrix, int8 of shape (v, v), and its v operations; the form of the official API.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        architecture = self.check(architecture)
        rows = _rows(architecture)
        live = _live(rows)
        matrix = np.array([[rows[a][b] for b in live] for a in live], np.int8)
        names = ["input", *(OPERATIONS[architecture[_N_EDGES + v - 1]] for v in live[1:-1]), "output"]
        return matrix, names

    def parse(self, text: str) -> Architecture:
        """Read ``0>1,1>6 conv3x3,conv1x1,maxpool3x3,conv3x3,conv3x3``: edges, and the five interior operations.

        Raises:
            InvalidArchitectureError: The text does not follow this grammar, or the cell is not valid.
        """
        match = _PATTERN.fullmatch(text)
        edges = [(int(edge[0]), int(edge[2])) for edge in match[1].split(",")] if match else []
        if match is None or not all(edge in _POSITION for edge in edges) or len(set(edges)) < len(edges):
            raise InvalidArchitectureError(
                f"{text!r} is no NAS-Bench-101 cell: expected edges and five operations, such as "
                "'0>1,1>6 conv3x3,conv1x1,maxpool3x3,conv3x3,conv3x3'; vertex 0 is the input, 6 the output."
            )
        bits = [int(edge in edges) for edge in EDGES]
        return self.check((*bits, *(_NAMES[name] for name in match[2].split(","))))

    def format(self, architecture: Architecture) -> str:
        """Return the text that :meth:`parse` reads.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        architecture = self.check(architecture)
        edges = ",".join(f"{a}>{b}" for (a, b), bit in zip(EDGES, architecture, strict=False) if bit)
        names = tuple(_NAMES)
        return f"{edges} {','.join(names[i] for i in architecture[_N_EDGES:])}"

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
        return super().is_valid(architecture) and _is_cell(architecture)  # type: ignore[arg-type]

    def check(self, architecture: object) -> Architecture:
        """Return the architecture as a tuple of Python integers, or refuse it.

        Raises:
            InvalidArchitectureError: It is no choice vector, or no valid cell.
        """
        if super().is_valid(architecture) and not _is_cell(architecture):  # type: ignore[arg-type]
            raise InvalidArchitectureError(
                f"{architecture!r} is no cell of {self.name}: after pruning, its input must reach its output over at "
                f"most {MAX_EDGES} edges."
            )
        return super().check(architecture)

    def validated(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Return many architectures as a uint8 array (n, 26).

        Raises:
            InvalidArchitectureError: As in every space, or a row is no valid cell; the message names the first one.
        """
        array = super().validated(architectures)
        valid = self.valid_many(array)
        if not valid.all():
            row = int(np.argmin(valid))
            raise InvalidArchitectureError(
                f"row {row} is no cell of {self.name}: after pruning, its input must reach its output over at most "
                f"{MAX_EDGES} edges."
            )
        return array

    def valid_many(self, choices: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Tell which choice vectors, shape (n, 26), are valid cells."""
        parts = [Pruned(block).valid for block in _blocks(choices)]
        return np.concatenate(parts) if parts else np.empty(0, np.bool_)

    # Moves.

    def sample(self, rng: RandomSource) -> Architecture:
        """Draw a choice vector uniformly among the valid ones, as NASBench.ipynb does.

        That is not uniform over cells: a cell is as likely as it has forms on seven vertices.
        """
        while True:
            drawn = super().sample(rng)
            if _is_cell(drawn):
                return drawn

    def mutate(self, architecture: Architecture, rng: RandomSource) -> Architecture:
        """Flip each edge with probability 1/7 and change each operation with probability 1/5, until valid.

        The mutation of NASBench.ipynb, except that a copy is drawn again too.
        """
        random = rng.random
        while True:
            child = [bit ^ (random() < 1 / 7) for bit in architecture[:_N_EDGES]]
            for operation in architecture[_N_EDGES:]:
                changed = random() < 1 / 5
                child.append((operation + 1 + int(random() * 2)) % 3 if changed else operation)
            result = tuple(child)
            if result != architecture and _is_cell(result):
                return result

    def crossover(self, first: Architecture, second: Architecture, rng: RandomSource) -> Architecture:
        """Cross two architectures until the child is valid; ``first``, if a thousand children are not."""
        for _ in range(_ATTEMPTS):
            child = super().crossover(first, second, rng)
            if _is_cell(child):
                return child
        return first

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """Return the valid architectures that differ in exactly one edge or operation."""
        return [neighbor for neighbor in super().neighbors(architecture) if _is_cell(neighbor)]

    def sample_many(self, n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw n architectures as :meth:`sample` does, shape (n, 26)."""
        result = np.empty((0, len(self.choices)), np.uint8)
        while len(result) < n:
            drawn = super().sample_many(max(2 * (n - len(result)), 16), rng)
            result = np.concatenate([result, drawn[self.valid_many(drawn)]])
        return result[:n]

    def mutate_many(self, architectures: ArrayLike, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Mutate each row as :meth:`mutate` does."""
        parents = self.validated(architectures)
        return np.array([self.mutate(tuple(row), rng) for row in parents.tolist()], np.uint8).reshape(parents.shape)

    def crossover_many(self, first: ArrayLike, second: ArrayLike, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Cross each row of ``first`` with the same row of ``second`` as :meth:`crossover` does.

        Raises:
            InvalidArchitectureError: The two have different lengths.
        """
        a, children = self.validated(first), super().crossover_many(first, second, rng)
        for row in np.flatnonzero(~self.valid_many(children)).tolist():
            pair = tuple(a[row].tolist()), tuple(self.validated(second)[row].tolist())
            children[row] = self.crossover(*pair, rng)
        return children

    def neighbors_many(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Refuse: cells have different numbers of neighbours; use :meth:`neighbors`."""
        raise NotImplementedError(
            f"architectures of {self.name} have different numbers of neighbours: use neighbors()."
        )

    # Identity.

    def key_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return 64-bit keys, equal exactly for cells that the official hash does not tell apart, shape (n,).

        Colours of vertices are refined along the edges and against them, as by the official hash, with sums of mixed
        64-bit numbers in the place of sorted digests. Over the whole space it has 423,624 values, one for each official
        hash; and no two cells that are not isomorphic share one (benchmarks/nb101_enumeration.py).
        """
        array = self.validated(architectures)
        return np.concatenate([np.empty(0, np.int64), *(Pruned(block).key() for block in _blocks(array))])

    def identity_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return :meth:`key_many`: the source trained one form of each cell."""
        return self.key_many(architectures)

    def key(self, architecture: Architecture) -> int:
        """Return the key of one architecture: :meth:`key_many` in Python's integers, ten times faster for one."""
        return self.identity(self.check(architecture))

    def identity(self, architecture: Architecture) -> int:
        """Return :meth:`key` of what is known to be an architecture."""
        sources, alive = _live_sources(architecture)
        live = [v for v in range(VERTICES) if alive >> v & 1]
        into = {v: [u for u in live if sources[v] >> u & 1] for v in live}
        out_of = {v: [u for u in live if sources[u] >> v & 1] for v in live}
        colour = {v: _COLOURS[architecture[_N_EDGES + v - 1]] for v in live[1:-1]}
        colour |= {0: mix_one(_INPUT), _OUTPUT: mix_one(_SINK)}
        for _ in range(_SWEEPS):
            down, up = {0: colour[0]}, {_OUTPUT: colour[_OUTPUT]}
            sent: dict[int, int] = {}
            for v in live:
                if v:
                    down[v] = mix_one(sum([sent[u] for u in into[v]], colour[v]))
                sent[v] = mix_one(down[v] ^ _DOWN)
            for v in reversed(live):
                if v != _OUTPUT:
                    up[v] = mix_one(sum([sent[u] for u in out_of[v]], colour[v]))
                sent[v] = mix_one(up[v] ^ _UP)
            colour = {v: mix_one(down[v] + mix_one(up[v])) for v in live}
        key = mix_one(sum(colour.values()))
        return key - 2**64 if key >= 2**63 else key

    def hash(self, architecture: Architecture) -> str:
        """Return the official hash, 32 hexadecimal digits."""
        return self.hash_many([self.check(architecture)])[0]

    def hash_many(self, architectures: ArrayLike) -> list[str]:
        """Return the official hashes (graph_util.hash_module of the pruned cell)."""
        from nasbench.spaces._nb101_cells import hash_cells

        return hash_cells(self.validated(architectures))

    # Costs.

    def parameters_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the exact numbers of trainable parameters, shape (n,).

        Three stacks of three cells with 128, 256 and 512 channels; each convolution is followed by batch normalisation
        (nasbench/lib/model_builder.py). Isomorphic forms may differ a little: channels that cannot be shared equally go
        to the first vertices.
        """

        def convolution(size: int, c_in: Any, c_out: Any, _side: int) -> Any:
            return size * size * c_in * c_out + 2 * c_out

        return self._cost(architectures, convolution, dense=512 * 10 + 10)

    def flops_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return multiply-accumulates of the convolutions and the dense layer for one image of 32 x 32, shape (n,).

        The source records none; this is the convention of NAS-Bench-201, without its bias.
        """

        def convolution(size: int, c_in: Any, c_out: Any, side: int) -> Any:
            return size * size * c_in * c_out * side * side

        return self._cost(architectures, convolution, dense=512 * 10)

    def _cost(self, architectures: ArrayLike, convolution: Any, dense: int) -> NDArray[np.int64]:
        array = self.validated(architectures)
        total = np.full(len(array), convolution(3, 3, 128, 32) + dense, np.int64)
        start = 0
        for block in _blocks(array):
            cells = Pruned(block)
            for c_in, c_out, side, repeats in _MODULES:
                total[start : start + len(block)] += repeats * cells.cost(c_in, c_out, side, convolution)
            start += len(block)
        return total


# Channels in, channels out, side of the image, how many cells like this (model_builder.py: each stack but the first
# begins with a 2 x 2 maximum pool and twice the channels).
_MODULES = (
    (128, 128, 32, 3),
    (128, 256, 16, 1),
    (256, 256, 16, 2),
    (256, 512, 8, 1),
    (512, 512, 8, 2),
)


class Pruned:
    """A block of cells with what does not lie between input and output removed; a column for each edge and vertex."""

    def __init__(self, block: NDArray[np.uint8]) -> None:
        columns = np.ascontiguousarray(block.T)
        edge = dict(zip(EDGES, columns[:_N_EDGES].astype(np.bool_), strict=True))
        n = len(block)
        after = [np.ones(n, np.bool_), *(np.zeros(n, np.bool_) for _ in range(VERTICES - 1))]
        before = [*(np.zeros(n, np.bool_) for _ in range(VERTICES - 1)), np.ones(n, np.bool_)]
        for source, target in EDGES:  # by target: a source is finished before it is used
            after[target] |= edge[source, target] & after[source]
        for source in range(VERTICES - 2, -1, -1):
            for target in range(source + 1, VERTICES):
                before[source] |= edge[source, target] & before[target]
        self.live = [a & b for a, b in zip(after, before, strict=True)]
        self.edge = {pair: edge[pair] & self.live[pair[0]] & self.live[pair[1]] for pair in EDGES}
        self.operations = columns[_N_EDGES:]
        edges = np.zeros(n, np.uint8)
        for present in self.edge.values():
            edges += present
        self.valid = self.live[0] & (edges <= MAX_EDGES)

    def key(self) -> NDArray[np.int64]:
        """Return the key of each cell."""
        masks = {pair: np.where(present, _ALL, _NOTHING) for pair, present in self.edge.items()}
        operations = (self.operations[v] + np.uint64(1) for v in range(VERTICES - 2))
        labels = [np.uint64(_INPUT), *operations, np.uint64(_SINK)]
        n = len(self.valid)
        colour = [mix(np.full(n, 1, np.uint64) * label) for label in labels]
        for _ in range(_SWEEPS):
            down = [colour[0]]
            for target in range(1, VERTICES):
                total = colour[target].copy()
                for source in range(target):
                    total += mix(down[source] ^ np.uint64(_DOWN)) & masks[source, target]
                down.append(mix(total))
            up: dict[int, NDArray[np.uint64]] = {_OUTPUT: colour[_OUTPUT]}
            for source in range(VERTICES - 2, -1, -1):
                total = colour[source].copy()
                for target in range(source + 1, VERTICES):
                    total += mix(up[target] ^ np.uint64(_UP)) & masks[source, target]
                up[source] = mix(total)
            colour = [mix(down[v] + mix(up[v])) for v in range(VERTICES)]
        key = np.zeros(n, np.uint64)
        for vertex, live in zip(colour, self.live, strict=True):
            key += vertex * live
        return mix(key).view(np.int64)

    def channels(self, c_out: int) -> list[NDArray[np.int64]]:
        """Return the channels of the interior vertices 1 to 5 (model_builder.compute_vertex_channels)."""
        feeding = [self.edge[v, _OUTPUT] for v in range(1, _OUTPUT)]
        number = np.sum(feeding, axis=0)
        share, extra = np.divmod(c_out, np.maximum(number, 1))
        result, rank = [], np.zeros(len(number), np.int64)
        for feeds in feeding:
            result.append(np.where(feeds, share + (rank < extra), 0))
            rank += feeds
        for v in range(_OUTPUT - 2, 0, -1):
            following = np.zeros(len(number), np.int64)
            for w in range(v + 1, _OUTPUT):
                np.maximum(following, np.where(self.edge[v, w], result[w - 1], 0), out=following)
            result[v - 1] = np.where(feeding[v - 1], result[v - 1], following)
        return result

    def cost(self, c_in: int, c_out: int, side: int, convolution: Any) -> NDArray[np.int64]:
        """Return what one cell costs."""
        total = np.where(self.edge[0, _OUTPUT], convolution(1, c_in, c_out, side), 0)
        for v, c in enumerate(self.channels(c_out), start=1):
            total = total + np.where(self.edge[0, v], convolution(1, c_in, c, side), 0)
            for operation, size in ((0, 3), (1, 1)):
                does = self.live[v] & (self.operations[v - 1] == operation)
                total = total + np.where(does, convolution(size, c, c, side), 0)
        return np.asarray(total, np.int64)


_SWEEPS = 2
_ALL, _NOTHING = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0)
# Which way a colour spreads, and the colours of input and output; the operations begin with theirs plus one.
_DOWN, _UP = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95
_INPUT, _SINK = 11, 12
_MASK = 0xFFFFFFFFFFFFFFFF


def mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    mixed = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def mix_one(value: int) -> int:
    """:func:`mix` of one integer, of which the lowest 64 bits count."""
    value &= _MASK
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


_COLOURS = tuple(mix_one(operation + 1) for operation in range(len(OPERATIONS)))


def _blocks(array: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [array[start : start + _BLOCK] for start in range(0, len(array), _BLOCK)]


def _is_cell(choices: Sequence[int]) -> bool:
    sources, live = _live_sources(choices)
    return bool(live) and sum((sources[v] & live).bit_count() for v in range(1, VERTICES) if live >> v & 1) <= MAX_EDGES


def _live_sources(choices: Sequence[int]) -> tuple[list[int], int]:
    """Return the sources of each vertex, and the vertices between input and output, as bits; none if disconnected."""
    sources, targets = [0] * VERTICES, [0] * VERTICES
    for (source, target), present in zip(EDGES, choices, strict=False):
        if present:
            sources[target] |= 1 << source
            targets[source] |= 1 << target
    after, before = 1, 1 << _OUTPUT
    for v in range(1, VERTICES):
        if sources[v] & after:
            after |= 1 << v
    for v in range(_OUTPUT - 1, -1, -1):
        if targets[v] & before:
            before |= 1 << v
    live = after & before
    return sources, live if live & 1 else 0


def _rows(choices: Sequence[int]) -> list[list[int]]:
    rows = [[0] * VERTICES for _ in range(VERTICES)]
    for (source, target), bit in zip(EDGES, choices, strict=False):
        rows[source][target] = bit
    return rows


def _live(rows: Sequence[Sequence[int]]) -> list[int]:
    """Return the vertices that lie between the first and the last, or none."""
    n = len(rows)
    after, before = {0}, {n - 1}
    for target in range(1, n):
        if any(rows[source][target] for source in after):
            after.add(target)
    for source in range(n - 2, -1, -1):
        if any(rows[source][target] for target in before):
            before.add(source)
    live = sorted(after & before)
    return live if live and live[0] == 0 and live[-1] == n - 1 else []


def _matrix(matrix: Any, operations: Sequence[str]) -> list[list[int]]:
    """Return the rows of a well-formed adjacency matrix."""
    try:
        array = np.asarray(matrix)
    except ValueError:
        array = np.empty(0)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.dtype.kind not in "biuf":
        raise InvalidArchitectureError(f"the adjacency matrix must be square, of 0 and 1; found {matrix!r}.")
    if len(operations) != len(array):
        raise InvalidArchitectureError(f"{len(array)} vertices need as many operations, found {len(operations)}.")
    if not np.isin(array, (0, 1)).all():
        raise InvalidArchitectureError("the adjacency matrix must hold 0 and 1 only.")
    if np.tril(array).any():
        raise InvalidArchitectureError("the adjacency matrix must be upper triangular: edges lead to later vertices.")
    rows: list[list[int]] = array.astype(np.int64).tolist()
    return rows
