"""A small table of all 15,625 architectures of the topology space, with random figures at the last epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nasbench.sources.nats.splits import SPLITS, TRAININGS
from nasbench.spaces.nb201 import NB201
from nasbench.tables import Column, DatasetContent, TableContent, write

SEEDS = {12: [111, 777], 200: [777, 888, 999]}


def write_table(path: Path, seed: int = 0, rows: int = 15_625, **report: Any) -> Path:
    """Write it, or its first rows; one in ten architectures lacks the last run."""
    rng = np.random.default_rng(seed)
    space = NB201()
    n, architectures = rows, space.architectures[:rows]
    lacking = rng.random(n) < 0.1

    def scheduled(schedule: int) -> dict[str, dict[str, Column]]:
        groups: dict[str, dict[str, Column]] = {}
        runs = len(SEEDS[schedule])
        for (dataset, _), split in SPLITS.items():
            group = groups.setdefault(TRAININGS[dataset].group, {})
            counts = rng.integers(1, split.images // 2, (n, 1, runs)).astype(np.uint32)
            counts[lacking, :, -1] = np.iinfo(np.uint32).max
            losses = rng.random((n, 1, runs), np.float32)
            name = f"{split.metric}_accuracy{split.suffix}"
            group[name] = Column(counts, "images", (schedule,), split.images, "some", "others")
            group[f"{split.metric}_loss{split.suffix}"] = Column(losses, "cross-entropy", (schedule,))
        for group_name, suffix, *_ in TRAININGS.values():
            seconds = rng.uniform(5, 30, (n, 1, 1))
            epochs = tuple(range(1, schedule + 1))
            groups[group_name][f"training_time{suffix}"] = Column(seconds, "seconds", epochs, per_epoch=True)
        return groups

    by_schedule = {schedule: scheduled(schedule) for schedule in SEEDS}
    datasets = {}
    for group in ("cifar10", "cifar100", "ImageNet16-120"):
        columns = {
            "parameters": Column(space.parameters_many(architectures, dataset=group).astype(np.uint32), "parameters"),
            "flops": Column(space.flops_many(architectures, dataset=group).astype(np.uint64), "flops"),
        }
        for name in ("latency", "validation_time", "test_time", "valtest_time"):
            columns[name] = Column(rng.uniform(0.01, 2, n), "seconds")
        if group == "cifar10":
            columns["latency_50k"], columns["test_time_25k"] = columns["latency"], columns["test_time"]
            del columns["valtest_time"]
        datasets[group] = DatasetContent(columns, {s: groups[group] for s, groups in by_schedule.items()})
    source = dict.fromkeys(("address", "licence", "citation", "sha256", "elsewhere"), "none") | {
        "name": "random figures"
    }
    seeds = {"seeds of the runs": {str(schedule): found for schedule, found in SEEDS.items()}}
    write(path, TableContent("nb201", architectures, datasets, source, seeds | report))
    return path


def answers(api: Any, indexes: list[int]) -> list[Any]:
    """What an API says of some architectures, to be compared with what it says elsewhere."""
    return [
        (api.get_more_info(i, "cifar100", hp="200", is_random=False), api.get_cost_info(i, "cifar10"), api.arch(i))
        for i in indexes
    ]
