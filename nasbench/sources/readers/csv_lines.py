"""CSV files, plain or gzip: their lines within bounds, and the numbers in their cells."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nasbench.errors import ConversionError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LONGEST_LINE = 2**20
EXACT = 2**53
"""Integers beyond this are not all floats."""


def csv_lines(file: IO[bytes], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of the first line, then of each one that is not empty; all have as many cells.

    Raises:
        ConversionError: The file is no CSV, no UTF-8, cut off, or a line is too long or has another number of cells.
    """
    opened = gzip.GzipFile(fileobj=file) if path.name.lower().endswith(".gz") else file
    lines = csv.reader(_texts(opened, path), strict=True)
    try:
        header = [cell.strip() for cell in next(lines, [])]
        yield lines.line_num, header
        for cells in lines:
            if cells and len(cells) != len(header):
                place = f"{path}, line {lines.line_num}"
                raise ConversionError(f"{place}: {len(cells)} cells, expected {len(header)}, as in line 1.")
            if cells:
                yield lines.line_num, cells
    except csv.Error as error:
        raise ConversionError(f"{path}, line {lines.line_num}: not readable as CSV: {error}.") from None
    except (EOFError, zlib.error) as error:
        raise ConversionError(f"{path}: cut off or damaged: {error}.") from None


def number(cell: str, place: str, column: int, name: str) -> float:
    """Return the number of a cell; nan where it is empty or says so.

    Args:
        cell: Its text.
        place: File and line, for messages.
        column: Number of the column, from 0.
        name: Name of the column.

    Raises:
        ConversionError: It is no finite number, or an integer that a float cannot hold exactly.
    """
    text = cell.strip()
    if not text or text.lower() == "nan":
        return float("nan")
    value = float(text) if _NUMBER.fullmatch(text) else float("inf")
    if abs(value) == float("inf"):
        found = f"{place}, column {column + 1} ({name}): {cell[:60]!r}"
        raise ConversionError(f"{found}, expected a finite number, or nothing where there is no value.")
    if abs(value) >= EXACT and re.fullmatch(r"[+-]?\d+", text) and int(value) != int(text):
        found = f"{place}, column {column + 1} ({name}): {cell[:60]!r}"
        raise ConversionError(f"{found} is an integer that a float cannot hold exactly.")
    return value


def _texts(file: IO[bytes] | gzip.GzipFile, path: Path) -> Iterator[str]:
    line_number = 0
    while line := file.readline(_LONGEST_LINE):
        line_number += 1
        if len(line) == _LONGEST_LINE:
            raise ConversionError(f"{path}, line {line_number}: longer than {_LONGEST_LINE:,} bytes.")
        try:
            yield line.decode("utf-8-sig" if line_number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise ConversionError(f"{path}, line {line_number}: not UTF-8 text.") from None
