"""The rows of a NAS-Bench-101 table as the dictionaries of the original: built when they are asked for, never kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError, TableFileError
from nasbench.spaces import graph
from nasbench.spaces.nb101 import NB101, OPERATIONS
from nasbench.spaces.nb101.hash import LABELS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from nasbench.tables import ColumnInfo
    from nasbench.tables.table import Table

METRICS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
_HALFWAY = [f"halfway_{metric}" for metric in METRICS]
_FINAL = [f"final_{metric}" for metric in METRICS]
_VALIDATION = METRICS.index("validation_accuracy")
_COUNTED = METRICS[1:]
_NAN = float("nan")
_HASH = re.compile("[0-9a-f]{32}")
_BLOCK = 4096
# The labels of _graph: those of the original are indexes of operations, -1 for the input and -2 for the output.
_OURS = {official: ours for ours, official in enumerate(LABELS) if ours}
_INPUT, _OUTPUT = _OURS[-1], _OURS[-2]
_LABEL = {operation: _OURS[i] for i, operation in enumerate(OPERATIONS)}

_Column = Callable[[int, int], float]
"""From row and run to a value: a fraction where it is a count, nan where it is missing."""


class Records:
    """A table of NAS-Bench-101 seen as the original sees its file.

    Columns are read when they are first needed, and kept as they are stored.

    Args:
        table: The table.

    Raises:
        TableFileError: It is of another search space, or its schedules lack what the original answers.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        self._file = table.file
        self._space = NB101()
        self._read: dict[tuple[int, int], list[_Column]] = {}
        self._runs: dict[int, range] = {}
        if table.space.name != NB101.name:
            raise TableFileError(
                f"{table.path}: a table of the search space {table.space.name}, but nasbench.api answers for "
                f"{NB101.name} only, NAS-Bench-101. Open it with nasbench.load."
            )
        for schedule, infos in self._file.schedules.items():
            self._check(schedule, infos)
            self._runs[schedule] = range(max(infos[metric].shape[-1] for metric in METRICS))

    @property
    def schedules(self) -> tuple[int, ...]:
        """The lengths of the recorded schedules in epochs, rising."""
        return tuple(self._file.schedules)

    def row(self, matrix: ArrayLike, ops: Sequence[str]) -> int:
        """Return the row of a pruned cell in any of its forms, -1 if the table has none."""
        before = []
        for vertex, column in enumerate(np.asarray(matrix).T.tolist()):
            mask = 0
            for source, entry in enumerate(column):
                if entry:
                    if entry != 1 or source >= vertex:  # changed since a ModelSpec pruned it
                        return -1
                    mask |= 1 << source
            before.append(mask)
        labels = [_INPUT, *[_LABEL[op] for op in ops[1:-1]], _OUTPUT]
        return self.table.row_of_identity(graph.key(before, labels))

    def row_of_hash(self, module_hash: object) -> int:
        """Return the row of an official hash.

        Raises:
            KeyError: No cell of the table has it.
        """
        row = self._row_of_hash(module_hash)
        if row < 0:
            raise KeyError(f"{module_hash}: no cell of {self.table.name} has this hash.")
        return row

    def __contains__(self, module_hash: object) -> bool:
        return self._row_of_hash(module_hash) >= 0

    def _row_of_hash(self, module_hash: object) -> int:
        if not isinstance(module_hash, str) or not _HASH.fullmatch(module_hash):
            return -1
        try:
            return int(self.table.rows_of_hashes([module_hash])[0])
        except InvalidArchitectureError:
            self._hashes()
            return -1

    def hashes(self) -> Iterator[str]:
        """Yield the official hashes, row after row."""
        hashes = self._hashes()
        for start in range(0, len(hashes), _BLOCK):
            text = hashes[start : start + _BLOCK].tobytes().hex()
            yield from [text[i : i + 32] for i in range(0, len(text), 32)]

    def fixed(self, row: int) -> dict[str, Any]:
        """Return what does not depend on training; the cell in the form in which the source stores it."""
        matrix, operations = self._space.cell(tuple(self.table.architectures[row].tolist()))
        return {
            "module_adjacency": matrix,
            "module_operations": operations,
            "trainable_parameters": self._parameters(row),
        }

    def computed(self, row: int) -> dict[int, list[dict[str, float]]]:
        """Return all recorded trainings: by schedule, in the order of the source, half-way and final."""
        return {
            schedule: [
                dict(zip(_HALFWAY, self.result(row, schedule, run, half=True), strict=True))
                | dict(zip(_FINAL, self.result(row, schedule, run), strict=True))
                for run in runs
            ]
            for schedule in self.schedules
            if (runs := self.runs(row, schedule))
        }

    def runs(self, row: int, schedule: int) -> list[int]:
        """Return the recorded runs of a schedule."""
        validation_accuracy = self._columns(schedule, schedule)[_VALIDATION]
        return [run for run in self._runs[schedule] if validation_accuracy(row, run) >= 0]

    def result(self, row: int, schedule: int, run: int, *, half: bool = False) -> list[float]:
        """Return the values of METRICS of one training, at its end or half-way."""
        return [value(row, run) for value in self._columns(schedule, schedule // 2 if half else schedule)]

    def _columns(self, schedule: int, epoch: int) -> list[_Column]:
        try:
            return self._read[schedule, epoch]
        except KeyError:
            infos = self._file.schedules[schedule]
            columns = [_column(self._file.read(infos[metric], epoch), infos[metric].images) for metric in METRICS]
            self._read[schedule, epoch] = columns
            return columns

    @cached_property
    def _parameters(self) -> Callable[[int], int]:
        values: Callable[[int], int] = self.table.column("parameters").item
        return values

    def _hashes(self) -> NDArray[np.uint8]:
        hashes = self._file.hashes()
        if hashes is None:
            raise TableFileError(f"{self.table.path}: has no official hashes. Make it anew with `nasbench convert`.")
        return hashes

    def _check(self, schedule: int, infos: Mapping[str, ColumnInfo]) -> None:
        for metric in METRICS:
            info = infos.get(metric)
            if info is None or info.epochs != (schedule // 2, schedule) or (metric in _COUNTED and info.images is None):
                unit = "images" if metric in _COUNTED else "seconds"
                found = "nothing" if info is None else f"{info.unit} at epochs {info.epochs}"
                raise TableFileError(
                    f"{self.table.path}: nasbench.api needs {metric} of schedule {schedule} in {unit} at epochs "
                    f"{schedule // 2, schedule}, found {found}. Open such a table (EC-NAS is one) with nasbench.load."
                )


class Statistics(Mapping[str, Any]):
    """A read-only dictionary from official hash to what is built of its row, anew whenever it is asked for.

    Args:
        records: The table.
        build: Makes the value of a row.
    """

    def __init__(self, records: Records, build: Callable[[int], Any]) -> None:
        self._records, self._build = records, build

    def __getitem__(self, module_hash: str) -> Any:
        return self._build(self._records.row_of_hash(module_hash))

    def __contains__(self, module_hash: object) -> bool:
        return module_hash in self._records

    def __iter__(self) -> Iterator[str]:
        return self._records.hashes()

    def __len__(self) -> int:
        return len(self._records.table)

    def __repr__(self) -> str:
        return f"<{len(self):,} entries of {self._records.table.name} by official hash>"


def _column(values: NDArray[Any], images: int | None) -> _Column:
    item, last = values.item, values.shape[1] - 1
    if images is None:
        return lambda row, run: item(row, min(run, last))
    fractions = _fractions(images)

    def fraction(row: int, run: int) -> float:
        count = item(row, min(run, last))
        return fractions[count] if count <= images else _NAN

    return fraction


@cache
def _fractions(images: int) -> list[float]:
    """Return all fractions of so many images as the official files hold them: rounded to single precision."""
    fractions: list[float] = (np.arange(images + 1) / images).astype(np.float32).tolist()
    return fractions
