"""HW-NAS-Bench, ``HW-NAS-Bench-v1_0.pickle``: latency and energy of NAS-Bench-201's networks on six devices.

Li et al., "HW-NAS-Bench: Hardware-Aware Neural Architecture Search Benchmark", ICLR 2021,
https://github.com/GATECH-EIC/HW-NAS-Bench. The pickle holds, by image dataset and metric, a number for each
architecture in the official order, and beside them ``config``, which says what each architecture is. Batches of one
image.

What its interface calls ``average_hw_metric`` is the product of nine of them, and is not attached. Neither are its
FBNet figures: they are costs of single layers, not of networks.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle_from
from nasbench.spaces.nb201 import NB201
from nasbench.system.files import checked_path
from nasbench.tables import Column, TableFile
from nasbench.tables.attach import Attachment

# Units: README of the source, "How to use HW-NAS-Bench".
_UNITS = {
    "edgegpu_latency": "milliseconds",
    "edgegpu_energy": "millijoules",
    "raspi4_latency": "milliseconds",
    "edgetpu_latency": "milliseconds",
    "pixel3_latency": "milliseconds",
    "eyeriss_latency": "milliseconds",
    "eyeriss_energy": "millijoules",
    "eyeriss_arithmetic_intensity": "ratio",
    "fpga_latency": "milliseconds",
    "fpga_energy": "millijoules",
}
_VALUES = 2**23
"""How many values the pickle may hold: each of ten metrics of 15,625 networks on three data sets may come as seven."""
# What the source has where there is no measurement: Edge TPU latencies of many cells with an operation named none.
_NOT_MEASURED = -1.0

SOURCE = {
    "name": "HW-NAS-Bench v1.0",
    "address": "https://github.com/GATECH-EIC/HW-NAS-Bench",
    "licence": "HW-NAS-Bench: MIT, Copyright (c) 2022 GaTech-EIC",
    "citation": "C. Li, Z. Yu, Y. Fu, Y. Zhang, Y. Zhao, H. You, Q. Yu, Y. Wang and Y. Lin. HW-NAS-Bench: "
    "Hardware-Aware Neural Architecture Search Benchmark. International Conference on Learning Representations (ICLR), "
    "2021.",
    "elsewhere": "",
}


class _Array:
    """Stand-in for ``numpy.ndarray`` and its reconstructor: a row of plain numbers, built from bytes alone.

    Numpy's own would also build arrays of objects, and take buffers, strides and type descriptions that do not fit
    each other. A pickle calls this with whatever it likes: that gives an array without values, which is refused.
    """

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, _column_major, data = state
        self.values = _from_bytes(data, dtype, shape)


class _FromBuffer:
    """``numpy.core.numeric._frombuffer``: how protocol 5 spells an array."""

    def __new__(cls, data: Any, dtype: Any, shape: Any, _order: Any) -> Any:
        array = _Array()
        array.values = _from_bytes(data, dtype, shape)
        return array

    def __setstate__(self, state: Any) -> None: ...


def _from_bytes(data: Any, dtype: Any, shape: Any) -> NDArray[Any]:
    if type(dtype) is not PLAIN_GLOBALS["numpy.dtype"] or not isinstance(data, (bytes, bytearray)) or len(shape) != 1:
        raise ValueError("an array that is not one row of plain numbers")
    return np.frombuffer(data, np.dtype(dtype.format)).reshape(shape)


_ALLOWED = {
    **PLAIN_GLOBALS,
    "numpy.ndarray": _Array,
    **{f"numpy.{core}.multiarray._reconstruct": _Array for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _FromBuffer for core in ("core", "_core")},
}


def read(source: str | os.PathLike[str], table: TableFile) -> Attachment:
    """Read HW-NAS-Bench's figures of NAS-Bench-201; -1 stands for no measurement: missing, and counted.

    Args:
        source: The pickle.
        table: The table that this is for.

    Raises:
        ConversionError: The table is not of NAS-Bench-201; the file is missing, damaged, or not of this form; a value
            is no number, is infinite, or negative but not -1.
        UnsafeFileError: The file asks to run code.
    """
    path, space = Path(checked_path(source)), NB201()
    if table.space != space.name:
        raise ConversionError(
            f"{path}: HW-NAS-Bench is of NAS-Bench-201 (search space {space.name}); {table.path} is of {table.space}."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read: {error.strerror}.") from None
    raw = load_pickle_from(io.BytesIO(data), str(path), _ALLOWED, alone=True, values=_VALUES)
    raw = _mapping(_mapping(raw, f"{path}").get("nasbench201"), f"{path}: nasbench201")
    architectures: NDArray[np.uint8] | None = None
    datasets: dict[str, dict[str, Column]] = {}
    unmeasured: dict[str, dict[str, int]] = {}
    for dataset, metrics in raw.items():
        place = f"{path}: nasbench201, {dataset!s:.60}"
        found = _architectures(_mapping(metrics, place).get("config"), space, f"{place}, config")
        if architectures is not None and not np.array_equal(architectures, found):
            raise ConversionError(f"{place}, config: other architectures than of the first image dataset.")
        architectures = found
        datasets[str(dataset)], unmeasured[str(dataset)] = _columns(metrics, len(found), place)
    if architectures is None:
        raise ConversionError(f"{path}: nasbench201 holds no image dataset.")
    report = {"reader": "hw-nas-bench, version 1", "values of -1, not measured": unmeasured}
    sha256 = f"{path.name} {hashlib.sha256(data).hexdigest()}"
    return Attachment(space.name, architectures, datasets, {**SOURCE, "sha256": sha256}, report)


def _mapping(value: Any, place: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise ConversionError(f"{place}: expected a dictionary, found {type(value).__name__}.")
    return value


def _architectures(config: Any, space: NB201, place: str) -> NDArray[np.uint8]:
    if not isinstance(config, (list, tuple)) or not config or len(config) > space.size:
        raise ConversionError(f"{place}: expected a list of up to {space.size} architectures.")
    try:
        texts = [entry["arch_str"] for entry in config]
        return np.array([space.parse(text) for text in texts], np.uint8)
    except (TypeError, KeyError):
        raise ConversionError(f"{place}: an entry without 'arch_str', the text of its architecture.") from None
    except InvalidArchitectureError as error:
        raise ConversionError(f"{place}: {error}") from None


def _columns(metrics: Mapping[Any, Any], n: int, place: str) -> tuple[dict[str, Column], dict[str, int]]:
    """Return the columns of one image dataset, and how many values of each are not measured."""
    columns, unmeasured = {}, {}
    for metric, unit in _UNITS.items():
        values = _values(metrics.get(metric), n, f"{place}, {metric}")
        absent = values == _NOT_MEASURED
        columns[metric] = Column(np.where(absent, np.nan, values), unit)
        if absent.any():
            unmeasured[metric] = int(absent.sum())
    return columns, unmeasured


def _values(raw: Any, n: int, place: str) -> NDArray[np.float64]:
    values = raw.values if isinstance(raw, _Array) else raw
    if not isinstance(values, (list, tuple, np.ndarray)) or len(values) != n:
        raise ConversionError(f"{place}: expected {n} numbers, one an architecture.")
    if not isinstance(values, np.ndarray) and not {type(value) for value in values} <= {int, float}:
        raise ConversionError(f"{place}: expected numbers only.")
    try:
        result = np.array(values, np.float64)
    except OverflowError:
        raise ConversionError(f"{place}: a number beyond the range of floats.") from None
    wrong = np.flatnonzero((result < 0) & (result != _NOT_MEASURED) | np.isinf(result))
    if len(wrong):
        raise ConversionError(
            f"{place}: {result[wrong[0]]} for architecture {wrong[0]}: expected a number that is not negative, or -1 "
            "where nothing was measured."
        )
    return result
