"""A table by the official indexes of architectures, and by NATS-Bench's names of data sets and schedules."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from nasbench.compat.nats_bench._trainings import DATASETS, ArchivedTrainings, NotInTableError
from nasbench.errors import InvalidArchitectureError
from nasbench.sources.nats.splits import TRAININGS
from nasbench.spaces.nats_sss import CHANNELS, NatsSSS
from nasbench.spaces.nb201 import NB201, OPERATIONS
from nasbench.tables import TableFile

# sha256 of NB201().architectures: making that order takes longer than all else that opening a table does.
_OFFICIAL_ORDER = "efc20b8c0d7b04db1ae693c5872f6ab5a8086a466abf23d8e7c6ac7faba8caa0"


class Archive:
    """A table of NATS-Bench or NAS-Bench-201, by official index, data set and hp. It holds no open file.

    Args:
        path: A table that the converter ``nats-bench`` or ``nasbench201-pth`` made.

    Raises:
        ValueError: It is a table of something else.
        TableFileError: The file is no sound table.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        first = TableFile(self.path)
        self._files = {first.dataset: first}
        self.datasets = first.datasets
        seeds = first.report.get("seeds of the runs")
        if first.space not in ("nb201", "nats_sss") or not _are_seeds(seeds):
            raise ValueError(
                f"{self.path}: not a table of NATS-Bench or NAS-Bench-201 with the seeds of its trainings (it is "
                f"{first.source['name']}). Convert the official -simple folder: nasbench convert nats-bench FOLDER "
                "--out TABLE.h5"
            )
        self.space = NB201() if first.space == "nb201" else NatsSSS()
        # The names in the official files: 01, 12, 90, 200.
        self.schedules = {f"{int(epochs):02d}": int(epochs) for epochs in sorted(seeds, key=int)}
        self.seeds: dict[str, list[int]] = {f"{int(epochs):02d}": list(found) for epochs, found in seeds.items()}
        self._trainings: dict[tuple[str, str], ArchivedTrainings] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Archive, (self.path,)

    @property
    def hps(self) -> list[str]:
        """The names of the schedules."""
        return list(self.schedules)

    @cached_property
    def texts(self) -> list[str]:
        """All architectures of the search space in the official order, also those that are not in the table."""
        if isinstance(self.space, NB201):
            heads = [f"|{a}~0|+|{b}~0|{c}~1|+|" for a in OPERATIONS for b in OPERATIONS for c in OPERATIONS]
            tails = [f"{a}~0|{b}~1|{c}~2|" for a in OPERATIONS for b in OPERATIONS for c in OPERATIONS]
        else:
            heads = [f"{a}:{b}:" for a in CHANNELS for b in CHANNELS]
            tails = [f"{a}:{b}:{c}" for a in CHANNELS for b in CHANNELS for c in CHANNELS]
        by_code = [head + tail for head in heads for tail in tails]
        return [by_code[code] for code in self.space.codes(self._official).tolist()]

    @cached_property
    def rows(self) -> range | list[int]:
        """The row of each official index, -1 of those that are not in the table."""
        recorded = self._recorded
        if np.array_equal(recorded, self._official):
            return range(len(recorded))
        row_of_code = np.full(self.space.size, -1)
        row_of_code[self.space.codes(self.space.validated(recorded))] = np.arange(len(recorded))
        rows: list[int] = row_of_code[self.space.codes(self._official)].tolist()
        return rows

    @cached_property
    def _recorded(self) -> NDArray[np.uint8]:
        return next(iter(self._files.values())).architectures()

    @cached_property
    def _official(self) -> NDArray[np.uint8]:
        """All architectures of the search space in the official order."""
        if hashlib.sha256(self._recorded.tobytes()).hexdigest() == _OFFICIAL_ORDER:
            return self._recorded
        return self.space.architectures

    @cached_property
    def indexes(self) -> NDArray[np.int64]:
        """The official indexes of what is in the table, rising."""
        return np.flatnonzero(np.asarray(self.rows) >= 0)

    def row(self, index: int) -> int:
        """Return the row of an official index.

        Raises:
            InvalidArchitectureError: It is not in the table.
        """
        row = self.rows[index]
        if row < 0:
            raise InvalidArchitectureError(
                f"can not find architecture {index}: {self.path} has {len(self.indexes)} of {self.space.size}."
            )
        return row

    def file(self, group: str) -> TableFile:
        """Return the opened file of one image dataset."""
        if group not in self._files:
            self._files[group] = TableFile(self.path, group)
        return self._files[group]

    def trainings(self, dataset: str, hp: str) -> ArchivedTrainings:
        """Return the trainings on a data set with a schedule.

        Raises:
            NotInTableError: The table has no such hp or data set.
        """
        try:
            return self._trainings[dataset, hp]
        except (KeyError, TypeError):
            pass
        if hp not in self.hps:
            raise NotInTableError(f"{hp!r}: no such hp in {self.path}: it has {self.hps}.")
        if not self.has(dataset, hp):
            raise NotInTableError(f"{dataset!r}: no such data set in {self.path}: expected one of {DATASETS}.")
        return self._trainings[dataset, hp]

    def has(self, dataset: str, hp: str) -> bool:
        """Tell whether there is any training on a data set with a schedule."""
        if dataset not in DATASETS or TRAININGS[dataset].group not in self.datasets:
            return False
        if (dataset, hp) in self._trainings:
            return True
        trainings = ArchivedTrainings(self, dataset, hp)
        if not trainings.recorded:
            return False
        self._trainings.setdefault((dataset, hp), trainings)
        return True


def _are_seeds(found: Any) -> TypeGuard[dict[str, list[int]]]:
    """Tell whether this is a dictionary from schedules, in epochs, to seeds, as JSON has it."""
    return (
        isinstance(found, dict)
        and bool(found)
        and all(name.isdecimal() and isinstance(seeds, list) and seeds for name, seeds in found.items())
        and all(type(seed) is int for seeds in found.values() for seed in seeds)
    )
