"""Trainings on a ray cluster: one a task, with one GPU where the campaign trains on GPUs.

Every machine of the cluster needs this package, of the same version. Images travel once to each machine (into ray's
object store) and are unpacked once by each worker.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from typing import Any

from nasbench.errors import CampaignError, MissingPackageError
from nasbench.training.campaign.jobs import Job, Outcome, Outcomes, Task, TrainOne, attempt, job_of, plain_job
from nasbench.training.loop.train import Training

_AHEAD = 2
"""Tasks handed to ray for each that can run: enough that no worker waits for us."""


def on_cluster(job: Job, tasks: Sequence[Task], workers: int | None, train_one: TrainOne) -> Outcomes:
    """Train on the cluster that ``RAY_ADDRESS`` names, or to which this process belongs; or start one here.

    Raises:
        MissingPackageError: ray is not installed.
        CampaignError: There is no cluster at ``RAY_ADDRESS``.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # ray would report to its makers
    try:
        import ray as installed
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "the engine ray needs ray, which is not installed: pip install 'nasbench-suite[cluster]'."
        ) from error
    ray: Any = installed  # its functions have no types
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(log_to_driver=False, include_dashboard=None if os.environ.get("RAY_ADDRESS") else False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise CampaignError(f"no ray cluster at {os.environ.get('RAY_ADDRESS', 'this machine')}: {error}") from None
    resource = "GPU" if job.device == "cuda" else "CPU"
    # A worker that dies: ray itself tries once more. An exception is no death: attempt() sends it back.
    remote = ray.remote(num_cpus=1, num_gpus=int(resource == "GPU"), max_retries=1)(_train)
    images = ray.put(plain_job(job))
    waiting = deque(tasks)
    running: dict[Any, Task] = {}
    try:
        while waiting or running:
            room = workers or _AHEAD * max(1, int(ray.cluster_resources().get(resource, 0)))  # machines come and go
            while waiting and len(running) < room:
                task = waiting.popleft()
                running[remote.remote(images, job.images.digest, task, train_one)] = task
            ready, _ = ray.wait(list(running), timeout=5.0)
            for reference in ready:
                task = running.pop(reference)
                yield Outcome(task, _result(ray, reference))
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
        if ours:
            ray.shutdown()


def _result(ray: Any, reference: Any) -> Training | str:
    try:
        result: Training | str = ray.get(reference)
    except ray.exceptions.RayError as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return result


_JOBS: dict[str, Job] = {}
"""In a worker: the campaign that it works for, by the digest of its images."""


def _train(plain: Any, digest: str, task: Task, train_one: TrainOne) -> Training | str:
    import torch

    torch.set_num_threads(1)
    kept = _JOBS.get(digest)
    if kept is None:
        _JOBS.clear()
        kept = _JOBS[digest] = job_of(plain)
    return attempt(Job(*plain[:-1])._replace(images=kept.images), task, train_one)
