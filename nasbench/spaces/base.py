"""What every search space gets from its choice vector: identity, sampling, mutation, crossover, neighbours.

Single operations work on tuples of Python integers, because searchers call them a million times; those that end
in ``_many`` do the same on uint8 arrays of shape (n, decisions). A space whose validity is more than a
cardinality per decision overrides what differs.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.types import Architecture, Graph, RandomSource

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class SearchSpace:
    """A search space in which any combination of choices is an architecture.

    Subclasses set ``name`` and ``choices`` and write ``parse``, ``format``, ``graph`` and the two cost formulas.
    """

    name: str
    choices: tuple[int, ...]
    constrained: bool = False
    """Whether some vectors of choices are no architectures."""
    networks: str = ""
    """Where it is said how its networks are built and trained, ``"module:attribute"`` of a
    :class:`nasbench.training.recipes.Networks`: imported when one is trained. Empty where nobody says it."""
    features: str = ""
    """Where it is said what predictors see of it, ``"module:attribute"`` of a :class:`surrogates.features.Features`:
    imported when one is fitted. Empty: they see its choices, one-hot."""

    def __repr__(self) -> str:
        return f"<search space {self.name}: {len(self.choices)} decisions, {self.size:,} architectures>"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    @cached_property
    def size(self) -> int:
        """Number of choice vectors."""
        return math.prod(self.choices)

    @property
    def distinct(self) -> int:
        """Number of different identities: a table of so many rows is complete."""
        return self.size

    @cached_property
    def architectures(self) -> NDArray[np.uint8] | None:
        """All architectures by the official index of the benchmark, shape (size, decisions), read-only.

        None where the source has no such order, as here: the index of an architecture is then its row in a complete
        table.
        """
        return None

    @cached_property
    def _mutable(self) -> tuple[int, ...]:
        return tuple(i for i, cardinality in enumerate(self.choices) if cardinality > 1)

    @cached_property
    def _radix(self) -> tuple[int, ...]:
        return tuple(math.prod(self.choices[i + 1 :]) for i in range(len(self.choices)))

    # What a subclass must say.

    def parse(self, text: str) -> Architecture:
        """Return the architecture that a text names; the inverse of :meth:`format`.

        Raises:
            InvalidArchitectureError: The text names no architecture of this space.
        """
        raise NotImplementedError

    def format(self, architecture: Architecture) -> str:
        """Return the text that people read.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        raise NotImplementedError

    def graph(self, architecture: Architecture) -> Graph:
        """Return the cell as a graph with one operation a vertex."""
        raise NotImplementedError

    def parameters_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the exact numbers of trainable parameters, shape (n,)."""
        raise NotImplementedError

    def flops_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the multiply-accumulates of one forward pass of one image, shape (n,)."""
        raise NotImplementedError

    def flops_at(self, architectures: ArrayLike, *, side: int) -> NDArray[np.int64] | None:
        """Return :meth:`flops_many` for images of another side than 32 pixels, or None: here nobody knows them."""
        return self.flops_many(architectures) if side == 32 else None

    # Validity and identity.

    def is_valid(self, architecture: object) -> bool:
        """Tell whether this is a tuple of one integer per decision, each within its cardinality."""
        return (
            isinstance(architecture, tuple)
            and len(architecture) == len(self.choices)
            and all(isinstance(c, (int, np.integer)) and not isinstance(c, bool) for c in architecture)
            and all(0 <= c < k for c, k in zip(architecture, self.choices, strict=True))
        )

    def check(self, architecture: object) -> Architecture:
        """Return the architecture as a tuple of Python integers, or refuse it.

        Raises:
            InvalidArchitectureError: It is no tuple of one integer per decision within its cardinality.
        """
        if not self.is_valid(architecture):
            raise InvalidArchitectureError(
                f"{architecture!r} is no architecture of {self.name}: expected a tuple of {len(self.choices)} "
                f"integers below {self.choices}, in this order."
            )
        return tuple(int(c) for c in architecture)  # type: ignore[attr-defined]

    def validated(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Return many architectures as a uint8 array (n, decisions).

        Raises:
            InvalidArchitectureError: The shape is not (n, decisions), the numbers are not whole, or one of them
                is out of range; the message names the first row at fault.
        """
        try:
            array: NDArray[Any] = np.asarray(architectures)
        except ValueError as error:
            raise InvalidArchitectureError(f"cannot make an array of architectures of {self.name}: {error}.") from None
        d = len(self.choices)
        if array.size == 0 and array.ndim <= 2:
            return np.empty((0, d), np.uint8)
        if array.ndim != 2 or array.shape[1] != d or array.dtype.kind not in "iu":
            raise InvalidArchitectureError(
                f"architectures of {self.name} must be an integer array of shape (n, {d}); "
                f"got {array.dtype} of shape {array.shape}."
            )
        if array.dtype == np.uint8 and len(set(self.choices)) == 1:
            bad = array.max() >= self.choices[0]
        else:
            bad = ((array < 0) | (array >= np.array(self.choices))).any()
        if bad:
            row = int(np.argmax(((array < 0) | (array >= np.array(self.choices))).any(axis=1)))
            raise InvalidArchitectureError(
                f"row {row}, {tuple(array[row].tolist())}, is no architecture of {self.name}: "
                f"choices must be below {self.choices}."
            )
        return array.astype(np.uint8, copy=False)

    def codes(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the position of each choice vector in lexicographic order, shape (n,): its exact identity."""
        array = self.validated(architectures)
        code: NDArray[Any] = np.zeros(len(array), np.int64 if self.size > 2**31 else np.int32)
        for column, cardinality in zip(array.T, self.choices, strict=True):
            code *= cardinality
            code += column
        return code.astype(np.int64, copy=False)

    def decode(self, codes: ArrayLike) -> NDArray[np.uint8]:
        """Return the choice vectors at these positions of lexicographic order; the inverse of :meth:`codes`.

        Raises:
            InvalidArchitectureError: A code is not in [0, size).
        """
        array = np.asarray(codes, np.int64)
        if array.size and (array.min() < 0 or array.max() >= self.size):
            raise InvalidArchitectureError(f"codes of {self.name} lie in [0, {self.size}).")
        return np.asarray(array[..., None] // np.array(self._radix) % np.array(self.choices), np.uint8)

    def key_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return integers that are equal for architectures that are the same network, shape (n,).

        Here every choice vector is its own network; spaces with symmetries override this.
        """
        return self.codes(architectures)

    def identity_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return integers that are equal for architectures that share one row of a table, shape (n,).

        Here that is the exact choice vector, since most sources trained every one of them by itself; a space whose
        source trained one representative of each network overrides this with :meth:`key_many`.
        """
        return self.codes(architectures)

    def identity(self, architecture: Architecture) -> int:
        """Return an integer that is equal for architectures that share one row of a table."""
        return int(self.identity_many([self.check(architecture)])[0])

    def key(self, architecture: Architecture) -> int:
        """Return an integer that is equal for architectures that are the same network."""
        return int(self.key_many([self.check(architecture)])[0])

    def parameters(self, architecture: Architecture) -> int:
        """Return the exact number of trainable parameters."""
        return int(self.parameters_many([self.check(architecture)])[0])

    def flops(self, architecture: Architecture) -> int:
        """Return the multiply-accumulates of one forward pass of one image."""
        return int(self.flops_many([self.check(architecture)])[0])

    # Moves, one at a time: `rng` is a numpy Generator or a nasbench.randomness.Uniforms.

    def sample(self, rng: RandomSource) -> Architecture:
        """Draw an architecture uniformly."""
        random = rng.random
        return tuple([int(random() * k) for k in self.choices])

    def mutate(self, architecture: Architecture, rng: RandomSource) -> Architecture:
        """Change one decision, chosen uniformly, to another value, chosen uniformly; never a copy."""
        position = self._mutable[int(rng.random() * len(self._mutable))]
        old = architecture[position]
        new = int(rng.random() * (self.choices[position] - 1))
        return (*architecture[:position], new + (new >= old), *architecture[position + 1 :])

    def crossover(self, first: Architecture, second: Architecture, rng: RandomSource) -> Architecture:
        """Return ``first`` with one contiguous stretch of ``second``: two-point crossover.

        The two cuts are drawn uniformly from the ``decisions + 1`` places, so the stretch may be empty or whole.

        Args:
            first: One parent.
            second: The other.
            rng: Draws the cuts.
        """
        places = len(self.choices) + 1
        a, b = int(rng.random() * places), int(rng.random() * places)
        if a > b:
            a, b = b, a
        return first[:a] + second[a:b] + first[b:]

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """Return all architectures that differ in exactly one decision, by decision and value."""
        return [
            (*architecture[:i], value, *architecture[i + 1 :])
            for i, cardinality in enumerate(self.choices)
            for value in range(cardinality)
            if value != architecture[i]
        ]

    # The same moves in bulk.

    def sample_many(self, n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Draw n architectures uniformly, shape (n, decisions)."""
        return rng.integers(0, self.choices, size=(n, len(self.choices)), dtype=np.uint8)

    def mutate_many(self, architectures: ArrayLike, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Mutate each row as :meth:`mutate` does."""
        array = self.validated(architectures).copy()
        rows = np.arange(len(array))
        position = rng.choice(np.array(self._mutable), size=len(array))
        new = rng.integers(0, np.array(self.choices)[position] - 1, dtype=np.int64)
        array[rows, position] = new + (new >= array[rows, position])
        return array

    def crossover_many(self, first: ArrayLike, second: ArrayLike, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Cross each row of ``first`` with the same row of ``second`` as :meth:`crossover` does.

        Args:
            first: Parents, shape (n, decisions).
            second: As many others.
            rng: Draws the cuts.

        Raises:
            InvalidArchitectureError: The two have different lengths.
        """
        a, b = self.validated(first), self.validated(second)
        if len(a) != len(b):
            raise InvalidArchitectureError(f"cannot cross {len(a)} with {len(b)} architectures, row by row.")
        cuts = np.sort(rng.integers(0, len(self.choices) + 1, size=(len(a), 2)), axis=1)
        places = np.arange(len(self.choices))
        inside = (places >= cuts[:, :1]) & (places < cuts[:, 1:])
        return np.where(inside, b, a)

    def neighbors_many(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Return the neighbours of each row in the order of :meth:`neighbors`, shape (n, neighbours, decisions)."""
        array = self.validated(architectures)
        position = np.repeat(np.arange(len(self.choices)), np.array(self.choices) - 1)
        step = np.concatenate([np.arange(k - 1) for k in self.choices])
        result = np.repeat(array[:, None, :], len(position), axis=1)
        old = array[:, position]
        result[:, np.arange(len(position)), position] = step + (step >= old)
        return result
