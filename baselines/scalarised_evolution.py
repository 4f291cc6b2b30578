"""Regularized evolution on MnasNet's reward: accuracy times a power of what it costs.

M. Tan, B. Chen, R. Pang, V. Vasudevan, M. Sandler, A. Howard and Q. V. Le, "MnasNet: Platform-Aware Neural Architecture
Search for Mobile", CVPR 2019, equations 2 and 3: the reward. There it teaches a policy; here it is what evolution
selects by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from baselines.regularized_evolution import RegularizedEvolution
from nasbench.metrics import Metric
from nasbench.spaces import SearchSpace
from nasbench.types import Constraint, Seed, Trial

_ACCURACY = "validation_accuracy"
_SMALLEST = 1e-9
"""A smaller share of the target counts as so much: what costs nothing would have an infinite reward."""


class ScalarisedEvolution(RegularizedEvolution):
    """Aging evolution that maximises accuracy * (cost / target) ** w, where w is alpha up to the target and beta above.

    Costs are all other objectives, and constrained metrics; several multiply. The target of a cost is the bound that
    constrains it, or else ``target``. Nothing else keeps a constraint: what costs more is worth less, not refused.

    Presets: ``soft``, the default, and ``hard``, both MnasNet's: the first trades accuracy for cost everywhere, so that
    twice the latency must bring 5 % of accuracy; the second takes what costs up to the target for equal.

    Ties: as in :class:`RegularizedEvolution`.

    Args:
        space: The search space.
        seed: Seed of all draws.
        objectives: validation_accuracy, and costs, of which less is better.
        constraints: The largest value of each cost, its target.
        target: Of the one cost that has no constraint, in its own unit. Ours: none, as it depends on the metric.
        alpha: Exponent of a cost up to its target. -0.07 in MnasNet.
        beta: Exponent of a cost above its target. -0.07 in MnasNet.
        population_size: Architectures that live at a time. Ours: as in RegularizedEvolution.
        sample_size: Parents drawn for each tournament. Ours: as in RegularizedEvolution.

    Raises:
        ValueError: validation_accuracy is no objective; there is no cost, or one of which more is better; a cost has no
            target, or one that is not positive, or a lower bound; ``target`` is left over; an exponent is positive; or
            a size is below 1.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "soft": {"alpha": -0.07, "beta": -0.07},
        "hard": {"alpha": 0.0, "beta": -1.0},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        objectives: Sequence[Metric],
        constraints: Sequence[Constraint] = (),
        target: float | None = None,
        alpha: float = -0.07,
        beta: float = -0.07,
        population_size: int = 10,
        sample_size: int = 3,
    ) -> None:
        super().__init__(space, seed=seed, population_size=population_size, sample_size=sample_size)
        if alpha > 0 or beta > 0:
            raise ValueError(f"alpha and beta must not be positive, got {alpha} and {beta}.")
        self.objectives = objectives
        self.constraints = constraints
        self.target = target
        self.alpha = alpha
        self.beta = beta
        self._targets = _targets(objectives, constraints, target)

    def tell(self, trial: Trial, values: Mapping[str, float]) -> None:  # type: ignore[override]
        """Add the trial with its reward to the population; the oldest member is removed."""
        super().tell(trial, self.reward(values))

    def reward(self, values: Mapping[str, float]) -> float:
        """Return the reward of what was measured: validation_accuracy and all costs, by name."""
        reward = values[_ACCURACY]
        for name, target in self._targets.items():
            share = values[name] / target
            reward *= max(share, _SMALLEST) ** (self.alpha if share <= 1 else self.beta)
        return reward


def _targets(objectives: Sequence[Metric], constraints: Sequence[Constraint], target: float | None) -> dict[str, float]:
    """Return the target of each cost.

    Args:
        objectives: Accuracy, and costs.
        constraints: Bounds of costs.
        target: Of the cost that has none.
    """
    names = [metric.name for metric in objectives]
    if _ACCURACY not in names:
        raise ValueError(f"{_ACCURACY} must be one of the objectives, got {', '.join(names) or 'none'}.")
    targets: dict[str, float] = {}
    for constraint in constraints:
        if constraint.metric == _ACCURACY or constraint.least > float("-inf") or constraint.metric in targets:
            raise ValueError(
                f"a constraint is the target of a cost, once METRIC<=NUMBER, got {constraint}: the reward has no other."
            )
        targets[constraint.metric] = constraint.most
    for metric in objectives:
        if metric.name != _ACCURACY and metric.better == "higher":
            raise ValueError(f"of a cost less must be better, got {metric.name}, of which more is better.")
    open_ = [name for name in names if name != _ACCURACY and name not in targets]
    if target is not None and len(open_) != 1:
        raise ValueError(f"target is that of one cost without a constraint, got {target} for {len(open_)} such costs.")
    if open_ and target is None:
        raise ValueError(f"no target of {', '.join(open_)}: give target, or a constraint such as {open_[0]}<=NUMBER.")
    targets |= {name: float(target) for name in open_ if target is not None}
    if not targets:
        raise ValueError("no cost: name another objective besides validation_accuracy, or a constraint.")
    if min(targets.values()) <= 0:
        raise ValueError(f"targets must be positive, got {targets}.")
    return targets
