"""NAS-Bench-101 (``nasbench_full.tfrecord``, ``nasbench_only108.tfrecord``) and EC-NAS, whose files share its format.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
https://github.com/google-research/nasbench. EC-NAS trained the smaller cells again and measured the energy.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError
from nasbench.sources import Progress, silent
from nasbench.sources.nasbench101.model_metrics import ACCURACIES, OTHERS
from nasbench.sources.nasbench101.records import IMAGES, MOST_FIDELITIES, REPEATS, Reader, Records, smallest
from nasbench.sources.readers.tfrecord import TFRecordFile
from nasbench.spaces.nb101 import NB101
from nasbench.tables import Column, DatasetContent, TableContent, missing_value

_COUNT = np.dtype(np.uint16)
_UNITS = {"training_time": "seconds", "energy": "kWh", "co2": "g"}

# Splits and training recipe: nasbench/lib/config.py and nasbench/lib/cifar.py.
_TRAINED_ON = "40,000 of the CIFAR-10 training images (batches 1 to 4)"
_EVALUATED_ON = {
    "train_accuracy": "9,984 of the 10,000 CIFAR-10 training images of batch 1",
    "validation_accuracy": "9,984 of the other 10,000 CIFAR-10 training images (batch 5)",
    "test_accuracy": "9,984 of the 10,000 CIFAR-10 test images",
}
# A constant answer scores the share of its class, 9.5 to 10.3 percent; anything this low has learnt nothing.
_CHANCE = 0.105

_PUBLISHED = {
    "4c39c3936e36a85269881d659e44e61a245babcb72cb374eacacf75d0e5f4fd1": "nasbench_only108.tfrecord",
    "3d64db8180fb1b0207212f9032205064312b6907a3bbc81eabea10db2f5c7e9c": "nasbench_full.tfrecord",
}
CONVERTER = "nasbench101, version 2"
_NASBENCH101 = {
    "address": "https://github.com/google-research/nasbench",
    "licence": "Apache-2.0, Copyright 2019 The Google Research Authors",
    "citation": "C. Ying, A. Klein, E. Christiansen, E. Real, K. Murphy and F. Hutter. NAS-Bench-101: Towards "
    "Reproducible Neural Architecture Search. International Conference on Machine Learning (ICML), 2019.",
    "elsewhere": "NAS-Bench-101 evaluated its networks half-way and at the end of schedules of 4, 12, 36 and 108 "
    "epochs; all four are in https://storage.googleapis.com/nasbench/nasbench_full.tfrecord.",
}
_EC_NAS = {
    "address": "https://github.com/PedramBakh/EC-NAS-Bench",
    "licence": "MIT, Copyright (c) 2022 Pedram Bakh",
    "citation": "P. Bakhtiarifard, C. Igel and R. Selvan. EC-NAS: Energy Consumption Aware Tabular Benchmarks for "
    "Neural Architecture Search. International Conference on Acoustics, Speech and Signal Processing (ICASSP), 2024.",
    "elsewhere": "EC-NAS has a file for each size of its cells, number of epochs and device. It evaluated its networks "
    "early in each training and at its end.",
}


def convert(source: str | Path, *, progress: Progress = silent) -> TableContent:
    """Read a TFRecord file of NAS-Bench-101 or EC-NAS; the records themselves say which.

    Schedules, and the epoch of the evaluation in the middle of each, are those of the file. Some files of EC-NAS hold
    one record a training, with accuracies that are means over three repeats: they are stored exactly, as sums over the
    three, out of three times as many images.

    The rows are in the order of the official hashes, each with the cell as the file first has it. Runs are numbered in
    file order, since nothing else tells them apart. A record that repeats another one in every value is reported, not
    stored twice; a training that the file lacks is missing in the table.

    Args:
        source: The file.
        progress: Called with the bytes read and the bytes of the file.

    Raises:
        ConversionError: The file is missing, empty, cut off, damaged, or no TFRecord file; a record is not of the
            format; a hash is not that of its cell; an accuracy is no whole count of 9,984 images, nor the mean of
            three; a cell has a fourth training of one schedule, or a second mean; the file has more than 16 pairs of
            schedule and middle epoch. The message names the file and the record.
    """
    file = TFRecordFile(source, progress=progress)
    space = NB101()
    reader = Reader(file.path, space)
    for block in file:
        reader.add(block)
    hashes, cells, records = reader.finish()
    hashes, first, row_of_cell = np.unique(hashes, return_index=True, return_inverse=True)
    architectures = cells[first]
    rows = row_of_cell[records.cell]
    epochs = sorted({schedule for schedule, _ in reader.fidelities})
    schedule_of = np.array([epochs.index(schedule) for schedule, _ in reader.fidelities], np.uint8)
    runs = _runs(rows, schedule_of[records.fidelity], records)
    most = 1 if reader.fractions else REPEATS
    if runs.max() >= most:
        n = int(np.argmax(runs >= most))
        which = "a second mean over the trainings" if reader.fractions else "a fourth training"
        raise ConversionError(
            f"{file.path}: record {n} is {which} of cell {hashes[rows[n]].decode()} with "
            f"{reader.fidelities[records.fidelity[n]][0]} epochs, expected at most {most}."
        )
    columns = {
        "parameters": Column(space.parameters_many(architectures).astype(np.uint32), "parameters"),
        "flops": Column(space.flops_many(architectures).astype(np.uint64), "multiply-accumulates"),
    }
    shape = len(hashes), int(runs.max()) + 1
    schedules = {schedule: _schedule(schedule, shape, rows, runs, records, reader) for schedule in epochs}
    report = {
        "converter": CONVERTER,
        "architectures": len(hashes),
        "records": len(rows),
        "records that repeat another one": _some(np.flatnonzero(runs < 0)),
        "records whose parameter count differs from the formula": _some(
            np.flatnonzero(records.parameters != columns["parameters"].values[rows])
        ),
        "cells given in several forms": len(row_of_cell) - len(hashes),
        **_means(reader, len(rows)),
        "cifar10": {
            f"schedule {schedule}": _report(columns, hashes, shape[1]) for schedule, columns in schedules.items()
        },
    }
    return TableContent(
        space.name,
        architectures,
        {"cifar10": DatasetContent(columns, schedules)},
        _source(file, energy=records.others.shape[2] > 1),
        report,
        space.identity_many(architectures),
        np.frombuffer(bytes.fromhex(b"".join(hashes.tolist()).decode()), np.uint8).reshape(-1, 16),
    )


def _source(file: TFRecordFile, *, energy: bool) -> dict[str, str]:
    name = os.path.basename(file.path)
    sha256 = {"sha256": f"{name} {file.sha256}"}
    if energy:
        return {"name": f"EC-NAS, {name}", **_EC_NAS, **sha256}
    if file.sha256 in _PUBLISHED:
        return {"name": f"NAS-Bench-101, {_PUBLISHED[file.sha256]}", **_NASBENCH101, **sha256}
    return {
        "name": f"{name}, in the format of NAS-Bench-101, but none of its published files",
        **_NASBENCH101,
        **sha256,
    }


def _runs(rows: NDArray[np.int64], schedules: NDArray[np.uint8], records: Records) -> NDArray[np.int32]:
    """Return the run index of each record, shape (n,): its place among those of its cell and schedule.

    It is -1 for a record that repeats an earlier one.
    """
    training = rows * MOST_FIDELITIES + schedules
    repeats = _repeats(training, records)
    training[repeats] = -1
    order = np.argsort(training, kind="stable")
    first = np.diff(training[order], prepend=-2) > 0
    begins = np.flatnonzero(first).astype(np.int32)
    runs = np.empty(len(rows), np.int32)
    runs[order] = np.arange(len(rows), dtype=np.int32) - np.repeat(begins, np.diff(begins, append=len(rows)))
    runs[repeats] = -1
    return runs


def _repeats(training: NDArray[np.int64], records: Records) -> NDArray[np.int64]:
    """Return the numbers of the records that repeat an earlier one: same payload checksum, and same values."""
    identity = training << 32 | records.checksum
    ordered = np.sort(identity)
    doubled = ordered[1:][ordered[1:] == ordered[:-1]]
    if not doubled.size:
        return np.empty(0, np.int64)
    candidates = np.flatnonzero(np.isin(identity, doubled))
    _, first, inverse = np.unique(identity[candidates], return_index=True, return_inverse=True)
    earlier = candidates[first[inverse]]
    same = candidates != earlier
    same &= (records.counts[candidates] == records.counts[earlier]).all(axis=(1, 2))
    same &= (records.others[candidates] == records.others[earlier]).all(axis=(1, 2))
    repeats: NDArray[np.int64] = candidates[same]
    return repeats


def _schedule(
    schedule: int,
    shape: tuple[int, int],
    rows: NDArray[np.int64],
    runs: NDArray[np.int32],
    records: Records,
    reader: Reader,
) -> dict[str, Column]:
    """Return the columns of a schedule; its epochs are those after which some record of it was evaluated."""
    own = np.array([epochs == schedule for epochs, _ in reader.fidelities])
    chosen = np.flatnonzero(own[records.fidelity] & (runs >= 0))
    rows, runs = rows[chosen], runs[chosen]
    epochs = (*sorted({middle for epochs, middle in reader.fidelities if epochs == schedule}), schedule)
    middle = np.searchsorted(epochs, [middle for _, middle in reader.fidelities])[records.fidelity[chosen]]

    def values(found: NDArray[Any], missing: float) -> NDArray[Any]:
        result = np.full((shape[0], len(epochs), shape[1]), missing, found.dtype)
        result[rows, middle, runs], result[rows, -1, runs] = found[:, 0], found[:, 1]
        return result

    images, mean, first = IMAGES, "", 0
    if reader.fractions:
        images, mean = (
            REPEATS * IMAGES,
            f"; the mean over {REPEATS} repeats, counted over {REPEATS} x {IMAGES:,} images",
        )
        # Where every accuracy is that at the end already in the middle, nothing was measured in the middle.
        first = len(epochs) - 1 if (records.counts[chosen, 0] == records.counts[chosen, 1]).all() else 0
    columns = {}
    for i, metric in enumerate(ACCURACIES):
        counts = values(records.counts[chosen, :, i], missing_value(_COUNT))[:, first:]
        columns[metric] = Column(counts, "images", epochs[first:], images, _TRAINED_ON, _EVALUATED_ON[metric] + mean)
    for i, metric in enumerate(OTHERS[: records.others.shape[2]]):
        columns[metric] = Column(
            smallest(values(records.others[chosen, :, i], np.nan)), _UNITS[metric], epochs, trained_on=_TRAINED_ON
        )
    return columns


def _means(reader: Reader, records: int) -> dict[str, Any]:
    """Say of a file of means that it is one."""
    if not reader.fractions:
        return {}
    return {
        "accuracies are means over 3 repeats, counted over 3 x 9,984 images; those that are no count of 9,984": (
            f"{reader.fractions} of {records * 2 * len(ACCURACIES)}"
        )
    }


def _some(numbers: NDArray[np.intp]) -> dict[str, Any]:
    return {"number": len(numbers), "first": numbers[:5].tolist()}


def _report(columns: dict[str, Column], hashes: NDArray[np.bytes_], runs: int) -> dict[str, Any]:
    """Summarise the last epoch of a schedule: trainings, values at chance level, the optimum of each metric."""
    report: dict[str, Any] = {}
    for metric, column in columns.items():
        last = column.values[:, -1]
        present = np.isfinite(last) if last.dtype.kind == "f" else last != missing_value(last.dtype)
        trained = present.sum(axis=1)
        if not report:
            report = {f"architectures with {k} runs": int((trained == k).sum()) for k in range(runs + 1)}
        totals = np.where(present, last, 0).sum(axis=1, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            means = totals / (trained * (column.images or 1))
        best = int(np.nanargmin(means) if column.images is None else np.nanargmax(means))
        report[metric] = {"optimum of the means": float(means[best]), "at": hashes[best].decode()}
        if column.images is not None:
            report[metric]["runs at chance level"] = int((present & (last <= _CHANCE * column.images)).sum())
    return report
