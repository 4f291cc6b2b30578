"""One's own columns, ``FILE.csv``, ``FILE.csv.gz`` or ``FILE.npz``: a number for each architecture and metric.

A CSV file starts with a line of names. One column says which architecture a line is of: ``architecture`` (the text of
the search space, or the choices separated by commas, which CSV needs in quotes), ``index`` (the official index) or
``row`` (the row of the table). Every other one is a metric; its name may be followed by its unit, ``energy [joules]``.
An empty cell or ``nan`` is a missing value.

An NPZ file holds one array a metric, shape (n,), and ``architectures``, integers of shape (n, decisions); without that,
the arrays are in the order of the table's rows. Values are kept in the precision they have.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.sources.readers.csv_lines import csv_lines, number
from nasbench.sources.readers.npz_arrays import Npz
from nasbench.sources.readers.raw_file import opened
from nasbench.spaces import SearchSpace
from nasbench.system.files import checked_path
from nasbench.tables import Column, TableFile
from nasbench.tables.attach import Attachment, check_name
from nasbench.types import Architecture

_HEADER = re.compile(r"([^\[\]]*?)\s*(?:\[([^\[\]]*)\])?")
_CHOICES = re.compile(r"\d{1,9}(\s*,\s*\d{1,9})+", re.ASCII)
_INDEX = re.compile(r"\d{1,9}", re.ASCII)
_ARCHITECTURES = "architectures"


class _Name(NamedTuple):
    metric: str
    unit: str


def read(source: str | os.PathLike[str], table: TableFile) -> Attachment:
    """Read a CSV or NPZ file as metrics on the table's image dataset.

    Args:
        source: The file; its ending says what it is.
        table: The table that this is for, opened at the image dataset that the metrics are of.

    Raises:
        ConversionError: The file is missing, damaged, or not of the form above; it names an architecture twice, has an
            architecture that is none, or a value that is no finite number. The message says in which line and column.
    """
    path, space = Path(checked_path(source)), registry.find("spaces", table.space)()
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        read_columns = _read_csv
    elif name.endswith(".npz"):
        read_columns = _read_npz
    else:
        raise ConversionError(f"{path}: expected a file whose name ends in .csv, .csv.gz or .npz.")
    with opened(path) as (file, digest):
        architectures, columns = read_columns(file, path, table, space)
    described = {"name": path.name, "address": "", "licence": f"{path.name}: not stated", "citation": ""}
    return Attachment(
        space.name,
        architectures,
        {table.dataset: columns},
        {**described, "sha256": f"{path.name} {digest}", "elsewhere": ""},
        {"reader": "columns, version 1"},
    )


def _name(header: str, place: str) -> _Name:
    """Split ``energy [joules]`` into a name and a unit."""
    match = _HEADER.fullmatch(header.strip())
    if match is None:
        raise ConversionError(f"{place}: {header[:100]!r} is no name: expected a name, or a name and [unit].")
    check_name(match[1], place)
    return _Name(match[1], match[2] or "not stated")


# CSV.


def _read_csv(
    file: IO[bytes], path: Path, table: TableFile, space: SearchSpace
) -> tuple[NDArray[np.uint8], dict[str, Column]]:
    lines = csv_lines(file, path)
    _, header = next(lines)
    key, names = _header(header, f"{path}, line 1")
    parse = _parser(header[key], table, space)
    line_of: dict[Architecture, int] = {}
    values: list[list[float]] = []
    for line, cells in lines:
        place = f"{path}, line {line}"
        architecture = parse(cells[key].strip(), f"{place}, column {key + 1} ({header[key]})")
        if architecture in line_of:
            raise ConversionError(
                f"{place}: {space.format(architecture)} comes twice, first in line {line_of[architecture]}."
            )
        line_of[architecture] = line
        values.append([number(cells[i], place, i, header[i]) for i in names])
    array = np.array(values, np.float64).reshape(len(values), len(names))
    columns = {name.metric: Column(array[:, i].copy(), name.unit) for i, name in enumerate(names.values())}
    return np.array([*line_of], np.uint8).reshape(len(values), len(space.choices)), columns


def _header(header: list[str], place: str) -> tuple[int, dict[int, _Name]]:
    """Return which column says the architecture, and the names of the others by column."""
    keys = [i for i, cell in enumerate(header) if cell in ("architecture", "index", "row")]
    if len(keys) != 1:
        raise ConversionError(
            f"{place}: expected names separated by commas, exactly one of them 'architecture', 'index' or 'row'; "
            f"found {', '.join(header)[:200]!r}."
        )
    names = {i: _name(cell, f"{place}, column {i + 1}") for i, cell in enumerate(header) if i not in keys}
    metrics = [name.metric for name in names.values()]
    if not metrics:
        raise ConversionError(f"{place}: no column beside {header[keys[0]]!r}.")
    for i, metric in zip(names, metrics, strict=True):
        if metrics.count(metric) > 1:
            raise ConversionError(f"{place}, column {i + 1}: {metric!r} names {metrics.count(metric)} columns.")
    return keys[0], names


def _parser(key: str, table: TableFile, space: SearchSpace) -> Callable[[str, str], Architecture]:
    """Return what reads a cell of the column that says the architecture."""
    if key in ("index", "row"):
        official = space.architectures if key == "index" else None
        if key == "index" and official is None and table.size != space.distinct:
            raise ConversionError(
                f"{table.path}: {space.name} has no official order, and the table is not complete: nothing says what "
                "an index means. Name the column 'row' (of the table) or 'architecture'."
            )
        rows = [*map(tuple, (table.architectures() if official is None else official).tolist())]
        meaning = "a row of the table" if official is None else f"an official index of {space.name}"

        def parse(cell: str, place: str) -> Architecture:
            if not _INDEX.fullmatch(cell) or int(cell) >= len(rows):
                raise ConversionError(f"{place}: {cell[:60]!r}, expected {meaning}, 0 to {len(rows) - 1}.")
            return rows[int(cell)]
    else:

        def parse(cell: str, place: str) -> Architecture:
            try:
                if _CHOICES.fullmatch(cell):
                    return space.check(tuple(int(choice) for choice in cell.split(",")))
                return space.parse(cell)
            except InvalidArchitectureError as error:
                raise ConversionError(f"{place}: {error}") from None

    return parse


# NPZ.


def _read_npz(
    file: IO[bytes], path: Path, table: TableFile, space: SearchSpace
) -> tuple[NDArray[np.uint8], dict[str, Column]]:
    npz = Npz(file, path)
    architectures = table.architectures()
    if _ARCHITECTURES in npz.names:
        raw = npz.array(_ARCHITECTURES, (None, len(space.choices)))
        try:
            architectures = space.validated(raw)
        except InvalidArchitectureError as error:
            raise ConversionError(f"{path}, {_ARCHITECTURES}: {error}") from None
    columns: dict[str, Column] = {}
    for header in npz.names:
        if header == _ARCHITECTURES:
            continue
        name = _name(header, f"{path}, {header[:100]!r}")
        if name.metric in columns:
            raise ConversionError(f"{path}: {name.metric!r} names two arrays.")
        columns[name.metric] = Column(npz.floats(header, (len(architectures),)), name.unit)
    if not columns:
        raise ConversionError(f"{path}: holds no array of a metric.")
    return architectures, columns
