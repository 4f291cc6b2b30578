"""The records of a NAS-Bench-101 or EC-NAS TFRecord file: each read and checked, together given as arrays.

A record is one training, as a JSON list: the cell's official hash, the epochs of the schedule, the adjacency matrix as
digits, the operations, and a base64 text of the protocol buffer ``ModelMetrics`` (nasbench/api.py of
https://github.com/google-research/nasbench).
"""

from __future__ import annotations

import binascii
import json
import math
import sys
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from nasbench.convert._model_metrics import ACCURACIES, OTHERS, Metrics, MetricsReader
from nasbench.convert._tfrecord import Block
from nasbench.errors import ConversionError
from nasbench.spaces.nb101 import NB101

SCHEDULES = (4, 12, 36, 108)
IMAGES = 9_984
"""Of 10,000 images in batches of 256 the last, incomplete batch is dropped (nasbench/lib/evaluate.py)."""

_EVALUATIONS = ("middle", "last")
_LARGEST_COUNT = np.iinfo(np.uint32).max


class Records(NamedTuple):
    """Trainings in file order, as arrays over them."""

    cell: NDArray[np.int32]
    """Number of the cell, in the order in which the file first has them."""
    schedule: NDArray[np.uint8]
    parameters: NDArray[np.uint32]
    """As the file claims, or the largest value if it claims more than that."""
    checksum: NDArray[np.uint32]
    """That of the payload: records that are alike have the same."""
    counts: NDArray[np.uint16]
    """Correctly classified images, shape (n, 2 evaluations, 3 accuracies)."""
    others: NDArray[np.floating[Any]]
    """Seconds, and for EC-NAS kWh and g, shape (n, 2 evaluations, 1 or 3)."""


def smallest(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the values in single precision where that loses nothing."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    return single if np.array_equal(single, values, equal_nan=True) else values


_Cell = tuple[str, str, str]
"""Official hash, adjacency matrix as digits, operations joined by commas: a plain tuple, for there are many."""


class Reader:
    """Collects records block by block, and refuses the first that is wrong.

    Args:
        path: The file, for messages.
        space: The search space of its cells.
    """

    def __init__(self, path: str, space: NB101) -> None:
        self._path = path
        self._space = space
        self._cells: dict[_Cell, int] = {}
        self._architectures: list[NDArray[np.uint8]] = []
        self._blocks: list[Records] = []
        self._metrics = MetricsReader()
        self._energy: bool | None = None

    def add(self, block: Block) -> None:
        """Read and check the records of a block.

        Raises:
            ConversionError: One is not of the format, has a hash that is not its cell's, an accuracy that is no whole
                count of images, or a time, energy or mass that is negative or not finite.
        """
        records, first_seen = [], []
        for n, payload in enumerate(block.payloads):
            try:
                record = self._parse(payload)
            except ValueError as problem:
                self._refuse(block, n, f"{problem}.")
            if self._energy is None:
                self._energy = record.energy
            elif self._energy != record.energy:
                there = "energy, as in EC-NAS" if record.energy else "no energy, as in NAS-Bench-101"
                self._refuse(block, n, f"it has {there}, unlike those before it.")
            if record.cell not in self._cells:
                name, adjacency, operations = record.cell
                # Few different texts make up all cells: kept once, they take a third of the memory.
                self._cells[name, sys.intern(adjacency), sys.intern(operations)] = len(self._cells)
                first_seen.append(n)
            records.append(record)
        self._add_cells(block, first_seen, [records[n].cell for n in first_seen])
        self._add_values(block, records)

    def finish(self) -> tuple[NDArray[np.bytes_], NDArray[np.uint8], Records]:
        """Return the official hash of each cell in ASCII, each cell as a vector of choices, and all records.

        The cells are in the order in which the file first has them. The reader keeps nothing.
        """
        hashes = np.array([name for name, _, _ in self._cells], "S32")
        self._cells.clear()
        architectures = np.concatenate(self._architectures)
        columns = list(map(list, zip(*self._blocks, strict=True)))
        self._blocks.clear()
        # One column after the other, so that its blocks are freed before the next one is joined.
        return hashes, architectures, Records(*(np.concatenate(columns.pop(0)) for _ in Records._fields))

    def _parse(self, payload: bytes) -> _Record:
        """Read one record; what is cheaper to check for many at once is left to ``_add_cells`` and ``_add_values``.

        Raises:
            ValueError: It is not of this format; the text says what was found and expected.
        """
        try:
            raw = json.loads(payload.decode())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"its payload is no JSON text ({error})") from None
        if not isinstance(raw, list) or [type(item) for item in raw] != [str, int, str, str, str]:
            raise ValueError(
                "expected a JSON list of hash (text), epochs (integer), adjacency, operations and metrics (texts), "
                f"found {payload[:60]!r}"
            )
        name, schedule, adjacency, operations, text = raw
        if schedule not in SCHEDULES:
            raise ValueError(f"its schedule has {str(schedule)[:20]} epochs, expected 4, 12, 36 or 108")
        try:
            # Some writers break base64 into lines.
            message = binascii.a2b_base64(text.replace("\n", ""), strict_mode=True)
        except ValueError as error:
            raise ValueError(f"its metrics are no base64 text ({error})") from None
        try:
            metrics = self._metrics.read(message)
        except ValueError as error:
            raise ValueError(f"its metrics are no ModelMetrics ({error})") from None
        energy = len(metrics.others) > 2
        expected = (0, 1 if energy else schedule // 2, schedule)
        if metrics.epochs != expected:
            raise ValueError(f"its evaluations are at epochs {metrics.epochs}, expected {expected}")
        return _Record((name, adjacency, operations), schedule, energy, metrics)

    def _add_cells(self, block: Block, numbers: list[int], cells: list[_Cell]) -> None:
        if not cells:
            return
        architectures = np.empty((len(cells), len(self._space.choices)), np.uint8)
        for i, (_, adjacency, operations) in enumerate(cells):
            try:
                architectures[i] = self._space.from_cell(_matrix(adjacency), operations.split(","))
            except ValueError as problem:
                self._refuse(block, numbers[i], str(problem))
        for i, right in enumerate(self._space.hash_many(architectures)):
            if cells[i][0] != right:
                self._refuse(block, numbers[i], f"its hash is {cells[i][0][:40]!r}, that of its cell {right!r}.")
        self._architectures.append(architectures)

    def _add_values(self, block: Block, records: list[_Record]) -> None:
        accuracies = np.array([record.metrics.accuracies for record in records]).reshape(-1, 2, len(ACCURACIES))
        with np.errstate(invalid="ignore", over="ignore"):
            counts = np.rint(accuracies * IMAGES)
            exact = counts / IMAGES
            # The files hold the quotient in single precision.
            whole = (counts >= 0) & (counts <= IMAGES) & ((accuracies == exact) | (accuracies == np.float32(exact)))
        for n, at, metric in np.argwhere(~whole)[:1].tolist():
            which = f"{ACCURACIES[metric]} of the {_EVALUATIONS[at]} evaluation"
            self._refuse(block, n, f"{which} is {accuracies[n, at, metric]}, no whole count of {IMAGES} images.")
        others = np.array([record.metrics.others for record in records]).reshape(len(records), 2, -1)
        for n, at, metric in np.argwhere(~(np.isfinite(others) & (others >= 0)))[:1].tolist():
            which = f"{OTHERS[metric]} of the {_EVALUATIONS[at]} evaluation"
            self._refuse(block, n, f"{which} is {others[n, at, metric]}, expected a finite number of at least 0.")
        self._blocks.append(
            Records(
                np.array([self._cells[record.cell] for record in records], np.int32),
                np.array([record.schedule for record in records], np.uint8),
                np.array([min(record.metrics.parameters, _LARGEST_COUNT) for record in records], np.uint32),
                block.checksums,
                counts.astype(np.uint16),
                smallest(others),
            )
        )

    def _refuse(self, block: Block, n: int, problem: str) -> NoReturn:
        raise ConversionError(f"{self._path}: record {block.first + n} at byte {block.offsets[n]}: {problem}") from None


def _matrix(adjacency: str) -> NDArray[np.uint8]:
    vertices = math.isqrt(len(adjacency))
    if set(adjacency) - {"0", "1"} or vertices**2 != len(adjacency) or not 2 <= vertices <= 7:
        raise ValueError(f"its adjacency matrix is {adjacency[:60]!r}, expected 2 x 2 to 7 x 7 digits 0 and 1.")
    return np.frombuffer(adjacency.encode(), np.uint8).reshape(vertices, vertices) - ord("0")


class _Record(NamedTuple):
    cell: _Cell
    schedule: int
    energy: bool
    metrics: Metrics
