"""What a table holds, in the words of NATS-Bench: its data sets, seeds, epochs from 0, and percent."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NotRecordedError, TableFileError
from nasbench.sources.nats.splits import SPLITS, TRAININGS
from nasbench.tables import ColumnInfo, missing_value
from nasbench.tables.runs import patterns_of

if TYPE_CHECKING:
    from nasbench.compat.nats_bench._archive import Archive

DATASETS = tuple(TRAININGS)
"""``cifar10-valid`` trains on 25,000 images of CIFAR-10 and ``cifar10`` on all 50,000."""
SETS = ("x-valid", "x-test", "ori-test")
"""What networks are evaluated on, beside what they are trained on (``train``)."""

_Seconds = Callable[[int, int], float]


class NotInTableError(NotRecordedError, KeyError):
    """Nothing has this name here. NATS-Bench raises KeyError, so this is one."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # that of KeyError shows the quoted form of the message


class Figures(NamedTuple):
    """What a training was measured to be after an epoch, on one set: percent and seconds."""

    loss: float
    accuracy: float
    cur_time: float | None
    """The seconds of this epoch, or of one evaluation."""
    all_time: float | None
    """The seconds of all epochs so far, or of one evaluation after each."""


class Point:
    """One set after one epoch, for all trainings.

    Args:
        counts: Correctly classified images, shape (n, runs).
        images: How many images were classified.
        losses: Shape (n, runs).
        seconds: Row and run to the seconds of this epoch and of all so far.
    """

    def __init__(
        self, counts: NDArray[Any], images: int, losses: NDArray[Any] | None, seconds: tuple[_Seconds, _Seconds]
    ) -> None:
        self.counts, self.images = counts, images
        self._count = counts.item
        self._missing = missing_value(counts.dtype)
        self._loss = _nan if losses is None else losses.item
        self._seconds, self._all_seconds = seconds

    def figures(self, row: int, run: int) -> Figures | None:
        """Return them for one training, or None where they are missing."""
        count = self._count(row, run)
        if count == self._missing:
            return None
        cur, total = self._seconds(row, run), self._all_seconds(row, run)
        accuracy = count * 100 / self.images
        return Figures(self._loss(row, run), accuracy, cur if cur == cur else None, total if total == total else None)

    def mean(self, row: int, runs: list[int]) -> Figures | None:
        """Return the mean over some trainings, or None if one of them lacks this point."""
        found = [self.figures(row, run) for run in runs]
        present = [figures for figures in found if figures is not None]
        if len(present) < len(found) or not found:
            return None
        if len(found) == 1:
            return present[0]
        losses, accuracies, seconds, totals = zip(*present, strict=True)
        n = len(found)
        return Figures(sum(losses) / n, sum(accuracies) / n, _mean(seconds), _mean(totals))

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Return the mean accuracy of every architecture over its trainings, percent, shape (n,); nan without one."""
        present = self.counts != self._missing
        totals = np.where(present, self.counts, 0).sum(axis=1, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return np.asarray(totals * 100 / (present.sum(axis=1) * self.images), np.float64)


class ArchivedTrainings:
    """All trainings of a table on one data set with one schedule; columns are read when they are needed.

    Args:
        archive: The table.
        dataset: The data set, by the name of NATS-Bench.
        hp: The schedule.
    """

    def __init__(self, archive: Archive, dataset: str, hp: str) -> None:
        self._archive, self.dataset, self.hp = archive, dataset, hp
        self.schedule = archive.schedules[hp]
        self.group, self._suffix = TRAININGS[dataset][:2]
        self._file = archive.file(self.group)
        self._infos = self._file.schedules.get(self.schedule, {})
        self.all_seeds = archive.seeds[hp]
        for info in self._infos.values():
            if info.shape[-1] not in (1, len(self.all_seeds)):
                raise TableFileError(
                    f"{archive.path}: at {info.place}: {info.shape[-1]} runs, but the report names the seeds "
                    f"{self.all_seeds} of schedule {self.schedule}."
                )
        self._arrays: dict[tuple[str, int], NDArray[Any]] = {}
        self._points: dict[tuple[str, int], Point | None] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return self._archive.trainings, (self.dataset, self.hp)

    def __len__(self) -> int:
        return self._file.size

    def epochs(self, split: str, quantity: str = "accuracy") -> tuple[int, ...]:
        """Return the epochs, from 0, where a quantity is recorded."""
        info = self._info(split, quantity)
        return tuple(epoch - 1 for epoch in info.epochs) if info is not None else ()

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """What networks were evaluated on; those that were evaluated after more epochs come first, as in the source."""
        recorded = [split for split in SETS if self.epochs(split)]
        return tuple(sorted(recorded, key=lambda split: -len(self.epochs(split))))

    @cached_property
    def recorded(self) -> bool:
        """Whether there is any training."""
        return bool(self.epochs("train")) and any(self._patterns[0])

    @cached_property
    def _patterns(self) -> tuple[list[list[int]], list[int]]:
        """The different lists of runs that architectures have, and which of them each has."""
        counts = self._array(self._info("train", "accuracy"), self.epochs("train")[-1])
        there = counts != missing_value(counts.dtype)
        patterns, which = patterns_of(there)
        return [list(runs) for runs in patterns], which.tolist()

    def runs(self, row: int) -> list[int]:
        """Return the runs of an architecture: what is left of the seeds of all architectures."""
        runs, which = self._patterns
        return runs[which[row]]

    @cached_property
    def _seeds(self) -> list[list[int]]:
        return [[self.all_seeds[run] for run in runs] for runs in self._patterns[0]]

    def seeds(self, row: int) -> list[int]:
        """Return the seeds of an architecture, rising; the list is shared."""
        return self._seeds[self._patterns[1][row]]

    def number_of_runs(self) -> NDArray[np.int64]:
        """Return how many trainings each architecture has, shape (n,)."""
        runs, which = self._patterns
        return np.array([len(each) for each in runs])[which]

    def point(self, split: str, epoch: int) -> Point | None:
        """Return all that is known of one set after an epoch, or None where it was not evaluated then."""
        key = split, epoch
        if key not in self._points:
            self._points[key] = self._point(split, epoch)
        return self._points[key]

    def value(self, split: str, quantity: str, epoch: int, row: int, run: int) -> float | None:
        """Return one number: ``loss``, seconds (``time``), or ``accuracy`` or ``top5_accuracy`` in percent.

        Args:
            split: The set.
            quantity: What is asked for.
            epoch: From 0.
            row: The row of the architecture.
            run: The index of the repeated training.
        """
        if quantity == "time":
            seconds = self.clock(split, epoch)[0](row, run)
            return seconds if seconds == seconds else None
        info = self._info(split, quantity)
        if info is None or epoch + 1 not in info.epochs:
            return None
        values = self._array(info, epoch)
        value: float = values.item(row, run)
        if info.images is None:
            return value if value == value else None
        return None if value == missing_value(values.dtype) else value * 100 / info.images

    def costs(self, name: str) -> NDArray[Any]:
        """Return ``parameters`` or ``flops`` of all architectures, exactly, shape (n,)."""
        return self._whole(self._file.columns[name])

    def latency(self, row: int, run: int) -> float | None:
        """Return the seconds of a forward pass, or None where it was not measured."""
        name = f"latency{self._suffix}"
        if name in self._file.columns:
            value = self._whole(self._file.columns[name]).item(row)
        elif name in self._infos:
            value = self._array(self._infos[name], self.schedule - 1).item(row, run)
        else:
            return None
        return value if value == value else None

    def _info(self, split: str, quantity: str) -> ColumnInfo | None:
        if (self.dataset, split) not in SPLITS:
            return None
        metric, suffix, _, _ = SPLITS[self.dataset, split]
        return self._infos.get(f"{metric}_{quantity}{suffix}")

    def _point(self, split: str, epoch: int) -> Point | None:
        info, loss = self._info(split, "accuracy"), self._info(split, "loss")
        if info is None or epoch + 1 not in info.epochs:
            return None
        losses = self._array(loss, epoch) if loss is not None and epoch + 1 in loss.epochs else None
        return Point(self._array(info, epoch), SPLITS[self.dataset, split].images, losses, self.clock(split, epoch))

    def clock(self, split: str, epoch: int) -> tuple[_Seconds, _Seconds]:
        """Return functions from row and run to the seconds of this epoch and of all so far."""
        metric, suffix, _, _ = SPLITS[self.dataset, split]
        name = f"training_time{self._suffix}" if split == "train" else f"{metric}_time{suffix}"
        if name in self._file.columns:  # the same after every epoch
            of_one = self._whole(self._file.columns[name]).item
            return lambda row, run: of_one(row), lambda row, run: of_one(row) * (epoch + 1)
        if name not in self._infos:
            return _nan, _nan
        info = self._infos[name]
        if info.per_epoch:
            each = self._array(info, 0).item
            return each, lambda row, run: each(row, run) * (epoch + 1)
        here = self._array(info, epoch)
        if split != "train":
            return here.item, np.sum([self._array(info, e) for e in range(epoch + 1)], axis=0).item
        return (here - self._array(info, epoch - 1) if epoch else here).item, here.item

    def _array(self, info: ColumnInfo | None, epoch: int) -> NDArray[Any]:
        """Read a column at an epoch, shape (n, runs)."""
        assert info is not None
        key = info.place, epoch
        if key not in self._arrays:
            values = self._file.read(info, epoch + 1)
            self._arrays[key] = np.broadcast_to(values, (len(values), len(self.all_seeds)))
        return self._arrays[key]

    def _whole(self, info: ColumnInfo) -> NDArray[Any]:
        """Read a column of the architectures, shape (n,)."""
        key = info.place, -1
        if key not in self._arrays:
            self._arrays[key] = self._file.read(info)
        return self._arrays[key]


def _nan(row: int, run: int) -> float:
    return float("nan")


def _mean(values: tuple[float | None, ...]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None
