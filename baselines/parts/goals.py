"""What searches for several objectives make of the values that they are told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from baselines.parts.ranking import Member
from nasbench.metrics import Metric
from nasbench.types import Architecture, Constraint


class Goals:
    """The objectives, as losses to be minimised, and the constraints, as one number.

    Args:
        objectives: At least one.
        constraints: Any number.

    Raises:
        ValueError: There is no objective.
    """

    def __init__(self, objectives: Sequence[Metric], constraints: Sequence[Constraint]) -> None:
        if not objectives:
            raise ValueError(f"objectives must name at least one metric, got {objectives!r}.")
        self.signs: dict[str, int] = {metric.name: -1 if metric.better == "higher" else 1 for metric in objectives}
        """By the name of each objective, what makes a loss of its value."""
        self.bounds: list[tuple[str, float, float, float]] = [
            (name, least, most, abs(most if most < math.inf else least) or 1.0) for name, least, most in constraints
        ]
        """For each constraint the metric, its least and largest value, and what a violation is divided by."""
        self._signs = list(self.signs.items())

    def member(self, number: int, architecture: Architecture, values: Mapping[str, float]) -> Member:
        """Return what ranks a trial.

        A violation is what is too much or too little, divided by the bound, summed over the constraints: so units do
        not matter, and a tenth too many parameters counts as much as a tenth too slow.

        Args:
            number: In the order of telling.
            architecture: What was tried.
            values: Of all objectives and constrained metrics, by name.
        """
        violation = 0.0
        for name, least, most, bound in self.bounds:
            violation += max(least - values[name], values[name] - most, 0.0) / bound
        return Member(number, violation, tuple([sign * values[name] for name, sign in self._signs]), architecture)
