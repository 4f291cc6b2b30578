"""Successive halving: many candidates are trained a little, the best of them longer, the best of those longer still.

K. Jamieson and A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016, in
the form that L. Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020, give it (algorithm 1,
SHA): synchronous, with a fixed number of candidates and rungs a factor of eta apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from baselines.bracket_search import BracketSearch
from baselines.brackets import Anchor, Schedule, ladder
from nasbench.spaces import SearchSpace
from nasbench.types import Fidelity, Seed


class SuccessiveHalving(BracketSearch):
    """One bracket after another: of n candidates on a rung the best n / eta, rounded down, are promoted to the next.

    A rung must be full before anyone is promoted: with several workers ``ask`` answers None until it is, and they
    idle. :class:`baselines.hyperband.Hyperband` and :class:`baselines.asha.ASHA` do not wait. Trials that were not
    asked for change nothing.

    Presets: ``mf_nas``, the entry SH of MF-NAS's configs/algo_201.yaml (github.com/ELO-Lab/MF-NAS): 32 candidates up
    to epoch 12, 16 to 25, 8 to 50, 4 to 100, 2 to 200, where going on costs the difference. It ends there, and takes
    the better of the two by test accuracy; here the next bracket starts.

    Ties: of equal accuracies on a rung that of the older candidate, which was asked for first, is the better one.

    Args:
        space: The search space.
        seed: Seed of the draws.
        fidelities: All of the benchmark's, rising.
        candidates: How many candidates a bracket starts with; at least as many as let one reach the last rung. By
            default exactly so many, ``eta`` to the power of the rungs but one, as the first bracket of Hyperband has in
            the paper (Li et al. 2018) and in HpBandSter.
        eta: One of so many is promoted, and rungs are a factor of so much apart. 3 as in HpBandSter, SMAC3 and
            syne-tune (4 in the experiments of Li et al. 2020).
        schedule: See :func:`baselines.brackets.ladder`. Ours.
        first_epoch: See :func:`baselines.brackets.ladder`. Ours: what the benchmark has.
        anchor: See :func:`baselines.brackets.ladder`. ``"first"`` as in the paper (Li et al. 2020), whose rungs are
            the first epoch times powers of eta.
        resume: Whether a promoted candidate goes on with its training, so that only the difference is paid, or is
            trained anew. True as in syne-tune and MF-NAS; HpBandSter and SMAC3 pay in full.

    Raises:
        ValueError: ``candidates`` is too low, or the rungs make no sense: see :func:`baselines.brackets.ladder`.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mf_nas": {"candidates": 32, "eta": 2, "first_epoch": 12, "anchor": "last"},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        fidelities: Sequence[Fidelity],
        candidates: int | None = None,
        eta: int = 3,
        schedule: Schedule = None,
        first_epoch: int | None = None,
        anchor: Anchor = "first",
        resume: bool = True,
    ) -> None:
        rungs = ladder(fidelities, eta, schedule=schedule, first_epoch=first_epoch, anchor=anchor)
        least = eta ** (len(rungs) - 1)
        if candidates is not None and candidates < least:
            raise ValueError(
                f"candidates must be at least {least}, so that one reaches the last of {len(rungs)} rungs with "
                f"eta={eta}; got {candidates}."
            )
        self.candidates = candidates
        self.eta = eta
        self.schedule = schedule
        self.first_epoch = first_epoch
        self.anchor = anchor
        sizes = tuple((candidates or least) // eta**level for level in range(len(rungs)))
        super().__init__(space, seed, fidelities, rungs=rungs, table=[sizes], resume=resume, waits=True)
