"""Settings of a comparison, and the command line that repeats it."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from nasbench.search.algorithm import Algorithm
from nasbench.search.loop import Rules
from nasbench.types import Budget, Constraint


class Settings(NamedTuple):
    """What is compared, and how."""

    table: str
    dataset: str
    algorithms: tuple[Algorithm, ...]
    budget: Budget
    runs: int
    seed: int
    rules: Rules = Rules()
    workers: int = 1
    """Trainings that run at the same time on the simulated clock of every search."""
    objectives: tuple[str, ...] = ()
    """Metrics that are recorded, and told to the algorithms that search for several; none: validation accuracy."""
    constraints: tuple[Constraint, ...] = ()

    def command(self, out: str) -> str:
        """Return the command line that repeats the comparison."""
        words = ["nasbench", "compare", *(algorithm.text for algorithm in self.algorithms)]
        words += ["--table", self.table, "--dataset", self.dataset, "--budget", _budget_text(self.budget)]
        words += ["--runs", str(self.runs), "--seed", str(self.seed), "--observe", self.rules.observe]
        words += [] if self.rules.repeats_cost else ["--free-repeats"]
        words += ["--workers", str(self.workers)] if self.workers > 1 else []
        words += ["--objectives", ",".join(self.objectives)] if self.objectives else []
        words += [word for bound in self.constraints for each in str(bound).split() for word in ("--constraint", each)]
        return shlex.join([*words, "--out", out])


def _budget_text(budget: Budget) -> str:
    suffix = {"evaluations": "", "seconds": "s", "epochs": "epochs"}[budget.unit]
    return f"{budget.amount:.15g}{suffix}"
