"""Writes NATS-Bench and NAS-Bench-201 raw results as the authors' trainer and their files do, with random figures.

Percentages come from counts as in PyTorch's top-k accuracy: the correct images of each batch of 256, times 100 / batch
in single precision, averaged with the sizes of the batches in double precision.
"""

from __future__ import annotations

import bz2
import pickle
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb201 import NB201
from nasbench.tables import TableContent

SPACES = {"tss": NB201(), "sss": NatsSSS()}
EPOCHS = {"tss": {"12": 12, "200": 200}, "sss": {"01": 1, "12": 12, "90": 90}}
IMAGES = {
    ("cifar10-valid", "train"): 25_000,
    ("cifar10-valid", "x-valid"): 25_000,
    ("cifar10-valid", "ori-test"): 10_000,
    ("cifar10", "train"): 50_000,
    ("cifar10", "ori-test"): 10_000,
    ("cifar100", "train"): 50_000,
    ("cifar100", "x-valid"): 5_000,
    ("cifar100", "x-test"): 5_000,
    ("cifar100", "ori-test"): 10_000,
    ("ImageNet16-120", "train"): 151_700,
    ("ImageNet16-120", "x-valid"): 3_000,
    ("ImageNet16-120", "x-test"): 3_000,
    ("ImageNet16-120", "ori-test"): 6_000,
}
CLASSES = {"cifar10-valid": 10, "cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}


@cache
def texts(space: str) -> list[str]:
    return [SPACES[space].format(tuple(a)) for a in SPACES[space].architectures.tolist()]


def official_seeds(space: str, schedule: str, dataset: str) -> list[int]:
    if space == "tss":
        return [777, 888, 999] if schedule == "200" else [111, 777] if dataset == "cifar10-valid" else [111]
    return [777, 888, 999] if schedule == "12" else [777]


def percent(count: int, images: int) -> float:
    last = images % 256 or 256
    correct = round(count * last / images)
    # Full batches are exact: 100 / 256 is a binary fraction.
    return (100.0 * (count - correct) + float(np.float32(correct) * np.float32(100.0 / last)) * last) / images


class Figures:
    """Draws a training, and remembers the counts: ``counts[schedule, dataset, seed, split]`` by raw epoch."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.counts: dict[tuple[str, str, int, str], dict[int, int]] = {}

    def trial(self, space: str, schedule: str, dataset: str, seed: int, text: str, seconds: float) -> dict[str, Any]:
        epochs = EPOCHS[space][schedule]
        splits = [split for (other, split) in IMAGES if other == dataset and split != "train"]
        last_only = set()
        if (space, schedule) == ("tss", "200"):
            last_only = {"ori-test"} if dataset == "cifar10-valid" else {"x-valid", "x-test"}
        keep = {split: [epochs - 1] if split in last_only else [*range(epochs)] for split in splits}
        drawn = {split: self._accuracies(schedule, dataset, seed, split, kept) for split, kept in keep.items()}
        train = self._accuracies(schedule, dataset, seed, "train", [*range(epochs)])
        group = "cifar10" if dataset == "cifar10-valid" else dataset
        architecture = SPACES[space].parse(text)
        cost = [method([architecture], dataset=group)[0] for method in self._formulas(space)]
        return {
            "name": dataset,
            "train_acc1es": train,
            "train_acc5es": None if schedule == "200" else dict.fromkeys(range(epochs), 100.0),
            "train_losses": {e: float(self.rng.random()) for e in range(epochs)},
            "train_times": OrderedDict((e, seconds) for e in range(epochs)),
            "arch_config": {"arch_str": text, "class_num": CLASSES[dataset]},
            "params": np.float64(cost[0] / 1e6),
            "flop": float(cost[1]) / 1e6,
            "seed": f"{seed:04d}",
            "epochs": epochs,
            "latency": [np.float64(seconds / 100)],
            "eval_names": splits,
            "eval_acc1es": {f"{s}@{e}": value for s, curve in drawn.items() for e, value in curve.items()},
            "eval_times": {f"{s}@{e}": seconds * IMAGES[dataset, s] / 1e6 for s in splits for e in range(epochs)},
            "eval_losses": {f"{s}@{e}": float(self.rng.random()) for s in splits for e in keep[s]},
            "net_state_dict": None,
        }

    @staticmethod
    def _formulas(space: str) -> tuple[Any, Any]:
        return SPACES[space].parameters_many, SPACES[space].flops_many

    def _accuracies(self, schedule: str, dataset: str, seed: int, split: str, epochs: list[int]) -> dict[int, float]:
        images = IMAGES[dataset, split]
        counts = dict(zip(epochs, self.rng.integers(0, images + 1, len(epochs)).tolist(), strict=True))
        self.counts[schedule, dataset, seed, split] = counts
        return {epoch: percent(count, images) for epoch, count in counts.items()}

    def states(self, space: str, index: int, seconds: float = 5.0) -> dict[str, Any]:
        """Return the results of one architecture as its file holds them."""
        text = texts(space)[index]
        states: dict[str, Any] = OrderedDict()
        for schedule in EPOCHS[space]:
            seeds = {dataset: official_seeds(space, schedule, dataset) for dataset in CLASSES}
            states[schedule] = {
                "arch_index": index,
                "arch_str": text,
                "all_results": {
                    (dataset, seed): self.trial(space, schedule, dataset, seed, text, seconds)
                    for dataset, drawn in seeds.items()
                    for seed in reversed(drawn)
                },
                "dataset_seed": seeds,
                "clear_net_done": True,
            }
        return states


def forget(states: dict[str, Any], schedule: str, dataset: str, seed: int) -> None:
    """Take one training out of the results."""
    del states[schedule]["all_results"][dataset, seed]
    states[schedule]["dataset_seed"][dataset].remove(seed)


def meta(space: str) -> dict[str, Any]:
    listed = texts(space)
    return {"meta_archs": listed, "total_archs": len(listed), "arch2infos": None, "evaluated_indexes": set()}


def pack(path: Path, content: Any) -> Path:
    path.write_bytes(bz2.compress(pickle.dumps(content, 4)))
    return path


def write_folder(folder: Path, space: str, architectures: dict[int, Any]) -> Path:
    """Write a ``-simple`` folder of these results by index."""
    folder.mkdir()
    pack(folder / "meta.pickle.pbz2", meta(space))
    for index, states in architectures.items():
        pack(folder / f"{index:06d}.pickle.pbz2", states)
    return folder


def columns_of(content: TableContent) -> dict[tuple[str, int, str], Any]:
    """Return all that a table says and holds, as what compares by value."""
    found = {
        (group, schedule, name): (*column._replace(values=column.values.shape), column.values.tobytes())
        for group, dataset in content.datasets.items()
        for schedule, columns in [(0, dataset.columns), *dataset.schedules.items()]
        for name, column in columns.items()
    }
    return found | {("", 0, "architectures"): content.architectures.tolist()}
