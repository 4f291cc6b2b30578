"""What a campaign consists of, and how one training of it is done: in whichever process or machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from nasbench.errors import StaleCheckpointError
from nasbench.spaces import SearchSpace
from nasbench.training.images import Images, Split
from nasbench.training.loop.train import Training, train
from nasbench.training.networks import build
from nasbench.training.recipes import Recipe
from nasbench.types import Architecture


class Job(NamedTuple):
    """What all trainings of a campaign have in common: it goes to each worker once."""

    space: SearchSpace
    images: Images
    recipe: Recipe
    epochs: int
    device: str
    checkpoints: Path | None = None
    """Folder of the checkpoints of unfinished trainings. None: a training that was cut begins anew."""


class Task(NamedTuple):
    """One training to do."""

    architecture: Architecture
    seed: int


class Failure(NamedTuple):
    """A training that came to nothing; the next campaign tries it again."""

    architecture: str
    seed: int
    reason: str


class Outcome(NamedTuple):
    """What a worker sends back: a training, or the reason why there is none."""

    task: Task
    training: Training | str


TrainOne = Callable[[Job, Task], Training]
"""A function of a module: workers import it by its name."""
_ENDING = ".checkpoint"
Outcomes = Generator[Outcome, None, None]


def train_one(job: Job, task: Task) -> Training:
    """Build one network and train it; from its last checkpoint on, where the job has a folder of them.

    A checkpoint that is damaged, or of another device or version of the network, is thrown away: it saves time only.

    Raises:
        NasbenchError: As for :func:`nasbench.training.networks.build` and :func:`nasbench.training.loop.train.train`.
    """
    checkpoint = checkpoint_of(job, job.space.identity(task.architecture), task.seed)
    while True:
        network = build(job.space, task.architecture, classes=job.images.classes, side=job.images.side)
        try:
            return train(
                network,
                job.images,
                job.recipe,
                epochs=job.epochs,
                seed=task.seed,
                device=job.device,
                checkpoint=checkpoint,
            )
        except StaleCheckpointError:
            if checkpoint is None or not checkpoint.exists():
                raise
            checkpoint.unlink()


def checkpoint_of(job: Job, identity: int, seed: int) -> Path | None:
    """Return where a training of the job keeps its checkpoint, or None."""
    return job.checkpoints and job.checkpoints / f"{_prefix(job)}{identity}-{seed}{_ENDING}"


def left_over(job: Job) -> set[tuple[int, int]]:
    """Return identity and seed of the trainings of the job that have a checkpoint."""
    if job.checkpoints is None or not job.checkpoints.is_dir():
        return set()
    pattern = re.compile(f"{re.escape(_prefix(job))}([0-9]+)-([0-9]+){re.escape(_ENDING)}")
    found = (pattern.fullmatch(path.name) for path in job.checkpoints.iterdir())
    return {(int(match[1]), int(match[2])) for match in found if match}


def _prefix(job: Job) -> str:
    return f"{job.space.name}-{job.recipe.name}-{job.epochs}-{job.images.digest[:16]}-"


def forget_checkpoint(job: Job, identity: int, seed: int) -> None:
    """Remove the checkpoint of a training that is finished and kept, and the folder after the last one."""
    path = checkpoint_of(job, identity, seed)
    if path is not None:
        with suppress(OSError):  # it is in nobody's way; the next campaign tries again
            path.unlink(missing_ok=True)
            path.parent.rmdir()


def attempt(job: Job, task: Task, train_one: TrainOne) -> Training | str:
    """Train, or return the reason why that failed."""
    try:
        return train_one(job, task)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def plain_job(job: Job) -> tuple[Any, ...]:
    """Return a job whose images are arrays: torch would send tensors through shared memory, which containers lack."""
    splits = {name: tuple(tensor.numpy() for tensor in split) for name, split in job.images.splits.items()}
    return (*job._replace(images=tuple(job.images._replace(splits={}))), splits)  # type: ignore[arg-type]


def job_of(plain: tuple[Any, ...]) -> Job:
    """Return the job again, in a worker."""
    *fields, arrays = plain
    splits = {name: Split(*(torch.from_numpy(np.array(array)) for array in pair)) for name, pair in arrays.items()}
    job = Job(*fields)
    return job._replace(images=Images(*job.images)._replace(splits=splits))
