"""One's own columns, ``FILE.csv``, ``FILE.csv.gz`` or ``FILE.npz``: a number for each architecture and metric.

A CSV file starts with a line of names. One column says which architecture a line is of: ``architecture`` (the text of
the search space, or the choices separated by commas, which CSV needs in quotes), ``index`` (the official index) or
``row`` (the row of the table). Every other one is a metric; its name may be followed by its unit, ``energy [joules]``.
An empty cell or ``nan`` is a missing value.

An NPZ file holds one array a metric, shape (n,), and ``architectures``, integers of shape (n, decisions); without that,
the arrays are in the order of the table's rows. Values are kept in the precision they have.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.spaces import SearchSpace
from nasbench.system.files import checked_path
from nasbench.tables import Column, TableFile
from nasbench.tables.attach import Attachment, check_name
from nasbench.types import Architecture

_HEADER = re.compile(r"([^\[\]]*?)\s*(?:\[([^\[\]]*)\])?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CHOICES = re.compile(r"\d{1,9}(\s*,\s*\d{1,9})+", re.ASCII)
_INDEX = re.compile(r"\d{1,9}", re.ASCII)
_LONGEST_LINE = 2**20
_NPY_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# Integers beyond this are not all floats.
_EXACT = 2**53


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
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            architectures, columns = read_columns(file, path, table, space)
    except OSError as error:  # also what a damaged gzip file raises
        raise ConversionError(f"{path}: cannot be read: {error.strerror or error}.") from None
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
    opened = gzip.GzipFile(fileobj=file) if path.name.lower().endswith(".gz") else file
    lines = csv.reader(_lines(opened, path), strict=True)
    try:
        header = [cell.strip() for cell in next(lines, [])]
        key, names = _header(header, f"{path}, line 1")
        parse = _parser(header[key], table, space)
        line_of: dict[Architecture, int] = {}
        values: list[list[float]] = []
        for cells in lines:
            if not cells:
                continue
            place = f"{path}, line {lines.line_num}"
            if len(cells) != len(header):
                raise ConversionError(f"{place}: {len(cells)} cells, expected {len(header)}, as in line 1.")
            architecture = parse(cells[key].strip(), f"{place}, column {key + 1} ({header[key]})")
            if architecture in line_of:
                raise ConversionError(
                    f"{place}: {space.format(architecture)} comes twice, first in line {line_of[architecture]}."
                )
            line_of[architecture] = lines.line_num
            values.append([_number(cells[i], place, i, header) for i in names])
    except csv.Error as error:
        raise ConversionError(f"{path}, line {lines.line_num}: not readable as CSV: {error}.") from None
    except (EOFError, zlib.error) as error:
        raise ConversionError(f"{path}: cut off or damaged: {error}.") from None
    array = np.array(values, np.float64).reshape(len(values), len(names))
    columns = {name.metric: Column(array[:, i].copy(), name.unit) for i, name in enumerate(names.values())}
    return np.array([*line_of], np.uint8).reshape(len(values), len(space.choices)), columns


def _lines(file: IO[bytes] | gzip.GzipFile, path: Path) -> Iterator[str]:
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise ConversionError(f"{path}, line {number}: longer than {_LONGEST_LINE:,} bytes.")
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise ConversionError(f"{path}, line {number}: not UTF-8 text.") from None


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


def _number(cell: str, place: str, column: int, header: list[str]) -> float:
    text = cell.strip()
    if not text or text.lower() == "nan":
        return float("nan")
    value = float(text) if _NUMBER.fullmatch(text) else float("inf")
    if abs(value) == float("inf"):
        found = f"{place}, column {column + 1} ({header[column]}): {cell[:60]!r}"
        raise ConversionError(f"{found}, expected a finite number, or nothing where there is no value.")
    if abs(value) >= _EXACT and re.fullmatch(r"[+-]?\d+", text) and int(value) != int(text):
        found = f"{place}, column {column + 1} ({header[column]}): {cell[:60]!r}"
        raise ConversionError(f"{found} is an integer that a float cannot hold exactly.")
    return value


# NPZ.


def _read_npz(
    file: IO[bytes], path: Path, table: TableFile, space: SearchSpace
) -> tuple[NDArray[np.uint8], dict[str, Column]]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if len(members) != len(archive.infolist()):
                raise ConversionError(f"{path}: two arrays of one name.")
            if "architectures" in members:
                raw = _array(archive, members.pop("architectures"), (None, len(space.choices)), path)
                try:
                    architectures = space.validated(raw)
                except InvalidArchitectureError as error:
                    raise ConversionError(f"{path}, architectures: {error}") from None
            else:
                architectures = table.architectures()
            columns: dict[str, Column] = {}
            for header, info in members.items():
                name = _name(header, f"{path}, {header[:100]!r}")
                if name.metric in columns:
                    raise ConversionError(f"{path}: {name.metric!r} names two arrays.")
                values = _array(archive, info, (len(architectures),), path)
                columns[name.metric] = Column(_floats(values, f"{path}, {header}"), name.unit)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, MemoryError) as error:
        raise ConversionError(f"{path}: no readable NPZ file: {str(error)[:160]}. Write it with numpy.savez.") from None
    if not columns:
        raise ConversionError(f"{path}: holds no array of a metric.")
    return architectures, columns


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, shape: tuple[int | None, ...], path: Path) -> NDArray[Any]:
    """Read one array of numbers, once what it says of itself is what it should be."""
    place, expected = f"{path}, {info.filename[:100]}", ", ".join("n" if n is None else str(n) for n in shape)
    try:
        with archive.open(info) as member:
            read_header = _NPY_HEADERS[np.lib.format.read_magic(member)]
            found, _, dtype = read_header(member)
        fits = len(found) == len(shape) and all(n in (None, m) for n, m in zip(shape, found, strict=True))
        if dtype.kind not in "iuf" or dtype.itemsize > 8 or not fits:
            raise ConversionError(
                f"{place}: expected numbers of at most 64 bits, shape ({expected}); found {dtype} of shape {found}."
            )
        with archive.open(info) as member:
            values = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):
                raise ConversionError(f"{place}: more data after the array.")
            return np.asarray(values)
    except (ConversionError, zipfile.BadZipFile, MemoryError):
        raise
    except Exception as error:  # a damaged header may raise anything
        raise ConversionError(f"{place}: no readable array: {str(error)[:160]}.") from None


def _floats(values: NDArray[Any], place: str) -> NDArray[Any]:
    if values.dtype.kind != "f":
        wrong = np.flatnonzero((values > _EXACT) | (values < -_EXACT))
        if len(wrong):
            raise ConversionError(f"{place}, row {wrong[0]}: {values[wrong[0]]} is too large for an exact float.")
        return values.astype(np.float64)
    wrong = np.flatnonzero(np.isinf(values))
    if len(wrong):
        raise ConversionError(f"{place}, row {wrong[0]}: {values[wrong[0]]}, expected a finite number, or nan.")
    return values
