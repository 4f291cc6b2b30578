"""A full-size table of the topology space of NATS-Bench, with random figures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.nb201 import NB201
from nasbench.tables import Column, DatasetContent, TableContent


def full_size(sample: TableContent, seed: int) -> TableContent:
    """Return a table of all 15,625 architectures, with the columns of a converted one and random figures.

    The last epoch of every schedule, which the benchmarks read, is uniformly random: it takes longer to read than a
    real one, which compresses better. The epochs before it are zeros, so that writing takes seconds; the size of the
    file means nothing.
    """
    rng = np.random.default_rng(seed)
    space = NB201()

    def random(column: Column, shape: tuple[int, ...]) -> NDArray[Any]:
        if column.images is not None:
            return rng.integers(0, column.images + 1, shape, dtype=column.values.dtype)
        scale = 30 if column.unit == "seconds" else 1e6
        return (rng.random(shape) * scale).astype(column.values.dtype)

    def drawn(column: Column) -> Column:
        shape = (space.size, *column.values.shape[1:])
        if not column.epochs:
            return column._replace(values=random(column, shape))
        values = np.zeros(shape, column.values.dtype)
        values[:, -1] = random(column, (shape[0], shape[2]))
        return column._replace(values=values)

    datasets = {
        name: DatasetContent(
            {metric: drawn(column) for metric, column in content.columns.items()},
            {s: {m: drawn(c) for m, c in columns.items()} for s, columns in content.schedules.items()},
        )
        for name, content in sample.datasets.items()
    }
    return sample._replace(architectures=space.architectures, datasets=datasets)
