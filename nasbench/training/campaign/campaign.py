"""run_campaign(): many architectures times seeds, trained in parallel, each once, into one journal.

Workers train and send back what came of it; only the campaign itself writes to the journal, at once, so that an end at
any moment costs at most the epochs in flight, and the same call goes on: with what is not in the journal, an unfinished
training at its last checkpoint. Where they run is a generator of outcomes: processes of this machine
(:mod:`nasbench.training.campaign.local`), or a ray cluster (:mod:`nasbench.training.campaign.cluster`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from nasbench.errors import CampaignError, NasbenchError
from nasbench.spaces import SearchSpace
from nasbench.training.campaign.jobs import (
    Failure,
    Job,
    Outcome,
    Outcomes,
    Task,
    TrainOne,
    forget_checkpoint,
    left_over,
    train_one,
)
from nasbench.training.campaign.journal import Journal, Setting
from nasbench.types import Architecture

__all__ = ["Engine", "Failure", "Job", "Outcome", "Task", "TrainOne", "read_architectures", "run_campaign", "sample"]
__all__ += ["checkpoints_of", "train_one"]

Engine = Literal["local", "ray"]


def run_campaign(
    job: Job,
    architectures: Iterable[Architecture],
    journal: Journal,
    *,
    seeds: Sequence[int] = (0,),
    workers: int | None = None,
    engine: Engine = "local",
    progress: Callable[[int, int], None] = lambda done, total: None,
    train_one: TrainOne = train_one,
) -> list[Failure]:
    """Train every architecture with every seed, except what the journal has, and keep each result in it.

    Args:
        job: Space, images, recipe, epochs and device: ``"cpu"``, ``"cuda"`` for all GPUs, or one as ``"cuda:1"``.
            Checkpoints are in a folder beside the journal (:func:`checkpoints_of`), unless it names another; on a ray
            cluster, whose machines may not share a disk, there are none unless it names one.
        architectures: What to train; forms of one network (of one identity) are trained once, as the first of them.
        journal: Where results are kept; made if there is none.
        seeds: Of the trainings of each architecture.
        workers: Processes, each with one thread of torch: by default one a core, or on ``"cuda"`` one a GPU, to which
            GPUs are given in turn; on one device, one. On a ray cluster: how many trainings at once; as many as there
            is room for.
        engine: ``"local"`` or ``"ray"``.
        progress: Called with the numbers of finished and of all trainings; failures do not count as finished.
        train_one: What trains.

    Returns:
        The trainings that failed, or during which a worker died twice; the others are not lost.

    Raises:
        CampaignError: There is nothing to train; epochs, workers or a seed are no such numbers; or there is no such
            engine.
        InvalidArchitectureError: One of them is no architecture of the space.
        JournalError: The journal is none, or holds other trainings by a recipe of this name.
        MissingPackageError: ray is not installed.
    """
    distinct: dict[int, Architecture] = {}
    for architecture in architectures:
        distinct.setdefault(job.space.identity(architecture), job.space.check(architecture))
    _check(distinct, job.epochs, seeds, workers, engine)
    journal.claim(job.recipe)
    trained = journal.trained(Setting.of(job.space, job.recipe, job.images, job.epochs))
    if job.checkpoints is None and engine == "local":
        job = job._replace(checkpoints=checkpoints_of(journal))
    for identity, seed in left_over(job) & trained:  # of a campaign that ended between keeping and forgetting
        forget_checkpoint(job, identity, seed)
    # Seed by seed: a campaign that is ended early has every architecture once before it has any twice.
    tasks = [
        Task(architecture, seed)
        for seed in dict.fromkeys(seeds)
        for identity, architecture in distinct.items()
        if (identity, seed) not in trained
    ]
    total = len(distinct) * len(set(seeds))
    done = total - len(tasks)
    progress(done, total)
    failures: list[Failure] = []
    if not tasks:
        return failures
    outcomes = _outcomes(engine)(job, tasks, workers, train_one)
    try:
        for task, training in outcomes:
            if isinstance(training, str):
                failures.append(Failure(job.space.format(task.architecture), task.seed, training))
                continue
            journal.add(
                job.space,
                task.architecture,
                job.recipe,
                job.images,
                epochs=job.epochs,
                seed=task.seed,
                training=training,
            )
            forget_checkpoint(job, job.space.identity(task.architecture), task.seed)
            done += 1
            progress(done, total)
    finally:
        outcomes.close()  # ends the workers now, whatever happened
    return failures


def checkpoints_of(journal: Journal) -> Path:
    """Return the folder of the checkpoints of a journal's unfinished trainings, which is there while it has any."""
    return journal.path.with_name(f"{journal.path.name}-checkpoints")


def sample(space: SearchSpace, n: int, seed: int) -> list[Architecture]:
    """Draw n architectures at random, no two of one network; the same for the same seed, and more of them go on.

    Raises:
        CampaignError: n is not positive, or the space seems to have fewer networks.
    """
    if n < 1 or seed < 0:
        raise CampaignError(f"expected a sample of at least 1 and a seed that is not negative, not {n} and {seed}.")
    rng = np.random.default_rng(seed)
    found: dict[int, Architecture] = {}
    vain = 0
    while len(found) < n:
        architecture = space.sample(rng)
        identity = space.identity(architecture)
        vain = vain + 1 if identity in found else 0
        found.setdefault(identity, architecture)
        if vain > 100 * n:
            raise CampaignError(f"{space.name} seems to have {len(found):,} networks only; {n:,} were asked for.")
    return list(found.values())


def read_architectures(space: SearchSpace, path: str | os.PathLike[str]) -> list[Architecture]:
    """Read the texts of architectures from a file, one a line; empty lines and those that begin with # are left out.

    Raises:
        CampaignError: The file cannot be read, or a line of it is no architecture.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path}: cannot be read as a list of architectures: {error}.") from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            try:
                found.append(space.parse(line.strip()))
            except NasbenchError as error:
                raise CampaignError(f"{path}, line {number}: {error}") from None
    return found


def _outcomes(engine: Engine) -> Callable[[Job, Sequence[Task], int | None, TrainOne], Outcomes]:
    if engine == "local":
        from nasbench.training.campaign.local import on_this_machine

        return on_this_machine
    from nasbench.training.campaign.cluster import on_cluster

    return on_cluster


def _check(
    distinct: dict[int, Architecture], epochs: int, seeds: Sequence[int], workers: int | None, engine: str
) -> None:
    if epochs < 1:
        raise CampaignError(f"expected at least 1 epoch, not {epochs}.")
    if not distinct or not seeds:
        raise CampaignError("a campaign needs at least one architecture and one seed.")
    if min(seeds) < 0:
        raise CampaignError(f"seeds must not be negative; one is {min(seeds)}.")
    if workers is not None and workers < 1:
        raise CampaignError(f"workers must be at least 1, not {workers}.")
    if engine not in ("local", "ray"):
        raise CampaignError(f"unknown engine {engine!r}: expected local or ray.")
