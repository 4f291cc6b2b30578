"""DEHB: Hyperband whose candidates come from differential evolution, with one population a fidelity.

N. Awad, N. Mallik and F. Hutter, "DEHB: Evolutionary Hyperband for Scalable, Robust and Efficient Hyperparameter
Optimization", IJCAI 2021; rules and defaults of its code, dehb 0.1.2.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from baselines.parts.bracket_search import Bracket
from baselines.parts.brackets import Anchor, Schedule, bracket_sizes, ladder
from baselines.parts.candidates import Candidate, Candidates
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Fidelity, Seed, Trial

Floats = NDArray[np.float64]

_PARENTS = 3  # of a mutant, in the strategy rand1
_ATTEMPTS = 100


class DEHB:
    """Brackets of HpBandSter's sizes, filled by differential evolution.

    Each rung has a population as large as the largest of the brackets needs it, random at first. An individual is a
    point in a box: a decision of k choices is an axis from 0 to k, a random architecture has the whole numbers, and a
    point stands for the choices that it is rounded down to.

    Each trial belongs to one member of its rung's population, in turn, and replaces it if it is no worse. In the first
    round of brackets the trials of a bracket's first rung are children, those of the others promotions: the best of the
    rung below that are not in this rung's population yet. From the second round on all are children. A child has each
    decision from a mutant with probability ``crossover``, at least one, and the others from the member. The mutant is
    a + mutation_factor * (b - c), three different ones of a pool (rand1_bin): of the best of the rung below, as many as
    the bracket has places on this rung; on a bracket's first rung, of the best of this rung itself. The member is not
    in the pool. A pool of less than three is filled up with mutants from all populations. What leaves the box is drawn
    anew, uniformly.

    With several workers brackets overlap as in :class:`baselines.hyperband.Hyperband`. Every trial is a training of its
    own, as in the package. Trials that were not asked for change nothing.

    Where it differs from the package: in a constrained space children are made again until one is an architecture (the
    package scores what is none as bad), and a bracket is of the first round by its own number, not by that of the
    newest one, which is the same with one worker. The package also misplaces some whole numbers: of five choices it
    reads its own point for the fourth as the third, so that none of its initial NAS-Bench-201 cells has a convolution
    of 3x3. Here each is read as what it was written for.

    Ties: an equally good trial replaces the member, as in the package; of equally good members the one that comes
    first in its population goes first into pools and promotions (there chance of an unstable sort).

    Args:
        space: The search space.
        seed: Seed of all draws.
        fidelities: All of the benchmark's, rising.
        mutation_factor: How far a mutant is from the first of its three parents. 0.5 in dehb.
        crossover: Chance of a decision to come from the mutant. 0.5 in dehb (crossover_prob).
        eta: See :class:`baselines.hyperband.Hyperband`. 3 in dehb.
        schedule: See :func:`baselines.parts.brackets.ladder`. Ours.
        first_epoch: See :func:`baselines.parts.brackets.ladder`. Ours: what the benchmark has.
        anchor: See :func:`baselines.parts.brackets.ladder`. ``"last"`` as in dehb.

    Raises:
        ValueError: A number makes no sense, or the rungs make none: see :func:`baselines.parts.brackets.ladder`.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        fidelities: Sequence[Fidelity],
        mutation_factor: float = 0.5,
        crossover: float = 0.5,
        eta: int = 3,
        schedule: Schedule = None,
        first_epoch: int | None = None,
        anchor: Anchor = "last",
    ) -> None:
        if not (0 < mutation_factor <= 2 and 0 <= crossover <= 1):
            raise ValueError(
                f"mutation_factor must be in (0, 2] and crossover in [0, 1], got {mutation_factor} and {crossover}."
            )
        self.space = space
        self.seed = seed
        self.fidelities = fidelities
        self.mutation_factor = mutation_factor
        self.crossover = crossover
        self.eta = eta
        self.schedule = schedule
        self.first_epoch = first_epoch
        self.anchor = anchor
        self._rungs = ladder(fidelities, eta, schedule=schedule, first_epoch=first_epoch, anchor=anchor)
        self._table = bracket_sizes(len(self._rungs), eta, "hpbandster")
        self._rng = np.random.default_rng(seed)
        self._box = np.array(space.choices, np.float64)
        # The sizes of all brackets end with that of the last rung.
        largest = [max(sizes[-i] for sizes in self._table if len(sizes) >= i) for i in range(len(self._rungs), 0, -1)]
        self._populations = [_Population(self._random(size)) for size in largest]
        self._started = 0
        self._ready: list[tuple[int, Bracket]] = []  # a heap: the brackets with a free place, the oldest first
        self._candidates: Candidates[_Job] = Candidates(space, seed, fidelities[-1], resume=False)

    def ask(self) -> Trial:
        """Return a trial of the oldest bracket with a free place; if there is none, start the next bracket."""
        ready = self._ready
        if not ready:
            sizes = self._table[self._started % len(self._table)]
            ready.append((self._started, Bracket(self._rungs[-len(sizes) :], sizes)))
            self._started += 1
        number, bracket = ready[0]
        level = self._rungs.index(bracket.rung)
        member = self._populations[level].next()
        point = self._new_point(number, level, member)
        bracket.places -= 1
        if not bracket.places:
            heappop(ready)
        candidate = self._candidates.adopt(self._architecture(point))
        return self._candidates.trial(candidate, bracket.rung, _Job(number, bracket, candidate, level, member, point))

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Let the trial replace its member if it is no worse, and close the rung when it is full."""
        job = self._candidates.job(trial)
        if job is None:
            return
        self._populations[job.level].offer(job.member, job.point, validation_accuracy)
        if job.bracket.enter(job.candidate, validation_accuracy) and not job.bracket.finished:
            heappush(self._ready, (job.number, job.bracket))

    def _new_point(self, number: int, level: int, member: int) -> Floats:
        """Return what is trained next: a promotion or a child.

        Args:
            number: Which bracket it is for.
            level: On which of all rungs.
            member: Whom it may replace.
        """
        sizes = self._table[number % len(self._table)]
        rung = level - (len(self._rungs) - len(sizes))  # of the bracket
        population, below = self._populations[level], self._populations[level - (rung > 0)]
        if rung > 0 and number < len(self._table):
            return population.promoted_from(below, sizes[rung])
        pool = below.best(sizes[rung])
        for _ in range(_ATTEMPTS):
            child = self._child(population.points[member], pool)
            if not self.space.constrained or self.space.is_valid(self._architecture(child)):
                return child
        return np.asarray(self._random(1)[0])

    def _child(self, member: Floats, pool: Floats) -> Floats:
        if len(pool) < _PARENTS:
            everybody = np.concatenate([population.points for population in self._populations])
            # One more than are missing, as in the package: the member may be in the pool.
            mutants = [self._mutant(everybody, member) for _ in range(_PARENTS - len(pool) + 1)]
            pool = np.concatenate([pool, mutants])
        crossed = self._rng.random(len(self._box)) < self.crossover
        if not crossed.any():
            crossed[self._rng.integers(len(self._box))] = True
        child = np.where(crossed, self._mutant(pool, member), member)
        inside = (child >= 0) & (child <= self._box)
        return np.asarray(np.where(inside, child, self._rng.random(len(self._box)) * self._box))

    def _mutant(self, pool: Floats, member: Floats) -> Floats:
        same = np.flatnonzero((pool == member).all(axis=1))
        if len(same) and len(pool) > 1:
            pool = np.delete(pool, same[0], axis=0)
        if len(pool) < _PARENTS:
            pool = np.concatenate([pool, self._random(_PARENTS - len(pool))])
        a, b, c = pool[self._rng.choice(len(pool), _PARENTS, replace=False)]
        return np.asarray(a + self.mutation_factor * (b - c))

    def _random(self, n: int) -> Floats:
        return np.asarray(self.space.sample_many(n, self._rng), np.float64)

    def _architecture(self, point: Floats) -> Architecture:
        return tuple(np.minimum(point, self._box - 1).astype(int).tolist())


class _Population:
    """The members of one rung.

    Args:
        points: Where they are at first, shape (members, decisions).
    """

    def __init__(self, points: Floats) -> None:
        self.points = points
        self.accuracies = np.full(len(points), -np.inf)  # not trained yet
        self._next = 0
        self._promoted: deque[Floats] = deque()

    def next(self) -> int:
        """Return whose turn it is."""
        member = self._next
        self._next = (member + 1) % len(self.points)
        return member

    def best(self, n: int) -> Floats:
        """Return the n best, the best first."""
        return np.asarray(self.points[np.argsort(-self.accuracies, kind="stable")[:n]])

    def offer(self, member: int, point: Floats, accuracy: float) -> None:
        """Replace a member if the trial is no worse."""
        if accuracy >= self.accuracies[member]:
            self.points[member] = point
            self.accuracies[member] = accuracy

    def promoted_from(self, below: _Population, n: int) -> Floats:
        """Return the next of the n best of the rung below that are not here yet; if all are, the best one again."""
        trained = below.best(int(np.isfinite(below.accuracies).sum()))
        if not self._promoted:
            self._promoted.extend([point for point in trained if not (point == self.points).all(axis=1).any()][:n])
        return self._promoted.popleft() if self._promoted else trained[0]


class _Job(NamedTuple):
    number: int
    bracket: Bracket
    candidate: Candidate
    level: int
    member: int
    point: Floats
