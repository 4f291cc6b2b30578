"""ASHA: successive halving that promotes as soon as a candidate is among the best so far, and never waits.

L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-Tzur, M. Hardt, B. Recht and A. Talwalkar, "A System for
Massively Parallel Hyperparameter Tuning", MLSys 2020, algorithm 2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush, heappushpop
from typing import Any, ClassVar, Literal

from baselines.brackets import Schedule, ladder
from baselines.candidates import Candidate, Candidates
from nasbench.spaces import SearchSpace
from nasbench.types import Fidelity, Seed, Trial

Variant = Literal["promotion", "stopping"]


class ASHA:
    """Asynchronous successive halving.

    Of the n results on a rung so far the best n / eta, rounded down, may be promoted. ``ask`` promotes the best one
    that was not promoted yet, on the highest rung that has such a one; where there is none, it starts a new candidate
    on the first rung. So ``ask`` always answers.

    As ``"stopping"``, a variant that syne-tune and Ray Tune run, nobody waits for a promotion: a candidate goes on at
    once if it is among the best n / eta, rounded up and itself counted, of the results on its rung, else it is never
    seen again. The first on a rung always goes on.

    Trials that were not asked for count on the rung of their fidelity, as new candidates.

    Presets: ``paper``, the default; ``syne_tune``, the stopping variant with eta 3 (syne-tune 0.13, which compares with
    a quantile: the same numbers where no accuracies are equal, while of equal ones all go on).

    Ties: of equal accuracies on a rung that of the older candidate is the better one. Ages are the order of asking, and
    for trials that were not asked for that of telling.

    Args:
        space: The search space.
        seed: Seed of the draws.
        fidelities: All of the benchmark's, rising.
        eta: One of so many is promoted, and rungs are a factor of so much apart. 4 in the paper's experiments.
        schedule: See :func:`baselines.brackets.ladder`. Ours.
        first_epoch: See :func:`baselines.brackets.ladder`; the rungs are it times powers of eta, as in the paper, and
            the last epoch. An early-stopping rate s of the paper is a first epoch eta^s times as high. Ours: what
            the benchmark has; 1/256 of the last epoch in the paper's experiments.
        variant: ``"promotion"``, as in the paper, or ``"stopping"``.
        resume: Whether a promoted candidate goes on with its training, so that only the difference is paid, or is
            trained anew. True as in syne-tune.

    Raises:
        ValueError: ``variant`` is unknown, or the rungs make no sense: see :func:`baselines.brackets.ladder`.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"eta": 4, "variant": "promotion"},
        "syne_tune": {"eta": 3, "variant": "stopping"},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        fidelities: Sequence[Fidelity],
        eta: int = 4,
        schedule: Schedule = None,
        first_epoch: int | None = None,
        variant: Variant = "promotion",
        resume: bool = True,
    ) -> None:
        if variant not in ("promotion", "stopping"):
            raise ValueError(f"variant must be 'promotion' or 'stopping', got {variant!r}.")
        self._fidelities = ladder(fidelities, eta, schedule=schedule, first_epoch=first_epoch, anchor="first")
        self.space = space
        self.seed = seed
        self.fidelities = fidelities
        self.eta = eta
        self.schedule = schedule
        self.first_epoch = first_epoch
        self.variant = variant
        self.resume = resume
        self._levels = {fidelity: level for level, fidelity in enumerate(self._fidelities[:-1])}
        self._rungs = [_Rung(eta, round_up=variant == "stopping") for _ in self._levels]
        self._changed: set[int] = set()  # rungs told since they were last found to have nobody to promote
        self._going_on: deque[tuple[int, Candidate]] = deque()
        self._candidates: Candidates[Candidate] = Candidates(space, seed, fidelities[-1], resume=resume)

    def ask(self) -> Trial:
        """Return a trial of somebody to promote, of the highest rung that has one, or else of a new candidate."""
        level, candidate = self._next()
        return self._candidates.trial(candidate, self._fidelities[level], candidate)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Enter the result on its rung; on the last one nothing is left to decide."""
        candidate = self._candidates.job(trial)
        level = self._levels.get(trial.fidelity) if trial.fidelity else None
        if level is None:
            return
        if candidate is None:
            candidate = self._candidates.adopt(trial.architecture)
        is_among_best = self._rungs[level].enter(candidate, validation_accuracy)
        if self.variant == "promotion":
            self._changed.add(level)
        elif is_among_best:
            self._going_on.append((level + 1, candidate))

    def _next(self) -> tuple[int, Candidate]:
        """Return whom to train next, and up to which rung."""
        if self._going_on:
            return self._going_on.popleft()
        while self._changed:
            level = max(self._changed)
            candidate = self._rungs[level].promote()
            if candidate:
                return level + 1, candidate
            self._changed.remove(level)
        return 0, self._candidates.draw()


class _Rung:
    """The results on one rung, and who of the best of them was not promoted yet.

    Args:
        eta: One of so many is among the best.
        round_up: Whether their number is rounded up or down.
    """

    def __init__(self, eta: int, *, round_up: bool) -> None:
        self._eta = eta
        self._results = eta - 1 if round_up else 0
        # Three heaps, so that a result costs the logarithm of their number. Age is part of the order: it is total.
        self._best: list[tuple[float, int]] = []  # (accuracy, -number), the worst first
        self._rest: list[tuple[float, int]] = []  # (-accuracy, number), the best first
        self._waiting: list[
            tuple[float, Candidate]
        ] = []  # who was not promoted: (-accuracy, candidate), the best first

    def enter(self, candidate: Candidate, accuracy: float) -> bool:
        """Enter a result, and return whether it is among the best."""
        entry = accuracy, -candidate[0]
        worse = heappushpop(self._best, entry)
        heappush(self._rest, (-worse[0], -worse[1]))
        self._results += 1
        if self._results % self._eta == 0:
            better = heappop(self._rest)
            heappush(self._best, (-better[0], -better[1]))
        heappush(self._waiting, (-accuracy, candidate))
        return bool(self._best) and entry >= self._best[0]

    def promote(self) -> Candidate | None:
        """Return the best who was not promoted yet, if it is among the best of all."""
        if not self._best or not self._waiting:
            return None
        accuracy, candidate = self._waiting[0]
        if (-accuracy, -candidate[0]) < self._best[0]:
            return None
        heappop(self._waiting)
        return candidate
