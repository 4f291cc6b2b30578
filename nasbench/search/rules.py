"""Rules of play: what a searcher gets to see, and what it pays."""

from __future__ import annotations

from typing import Literal, NamedTuple

from nasbench.errors import RulesError


class Rules(NamedTuple("Rules", [("observe", Literal["run", "mean"]), ("repeats_cost", bool)])):
    """What the searcher gets to see, and what it pays.

    Args:
        observe: ``"run"``: each training is one recorded run, drawn uniformly at random, as NAS-Bench-101 and
            NATS-Bench do; ``"mean"``: it shows the mean over runs, without noise.
        repeats_cost: Whether an architecture whose evaluation at this fidelity has ended is trained again: it costs
            again, and another run is drawn. If not, the answer is the one that was given before, at no cost. Trials
            that name a training are trainings of their own either way.

    Raises:
        RulesError: ``observe`` is neither, or ``repeats_cost`` is not True or False.

    >>> Rules("mean")
    Rules(observe='mean', repeats_cost=True)
    """

    __slots__ = ()

    def __new__(cls, observe: Literal["run", "mean"] = "run", repeats_cost: bool = True) -> Rules:
        """Make rules, or refuse them."""
        if observe not in ("run", "mean"):
            raise RulesError(f"observe must be 'run' or 'mean', not {observe!r}.")
        if not isinstance(repeats_cost, bool):
            raise RulesError(f"repeats_cost must be True or False, not {repeats_cost!r}.")
        return super().__new__(cls, observe, repeats_cost)
