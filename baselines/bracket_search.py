"""What searches that fill their rungs share: one bracket, and the play of several, one after another or at a time."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from baselines.candidates import Candidate, Candidates
from nasbench.spaces import SearchSpace
from nasbench.types import Fidelity, Seed, Trial


class Bracket:
    """One run of successive halving.

    Ties: of equally good candidates the oldest goes on.

    Args:
        rungs: Its fidelities.
        sizes: How many candidates each of them takes.
    """

    def __init__(self, rungs: Sequence[Fidelity], sizes: Sequence[int]) -> None:
        self._rungs = rungs
        self._sizes = sizes
        self._level = 0
        self._told: list[tuple[float, Candidate]] = []
        self.promoted: list[Candidate] = []
        """Who is to be trained up to the current rung, the best last; nobody where new candidates are wanted."""
        self.places = sizes[0]
        """How many trials of the current rung were not asked for yet."""

    @property
    def rung(self) -> Fidelity:
        """The current rung."""
        return self._rungs[self._level]

    @property
    def finished(self) -> bool:
        """Whether its last rung is full."""
        return self._level == len(self._sizes)

    def enter(self, candidate: Candidate, accuracy: float) -> bool:
        """Enter a result, and return whether it fills the rung: its best are then promoted, if it is not the last."""
        told = self._told
        told.append((-accuracy, candidate))
        if len(told) < self._sizes[self._level]:
            return False
        self._level += 1
        if not self.finished:
            told.sort()
            self.places = self._sizes[self._level]
            self.promoted = [candidate for _, candidate in told[self.places - 1 :: -1]]
        self._told = []
        return True


class BracketSearch:
    """Runs brackets one after another; what would wait for a rung to fill may start the next one.

    Trials that were not asked for change nothing.

    Args:
        space: The search space.
        seed: Seed of the draws.
        fidelities: All that the benchmark has.
        rungs: Those that candidates climb.
        table: The sizes of the brackets, which come round again and again; each has the last of the rungs.
        resume: Whether a promoted candidate goes on with its training.
        waits: Whether a bracket starts only when the one before it is finished.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: Seed,
        fidelities: Sequence[Fidelity],
        *,
        rungs: Sequence[Fidelity],
        table: Sequence[Sequence[int]],
        resume: bool,
        waits: bool,
    ) -> None:
        self.space = space
        self.seed = seed
        self.fidelities = fidelities
        self.resume = resume
        self._brackets = [(rungs[-len(sizes) :], sizes) for sizes in table]
        self._waits = waits
        self._started = 0
        self._finished = 0
        self._ready: list[tuple[int, Bracket]] = []  # a heap: the brackets with a free place, the oldest first
        self._candidates: Candidates[tuple[int, Bracket, Candidate]] = Candidates(
            space, seed, fidelities[-1], resume=resume
        )

    def ask(self) -> Trial | None:
        """Return a trial of the oldest bracket with a free place; if there is none, start the next bracket, or wait."""
        ready = self._ready
        if not ready:
            if self._waits and self._finished < self._started:
                return None
            ready.append((self._started, Bracket(*self._brackets[self._started % len(self._brackets)])))
            self._started += 1
        number, bracket = ready[0]
        candidate = bracket.promoted.pop() if bracket.promoted else self._candidates.draw()
        bracket.places -= 1
        if not bracket.places:
            heappop(ready)
        return self._candidates.trial(candidate, bracket.rung, (number, bracket, candidate))

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Enter the result into the bracket that it is for."""
        job = self._candidates.job(trial)
        if job is None:
            return
        number, bracket, candidate = job
        if bracket.enter(candidate, validation_accuracy):
            if bracket.finished:
                self._finished += 1
            else:
                heappush(self._ready, (number, bracket))
