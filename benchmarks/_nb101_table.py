"""A full-size table of NAS-Bench-101, without the two gigabytes of records that it is converted from.

All 423,624 real cells with their hashes, parameter counts and the three test accuracies at 108 epochs of
``nb101_cifar10.npz`` (of the three, one is known, and the mean). The other figures are drawn: accuracies that fall with
shorter schedules, and seconds in proportion to them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasbench.spaces.nb101 import EDGES, NB101, VERTICES
from nasbench.tables import Column, DatasetContent, TableContent, write

IMAGES = 9_984
SCHEDULES = (4, 12, 36, 108)


def write_table(path: Path, npz: Path, *, cells: int | None = None, seed: int = 0) -> None:
    """Write the table, or one of the first ``cells`` in the npz, in the form that the converter gives it."""
    rng = np.random.default_rng(seed)
    data = {name: values[:cells] for name, values in np.load(npz).items()}
    architectures = decoded(data["vertices"], data["bits"].astype(np.int64), data["ops"])
    one = np.rint(data["test_acc_one_run_108ep"] * IMAGES).astype(np.int64)
    rest = np.rint(data["test_acc_mean3_108ep"] * 3 * IMAGES).astype(np.int64) - one
    test = np.stack([one, rest // 2, rest - rest // 2], axis=1)
    seconds = np.nan_to_num(data["train_time_s_108ep"]) + 500
    space = NB101()
    content = TableContent(
        space.name,
        architectures,
        {
            "cifar10": DatasetContent(
                {
                    "parameters": Column(data["params"].astype(np.uint32), "parameters"),
                    "flops": Column(space.flops_many(architectures).astype(np.uint64), "multiply-accumulates"),
                },
                {schedule: _schedule(schedule, test, seconds, rng) for schedule in SCHEDULES},
            )
        },
        dict.fromkeys(("name", "address", "licence", "citation", "sha256", "elsewhere"), "synthetic but for its cells"),
        {"converter": "none"},
        space.identity_many(architectures),
        np.ascontiguousarray(data["hash"]).view(np.uint8).reshape(-1, 16),
    )
    write(path, content)


def decoded(vertices: np.ndarray, bits: np.ndarray, operations: np.ndarray) -> np.ndarray:
    """Return the choice vectors, shape (n, 26), of cells given by their edges as bits and the digits of operations."""
    result = np.zeros((len(vertices), 26), np.uint8)
    place = {edge: i for i, edge in enumerate(EDGES)}
    for v in range(2, VERTICES + 1):
        rows = np.flatnonzero(vertices == v)
        for y in range(1, v):
            for x in range(y):
                column = place[x, y if y < v - 1 else VERTICES - 1]  # the output is the last vertex of any cell
                result[rows, column] = bits[rows] >> (x + y * (y - 1) // 2) & 1
        if v > 2:
            digits = np.frombuffer(operations[rows].astype(f"S{v - 2}").tobytes(), np.uint8).reshape(-1, v - 2)
            result[rows, len(EDGES) : len(EDGES) + v - 2] = digits - ord("0")
    return result


def _schedule(schedule: int, test: np.ndarray, seconds: np.ndarray, rng: np.random.Generator) -> dict[str, Column]:
    epochs, n = (schedule // 2, schedule), len(test)
    final = np.maximum(test - rng.integers(0, 2500, test.shape) * (108 - schedule) // 108, 940)
    middle = np.maximum(final - rng.integers(0, 1500, test.shape), 940)
    counts = np.stack([middle, final], axis=1)
    columns = {}
    for metric, better in (("test", 0), ("validation", 90), ("train", 500)):
        noise = rng.integers(-60, 61, counts.shape) if better else 0
        values = np.clip(counts + better + noise, 0, IMAGES).astype(np.uint16)
        columns[f"{metric}_accuracy"] = Column(values, "images", epochs, IMAGES)
    whole = (seconds * schedule / 108)[:, None] + rng.normal(0, 1, (n, 3))
    times = np.stack([whole / 2, whole], axis=1).astype(np.float32)
    columns["training_time"] = Column(times, "seconds", epochs)
    return columns
