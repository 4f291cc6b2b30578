"""Attaching: more metrics for the architectures of a table, from other people's files or one's own.

A source for attaching is a function ``read(source, table) -> Attachment``, one file each in :mod:`nasbench.sources`. It
looks at the table only for what it needs to read the file: its search space, image datasets and rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import ConversionError
from nasbench.spaces import SearchSpace
from nasbench.tables import (
    SOURCE_FIELDS,
    Column,
    DatasetContent,
    TableContent,
    TableFile,
    missing_value,
    read_content,
)
from nasbench.types import Metrics

_NAME = re.compile(r"(?=.*[A-Za-z_])[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}", re.ASCII)
# What a query answers has one meaning and one unit in every table; the other three name the rows of an export.
_TAKEN = {*Metrics._fields, "index", "row", "architecture"}
_BETWEEN = {"sha256": "\n", "citation": "\n", "elsewhere": " "}


class Attachment(NamedTuple):
    """Metrics of architectures, to be joined with a table.

    Args:
        space: Name of the search space.
        architectures: uint8, shape (n, decisions); no architecture twice.
        datasets: By image dataset and metric: columns of floats, shape (n,), nan where there is no value.
        source: The texts of :data:`nasbench.tables.SOURCE_FIELDS`; the licence names what it is the licence of.
        report: What the reader noticed, as JSON.
        schedules: Whole schedules that the table lacks, by image dataset and length in epochs: columns by metric, as a
            table file has them below a schedule, shape (n, epochs, runs).
    """

    space: str
    architectures: NDArray[np.uint8]
    datasets: Mapping[str, Mapping[str, Column]]
    source: Mapping[str, str]
    report: Mapping[str, Any]
    schedules: Mapping[str, Mapping[int, Mapping[str, Column]]] = MappingProxyType({})


def attach(table: TableFile, attachment: Attachment) -> TableContent:
    """Return the content of a table with more columns, joined by the identity of the architectures.

    An architecture of the table that the attachment lacks has no value. What the attachment has beyond the table, of
    architectures or of image datasets, is left out. The report counts both, and names the source; the source texts of
    the table are lengthened by those of the attachment.

    Raises:
        ConversionError: The two are of different search spaces, or have no architecture or no image dataset in common;
            the attachment has an architecture twice, a metric or schedule that the table has already, or a metric
            whose name :func:`check_name` refuses.
        InvalidArchitectureError: The attachment has a row that is no architecture.
        TableFileError: The table file is not sound.
        UnknownNameError: The search space is not installed.
    """
    name, space = attachment.source["name"], registry.find("spaces", table.space)()
    if attachment.space != table.space:
        raise ConversionError(f"{name} is of search space {attachment.space}, {table.path} of {table.space}.")
    content = read_content(table.path)
    rows, found = _join(content, attachment, space, table.path)
    given = dict.fromkeys([*attachment.datasets, *attachment.schedules])
    if not set(given) & set(content.datasets):
        raise ConversionError(
            f"{name} has metrics on {_list(given)}, but {table.path} is of {_list(content.datasets)}."
        )
    datasets, added, missing = dict(content.datasets), {}, {}
    for dataset in given:
        if dataset not in datasets:
            continue
        new = DatasetContent(attachment.datasets.get(dataset, {}), attachment.schedules.get(dataset, {}))
        place = f"{os.path.basename(table.path)} ({dataset})"
        _check_metrics(new, datasets[dataset], name, f"{place} has already, from {content.source['name']}")
        new = _spread(new, rows, found)
        added[dataset] = _by_name(new)
        missing[dataset] = {metric: n for metric, column in added[dataset].items() if (n := _missing(column))}
        old = datasets[dataset]
        datasets[dataset] = DatasetContent({**old.columns, **new.columns}, {**old.schedules, **new.schedules})
    report = {
        "name": name,
        "metrics": {dataset: _list(columns) for dataset, columns in added.items()},
        "image datasets left out, for the table lacks them": _list(set(given) - set(added)) or "none",
        "architectures of the source": len(attachment.architectures),
        "architectures of the source left out, for the table lacks them": len(attachment.architectures)
        - len(np.unique(rows[found])),
        "architectures of the table without these metrics": int((~found).sum()),
        "missing values, by metric": missing,
        **attachment.report,
    }
    number = 1 + sum(key.startswith("attached ") for key in content.report)
    return content._replace(
        datasets=datasets,
        source={field: _joined(field, content.source, attachment.source) for field in SOURCE_FIELDS},
        report={**content.report, f"attached {number}": report},
    )


def check_name(metric: str, place: str) -> None:
    """Refuse a name that cannot be that of an attached metric.

    Raises:
        ConversionError: It has other characters than ASCII letters, digits and ``_.+-``, has only digits, or is one of
            those that a query answers: an attached column cannot take their place.
    """
    if not _NAME.fullmatch(metric):
        raise ConversionError(
            f"{place}: {metric[:100]!r} is no name for a metric: expected at most 100 letters, digits and _ . + -, "
            "not only digits."
        )
    if metric in _TAKEN:
        raise ConversionError(
            f"{place}: {metric!r} has a fixed meaning in every table; give the metric another name, such as "
            f"my_{metric}."
        )


def _join(
    content: TableContent, attachment: Attachment, space: SearchSpace, path: str
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return for each row of the table that of the attachment, and whether there is one."""
    known = content.identities if content.identities is not None else space.identity_many(content.architectures)
    given = space.identity_many(attachment.architectures)
    order = np.argsort(given, kind="stable")
    twice = np.flatnonzero(np.diff(given[order]) == 0)
    if len(twice):
        forms = [space.format(tuple(attachment.architectures[order[twice[0] + i]].tolist())) for i in (0, 1)]
        raise ConversionError(
            f"{attachment.source['name']} has an architecture twice: {' and '.join(dict.fromkeys(forms))}."
        )
    if not np.isin(known, given).any():
        raise ConversionError(f"none of the {len(given):,} architectures of {attachment.source['name']} is in {path}.")
    rows = order[np.minimum(np.searchsorted(given, known, sorter=order), len(given) - 1)]
    return rows, given[rows] == known


def _check_metrics(new: DatasetContent, old: DatasetContent, name: str, there: str) -> None:
    def refuse(what: str) -> None:
        raise ConversionError(
            f"{name} brings {what}, which {there}. Nothing is replaced: attach to a table without it."
        )

    taken = {*old.columns, *(metric for metrics in old.schedules.values() for metric in metrics)}
    for metric in new.columns:
        if metric in taken:
            refuse(f"the metric {metric!r}")
        check_name(metric, name)
    for schedule, metrics in new.schedules.items():
        if schedule in old.schedules:
            refuse(f"the schedule of {schedule} epochs")
        for metric in metrics:
            if metric in old.columns or metric in new.columns:
                refuse(f"the metric {metric!r} of schedule {schedule}, as one of a training")


def _spread(new: DatasetContent, rows: NDArray[np.int64], found: NDArray[np.bool_]) -> DatasetContent:
    """Put the values into the rows of the table, and mark the rows without any as missing."""

    def spread(column: Column) -> Column:
        dtype = column.values.dtype
        values = np.full((len(rows), *column.values.shape[1:]), missing_value(dtype), dtype)
        values[found] = column.values[rows[found]]
        return column._replace(values=values)

    return DatasetContent(
        {metric: spread(column) for metric, column in new.columns.items()},
        {schedule: {m: spread(c) for m, c in metrics.items()} for schedule, metrics in new.schedules.items()},
    )


def _by_name(new: DatasetContent) -> dict[str, Column]:
    """Return all columns, those of a schedule named as :meth:`nasbench.tables.table.Table.describe` names them."""
    scheduled = {f"{m}@{schedule}": c for schedule, metrics in new.schedules.items() for m, c in metrics.items()}
    return {**new.columns, **scheduled}


def _missing(column: Column) -> int:
    values = column.values
    absent = np.isnan(values) if values.dtype.kind == "f" else values == missing_value(values.dtype)
    return int(absent.sum())


def _joined(field: str, old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Return two texts as one; what the table says already, such as the citation of a paper, is not said again."""
    between = _BETWEEN.get(field, "; ")
    if f"{between}{new[field]}{between}" in f"{between}{old[field]}{between}":
        return old[field]
    return between.join(filter(None, (old[field], new[field])))


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
