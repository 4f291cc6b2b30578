"""What stands in for trainings, in worker processes too: they import it by its name."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch

from nasbench.spaces.conv5 import Conv5
from nasbench.training.campaign.campaign import Job, Task, train_one
from nasbench.training.images import Images, Split
from nasbench.training.images.base import collect
from nasbench.training.loop import checkpoint
from nasbench.training.loop.train import Training
from nasbench.training.recipes import RECIPES

SPACE = Conv5()
SCRATCH = "NASBENCH_TEST_SCRATCH"
"""Environment variable: a folder in which stand-ins leave traces."""


def black() -> Images:
    sizes = {"train": 256, "validation": 300, "test": 297}
    splits = {
        name: Split(torch.zeros((n, 3, 8, 8), dtype=torch.uint8), torch.zeros(n, dtype=torch.int64))
        for name, n in sizes.items()
    }
    return collect("black images", splits, classes=10)


def job(epochs: int = 2) -> Job:
    return Job(SPACE, black(), RECIPES["conv5"], epochs, "cpu")


def result(task: Task, epochs: int = 2) -> Training:
    """Numbers that tell which architecture and seed they are of."""
    steps = np.arange(1, epochs + 1)
    correct = {"train": steps, "validation": steps * 2 + task.seed, "test": steps + sum(task.architecture)}
    images = {"train": 256, "validation": 300, "test": 297}
    return Training(tuple(steps.tolist()), correct, images, steps * 0.1, steps * 0.01, "cpu", None)


def instant(job: Job, task: Task) -> Training:
    _trace(task)
    return result(task, job.epochs)


def slow(job: Job, task: Task) -> Training:
    time.sleep(0.3)
    return instant(job, task)


def fails_at_seed_1(job: Job, task: Task) -> Training:
    if task.seed == 1:
        raise RuntimeError("seed 1 fails")
    return instant(job, task)


def dies_once_at_seed_1(job: Job, task: Task) -> Training:
    flag = Path(os.environ[SCRATCH]) / "died"
    if task.seed == 1 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return instant(job, task)


def dies_at_seed_1(job: Job, task: Task) -> Training:
    if task.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return instant(job, task)


def dies_once_after_epoch_2(job: Job, task: Task) -> Training:
    """Train for real; the first time each training dies, killed, after the checkpoint of its second epoch."""
    saved, flag = checkpoint.save, Path(os.environ[SCRATCH]) / f"died at seed {task.seed}"

    def save(path: Path, identity: dict[str, str], progress: checkpoint.Progress) -> None:
        saved(path, identity, progress)
        epoch = len(progress.training_seconds)
        (flag.parent / f"{'-'.join(path.stem.split('-')[-2:])} epoch {epoch}, {time.time_ns()}").touch()
        if epoch == 2 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save = save
    try:
        return train_one(job, task)
    finally:
        checkpoint.save = saved


def _trace(task: Task) -> None:
    """Leave a file a training, to be counted."""
    scratch = os.environ.get(SCRATCH)
    if scratch:
        name = "".join(map(str, task.architecture))
        (Path(scratch) / f"{name}-{task.seed}-{time.time_ns()}-{os.getpid()}").touch()


if __name__ == "__main__":  # a campaign of its own process, to be killed: JOURNAL ENGINE FUNCTION ARCHITECTURES SEEDS
    from nasbench.training.campaign.campaign import run_campaign, sample
    from nasbench.training.campaign.journal import Journal

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background of a shell starts deaf to it
    journal, engine, name, architectures, seeds = sys.argv[1:]
    import _campaigns

    failures = run_campaign(
        _campaigns.job(),
        sample(SPACE, int(architectures), 0),
        Journal(journal),
        seeds=range(int(seeds)),
        workers=2,
        engine=engine,  # type: ignore[arg-type]
        train_one=getattr(_campaigns, name),
    )
    print([(failure.seed, failure.reason) for failure in failures])
