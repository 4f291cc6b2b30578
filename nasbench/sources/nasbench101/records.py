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

from nasbench.errors import ConversionError
from nasbench.sources.nasbench101.model_metrics import ACCURACIES, OTHERS, Metrics, MetricsReader
from nasbench.sources.readers.tfrecord import Block
from nasbench.spaces.nb101 import NB101

IMAGES = 9_984
"""Images that are evaluated: 10,000 in batches of 256, but for the last, incomplete one (nasbench/lib/evaluate.py)."""

REPEATS = 3
"""How often a training was repeated; some files of EC-NAS hold the means over the repeats."""
MOST_FIDELITIES = 16
"""How many different pairs of schedule and middle epoch a file may have: published ones have four at most."""

_EVALUATIONS = ("middle", "last")
_LONGEST_SCHEDULE = 10**9 - 1
# A mean of quotients in single precision below 1 is off by half of their last place, 2 to the power of -24, at most.
_MEAN_ERROR = 2.0**-25 + 2.0**-50
_LARGEST_COUNT = np.iinfo(np.uint32).max


class Records(NamedTuple):
    """Trainings in file order, as arrays over them."""

    cell: NDArray[np.int32]
    """Number of the cell, in the order in which the file first has them."""
    fidelity: NDArray[np.uint8]
    """Number of the pair in :attr:`Reader.fidelities`."""
    parameters: NDArray[np.uint32]
    """As the file claims, or the largest value if it claims more than that."""
    checksum: NDArray[np.uint32]
    """That of the payload: records that are alike have the same."""
    counts: NDArray[np.uint16]
    """Correctly classified images, shape (n, 2 evaluations, 3 accuracies); if means, the sums over three repeats."""
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

    Attributes:
        fidelities: The epochs of each schedule, and that of its middle evaluation, in the order of the file.
        fractions: How many accuracies are no whole count of images, but the mean of three such counts. If there are
            any, the file holds means over three repeats, and all counts are sums over them.
    """

    def __init__(self, path: str, space: NB101) -> None:
        self._path = path
        self._space = space
        self._cells: dict[_Cell, int] = {}
        self._architectures: list[NDArray[np.uint8]] = []
        self._blocks: list[Records] = []
        self._metrics = MetricsReader()
        self._energy: bool | None = None
        self._known: dict[tuple[int, tuple[float, ...]], int] = {}
        self._doubtful = ""
        self._summed: list[bool] = []
        """Whether the counts of each block are sums over three repeats."""
        self.fidelities: list[tuple[int, int]] = []
        self.fractions = 0

    def add(self, block: Block) -> None:
        """Read and check the records of a block.

        Raises:
            ConversionError: One is not of the format, has a hash that is not its cell's, an accuracy that is neither
                a whole count of images nor the mean of three, or a time, energy or mass that is negative or not finite.
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

        Raises:
            ConversionError: An accuracy is near a whole count of images, but none, in a file without any means.
        """
        if self._doubtful and not self.fractions:
            raise ConversionError(self._doubtful)
        hashes = np.array([name for name, _, _ in self._cells], "S32")
        self._cells.clear()
        architectures = np.concatenate(self._architectures)
        if self.fractions:
            for block, summed in zip(self._blocks, self._summed, strict=True):
                np.multiply(block.counts, 1 if summed else REPEATS, out=block.counts)
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
        try:
            # Some writers break base64 into lines.
            message = binascii.a2b_base64(text.replace("\n", ""), strict_mode=True)
        except ValueError as error:
            raise ValueError(f"its metrics are no base64 text ({error})") from None
        try:
            metrics = self._metrics.read(message)
        except ValueError as error:
            raise ValueError(f"its metrics are no ModelMetrics ({error})") from None
        fidelity = self._known.get((schedule, metrics.epochs))
        if fidelity is None:
            fidelity = self._fidelity(schedule, metrics.epochs)
        return _Record((name, adjacency, operations), fidelity, len(metrics.others) > 2, metrics)

    def _fidelity(self, schedule: int, epochs: tuple[float, ...]) -> int:
        """Note a schedule whose evaluations are at epochs 0, any one between, and the last."""
        first, middle, last = epochs
        if not (first == 0 < middle < last == schedule <= _LONGEST_SCHEDULE) or middle % 1:
            raise ValueError(
                f"its evaluations are at epochs {epochs}, expected 0, a whole number between, and the epochs of its "
                f"schedule, {str(schedule)[:20]}"
            )
        if len(self.fidelities) == MOST_FIDELITIES:
            raise ValueError(
                f"its schedule has {schedule} epochs and an evaluation after {middle:g}; {MOST_FIDELITIES} other pairs "
                "of these came before, and no file has as many"
            )
        self.fidelities.append((schedule, int(middle)))
        self._known[schedule, epochs] = len(self.fidelities) - 1
        return len(self.fidelities) - 1

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
        counts = self._counts(block, accuracies)
        others = np.array([record.metrics.others for record in records]).reshape(len(records), 2, -1)
        for n, at, metric in np.argwhere(~(np.isfinite(others) & (others >= 0)))[:1].tolist():
            which = f"{OTHERS[metric]} of the {_EVALUATIONS[at]} evaluation"
            self._refuse(block, n, f"{which} is {others[n, at, metric]}, expected a finite number of at least 0.")
        self._blocks.append(
            Records(
                np.array([self._cells[record.cell] for record in records], np.int32),
                np.array([record.fidelity for record in records], np.uint8),
                np.array([min(record.metrics.parameters, _LARGEST_COUNT) for record in records], np.uint32),
                block.checksums,
                counts.astype(np.uint16),
                smallest(others),
            )
        )

    def _counts(self, block: Block, accuracies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return accuracies as counts of images, or as sums of three counts if one of the block is none."""
        with np.errstate(invalid="ignore", over="ignore"):
            counts = np.rint(accuracies * IMAGES)
            exact = counts / IMAGES
            # The files hold the quotient in single precision.
            whole = (counts >= 0) & (counts <= IMAGES) & ((accuracies == exact) | (accuracies == np.float32(exact)))
            self._summed.append(not whole.all())
            if not self._summed[-1]:
                return counts
            sums = np.rint(accuracies * (REPEATS * IMAGES))
            mean = (sums >= 0) & (sums <= REPEATS * IMAGES)
            mean &= np.abs(accuracies - sums / (REPEATS * IMAGES)) <= _MEAN_ERROR
        wrong = ~(whole | mean)
        self.fractions += int((sums % REPEATS != 0)[mean].sum())
        # What is near a whole count, but none, is no mean either where no other accuracy is one: see finish().
        for n, at, metric in np.argwhere(wrong if wrong.any() or self.fractions else ~whole)[:1].tolist():
            which = f"{ACCURACIES[metric]} of the {_EVALUATIONS[at]} evaluation"
            found = f"{which} is {accuracies[n, at, metric]}, no whole count of {IMAGES} images"
            self._doubtful = self._problem(block, n, f"{found}, nor the mean of {REPEATS} such counts.")
        if wrong.any():
            raise ConversionError(self._doubtful)
        return np.where(whole, REPEATS * counts, sums)

    def _problem(self, block: Block, n: int, problem: str) -> str:
        return f"{self._path}: record {block.first + n} at byte {block.offsets[n]}: {problem}"

    def _refuse(self, block: Block, n: int, problem: str) -> NoReturn:
        raise ConversionError(self._problem(block, n, problem)) from None


def _matrix(adjacency: str) -> NDArray[np.uint8]:
    vertices = math.isqrt(len(adjacency))
    if set(adjacency) - {"0", "1"} or vertices**2 != len(adjacency) or not 2 <= vertices <= 7:
        raise ValueError(f"its adjacency matrix is {adjacency[:60]!r}, expected 2 x 2 to 7 x 7 digits 0 and 1.")
    return np.frombuffer(adjacency.encode(), np.uint8).reshape(vertices, vertices) - ord("0")


class _Record(NamedTuple):
    cell: _Cell
    fidelity: int
    energy: bool
    metrics: Metrics
