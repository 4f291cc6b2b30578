"""The trainings of one search: what each trial sees, and what it costs.

A trial that names a training which has begun goes on with it, if its schedule is the same: it sees the recorded run
that the training saw before, and pays what the later epoch costs more than the earlier one. Every other trial is a
training from the start.
"""

from __future__ import annotations

from collections.abc import Callable

from nasbench.search.rules import Rules
from nasbench.types import Architecture, Benchmark, Fidelity, Metrics, Trial

Seen = tuple[Metrics, float, int]
"""What one trial will have shown when it ends, and the simulated seconds and the epochs that it trains: 0 where it
repeats what is free."""


class Trainings:
    """Those trainings of one search that are remembered: with a number, or all where repeats are free.

    Args:
        benchmark: What answers.
        rules: What a trial sees and pays.
        random: Draws the run of each training, in the order of asking: uniform in [0, 1).
    """

    def __init__(self, benchmark: Benchmark, rules: Rules, random: Callable[[], float]) -> None:
        self._query = benchmark.query
        self._recorded_runs = benchmark.runs
        self._random = random if rules.observe == "run" else None
        self._highest = benchmark.fidelities[-1]
        self._standing: dict[int, tuple[Architecture, Metrics]] = {}
        self._running: set[int] = set()
        self._answered: dict[tuple[Architecture, Fidelity], Metrics] = {}

    @property
    def numbered(self) -> bool:
        """Whether any trial named a training."""
        return bool(self._standing)

    def repeat(self, trial: Trial) -> Seen:
        """Train an architecture, or answer as before, at no cost, if a training to this fidelity has ended.

        Raises:
            InvalidArchitectureError, NotRecordedError: The benchmark cannot answer it.
        """
        fidelity = trial.fidelity or self._highest
        metrics = self._answered.get((trial.architecture, fidelity))
        if metrics is not None:
            return metrics, 0.0, 0
        run = self._draw(trial.architecture, *fidelity)
        metrics = self._query(trial.architecture, schedule=fidelity[0], epoch=fidelity[1], run=run)
        return metrics, metrics.training_time, metrics.epoch

    def remember(self, trial: Trial, metrics: Metrics) -> None:
        """Take note of what a trial without a number showed, for those that repeat it; of twins the first to end."""
        self._answered.setdefault((trial.architecture, trial.fidelity or self._highest), metrics)

    def go_on(self, trial: Trial) -> Seen:
        """Begin the training that a trial names, or go on with it.

        Raises:
            ValueError: It still runs, has passed this epoch, or is one of another architecture.
            InvalidArchitectureError, NotRecordedError, TypeError: The benchmark cannot answer it.
        """
        architecture, fidelity, training = trial
        schedule, epoch = fidelity or self._highest
        if type(training) is not int or not 0 <= training < 2**31:
            raise TypeError(f"the number of a training must be an integer from 0 to 2**31 - 1, not {training!r}.")
        if training in self._running:
            raise ValueError(f"training {training} is still running; it can go on once its trial was told.")
        first, before = self._standing.get(training, (architecture, None))
        if first != architecture:
            raise ValueError(f"training {training} is one of {first}; another architecture needs another number.")
        if before is None or before.schedule != schedule:
            seconds, epochs = 0.0, 0
            run = self._draw(architecture, schedule, epoch)
        elif epoch > before.epoch:
            seconds, epochs, run = before.training_time, before.epoch, before.run
        else:
            raise ValueError(f"training {training} has passed epoch {before.epoch}; it cannot go on to {epoch}.")
        metrics = self._query(architecture, schedule=schedule, epoch=epoch, run=run)
        self._standing[training] = architecture, metrics
        self._running.add(training)
        left = metrics.training_time - seconds
        return metrics, 0.0 if left < 0 else left, epoch - epochs  # predicted times may fall; nan stays nan

    def ended(self, training: int) -> None:
        """Take note that the trial of a training has ended, so that another one may go on with it."""
        self._running.remove(training)

    def _draw(self, architecture: Architecture, schedule: int, epoch: int) -> int | None:
        """Draw a recorded run, all equally likely; None where the mean is seen."""
        if self._random is None:
            return None
        runs = self._recorded_runs(architecture, schedule=schedule, epoch=epoch)
        return runs[int(self._random() * len(runs))]
