"""A table of NAS-Bench-Macro whose values follow laws: curves, times and runs that a surrogate can be held to."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasbench.spaces.nb_macro import NBMacro
from nasbench.tables import Column, DatasetContent, TableContent, write

EPOCHS = (1, 5, 10)
RUNS, IMAGES = 3, 1_000_000
DEVIATION = 0.004
"""Of a run, in its final validation accuracy; the same deviation, ten times as large, is in the first epoch."""
SIZE = 400


def write_curves(path: Path, runs: int = RUNS, shift: float = 0.0) -> Path:
    space = NBMacro()
    rng = np.random.default_rng(0)
    architectures = space.decode(rng.choice(space.size, SIZE, replace=False))
    final = validation(architectures, 10) + shift
    noise = DEVIATION * rng.standard_normal((SIZE, runs))
    counts = {}
    for metric, gap in (("validation_accuracy", 0.0), ("test_accuracy", -0.02)):
        values = np.stack(
            [
                final[:, None] - curve(architectures, epoch)[:, None] + gap + noise * (1 + 9 * (epoch == 1))
                for epoch in EPOCHS
            ],
            axis=1,
        )
        counts[metric] = Column(np.round(values * IMAGES).astype(np.uint32), "images", EPOCHS, IMAGES, "some", "others")
    seconds = np.array(EPOCHS) * seconds_an_epoch(architectures)[:, None]
    counts["training_time"] = Column(seconds[:, :, None].astype(np.float64), "seconds", EPOCHS, trained_on="some")
    columns = {"parameters": Column(space.parameters_many(architectures).astype(np.uint64), "parameters")}
    source = dict.fromkeys(("name", "address", "licence", "citation", "sha256", "elsewhere"), "made for a test")
    content = TableContent(space.name, architectures, {"cifar10": DatasetContent(columns, {10: counts})}, source, {})
    write(path, content)
    return path


def validation(architectures: np.ndarray, epoch: int) -> np.ndarray:
    """The true mean: layers add up, the first ones count more."""
    gain = np.array([0.0, 0.7, 1.0])[NBMacro().canonical_many(architectures)]
    return 0.6 + 0.03 * gain @ np.linspace(1.5, 0.5, 8) - (curve(architectures, epoch) if epoch < 10 else 0)


def curve(architectures: np.ndarray, epoch: int) -> np.ndarray:
    """How far below the end: large networks learn more slowly."""
    size = np.log(NBMacro().parameters_many(architectures) / 1e6)
    return (0.2 + 0.05 * size) * {1: 1.0, 5: 0.3, 10: 0.0}[epoch]


def seconds_an_epoch(architectures: np.ndarray) -> np.ndarray:
    return 1 + NBMacro().flops_many(architectures) / 1e7
