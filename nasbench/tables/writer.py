"""Table files, written whole or not at all."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import TableFileError
from nasbench.system.files import refuse_existing, replacing
from nasbench.tables.content import BLOCK_ROWS, FORMAT, SOURCE_FIELDS, VERSION, Column, TableContent
from nasbench.tables.groups import describe, sha256_of
from nasbench.tables.hdf5 import create, set_attributes
from nasbench.tables.reader import TableFile

if TYPE_CHECKING:
    import h5py

# HDF5 keeps larger attributes apart, on a heap.
_MOST_BLOCKS = 900


def write(path: str | os.PathLike[str], content: TableContent, *, force: bool = False) -> None:
    """Write a table file: to a temporary name, synced, renamed. The same content gives the same bytes.

    Args:
        path: The file.
        content: What goes into it.
        force: Replace a file that is there.

    Raises:
        FileInTheWayError: There is such a file, and ``force`` was not given.
        TableFileError: The content breaks a rule of the format; nothing is written.
    """
    refuse_existing(path, force=force)
    with replacing(path) as temporary:
        with create(temporary) as file:
            set_attributes(file, {"format": FORMAT, "version": VERSION, "space": content.space})
            set_attributes(file, {f"source_{name}": content.source[name] for name in SOURCE_FIELDS})
            set_attributes(file, {"report": json.dumps(content.report, sort_keys=True)})
            set_attributes(file, {"datasets": list(content.datasets)})
            _write_column(file, "architectures", Column(content.architectures, unit="choices"))
            if content.identities is not None:
                _write_column(file, "identities", Column(content.identities, unit="identity"))
            if content.hashes is not None:
                _write_column(file, "hashes", Column(content.hashes, unit="MD5"))
            for name, dataset in content.datasets.items():
                group = file.create_group(name)
                for metric, column in dataset.columns.items():
                    _write_column(group, metric, column)
                for schedule, columns in dataset.schedules.items():
                    below = group.create_group(str(schedule))
                    for metric, column in columns.items():
                        _write_column(below, metric, column)
                    set_attributes(below, {"digest": describe(below).digest})
                set_attributes(group, {"digest": describe(group).digest})
            set_attributes(file, {"digest": describe(file).digest})
        # Whatever a reader would refuse is refused here, before the file gets its name.
        try:
            TableFile(temporary).verify()
        except TableFileError as error:
            raise TableFileError(str(error).replace(temporary, os.fspath(path))) from None


def _write_column(group: h5py.Group, name: str, column: Column) -> None:
    values = np.ascontiguousarray(column.values, column.values.dtype.newbyteorder("<"))
    # One chunk an epoch: a query at one epoch reads nothing else. In large tables it reads a few rows of that only.
    rows = min(values.shape[0], BLOCK_ROWS)
    chunks = (rows, 1, values.shape[2]) if column.epochs else (rows, *values.shape[1:])
    # The digits of a float are noise: a higher level takes twenty times as long and saves one percent.
    level = 4 if values.dtype.kind == "f" else 9
    node = group.create_dataset(
        name, data=values, chunks=chunks, compression="gzip", compression_opts=level, shuffle=True, fletcher32=True
    )
    stated: dict[str, Any] = {"unit": column.unit}
    steps = 1 if column.per_epoch else len(column.epochs)
    parts = [values[:, i] for i in range(steps)] or [values]
    stated["sha256"] = [sha256_of(part) for part in parts]
    starts = range(0, len(values), BLOCK_ROWS)
    if len(starts) > 1 and len(parts) * len(starts) <= _MOST_BLOCKS:
        stated["block_sha256"] = [sha256_of(part[start : start + BLOCK_ROWS]) for part in parts for start in starts]
    if column.per_epoch:
        stated["per_epoch"] = 1
    if column.epochs:
        stated["epochs"] = np.array(column.epochs, np.int32)
    if column.images is not None:
        stated["images"] = column.images
    for field in ("evaluated_on", "trained_on", "better"):
        if getattr(column, field):
            stated[field] = getattr(column, field)
    set_attributes(node, stated)
