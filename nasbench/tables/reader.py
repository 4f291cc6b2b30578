"""Table files, opened and read column by column or row by row, each value held against its digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from nasbench.errors import NasbenchError, TableFileError
from nasbench.tables.content import BLOCK_ROWS, Column, DatasetContent, TableContent, missing_value
from nasbench.tables.description import ColumnInfo, Description, form
from nasbench.tables.groups import compare_digests, refuse, sha256_of
from nasbench.tables.hdf5 import open_file, which_file
from nasbench.tables.hdf5_values import Extent, StorageError, Stored, apart, extents, read, stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOSS = "cross-entropy"
_NOT_NEGATIVE = ("training_time", "latency", "parameters", "flops")


class TableFile:
    """A table file, opened and its description verified; columns are read, and verified, one by one.

    No handle stays open, so the object may be pickled, shared by threads and carried through fork. A file that was
    replaced since is noticed, and read on only if it says the same of itself, with the same digest.

    Args:
        path: The file.
        dataset: The image dataset to open; the file's first by default.

    Raises:
        TableFileError: The file is missing, no HDF5, truncated, no table, of a newer version, altered, or a dataset
            in it is missing or misshapen. The message names file, place, found and expected.
        UnknownNameError: The file has no such image dataset.
    """

    def __init__(self, path: str | os.PathLike[str], dataset: str | None = None) -> None:
        self.path = os.fspath(path)
        self._said: Description
        self._which: tuple[int, ...] | None = None
        self._verified: set[tuple[str, int]] = set()
        with self._opened(dataset):
            pass
        said = self._said
        self.digest: str = said.digest
        self.version: int = said.version
        self.space: str = said.space
        self.datasets: tuple[str, ...] = said.datasets
        self.dataset: str = said.dataset
        self.source: dict[str, str] = said.source
        self.report: dict[str, Any] = said.report
        self.size: int = said.size
        self.columns: dict[str, ColumnInfo] = said.columns
        self.schedules: dict[int, dict[str, ColumnInfo]] = said.schedules

    def architectures(self) -> NDArray[np.uint8]:
        """Read the choice vectors, shape (n, decisions), in table order."""
        return self.read(self._said.architectures)

    def identities(self) -> NDArray[np.int64] | None:
        """Read the identities of the rows, shape (n,), or None where the file leaves them to the search space."""
        return None if self._said.identities is None else self.read(self._said.identities)

    def hashes(self) -> NDArray[np.uint8] | None:
        """Read the source's hashes of the rows, shape (n, 16), or None where it has none."""
        return None if self._said.hashes is None else self.read(self._said.hashes)

    def read(self, info: ColumnInfo, epoch: int | None = None) -> NDArray[Any]:
        """Read one column: as it is stored, shape (n,), or at one epoch of a schedule, shape (n, runs).

        Raises:
            TableFileError: The file is gone or replaced, cannot be read, or its content is not what its digest says.
        """
        with self._opened() as file:
            values = self._step(file, info, 0 if epoch is None else info.step(epoch))
        return _up_to(info, epoch, values)

    def read_all(self, info: ColumnInfo) -> NDArray[Any]:
        """Read one column as it is stored, shape (n,) or (n, epochs, runs), with one look at the file.

        Raises:
            TableFileError: As for :meth:`read`.
        """
        with self._opened() as file:
            return self._whole(file, info).values

    def read_row(self, places: Sequence[tuple[ColumnInfo, int | None]], row: int) -> list[NDArray[Any]]:
        """Read one row of several columns: shape (1,), or (1, runs) at an epoch.

        That is fast in a large file: what is read, and held against its digest, is a block of 16,384 rows. Where an
        older file has no digests of blocks, a column is verified as a whole when it is first touched.

        Raises:
            TableFileError: As for :meth:`read`.
        """
        with self._opened() as file:
            known: dict[str, tuple[h5py.Dataset, Stored]] = {}
            found = []
            for info, epoch in places:
                if info.place not in known:
                    node = self._node(file, info)
                    known[info.place] = node, stored(node)
                values = self._block(file, info, 0 if epoch is None else info.step(epoch), row, *known[info.place])
                found.append(_up_to(info, epoch, values))
            return found

    def verify(self) -> int:
        """Read everything in the file and compare it with the digests and the rules of the format.

        Returns:
            The number of columns, over all image datasets.

        Raises:
            TableFileError: As for opening and reading, an architecture is there twice, or values share bytes.
        """
        said = self._said
        with self._opened() as file:
            infos = [info for info in (said.architectures, said.identities, said.hashes) if info is not None]
            for dataset in self.datasets:
                other = Description(self.path, file, dataset)
                infos += [*other.columns.values(), *(i for s in other.schedules.values() for i in s.values())]
            self._check_apart(file, infos)
            for info in infos:
                for step in range(len(info.digests)):
                    self._step(file, info, step)
        self._check_distinct()
        return len(infos)

    def _check_apart(self, file: h5py.File, infos: Sequence[ColumnInfo]) -> None:
        """Refuse columns that share bytes: a small file would count as a large one."""
        places: list[Extent] = []
        for info in infos:
            places += extents(stored(self._node(file, info)))
        apart(places)

    def _check_distinct(self) -> None:
        identities, rows = self.identities(), self.architectures()
        if identities is None and rows.shape[1]:
            identities = np.ascontiguousarray(rows).view(f"V{rows.shape[1]}").ravel()
        if identities is not None and len(np.unique(identities)) < self.size:
            place = "/architectures" if self._said.identities is None else "/identities"
            refuse(self.path, place, "every architecture once", "one that is there twice")

    @contextmanager
    def _opened(self, dataset: str | None = None) -> Iterator[h5py.File]:
        """Open the file, the same as before; the one place where HDF5's errors become ours."""
        if not os.path.isfile(self.path):
            there = "is no file that can hold a table" if os.path.exists(self.path) else "no such file"
            raise TableFileError(f"{self.path}: {there}.")
        try:
            with open_file(self.path) as file:
                which = which_file(file)
                if which != self._which:
                    self._describe(file, dataset)
                    self._which = which
                yield file
        except NasbenchError:
            raise
        except StorageError as error:
            raise TableFileError(f"{self.path}: at {error}.") from None
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError, OverflowError) as error:
            raise TableFileError(
                f"{self.path}: not a readable HDF5 file (not HDF5, truncated or damaged): {_short(error)}. "
                "Expected a nasbench table; make it again with `nasbench convert`, or copy it again."
            ) from None

    def _describe(self, file: h5py.File, dataset: str | None) -> None:
        """Read what the file says; if that was known already, another file has taken its place: compare the two."""
        before = None if self._which is None else self._said
        said = Description(self.path, file, dataset if before is None else before.dataset)
        if before is not None and said.digest != before.digest:
            raise TableFileError(
                f"{self.path}: expected the table that was there when the file was opened, with digest "
                f"{before.digest[:16]}…, found another with {said.digest[:16]}…. Open it again."
            )
        self._said = said
        self._verified.clear()

    def _step(self, file: h5py.File, info: ColumnInfo, step: int, how: Stored | None = None) -> NDArray[Any]:
        """Read what is stored of one step of the second axis, or all where there are no epochs."""
        node = self._node(file, info)
        values = _rows(node, info, step, (0, self.size), how)
        place = _place(info, step)
        compare_digests(self.path, place, info.digests[step], sha256_of(values))
        return self._sound(info, place, values)

    def _block(
        self, file: h5py.File, info: ColumnInfo, step: int, row: int, node: h5py.Dataset, how: Stored
    ) -> NDArray[Any]:
        """Read one row of one step, with all rows that its digest is of."""
        if len(info.shape) < 1 or (not info.blocks and self.size <= BLOCK_ROWS):
            return self._step(file, info, step, how)[row : row + 1]
        if not info.blocks:
            if (info.place, step) not in self._verified:
                self._step(file, info, step, how)
                self._verified.add((info.place, step))
            return _rows(node, info, step, (row, row + 1), how)
        number = row // BLOCK_ROWS
        start = number * BLOCK_ROWS
        values = _rows(node, info, step, (start, min(start + BLOCK_ROWS, self.size)), how)
        place = f"{_place(info, step)}, rows {start} to {start + len(values) - 1}"
        digest = info.blocks[step * -(-self.size // BLOCK_ROWS) + number]
        compare_digests(self.path, place, digest, sha256_of(values))
        return self._sound(info, place, values)[row - start : row - start + 1]

    def _sound(self, info: ColumnInfo, place: str, values: NDArray[Any]) -> NDArray[Any]:
        """Refuse values that cannot be: the right digest of a wrong value helps nobody."""
        # The loss of a training that diverged is measured to be infinite; nothing else can be.
        infinite = np.isneginf if info.unit == _LOSS else np.isinf
        if values.dtype.kind == "f" and infinite(values).any():
            refuse(self.path, place, "finite numbers, or nan", "infinity")
        if info.images is not None and np.any((values > info.images) & (values != missing_value(info.dtype))):
            refuse(self.path, place, f"at most {info.images} images", str(values.max()))
        least_is_zero = info.images is not None or info.place.rsplit("/", 1)[-1] in _NOT_NEGATIVE
        if least_is_zero and values.dtype.kind == "f" and np.any(values < 0):
            refuse(self.path, place, "no negative number", str(np.nanmin(values)))
        values.flags.writeable = False
        return values

    def _node(self, file: h5py.File, info: ColumnInfo) -> h5py.Dataset:
        node = file.get(info.place)
        if not isinstance(node, h5py.Dataset) or node.shape != info.shape or node.dtype != info.dtype:
            refuse(
                self.path, info.place, f"the column that was there when the file was opened, {form(info)}", "another"
            )
        return node

    def _whole(self, file: h5py.File, info: ColumnInfo) -> Column:
        how = stored(self._node(file, info))
        parts = [self._step(file, info, step, how) for step in range(len(info.digests))]
        values = np.stack(parts, axis=1) if info.epochs else parts[0]
        return Column(
            values,
            info.unit,
            info.epochs,
            info.images,
            info.trained_on,
            info.evaluated_on,
            info.per_epoch,
            info.better,
        )


def read_content(path: str | os.PathLike[str]) -> TableContent:
    """Read a whole table file back, verified: :func:`nasbench.tables.write` makes a file of the same digest from it.

    Raises:
        TableFileError: As for :class:`TableFile`, or the file was replaced while it was read.
    """
    first = TableFile(path)
    datasets = {}
    with first._opened() as file:
        for name in first.datasets:
            said = Description(first.path, file, name)
            columns = {metric: first._whole(file, info) for metric, info in said.columns.items()}
            schedules = {
                schedule: {metric: first._whole(file, info) for metric, info in infos.items()}
                for schedule, infos in said.schedules.items()
            }
            datasets[name] = DatasetContent(columns, schedules)
    return TableContent(
        first.space,
        first.architectures(),
        datasets,
        first.source,
        first.report,
        first.identities(),
        first.hashes(),
    )


def _rows(node: h5py.Dataset, info: ColumnInfo, step: int, rows: tuple[int, int], how: Stored | None) -> NDArray[Any]:
    """Read some rows of one step as they are stored: shape (rows,), (rows, decisions) or (rows, runs)."""
    if not info.epochs:
        return read(node, [rows, *((0, n) for n in info.shape[1:])], how)
    return read(node, [rows, (step, step + 1), (0, info.shape[2])], how)[:, 0]


def _place(info: ColumnInfo, step: int) -> str:
    return f"{info.place}, epoch {info.epochs[step]}" if info.epochs and not info.per_epoch else info.place


def _up_to(info: ColumnInfo, epoch: int | None, values: NDArray[Any]) -> NDArray[Any]:
    """Return the values at an epoch of those that are stored for it."""
    return values * epoch if info.per_epoch and epoch is not None else values


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
