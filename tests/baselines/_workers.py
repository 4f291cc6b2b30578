"""Workers on a simulated clock, one second an epoch: what run() is checked against, and written without it."""

from __future__ import annotations

import heapq
from typing import NamedTuple

from nasbench.types import Trial


class Job(NamedTuple):
    trial: Trial
    start: float
    end: float


def simulate(searcher, accuracy, *, workers, until, seconds=lambda trial, paid: paid):
    """Return the jobs that were started before ``until``, in the order of asking.

    A later epoch of a training that went on costs the difference; what a training may not do fails here.
    """
    clock, jobs, running, stands = 0.0, [], [], {}
    while clock < until:
        while len(running) < workers and (trial := searcher.ask()) is not None:
            paid = trial.fidelity.epoch
            if trial.training is not None:
                assert trial.training not in [jobs[i].trial.training for _, i in running], "it still runs"
                before = stands.get(trial.training, trial)
                assert before.architecture == trial.architecture
                if before is not trial and before.fidelity.schedule == trial.fidelity.schedule:
                    assert before.fidelity.epoch < trial.fidelity.epoch
                    paid -= before.fidelity.epoch
                stands[trial.training] = trial
            heapq.heappush(running, (clock + seconds(trial, paid), len(jobs)))
            jobs.append(Job(trial, clock, clock + seconds(trial, paid)))
        assert running, "waits although nothing runs"
        clock, i = heapq.heappop(running)
        if clock < until:
            searcher.tell(jobs[i].trial, accuracy(jobs[i].trial))
    return jobs


def utilisation(jobs, workers, until):
    """Return the share of the workers' time up to ``until`` in which they trained."""
    return sum(min(job.end, until) - job.start for job in jobs) / (workers * until)
