"""Random candidates of searches with several fidelities: numbered by age, and known again when a trial is told."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np

from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Fidelity, Seed, Trial

_BLOCK = 64

Candidate = tuple[int, Architecture]
"""The number of a candidate, which is its age, and its architecture."""

Job = TypeVar("Job")


class Candidates(Generic[Job]):
    """Draws candidates uniformly, makes trials of them, and remembers what each trial was for.

    Args:
        space: The search space.
        seed: Seed of the draws.
        last: The fidelity that a trial without one has.
        resume: Whether all trials of a candidate are one training, with its number; else each is one of its own.
    """

    def __init__(self, space: SearchSpace, seed: Seed, last: Fidelity, *, resume: bool) -> None:
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._last = last
        self._resume = resume
        self._count = 0
        self._drawn: list[Architecture] = []
        self._out: dict[Trial, list[Job]] = {}

    def draw(self) -> Candidate:
        """Return a new candidate, drawn from the whole space."""
        if not self._drawn:
            self._drawn = [tuple(row) for row in self._space.sample_many(_BLOCK, self._rng).tolist()][::-1]
        return self.adopt(self._drawn.pop())

    def adopt(self, architecture: Architecture) -> Candidate:
        """Return a new candidate of an architecture that comes from elsewhere."""
        number = self._count
        self._count = number + 1
        return number, architecture

    def trial(self, candidate: Candidate, fidelity: Fidelity, job: Job) -> Trial:
        """Return a trial to ask for.

        Args:
            candidate: Whom to train.
            fidelity: How far.
            job: What to remember until the trial is told.
        """
        number, architecture = candidate
        trial = Trial(architecture, fidelity, number if self._resume else None)
        # Without numbers two candidates of one architecture may be out as equal trials: the first told is the first's.
        self._out.setdefault(trial, []).append(job)
        return trial

    def job(self, trial: Trial) -> Job | None:
        """Return what a told trial was for; None if it was not asked for, or told before."""
        if trial.fidelity is None:
            trial = trial._replace(fidelity=self._last)
        jobs = self._out.get(trial)
        if jobs is None:
            return None
        if len(jobs) == 1:
            del self._out[trial]
        return jobs.pop(0)
