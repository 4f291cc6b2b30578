"""run_campaign(): many architectures times seeds, trained in parallel, each once, into one journal.

Workers train and send back what came of it; only the campaign itself writes, at once, so that an end at any moment
costs at most the trainings in flight, and the same call goes on. Where they run is a generator of outcomes: processes
of this machine (below), or a ray cluster (:mod:`nasbench.training._ray`).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import torch

from nasbench._processes import end_with_parent
from nasbench.errors import CampaignError, NasbenchError
from nasbench.spaces import SearchSpace
from nasbench.training.images import Images, Split
from nasbench.training.journal import Journal, Setting
from nasbench.training.networks import build
from nasbench.training.recipes import Recipe
from nasbench.training.train import Training, train
from nasbench.types import Architecture

_DEATHS = 2
"""A training during which its worker died is tried once more: whatever kills a worker twice is the training itself."""


class Job(NamedTuple):
    """What all trainings of a campaign have in common: it goes to each worker once."""

    space: SearchSpace
    images: Images
    recipe: Recipe
    epochs: int
    device: str


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
Engine = Literal["local", "ray"]


def train_one(job: Job, task: Task) -> Training:
    """Build one network and train it.

    Raises:
        NasbenchError: As for :func:`nasbench.training.networks.build` and :func:`nasbench.training.train.train`.
    """
    network = build(job.space, task.architecture, classes=job.images.classes, side=job.images.side)
    return train(network, job.images, job.recipe, epochs=job.epochs, seed=task.seed, device=job.device)


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
            done += 1
            progress(done, total)
    finally:
        outcomes.close()  # ends the workers now, whatever happened
    return failures


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


Outcomes = Generator[Outcome, None, None]


def _outcomes(engine: Engine) -> Callable[[Job, Sequence[Task], int | None, TrainOne], Outcomes]:
    if engine == "local":
        return _locally
    from nasbench.training._ray import on_cluster

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


# Processes of this machine.


class _Worker(NamedTuple):
    number: int
    process: Any
    pipe: Connection


def _locally(job: Job, tasks: Sequence[Task], workers: int | None, train_one: TrainOne) -> Outcomes:
    """Train in processes of our own: joblib's lose all that is in flight when one of them is killed."""
    gpus = _gpus() if job.device == "cuda" else []
    if job.device == "cuda" and not gpus:
        raise CampaignError("no GPU that torch can use: train on cpu, or look at CUDA_VISIBLE_DEVICES.")
    count = min(workers or len(gpus) or (_cores() if job.device == "cpu" else 1), len(tasks))
    waiting, deaths = deque(tasks), dict.fromkeys(tasks, 0)
    running: dict[Connection, tuple[_Worker, Task]] = {}

    def start(number: int) -> _Worker:
        return _start(number, job, train_one, gpus[number % len(gpus)] if gpus else "")

    def give(worker: _Worker) -> None:
        task = waiting.popleft()
        running[worker.pipe] = worker, task
        with suppress(OSError):  # a worker that died meanwhile is found below
            worker.pipe.send(task)

    try:
        for number in range(count):
            give(start(number))
        while running:
            for ready in wait(list(running)):
                pipe = cast(Connection, ready)
                worker, task = running.pop(pipe)
                try:
                    outcome: Outcome | None = Outcome(task, pipe.recv())
                except (EOFError, OSError):
                    outcome = None
                if outcome is None:
                    worker.process.join()
                    pipe.close()
                    deaths[task] += 1
                    if deaths[task] < _DEATHS:
                        waiting.append(task)
                    if waiting:
                        give(start(worker.number))
                    if deaths[task] >= _DEATHS:
                        yield Outcome(task, f"its worker died {_DEATHS} times, exit code {worker.process.exitcode}")
                    continue
                if waiting:
                    give(worker)
                else:
                    _end(worker)
                yield outcome
    finally:
        for worker, _ in running.values():
            worker.process.terminate()
            _end(worker)


def _start(number: int, job: Job, train_one: TrainOne, gpu: str) -> _Worker:
    """Start a worker, deaf to Ctrl-C, which a terminal sends to all: workers end with us, without a traceback each."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, train_one, gpu), daemon=True, name=f"training-{number}")
    main = threading.current_thread() is threading.main_thread()  # only there may signals be set
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    try:
        process.start()
    finally:
        if main:
            signal.signal(signal.SIGINT, before)
    theirs.close()  # theirs alone: its end is the end of the worker
    # Not as an argument: Python waits for ever for a process that ends before it has read all of a large one.
    with suppress(OSError):  # a worker that died meanwhile is found later
        ours.send(plain_job(job))
    return _Worker(number, process, ours)


def _end(worker: _Worker) -> None:
    worker.pipe.close()
    worker.process.join()


def _work(pipe: Connection, train_one: TrainOne, gpu: str) -> None:
    """Train what comes, until the pipe is closed."""
    end_with_parent()
    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # before torch looks for GPUs
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        job = job_of(pipe.recv())
        while True:
            pipe.send(attempt(job, pipe.recv(), train_one))


def attempt(job: Job, task: Task, train_one: TrainOne) -> Training | str:
    """Train, or return the reason why that failed."""
    try:
        return train_one(job, task)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def plain_job(job: Job) -> tuple[Any, ...]:
    """Return a job whose images are arrays: torch would send tensors through shared memory, which containers lack."""
    splits = {name: tuple(tensor.numpy() for tensor in split) for name, split in job.images.splits.items()}
    return (job.space, tuple(job.images._replace(splits={})), splits, job.recipe, job.epochs, job.device)


def job_of(plain: tuple[Any, ...]) -> Job:
    """Return the job again, in a worker."""
    space, images, arrays, recipe, epochs, device = plain
    splits = {name: Split(*(torch.from_numpy(np.array(array)) for array in pair)) for name, pair in arrays.items()}
    return Job(space, Images(*images)._replace(splits=splits), recipe, epochs, device)


def _gpus() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES knows the GPUs that we may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    return [str(i) for i in range(torch.cuda.device_count())]


def _cores() -> int:
    import joblib

    return int(joblib.cpu_count())
