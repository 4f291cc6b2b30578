"""Files of NAS-Bench-101 for tests that need no samples: records of known cells, and a table of all small cells."""

from __future__ import annotations

import base64
import json
import runpy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb101.enumerate import labelled_cells
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, write

PLAIN = runpy.run_path(str(Path(__file__).parent / "_plain_tfrecord.py"))
SCHEDULES = (4, 12, 36, 108)
IMAGES = 9_984
C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"

# Published by google-research/nasbench: a record, the README's example as the notebook prints it, an issue. Then two
# cells so small that the hash and the number of parameters can be worked out by hand.
CELLS = [  # hash, rows, interior operations, trainable parameters
    (
        "00005c142e6f48ac74fdcf73e3439874",
        "0100110/0010000/0001001/0000010/0000010/0000001/0000000",
        (C3, MP, C3, C3, C1),
        8_555_530,
    ),
    (
        "28cfc7874f6d200472e1a9dcd8650aa0",
        "0111100/0000001/0000001/0000001/0000010/0000001/0000000",
        (C3, C1, MP, C3, C3),
        2_694_282,
    ),
    (
        "02e5a0247bbdcf2860b7e96f74961594",
        "0110011/0000010/0001000/0000100/0000010/0000001/0000000",
        (C1, C3, MP, C3, C3),
        32_426_634,
    ),
    ("b5fb4f6193360330b6ff6a52cbf0cad7", "0101/0010/0001/0000", (C3, C3), 20_346_506),
    ("043721b9c7fe8c5fad811d47d83132ec", "01/00", (), 882_570),
]


def write_records(path: Path, schedules: Sequence[int] = SCHEDULES, *, seed: int = 0) -> Path:
    """Write three trainings of each of CELLS and schedule, in mixed order, with figures drawn at random."""
    rng = np.random.default_rng(seed)
    trainings = [(cell, schedule) for cell in CELLS for schedule in schedules for _ in range(3)]
    payloads = []
    for number in rng.permutation(len(trainings)).tolist():
        (name, rows, operations, parameters), schedule = trainings[number]
        message = b"".join(_evaluation(epoch, schedule, rng) for epoch in (0, schedule // 2, schedule))
        message += PLAIN["field"](2, parameters) + PLAIN["field"](3, float(rng.uniform(1, 100)))
        cell = [rows.replace("/", ""), ",".join(["input", *operations, "output"])]
        payloads.append(json.dumps([name, schedule, *cell, base64.b64encode(message).decode()]).encode())
    path.write_bytes(b"".join(map(PLAIN["framed"], payloads)))
    return path


def _evaluation(epoch: int, schedule: int, rng: np.random.Generator) -> bytes:
    """The files hold doubles that were made in single precision."""
    seconds = np.float32(epoch * rng.uniform(9, 10))
    accuracies = rng.integers(900 + 80 * epoch, IMAGES + 1, 3).astype(np.float32) / np.float32(IMAGES)
    numbers = [float(epoch), float(seconds), *map(float, accuracies)]
    return PLAIN["field"](1, b"".join(PLAIN["field"](i, value) for i, value in enumerate(numbers, start=1)))


def write_small_cells(path: Path, *, seed: int = 0) -> Path:
    """Write a table of all 2,532 cells of up to five vertices. More convolutions of 3 x 3 are better, with noise."""
    space, rng = NB101(), np.random.default_rng(seed)
    forms = np.concatenate([cells for vertices in range(2, 6) for cells in labelled_cells(vertices)])
    _, first = np.unique(space.identity_many(forms), return_index=True)
    cells = forms[np.sort(first)]
    worth = (space.parameters_many(cells) / 2e4).astype(np.int64)[:, None, None] + [[0], [300]]
    schedules = {}
    for schedule in SCHEDULES:
        epochs = (schedule // 2, schedule)
        columns = {}
        for metric, better in (("train", 400), ("validation", 60), ("test", 0)):
            counts = 6_000 + 10 * schedule + better + worth + rng.integers(0, 100, (len(cells), 2, 3))
            columns[f"{metric}_accuracy"] = Column(counts.clip(0, IMAGES).astype(np.uint16), "images", epochs, IMAGES)
        seconds = rng.uniform(9, 11, (len(cells), 2, 3)) * [[schedule / 2], [schedule]]
        schedules[schedule] = columns | {"training_time": Column(seconds.astype(np.float32), "seconds", epochs)}
    parameters = Column(space.parameters_many(cells).astype(np.uint32), "parameters")
    hashes = np.frombuffer(bytes.fromhex("".join(space.hash_many(cells))), np.uint8).reshape(-1, 16)
    content = TableContent(
        space.name,
        cells,
        {"cifar10": DatasetContent({"parameters": parameters}, schedules)},
        dict.fromkeys(SOURCE_FIELDS, "drawn at random"),
        {},
        space.identity_many(cells),
        hashes,
    )
    write(path, content)
    return path
