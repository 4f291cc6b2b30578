"""Hyperband: successive halving with several trade-offs between many candidates and long trainings, in turn.

L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh and A. Talwalkar, "Hyperband: A Novel Bandit-Based Approach to
Hyperparameter Optimization", JMLR 18, 2018, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from baselines.bracket_search import BracketSearch
from baselines.brackets import Anchor, Schedule, Sizes, bracket_sizes, ladder
from nasbench.spaces import SearchSpace
from nasbench.types import Fidelity, Seed


class Hyperband(BracketSearch):
    """Brackets of successive halving in turn, from the one with most candidates to the one that trains all in full.

    A rung must be full before anyone is promoted. A worker that would wait for that takes a place in the oldest bracket
    that has one, else it starts the next bracket, as in HpBandSter, SMAC3 and syne-tune: with several workers several
    brackets are under way, and ``ask`` always answers. With one worker each bracket ends before the next one starts.
    Trials that were not asked for change nothing.

    Presets: the codes that published results come from agree neither on the rungs nor on the sizes nor on the costs.
    For epochs 4, 12, 36, 108 and eta 3 all begin with 27, 9, 3, 1 candidates and end with 6, 2 and 4; between these

    - ``paper``, the default, has 12, 4, 1 (Li et al. 2018);
    - ``smac3`` too, but trains what is promoted anew (SMAC3 2);
    - ``hpbandster`` has 9, 3, 1, and trains anew (HpBandSter: the curves of the NAS-Bench-101 paper);
    - ``syne_tune`` has 12, 4, 2, and other rungs where epochs are no powers of eta (syne-tune 0.13, synchronous).

    Ties: of equal accuracies on a rung that of the older candidate, which was asked for first, is the better one
    (HpBandSter leaves it to an unstable sort).

    Args:
        space: The search space.
        seed: Seed of the draws.
        fidelities: All of the benchmark's, rising.
        eta: One of so many is promoted, and rungs are a factor of so much apart. 3 in the paper and in all four codes.
        schedule: See :func:`baselines.brackets.ladder`. Ours.
        first_epoch: See :func:`baselines.brackets.ladder`. Ours: what the benchmark has.
        anchor: See :func:`baselines.brackets.ladder`. ``"last"`` as in the paper.
        sizes: How many candidates are on each rung: see :func:`baselines.brackets.bracket_sizes`. ``"paper"``: those of
            the paper.
        resume: Whether a promoted candidate goes on with its training, so that only the difference is paid, or is
            trained anew. True as in syne-tune; HpBandSter and SMAC3 pay in full.

    Raises:
        ValueError: ``sizes`` is unknown, or the rungs make no sense: see :func:`baselines.brackets.ladder`.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {"anchor": "last", "sizes": "paper"},
        "smac3": {"anchor": "last", "sizes": "paper", "resume": False},
        "hpbandster": {"anchor": "last", "sizes": "hpbandster", "resume": False},
        "syne_tune": {"anchor": "first", "sizes": "syne_tune"},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        fidelities: Sequence[Fidelity],
        eta: int = 3,
        schedule: Schedule = None,
        first_epoch: int | None = None,
        anchor: Anchor = "last",
        sizes: Sizes = "paper",
        resume: bool = True,
    ) -> None:
        rungs = ladder(fidelities, eta, schedule=schedule, first_epoch=first_epoch, anchor=anchor)
        self.eta = eta
        self.schedule = schedule
        self.first_epoch = first_epoch
        self.anchor = anchor
        self.sizes = sizes
        table = bracket_sizes(len(rungs), eta, sizes)
        super().__init__(space, seed, fidelities, rungs=rungs, table=table, resume=resume, waits=False)
