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

from nasbench.convert import Progress, silent
from nasbench.convert._model_metrics import ACCURACIES, OTHERS
from nasbench.convert._nasbench101_records import IMAGES, SCHEDULES, Reader, Records, smallest
from nasbench.convert._tfrecord import TFRecordFile
from nasbench.errors import ConversionError
from nasbench.spaces.nb101 import NB101
from nasbench.store import Column, DatasetContent, TableContent, missing_value

_RUNS = 3
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
CONVERTER = "nasbench101, version 1"
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
    "elsewhere": "EC-NAS evaluated its networks after the first epoch and at the end of schedules of 4, 12, 36 and 108 "
    "epochs.",
}


def convert(source: str | Path, *, progress: Progress = silent) -> TableContent:
    """Read a TFRecord file of NAS-Bench-101 or EC-NAS; the records themselves say which.

    The rows are in the order of the official hashes, each with the cell as the file first has it. Runs are numbered in
    file order, since nothing else tells them apart. A record that repeats another one in every value is reported, not
    stored twice; a training that the file lacks is missing in the table.

    Args:
        source: The file.
        progress: Called with the bytes read and the bytes of the file.

    Raises:
        ConversionError: The file is missing, empty, cut off, damaged, or no TFRecord file; a record is not of the
            format; a hash is not that of its cell; an accuracy is no whole count of 9,984 images; a cell has a fourth
            training of one schedule. The message names the file and the record.
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
    runs = _runs(rows, records)
    if runs.max() >= _RUNS:
        n = int(np.argmax(runs >= _RUNS))
        raise ConversionError(
            f"{file.path}: record {n} is a fourth training of cell {hashes[rows[n]].decode()} with "
            f"{records.schedule[n]} epochs, expected at most {_RUNS}."
        )
    columns = {
        "parameters": Column(space.parameters_many(architectures).astype(np.uint32), "parameters"),
        "flops": Column(space.flops_many(architectures).astype(np.uint64), "multiply-accumulates"),
    }
    schedules = {
        schedule: _schedule(schedule, len(hashes), rows, runs, records)
        for schedule in SCHEDULES
        if (records.schedule == schedule).any()
    }
    report = {
        "converter": CONVERTER,
        "architectures": len(hashes),
        "records": len(rows),
        "records that repeat another one": _some(np.flatnonzero(runs < 0)),
        "records whose parameter count differs from the formula": _some(
            np.flatnonzero(records.parameters != columns["parameters"].values[rows])
        ),
        "cells given in several forms": len(row_of_cell) - len(hashes),
        "cifar10": {f"schedule {schedule}": _report(columns, hashes) for schedule, columns in schedules.items()},
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


def _runs(rows: NDArray[np.int64], records: Records) -> NDArray[np.int32]:
    """Return the run index of each record, shape (n,): its place among those of its cell and schedule.

    It is -1 for a record that repeats an earlier one.
    """
    training = rows * 256 + records.schedule
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
    schedule: int, architectures: int, rows: NDArray[np.int64], runs: NDArray[np.int32], records: Records
) -> dict[str, Column]:
    chosen = np.flatnonzero((records.schedule == schedule) & (runs >= 0))
    rows, runs = rows[chosen], runs[chosen]
    energy = records.others.shape[2] > 1
    epochs = (1 if energy else schedule // 2, schedule)
    columns = {}
    for i, metric in enumerate(ACCURACIES):
        counts = np.full((architectures, 2, _RUNS), missing_value(_COUNT), _COUNT)
        counts[rows, :, runs] = records.counts[chosen, :, i]
        columns[metric] = Column(counts, "images", epochs, IMAGES, _TRAINED_ON, _EVALUATED_ON[metric])
    for i, metric in enumerate(OTHERS[: records.others.shape[2]]):
        values = np.full((architectures, 2, _RUNS), np.nan)
        values[rows, :, runs] = records.others[chosen, :, i]
        columns[metric] = Column(smallest(values), _UNITS[metric], epochs, trained_on=_TRAINED_ON)
    return columns


def _some(numbers: NDArray[np.intp]) -> dict[str, Any]:
    return {"number": len(numbers), "first": numbers[:5].tolist()}


def _report(columns: dict[str, Column], hashes: NDArray[np.bytes_]) -> dict[str, Any]:
    """Summarise the last epoch of a schedule: trainings, values at chance level, the optimum of each metric."""
    report: dict[str, Any] = {}
    for metric, column in columns.items():
        last = column.values[:, -1]
        present = np.isfinite(last) if last.dtype.kind == "f" else last != missing_value(last.dtype)
        trained = present.sum(axis=1)
        if not report:
            report = {f"architectures with {k} runs": int((trained == k).sum()) for k in range(_RUNS + 1)}
        totals = np.where(present, last, 0).sum(axis=1, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            means = totals / (trained * (column.images or 1))
        best = int(np.nanargmin(means) if column.images is None else np.nanargmax(means))
        report[metric] = {"optimum of the means": float(means[best]), "at": hashes[best].decode()}
        if column.images is not None:
            report[metric]["runs at chance level"] = int((present & (last <= _CHANCE * column.images)).sum())
    return report
