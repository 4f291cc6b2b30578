"""NAS-Bench-Macro, ``nas-bench-macro_cifar10.json``: test accuracy of three runs of each of 6,561 architectures.

Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021,
https://github.com/xiusu/NAS-Bench-Macro. A run trains for 50 epochs on all training images, is evaluated on the test
images after every epoch, and its best accuracy is kept: there is no validation accuracy to search with.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.sources import Progress, silent
from nasbench.spaces.nb_macro import NBMacro
from nasbench.system.files import checked_path
from nasbench.tables import Column, DatasetContent, TableContent

_SCHEDULE, _RUNS, _IMAGES = 50, 3, 10_000
_KEYS = {"test_acc", "mean_acc", "std", "params", "flops"}
# Percentages are in single precision, off by at most 6.2e-6, so by 6.2e-4 of an image.
_TOLERANCE = 1e-3
_TRAINED_ON = "the 50,000 CIFAR-10 training images"
_EVALUATED_ON = "the 10,000 CIFAR-10 test images, the best of 50 epochs on these same images: optimistic"

CONVERTER = "nas-bench-macro, version 1"
_SOURCE = {
    "name": "NAS-Bench-Macro, CIFAR-10",
    "address": "https://github.com/xiusu/NAS-Bench-Macro",
    "licence": "Apache-2.0",
    "citation": "X. Su, T. Huang, Y. Li, S. You, F. Wang, C. Qian, C. Zhang and C. Xu. Prioritized Architecture "
    "Sampling with Monto-Carlo Tree Search. IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR), "
    "2021.",
    "elsewhere": "The authors recorded no validation accuracy, no learning curves and no times.",
}


def convert(source: str | os.PathLike[str], *, progress: Progress = silent) -> TableContent:
    """Read the NAS-Bench-Macro file.

    Args:
        source: The JSON file.
        progress: Called at the end.

    Raises:
        ConversionError: The file is missing, no such JSON, lists an architecture twice, contradicts itself, or has an
            accuracy that is no whole count of test images.
    """
    path = Path(checked_path(source))
    space = NBMacro()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read: {error.strerror}.") from None
    raw = _read(data, path)
    counts = np.empty((len(raw), 1, _RUNS), np.uint16)
    claimed = np.empty((len(raw), 2), np.int64)
    try:
        architectures = np.array([space.parse(text) for text in raw], np.uint8)
    except InvalidArchitectureError as error:
        raise ConversionError(f"{path}: {error}") from None
    for row, (text, entry) in enumerate(raw.items()):
        counts[row, 0], claimed[row] = _entry(entry, f"{path}: {text}")
    progress(len(raw), len(raw))
    costs = {"parameters": space.parameters_many(architectures), "flops": space.flops_many(architectures)}
    columns = {
        "parameters": Column(costs["parameters"].astype(np.uint32), "parameters"),
        "flops": Column(costs["flops"].astype(np.uint64), "multiply-accumulates"),
    }
    accuracy = Column(counts, "images", (_SCHEDULE,), _IMAGES, _TRAINED_ON, _EVALUATED_ON)
    datasets = {"cifar10": DatasetContent(columns, {_SCHEDULE: {"test_accuracy": accuracy}})}
    totals = counts[:, 0].sum(axis=1)
    report = {
        "converter": CONVERTER,
        "architectures": len(raw),
        "architectures of the search space": space.size,
        **_aliases(space.key_many(architectures), counts),
        "architectures whose parameter count differs from the formula": int(
            (claimed[:, 0] != costs["parameters"]).sum()
        ),
        "architectures whose flops differ from the formula": int((claimed[:, 1] != costs["flops"]).sum()),
        "best mean test accuracy": int(totals.max()) / (_RUNS * _IMAGES),
        "architecture": [*raw][int(totals.argmax())],
        "runs at or below chance": int((counts <= _IMAGES // 10).sum()),
    }
    sha256 = f"{path.name} {hashlib.sha256(data).hexdigest()}"
    return TableContent(space.name, architectures, datasets, {**_SOURCE, "sha256": sha256}, report)


def _read(data: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
            raise ConversionError(f"{path}: {twice!r:.40} comes twice.")
        return found

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        raw = json.loads(data, object_pairs_hook=unique, parse_constant=refuse)
    except ConversionError:
        raise
    except (ValueError, RecursionError) as error:
        raise ConversionError(f"{path}: not readable as JSON: {str(error)[:160]}. Download it again.") from None
    if not isinstance(raw, dict) or not raw:
        raise ConversionError(f"{path}: expected a JSON object of architectures, such as '00000000'.")
    return raw


def _entry(entry: Any, place: str) -> tuple[NDArray[np.uint16], tuple[int, int]]:
    """Return the counts of correct test images, and the claimed parameters and flops, of one architecture."""
    if not isinstance(entry, dict) or set(entry) != _KEYS:
        raise ConversionError(f"{place}: expected {', '.join(sorted(_KEYS))}.")
    percent, costs = entry["test_acc"], (entry["params"], entry["flops"])
    if not isinstance(percent, list) or len(percent) != _RUNS or not all(_is_percentage(p) for p in percent):
        raise ConversionError(f"{place}: test_acc is not {_RUNS} percentages.")
    if not all(type(cost) is int and 0 < cost < 2**31 for cost in costs):
        raise ConversionError(f"{place}: params and flops are not positive whole numbers.")
    values = np.array(percent)
    exact = values * (_IMAGES / 100)
    counts = np.rint(exact)
    if (np.abs(exact - counts) > _TOLERANCE).any():
        raise ConversionError(f"{place}: test_acc {percent} is no whole count of {_IMAGES:,} images.")
    for name, expected in (("mean_acc", values.mean()), ("std", values.std())):
        if not isinstance(entry[name], float) or not math.isclose(entry[name], expected, abs_tol=1e-9):
            raise ConversionError(f"{place}: {name} is not that of test_acc, {expected}.")
    return counts.astype(np.uint16), costs


def _is_percentage(value: Any) -> bool:
    return isinstance(value, float) and 0 <= value <= 100


def _aliases(keys: NDArray[np.int64], counts: NDArray[np.uint16]) -> dict[str, int]:
    """Report how many architectures repeat a network that came before, and how many of those with other accuracies."""
    _, first, network = np.unique(keys, return_index=True, return_inverse=True)
    same = (counts == counts[first[network]]).all(axis=(1, 2))
    return {
        "distinct networks": len(first),
        "architectures that repeat a network": len(keys) - len(first),
        "architectures whose accuracies differ from those of the same network": int((~same).sum()),
    }
