"""NAS-Bench-Suite-Zero, ``zc_nasbench201.json`` and ``zc_nasbench101.json``: scores of thirteen zero-cost proxies.

Krishnakumar et al., "NAS-Bench-Suite-Zero: Accelerating Research on Zero Cost Proxies", NeurIPS 2022, datasets and
benchmarks, https://github.com/automl/NASLib/tree/zerocost. Two layouts:

- ``{image dataset: {architecture: {proxy: {"score": ..., "time": ...}, "val_accuracy": ...}}}``;
- of 2022-05, ``{space: {image dataset: {architecture: {proxy: score, "val_accuracy": ...}}}}``.

A proxy becomes the metrics ``synflow_score`` and, in seconds, ``synflow_time``. The source marks a score that could not
be computed by -1e8. Its ``val_accuracy`` is not attached: it is of one unnamed training, in percent, or a similarity or
a negative loss where the task is not classification.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError
from nasbench.spaces import SearchSpace
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.system.files import checked_path
from nasbench.tables import Column, TableFile
from nasbench.tables.attach import Attachment
from nasbench.types import Architecture

_FAILED = -1e8
_NO_PROXIES = {"idx", "id", "arch", "val_accuracy"}
_UNITS = {"params": "millions of parameters", "flops": "millions, by another count than the table's flops"}
_SPACES = ("nasbench101", "nasbench201", "nasbench301", "transbench101_macro", "transbench101_micro")
_KEY = re.compile(r"\(\d+(, ?\d+)*,?\)", re.ASCII)

# Operations and edges as NASLib numbers them: naslib/search_spaces/*/conversions.py.
_NB201_OPERATIONS = (1, 0, 3, 2, 4)
"""Ours, of skip_connect, none, nor_conv_3x3, nor_conv_1x1, avg_pool_3x3."""
_NB201_EDGES = (0, 1, 3, 2, 4, 5)
"""Place of our edges 1<-0, 2<-0, 2<-1, 3<-0, 3<-1, 3<-2 in an order by source."""
_NB101_OPERATIONS = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")

_SOURCE = {
    "name": "NAS-Bench-Suite-Zero",
    "address": "https://github.com/automl/NASLib/tree/zerocost",
    "licence": "NAS-Bench-Suite-Zero: Apache-2.0, Copyright (2019) the contributors and AutoML-Freiburg",
    "citation": "A. Krishnakumar, C. White, A. Zela, R. Tu, M. Safari and F. Hutter. NAS-Bench-Suite-Zero: "
    "Accelerating Research on Zero Cost Proxies. Advances in Neural Information Processing Systems (NeurIPS), datasets "
    "and benchmarks, 2022.",
    "elsewhere": "",
}


def read(source: str | os.PathLike[str], table: TableFile) -> Attachment:
    """Read the scores, and the seconds they took, of the architectures of NAS-Bench-201 or NAS-Bench-101.

    Scores of -1e8 and those that are not finite are missing values, and counted. The architectures of NAS-Bench-101
    were drawn at random and may come in several forms of one cell: the first is kept, the others are counted.

    Args:
        source: The JSON file.
        table: The table that this is for; its search space says how to read the names of the architectures.

    Raises:
        ConversionError: The table is of another search space, or the file; it is missing, is not readable as JSON, or
            names something twice; an architecture or a score is not of the format. The message says where.
    """
    path = Path(checked_path(source))
    if table.space not in _READERS:
        raise ConversionError(
            f"{path}: {table.path} is of search space {table.space}; the parts of NAS-Bench-Suite-Zero that can be "
            f"attached are of {' and '.join(_READERS)}. NAS-Bench-301 and TransNAS-Bench-101 are not available here."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read: {error.strerror}.") from None
    published, space, parse = _READERS[table.space]
    raw = _part(_load(data, path), published, path)
    row_of: dict[str, int] = {}
    for dataset, entries in raw.items():
        if not isinstance(entries, dict) or not entries:
            raise ConversionError(f"{path}: {dataset!r:.60}: expected an object of architectures.")
        for key in entries:
            row_of.setdefault(key, len(row_of))
    architectures = np.array([_architecture(key, parse, path) for key in row_of], np.uint8)
    report: dict[str, Any] = {"reader": "suite-zero, version 1", "val_accuracy": "left out"}
    datasets = {}
    for dataset, entries in raw.items():
        datasets[dataset], report[dataset] = _columns(entries, row_of, f"{path}: {dataset}")
    first, report["other forms of an architecture that came before"] = _distinct(space(), architectures)
    datasets = {
        dataset: {metric: column._replace(values=column.values[first]) for metric, column in columns.items()}
        for dataset, columns in datasets.items()
    }
    sha256 = f"{path.name} {hashlib.sha256(data).hexdigest()}"
    return Attachment(table.space, architectures[first], datasets, {**_SOURCE, "sha256": sha256}, report)


def _load(data: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
            raise ConversionError(f"{path}: {twice!r:.200} comes twice.")
        return found

    try:
        raw = json.loads(data, object_pairs_hook=unique)
    except ConversionError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{path}: not readable as JSON: {str(error)[:160]}. Download it again.") from None
    if not isinstance(raw, dict) or not raw:
        raise ConversionError(f"{path}: expected a JSON object of image datasets or search spaces.")
    return raw


def _part(raw: dict[str, Any], space: str, path: Path) -> dict[str, Any]:
    """Return the image datasets of one search space, which only the older layout names."""
    named = [name for name in raw if name in _SPACES]
    if not named:
        return raw
    if space not in raw:
        raise ConversionError(f"{path}: has scores of {', '.join(named)}, and none of {space}.")
    part = raw[space]
    if not isinstance(part, dict) or not part:
        raise ConversionError(f"{path}: {space}: expected an object of image datasets.")
    return part


def _architecture(key: str, parse: Callable[[list[int]], Architecture], path: Path) -> Architecture:
    try:
        return parse([int(number) for number in _numbers(key)])
    except ValueError as error:  # of the space's, too
        raise ConversionError(f"{path}: {key!r:.200}: {error}") from None


def _numbers(key: str) -> list[str]:
    if not _KEY.fullmatch(key) or len(key) > 300:
        raise ValueError("no architecture, which is written (4, 0, 3, 1, 4, 3).")
    return re.findall(r"\d+", key)


def _nb201(numbers: list[int]) -> Architecture:
    if len(numbers) != 6 or max(numbers) > 4:
        raise ValueError("no cell of NAS-Bench-201: expected six numbers from 0 to 4.")
    return tuple(_NB201_OPERATIONS[numbers[edge]] for edge in _NB201_EDGES)


def _nb101(numbers: list[int]) -> Architecture:
    n = math.isqrt(len(numbers))
    if not 2 <= n <= 7 or len(numbers) != n * (n + 1) or max(numbers[: n * n]) > 1 or max(numbers[n * n :]) > 4:
        raise ValueError(
            "no cell of NAS-Bench-101: expected the n x n numbers of an adjacency matrix, 0 or 1, and n operations "
            "from 0 to 4, with n up to 7."
        )
    matrix = np.array(numbers[: n * n], np.int64).reshape(n, n)
    return NB101().from_cell(matrix, [_NB101_OPERATIONS[i] for i in numbers[n * n :]])


def _columns(
    entries: Mapping[str, Any], row_of: Mapping[str, int], place: str
) -> tuple[dict[str, Column], dict[str, Any]]:
    """Return the columns of one image dataset over all architectures, and what was noticed."""
    columns: dict[str, Column] = {}
    failed, infinite = Counter[str](), Counter[str]()
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            raise ConversionError(f"{place}, {key:.200}: expected an object of proxies.")
        for proxy, value in entry.items():
            if proxy in _NO_PROXIES:
                continue
            for metric, number in _metrics(proxy, value, f"{place}, {key:.200}, {proxy!r:.60}"):
                if number == _FAILED:
                    failed[metric] += 1
                elif not math.isfinite(number):
                    infinite[metric] += 1
                else:
                    if metric not in columns:
                        unit = "seconds" if metric.endswith("_time") else _UNITS.get(proxy, "score")
                        columns[metric] = Column(np.full(len(row_of), np.nan), unit)
                    columns[metric].values[row_of[key]] = number
    report = {
        "architectures": len(entries),
        "values of -1e8, not computed": dict(failed),
        "values that are not finite": dict(infinite),
    }
    return columns, report


def _metrics(proxy: str, value: Any, place: str) -> list[tuple[str, float]]:
    fields = value if isinstance(value, dict) else {"score": value}
    if "score" not in fields or not fields.keys() <= {"score", "time"}:
        raise ConversionError(f"{place}: expected a number, or an object of score and time.")
    for field, number in fields.items():
        if type(number) not in (int, float) or (type(number) is int and abs(number) > 2**53):
            raise ConversionError(f"{place}, {field}: expected a number, found {number!r:.60}.")
    return [(f"{proxy}_{field}", float(number)) for field, number in fields.items()]


def _distinct(space: SearchSpace, architectures: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int]:
    """Return the rows of those that are not another form of an earlier one, and how many are."""
    _, first = np.unique(space.identity_many(architectures), return_index=True)
    return np.sort(first), len(architectures) - len(first)


_READERS: Mapping[str, tuple[str, type[SearchSpace], Callable[[list[int]], Architecture]]] = {
    "nb201": ("nasbench201", NB201, _nb201),
    "nb101": ("nasbench101", NB101, _nb101),
}
