"""Catalogue: which architectures a table file has, and which metrics it records of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench import registry
from nasbench.errors import InvalidArchitectureError
from nasbench.metrics import COUNTS, Better, Metric
from nasbench.spaces import SearchSpace
from nasbench.tables import ColumnInfo, TableFile
from nasbench.tables.index import RowIndex
from nasbench.tables.recorded import Recorded
from nasbench.types import Architecture, Fidelity, Origin

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Catalogue:
    """What a :class:`nasbench.tables.table.Table` knows without a look at measured values.

    Args:
        path: A table file.
        dataset: The image dataset in it; the file's first by default.

    Raises:
        TableFileError: The file is no sound table.
        UnknownNameError: The file has no such image dataset, or its search space is not installed.
    """

    origin: Origin = "recorded"
    """Its source measured what it answers."""

    def __init__(self, path: str | os.PathLike[str], dataset: str | None = None) -> None:
        self.file = file = TableFile(path, dataset)
        """The file behind the table, which has the values as they are stored."""
        self.path: str = file.path
        self.dataset: str = file.dataset
        self.datasets: tuple[str, ...] = file.datasets
        """The image datasets of the file."""
        self.source: dict[str, str] = file.source
        """Name, address, licence, citation and sha256 of the raw files, and where to find what they lack."""
        self.report: dict[str, Any] = file.report
        """What the conversion found in the raw files."""
        self.name: str = f"{os.path.splitext(os.path.basename(self.path))[0]} ({self.dataset})"
        self.digest: str = file.digest
        self.space: SearchSpace = registry.find("spaces", file.space)()
        self._recorded = Recorded(file, self.name)
        self.fidelities: tuple[Fidelity, ...] = self._recorded.fidelities
        """Everything that can be asked for, from the shortest schedule to the last epoch of the longest."""
        self.metrics: tuple[str, ...] = self._recorded.metrics
        """The names of the recorded metrics."""
        self._rows = RowIndex(file, self.space, self.name)

    def __repr__(self) -> str:
        return f"<table {self.name}: {len(self):,} architectures of {self.space.name}>"

    @property
    def locator(self) -> str:
        """The path, wherever the process stands."""
        return os.path.abspath(self.path)

    def verify(self) -> int:
        """Read everything in the file, compare it with its digests, and its identities with those of the space.

        Returns:
            The number of columns, over all image datasets.

        Raises:
            TableFileError: Something was altered, an identity is not that of its row, or rows are the same.
        """
        columns = self.file.verify()
        self._rows.verify()
        return columns

    # Rows.

    @property
    def architectures(self) -> NDArray[np.uint8]:
        """All choice vectors, shape (n, decisions), in table order, read-only."""
        return self._rows.architectures

    @property
    def indexes(self) -> NDArray[np.int64] | None:
        """The official index of each row, shape (n,); None where nothing says what an index means.

        That of the benchmark, where its search space has an official order; else the row, in a complete table.
        """
        return self._rows.indexes

    def __len__(self) -> int:
        return self.file.size

    def __iter__(self) -> Iterator[Architecture]:
        return map(tuple, self.architectures.tolist())

    def __contains__(self, architecture: object) -> bool:
        try:
            self.row(architecture)  # type: ignore[arg-type]
        except InvalidArchitectureError:
            return False
        return True

    def row(self, architecture: Architecture | str | int) -> int:
        """Return the row of an architecture given as a tuple, as text, as the source's hash, or as its index.

        An index is the official one of the benchmark, :attr:`indexes`; it is the row where a table is complete and in
        the official order, and another number where it holds some architectures only.

        Raises:
            InvalidArchitectureError: It is no architecture of the space, is not in this table, the index is out of
                range, or nothing says what an index means: the space has no official order, and the table is not
                complete.
            TableFileError: The table has an architecture twice.
        """
        return self._rows.row(architecture)

    def at_row(self, row: int) -> Architecture:
        """Return the architecture in a row, 0 to n - 1, which :meth:`query` then takes.

        Raises:
            InvalidArchitectureError: There is no such row.
        """
        return self._rows.at_row(row)

    def rows(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the rows of many architectures, given as an integer array (n, decisions).

        Raises:
            InvalidArchitectureError: One of them is no architecture of the space, or is not in this table.
            TableFileError: The table has an architecture twice.
        """
        return self._rows.rows(architectures)

    def rows_of_hashes(self, hashes: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of many architectures, given as the source's MD5 hashes, 32 hexadecimal digits each.

        Raises:
            InvalidArchitectureError: The source has no hashes, or one of them is none of its architectures.
        """
        return self._rows.rows_of_hashes(hashes)

    def row_of_identity(self, identity: int) -> int:
        """Return the row with this ``SearchSpace.identity``, or -1; the first call prepares for many."""
        self._rows.prepare()
        return self._rows.row_of_identity(identity)

    # Metrics.

    def describe(self) -> dict[str, ColumnInfo]:
        """Return what the file says of each column: unit, epochs, splits. Scheduled ones are ``"metric@schedule"``."""
        return self._recorded.describe()

    def info(self, metric: str, *, schedule: int | None = None) -> ColumnInfo:
        """Return what the file says of a metric: of the longest schedule that has it, by default.

        Raises:
            NotRecordedError: There is no such metric.
        """
        return self._recorded.info(metric, schedule)

    def metric(self, name: str) -> Metric:
        """Describe a metric: name, unit, and whether more or less of it is better.

        Parameters and flops are those of the search space where the file has none.

        Raises:
            NotRecordedError: There is no such metric, or nothing says whether more of it is better.
        """
        return self._recorded.metric(name)

    def better(self, metric: str) -> Better:
        """Say whether ``"higher"`` or ``"lower"`` is better.

        Raises:
            NotRecordedError: There is no such metric, or neither its name nor its unit nor the file says it.
        """
        return self._recorded.better(metric)

    def known(self, metric: str) -> bool:
        """Say whether a metric belongs to architectures and not to trainings: it costs nothing to know."""
        return metric in self.file.columns or metric in COUNTS
