"""What searches by halving must decide first: which fidelities are the rungs, and how many candidates are on each.

A bracket is one run of successive halving: so many random candidates are trained up to its first rung, the best of them
up to the next, and so on. The codes that people run agree on that, and neither on the rungs nor on the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nasbench.types import Fidelity

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
