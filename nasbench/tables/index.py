"""Where in a table an architecture is: by its choices, its text, the source's hash, its identity or official index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from nasbench.errors import InvalidArchitectureError, TableFileError
from nasbench.spaces import SearchSpace
from nasbench.tables import TableFile
from nasbench.types import Architecture

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_LARGEST_DENSE_INDEX = 2**22
# An index of all rows takes as long as some hundred single look-ups: a script that asks once should not pay for it.
_WORTH_AN_INDEX = 64
_MOST_KNOWN = 2**20


class RowIndex:
    """The rows of a table file; what it needs of the file is read when it is first needed.

    Args:
        file: The table file.
        space: Its search space.
        name: Of the table, for messages.
    """

    def __init__(self, file: TableFile, space: SearchSpace, name: str) -> None:
        self._file, self._space, self._name = file, space, name
        self.known: dict[Architecture | str, int] = {}
        """Rows that were asked for: a search asks for the same ones again and again."""

    def __len__(self) -> int:
        return self._file.size

    @cached_property
    def architectures(self) -> NDArray[np.uint8]:
        """All choice vectors, shape (n, decisions), read-only."""
        array = self._file.architectures()
        try:
            # That each is within its choices; whether they make a valid architecture takes longer than it is worth.
            return SearchSpace.validated(self._space, array)
        except InvalidArchitectureError as error:
            raise TableFileError(f"{self._file.path}: at /architectures: {error}") from None

    @cached_property
    def identities(self) -> NDArray[np.int64]:
        """The identity of each row, shape (n,)."""
        stored = self._file.identities()
        return self._space.identity_many(self.architectures) if stored is None else stored

    # One architecture.

    def row(self, architecture: Architecture | str | int) -> int:
        """Return the row of an architecture: see :meth:`nasbench.tables.table.Table.row`."""
        if isinstance(architecture, str) and len(architecture) == 32 and self.hashes is not None:
            found = self._row_of_hash(architecture)
        elif isinstance(architecture, str):
            parsed = self._space.parse(architecture)
            known = self.known.get(parsed)
            found = self.row(parsed) if known is None else known
        elif isinstance(architecture, (int, np.integer)) and not isinstance(architecture, bool):
            return self._row_at_index(int(architecture))
        else:
            architecture = self._space.check(
                tuple(architecture) if isinstance(architecture, (list, np.ndarray)) else architecture
            )
            if architecture not in self.known and len(self.known) >= _WORTH_AN_INDEX:
                self._learn_rows()
            if architecture in self.known:
                return self.known[architecture]
            found = self.row_of_identity(self._space.identity(architecture))
            if found < 0:
                raise InvalidArchitectureError(f"{self._space.format(architecture)} is not in {self._name}.")
        if len(self.known) < _MOST_KNOWN:
            self.known[architecture] = found
        return found

    def row_of_identity(self, identity: int) -> int:
        """Return one row, -1 if there is none: by a look at all identities, as long as there is no index."""
        if "_index" in vars(self) or self._space.size <= _LARGEST_DENSE_INDEX:
            known, rows = self._index
            if known is None:
                return int(rows.item(identity))
            place = int(known.searchsorted(np.int64(identity)))
            return int(rows.item(place)) if place < len(known) and known.item(place) == identity else -1
        matches = np.flatnonzero(self.identities == identity)
        if len(matches) > 1:
            self._refuse_twice(matches)
        return int(matches[0]) if len(matches) else -1

    def prepare(self) -> None:
        """Make the index, for who is going to ask for many identities."""
        _ = self._index

    def _learn_rows(self) -> None:
        """Prepare for many single look-ups: as a map where that is small, else as an index."""
        if len(self) <= 2**16:
            _ = self._index  # no architecture is there twice
            self.known.update(zip(map(tuple, self.architectures.tolist()), range(len(self)), strict=True))
        else:
            _ = self._index

    # Many architectures.

    def rows(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the rows of many architectures: see :meth:`nasbench.tables.table.Table.rows`."""
        identities = self._space.identity_many(architectures)
        found = self._indexed(identities)
        if found.size and found.min() < 0:
            first = tuple(np.asarray(architectures)[int(np.argmin(found))].tolist())
            raise InvalidArchitectureError(f"{self._space.format(first)} is not in {self._name}.")
        return found

    def _indexed(self, identities: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of many identities, -1 where there is none."""
        known, rows = self._index
        if known is None:
            return rows[identities]
        place = np.minimum(np.searchsorted(known, identities), len(known) - 1)
        return np.where(known[place] == identities, rows[place], -1)

    @cached_property
    def _index(self) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
        """Rows by identity: a dense array where the space is small, else sorted identities beside their rows."""
        identities = self.identities
        if self._space.size <= _LARGEST_DENSE_INDEX:
            dense = np.full(self._space.size, -1)
            if len(identities) and not 0 <= identities.min() <= identities.max() < len(dense):
                raise TableFileError(
                    f"{self._file.path}: at /identities: expected numbers from 0 to {len(dense) - 1}, found others."
                )
            dense[identities] = np.arange(len(self))
            twice = np.flatnonzero(dense[identities] != np.arange(len(self)))
            if len(twice):
                self._refuse_twice([twice[0], dense[identities[twice[0]]]])
            return None, dense
        order = np.argsort(identities)
        ordered = identities[order]
        twice = np.flatnonzero(ordered[1:] == ordered[:-1])
        if len(twice):
            self._refuse_twice(sorted(order[twice[0] : twice[0] + 2]))
        return ordered, order

    def _refuse_twice(self, rows: Sequence[Any] | NDArray[Any]) -> NoReturn:
        raise TableFileError(
            f"{self._file.path}: at /architectures: expected every architecture once, but rows {rows[0]} and {rows[1]} "
            "are the same one. Make the table again with `nasbench convert`."
        )

    # Official indexes.

    @cached_property
    def indexes(self) -> NDArray[np.int64] | None:
        """The index of each row, shape (n,): see :attr:`nasbench.tables.table.Table.indexes`."""
        rows = self._row_of_index
        if rows is None:
            return None
        indexes = np.full(len(self), -1)
        there = np.flatnonzero(rows >= 0)
        indexes[rows[there]] = there
        return indexes

    @cached_property
    def _row_of_index(self) -> NDArray[np.int64] | None:
        """The row of each index, -1 where the table lacks it; None where nothing says what an index means."""
        official = self._space.architectures
        if official is not None:
            if np.array_equal(official, self.architectures):
                return np.arange(len(self))
            return self._indexed(self._space.identity_many(official))
        return np.arange(len(self)) if len(self) == self._space.distinct else None

    def _row_at_index(self, index: int) -> int:
        rows = self._row_of_index
        if rows is None:
            raise InvalidArchitectureError(
                f"{self._name} has no index {index}: {self._space.name} has no official order, and of its "
                f"{self._space.distinct:,} architectures {len(self):,} are here. "
                "Give the text of an architecture, or its row."
            )
        if not 0 <= index < len(rows):
            raise InvalidArchitectureError(f"index {index} is outside of {self._name}: 0 to {len(rows) - 1}.")
        if rows[index] < 0:
            official = self._space.architectures
            assert official is not None
            text = self._space.format(tuple(official[index].tolist()))
            raise InvalidArchitectureError(
                f"architecture {index}, {text}, is not in {self._name}, which has {len(self):,} of {len(rows):,}."
            )
        return int(rows[index])

    # Hashes.

    def rows_of_hashes(self, hashes: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of many hashes: see :meth:`nasbench.tables.table.Table.rows_of_hashes`."""
        if self.hashes is None:
            raise InvalidArchitectureError(f"{self._name} has no hashes: its source names architectures otherwise.")
        try:
            asked = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), 16)
        except ValueError:
            raise InvalidArchitectureError("a hash must have 32 hexadecimal digits.") from None
        order, prefixes = self._hash_order
        place = np.minimum(np.searchsorted(prefixes, _prefix(asked)), len(self) - 1)
        found = order[place]
        wrong = (self.hashes[found] != asked).any(axis=1)
        if wrong.any():
            raise InvalidArchitectureError(f"{hashes[int(np.argmax(wrong))]!r} is the hash of nothing in {self._name}.")
        return found

    def _row_of_hash(self, text: str) -> int:
        """Return what :meth:`rows_of_hashes` does for one, without the cost of arrays."""
        assert self.hashes is not None
        order, prefixes = self._hash_order
        try:
            place = int(prefixes.searchsorted(np.uint64(int(text[:16], 16))))
        except (ValueError, OverflowError):  # no number, or a negative one
            place = len(self)
        if place < len(self):
            row: int = order.item(place)
            if self.hashes[row].tobytes().hex() == text:
                return row
        return int(self.rows_of_hashes([text])[0])  # which says what is wrong with it

    @cached_property
    def hashes(self) -> NDArray[np.uint8] | None:
        """The source's hash of each row, shape (n, 16), or None."""
        return self._file.hashes()

    @cached_property
    def _hash_order(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Rows by hash, beside the first eight bytes of each, which tell hashes apart."""
        assert self.hashes is not None
        prefixes = _prefix(self.hashes)
        if (prefixes[1:] >= prefixes[:-1]).all():  # our converter sorts them
            return np.arange(len(prefixes)), prefixes
        order = np.argsort(prefixes, kind="stable")
        return order, prefixes[order]


def _prefix(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first eight bytes of each hash as a number that sorts as they do."""
    return np.ascontiguousarray(hashes[:, :8]).view(">u8").ravel().astype(np.uint64)
