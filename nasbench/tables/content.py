"""What a table file holds, as arrays: the words of the format that readers and writers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "nasbench table"
VERSION = 1
SOURCE_FIELDS = ("name", "address", "licence", "citation", "sha256", "elsewhere")
BLOCK_ROWS = 2**14
"""Rows of a chunk, and of what a digest of ``block_sha256`` is of."""


class Column(NamedTuple):
    """One metric as it is stored.

    Args:
        values: Shape (architectures,), or (architectures, epochs, runs) below a schedule, where one run stands for
            a value that is the same in every run. Missing: the largest value of an unsigned type, nan of a float.
        unit: ``"images"`` (a count of correctly classified images), ``"seconds"``, ``"parameters"``, ...
        epochs: Completed epochs of each step of the second axis, rising; empty without a schedule.
        images: How many images an accuracy was measured on; None for other units.
        trained_on: Split that the network was trained on.
        evaluated_on: Split that an accuracy was measured on.
        per_epoch: The values are those of one epoch, the same in each: their second axis has length one, and the
            value at epoch e is e times that.
        better: ``"higher"`` or ``"lower"`` where neither name nor unit says it; empty otherwise.
    """

    values: NDArray[Any]
    unit: str
    epochs: tuple[int, ...] = ()
    images: int | None = None
    trained_on: str = ""
    evaluated_on: str = ""
    per_epoch: bool = False
    better: str = ""


class DatasetContent(NamedTuple):
    """All columns of one image dataset: those of the architecture, and those of each schedule."""

    columns: Mapping[str, Column]
    schedules: Mapping[int, Mapping[str, Column]]


class TableContent(NamedTuple):
    """Everything that :func:`nasbench.tables.write` puts into a file.

    Args:
        space: Name of the search space.
        architectures: uint8, shape (n, decisions), in the order of the source; none twice.
        datasets: By name of the image dataset; the first is the default.
        source: ``name``, ``address``, ``licence``, ``citation``, ``sha256`` (one ``file digest`` a line) and
            ``elsewhere`` (what the source does not record, and which official file does).
        report: What the conversion found, as JSON.
        identities: int64, shape (n,): the space's ``identity_many`` of each row, where computing it takes longer than
            reading it.
        hashes: uint8, shape (n, 16): the source's own MD5 hash of each row, where it names its architectures by one.
    """

    space: str
    architectures: NDArray[np.uint8]
    datasets: Mapping[str, DatasetContent]
    source: Mapping[str, str]
    report: Mapping[str, Any]
    identities: NDArray[np.int64] | None = None
    hashes: NDArray[np.uint8] | None = None


def missing_value(dtype: np.dtype[Any]) -> float | int:
    """Return what marks a value as not recorded: nan of a float, the largest value of an unsigned integer."""
    return float("nan") if dtype.kind == "f" else int(np.iinfo(dtype).max)
