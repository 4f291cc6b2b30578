"""What searches by halving share: which fidelities are the rungs, how many candidates are on each, and the brackets.

A bracket is one run of successive halving: so many random candidates are trained up to its first rung, the best of them
up to the next, and so on. The codes that people run agree on that, and neither on the rungs nor on the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Literal

from baselines._candidates import Candidate, Candidates
from nasbench.spaces import SearchSpace
from nasbench.types import Fidelity, Seed, Trial

Anchor = Literal["first", "last"]
Schedule = int | Literal["whole"] | None
Sizes = Literal["paper", "hpbandster", "syne_tune"]

_SHOWN = 6


def ladder(
    fidelities: Sequence[Fidelity],
    eta: int,
    *,
    schedule: Schedule = None,
    first_epoch: int | None = None,
    anchor: Anchor = "last",
) -> tuple[Fidelity, ...]:
    """Return the rungs: the fidelities that candidates climb, from cheap to expensive.

    On the curve of one schedule they are epochs about a factor of ``eta`` apart, each the nearest one that is recorded
    (of two equally near the earlier). Whole schedules are rungs as they are, whatever the factors between them: 4, 12,
    36 and 108 in NAS-Bench-101.

    Args:
        fidelities: All that a benchmark has, rising.
        eta: The factor between rungs.
        schedule: Epochs of this schedule; ``"whole"``: the last epochs of all schedules. By default the epochs of the
            longest schedule, where going on costs only the difference, if they are at least as many rungs as there are
            schedules; else the schedules. So the half-way epochs of NAS-Bench-101 do not count.
        first_epoch: Nothing is trained for less. By default the lowest epoch that is recorded.
        anchor: Where the factors count from. ``"last"``: the last epoch divided by powers of ``eta``, as in Li et al.
            2018, HpBandSter and SMAC3: 2, 7, 22, 67, 200 of 1 to 200. ``"first"``: the first epoch times powers of
            ``eta``, and the last one, whatever the factor between these two, as in syne-tune: 1, 3, 9, 27, 81, 200.

    Raises:
        ValueError: ``eta`` is no whole number of 2 or more, there is no such schedule or anchor, or there are fewer
            than two rungs.
    """
    if not isinstance(eta, int) or eta < 2:
        raise ValueError(f"eta must be a whole number of at least 2, got {eta!r}.")
    if anchor not in ("first", "last"):
        raise ValueError(f"anchor must be 'first' or 'last', got {anchor!r}.")
    curves: dict[int, list[int]] = {}
    for fidelity in fidelities:
        epochs = curves.setdefault(fidelity.schedule, [])
        if fidelity.epoch >= (first_epoch or 0):
            epochs.append(fidelity.epoch)
    if schedule not in (None, "whole", *curves):
        raise ValueError(f"schedule must be 'whole' or one of {sorted(curves)}, got {schedule!r}.")
    whole = tuple(Fidelity(key, epochs[-1]) for key, epochs in curves.items() if epochs)
    rungs = whole
    if schedule != "whole":
        key = max(curves, default=0) if schedule is None else int(schedule)
        rungs = tuple(Fidelity(key, epoch) for epoch in _spaced(curves.get(key, []), eta, anchor))
        if schedule is None and len(whole) > len(rungs):
            rungs = whole
    if len(rungs) < 2:
        raise ValueError(
            f"halving needs a benchmark with several fidelities, epochs of one schedule that are at least a factor of "
            f"{eta} apart or several schedules; of {_few(fidelities)} with eta={eta}, schedule={schedule!r} and "
            f"first_epoch={first_epoch} only {_few(rungs)} can be a rung. Take another table (nasbench tables), or a "
            "search that trains every architecture in full."
        )
    return rungs


def _spaced(epochs: list[int], eta: int, anchor: Anchor) -> list[int]:
    """Return the recorded epochs that are nearest to the powers of eta."""
    if not epochs:
        return []
    first, last = epochs[0], epochs[-1]
    powers = [1]
    while first * powers[-1] * eta <= last:
        powers.append(powers[-1] * eta)
    if anchor == "last":
        wanted = [(last, power) for power in powers]
    else:
        wanted = [(first * power, 1) for power in powers] + [(last, 1)]
    # In whole numbers: nearest to numerator / denominator.
    return sorted({min(epochs, key=lambda e: (abs(e * below - above), e)) for above, below in wanted})


def _few(fidelities: Sequence[Fidelity]) -> str:
    shown = ", ".join(f"{schedule}/{epoch}" for schedule, epoch in fidelities[:_SHOWN])
    rest = f", ... ({len(fidelities)} in all)" if len(fidelities) > _SHOWN else ""
    return f"the fidelities (schedule/epoch) {shown or 'none'}{rest}"


def bracket_sizes(rungs: int, eta: int, rule: Sizes) -> list[tuple[int, ...]]:
    """Return how many candidates are on each rung of each bracket of one round of Hyperband.

    The first bracket has all rungs, each following one starts a rung higher. With s+1 of the rungs it has:

    - ``"paper"`` (Li et al. 2018, algorithm 1; SMAC3): n = ceil(rungs eta^s / (s+1)), then floor(n / eta^i).
    - ``"hpbandster"`` (HpBandSter, DEHB, and the script on K. Jamieson's page, homes.cs.washington.edu/~jamieson):
      n = floor(rungs / (s+1)) eta^s, then the same.
    - ``"syne_tune"`` (syne-tune 0.13, synchronous): ceil(rungs eta^(s-i) / (s+1)) on every rung.

    Args:
        rungs: How many rungs there are.
        eta: One in so many goes on.
        rule: Whose numbers.

    Raises:
        ValueError: There is no such rule.
    """
    if rule not in ("paper", "hpbandster", "syne_tune"):
        raise ValueError(f"sizes must be 'paper', 'hpbandster' or 'syne_tune', got {rule!r}.")
    table = []
    for s in reversed(range(rungs)):
        if rule == "syne_tune":
            table.append(tuple(-(-rungs * eta ** (s - i) // (s + 1)) for i in range(s + 1)))
            continue
        n = -(-rungs * eta**s // (s + 1)) if rule == "paper" else rungs // (s + 1) * eta**s
        table.append(tuple(n // eta**i for i in range(s + 1)))
    return table


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
        candidate = bracket.promoted.pop() if bracket.promoted else self._draw()
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

    def _draw(self) -> Candidate:
        """Return a new candidate."""
        return self._candidates.draw()
