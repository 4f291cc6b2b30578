"""Trainings in processes of this machine: one that dies is replaced, and takes nothing with it but its own training."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, cast

import torch

from nasbench.errors import CampaignError
from nasbench.system.processes import end_with_parent
from nasbench.training.campaign.jobs import Job, Outcome, Outcomes, Task, TrainOne, attempt, job_of, plain_job

_DEATHS = 2
"""A training during which its worker died is tried once more: whatever kills a worker twice is the training itself."""


class _Worker(NamedTuple):
    number: int
    process: Any
    pipe: Connection


def on_this_machine(job: Job, tasks: Sequence[Task], workers: int | None, train_one: TrainOne) -> Outcomes:
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


def _gpus() -> list[str]:
    """Return the names by which CUDA_VISIBLE_DEVICES knows the GPUs that we may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    return [str(i) for i in range(torch.cuda.device_count())]


def _cores() -> int:
    import joblib

    return int(joblib.cpu_count())
