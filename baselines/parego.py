"""ParEGO: expected improvement of many weighted sums of the objectives, one after the other.

J. Knowles, "ParEGO: A Hybrid Algorithm with On-Line Landscape Approximation for Expensive Multiobjective Optimization
Problems", IEEE Transactions on Evolutionary Computation 2006: the augmented Tchebycheff function of objectives between
0 and 1, with weights drawn anew each time. What learns, and which candidates are looked at, is our own, as in
:mod:`baselines.gp_expected_improvement`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from baselines.models.model_based import Choices, Floats, ModelBasedSearch, SpaceFeatures
from baselines.parts.goals import Goals
from baselines.parts.ranking import Member, ranked
from nasbench.metrics import Metric
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Constraint, Seed, Trial
from surrogates.models.gaussian_process import GroupedGaussianProcess

_LEARN_FROM, _ITERATIONS = 100, 15
_RHO = 0.05
"""The weight of the sum in the augmented Tchebycheff function, as in the paper."""
_STEPS = 10
"""Weights are whole tenths."""
_QUANTILES: Floats = ndtri((np.arange(32) + 0.5) / 32)
"""Quantiles of a prediction, in standard deviations: improvements are averaged over them."""


class ParEGO(ModelBasedSearch):
    """Evaluate the neighbour of one of the best that promises the largest improvement of a weighted objective.

    For each trial of a batch the weights of the objectives are drawn: tenths that sum to one, all such vectors equally
    likely. What is minimised is the largest of the weighted objectives, plus a twentieth of their sum. Objectives go
    from 0 to 1 by the normal quantiles of their ranks among what was told, where the paper goes by their values:
    accuracies have a long lower tail. Where the paper learns the weighted objective, here each metric that needs
    training is learnt by a Gaussian process of its own, whose noise is left out; what ``known`` tells is taken as it
    is. An improvement counts as far as all constraints hold. Where no candidate promises one, the smallest expected
    value wins among those that are most likely to keep them; until a trial has kept them, who violates them least.

    The candidates are the neighbours of the best by NSGA-II's order (:func:`baselines.parts.ranking.ranked`); when all
    of them were evaluated, those of the other searchers that learn, see ModelBasedSearch.

    Ties: among equal promises chance decides; among equally good parents the one told first counts as the better.

    Args:
        space: The search space.
        seed: Seed of all draws.
        objectives: What is minimised or maximised, whichever is better.
        constraints: What must hold.
        known: Returns, by name, those metrics of an architecture that need no training.
        encoding: What a process sees: ``"graph"``, ``"paths"``, ``"truncated_paths"`` or ``"choices"``; the last is
            one-hot, and stands in where a space has no such features. Ours.
        initial: Random architectures at the start. Ours; 11 times the decisions minus one in the paper.
        batch: Trials before the processes are fitted anew, each with weights of its own. Ours; 1 in the paper.
        parents: How many of the best have their neighbours looked at. Ours.

    Raises:
        ValueError: A number is below 1, the encoding is unknown, or there is no objective.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        objectives: Sequence[Metric],
        constraints: Sequence[Constraint] = (),
        known: Callable[[Architecture], dict[str, float]] | None = None,
        encoding: str = "graph",
        initial: int = 10,
        batch: int = 5,
        parents: int = 20,
    ) -> None:
        if parents < 1:
            raise ValueError(f"parents must be at least 1, got {parents}.")
        super().__init__(space, seed, initial, batch)
        self.objectives = objectives
        self.constraints = constraints
        self.known = known
        self.encoding = encoding
        self.parents = parents
        self._goals = Goals(objectives, constraints)
        self._features = SpaceFeatures(space, encoding)
        self._members: list[Member] = []
        self._values: list[Mapping[str, float]] = []
        self._looked_up: dict[Architecture, dict[str, float]] = {}

    def tell(self, trial: Trial, values: Mapping[str, float]) -> None:  # type: ignore[override]
        """Remember what the next batch will be learnt from."""
        member = self._goals.member(len(self._members), trial.architecture, values)
        self._members.append(member)
        self._values.append(values)
        super().tell(trial, member.losses[0])  # there is something to learn once these differ

    def _best(self, n: int) -> Choices:
        """Return the n best architectures that are known, the best first, shape (at most n, decisions)."""
        return self.space.validated([member.architecture for member in ranked(self._members, n)])

    def _candidates(self) -> Choices:
        """Return the neighbours of the best, if one of them is new."""
        neighbors = [self.space.neighbors(tuple(parent)) for parent in self._best(self.parents).tolist()]
        near = self._new(self.space.validated([architecture for one in neighbors for architecture in one]))
        return near if len(near) else super()._candidates()

    def _best_candidates(self) -> list[Architecture]:
        """Return the next batch, each the best for weights of its own."""
        candidates = self._candidates()
        if not len(candidates):
            return []
        promises = self._promises(candidates)
        left = np.arange(len(candidates))
        chosen: list[int] = []
        for _ in range(min(self.batch, len(candidates))):
            best = promises.of(left).worth(_weights(len(self.objectives), self._rng)).argmax()
            chosen.append(int(left[best]))
            left = np.delete(left, best)
        return [tuple(architecture) for architecture in candidates[chosen[::-1]].tolist()]

    def _promises(self, candidates: Choices) -> _Promises:
        known = [self._known(tuple(row)) for row in candidates.tolist()]
        names = dict.fromkeys([*self._goals.signs, *(name for name, *_ in self._goals.bounds)])
        outlook: dict[str, _Outlook] = {}
        for name in names:
            told = np.array([values[name] for values in self._values])
            if name in known[0]:
                outlook[name] = _exact(told, np.array([values[name] for values in known]))
            elif (told == told[0]).all():
                outlook[name] = _exact(told, np.full(len(candidates), told[0]))
            else:
                outlook[name] = self._learnt(told, candidates)
        violations = np.zeros((len(candidates), len(_QUANTILES)))
        for name, least, most, bound in self._goals.bounds:
            values = outlook[name].values
            violations += np.maximum(np.maximum(least - values, values - most), 0) / bound
        scaled = [_scaled(outlook[name], sign) for name, sign in self._goals.signs.items()]
        kept = np.array([not member.violation for member in self._members])
        return _Promises(
            np.stack([each for each, _ in scaled]), np.stack([each for _, each in scaled]), violations, kept
        )

    def _known(self, architecture: Architecture) -> dict[str, float]:
        """Return what needs no training; most candidates come again in the next batch, and some formulas take long."""
        found = self._looked_up.get(architecture)
        if found is None:
            found = {} if self.known is None else self.known(architecture)
            self._looked_up[architecture] = found
        return found

    def _learnt(self, told: Floats, candidates: Choices) -> _Outlook:
        """Learn a metric from all that was told."""
        process = GroupedGaussianProcess(
            self._features.columns,
            learn_from=_LEARN_FROM,
            iterations=_ITERATIONS,
            random_state=int(self._rng.integers(2**31)),
        ).fit(self._features.of(self.space.validated(self._architectures)), told)
        mean, deviation = process.predict_ranks(self._features.of(candidates))
        without_noise = np.sqrt(np.maximum(deviation**2 - process.weights_[-1], 1e-6))
        ranks = mean[:, None] + without_noise[:, None] * self._rng.permutation(_QUANTILES)
        return _Outlook(process.ranks_.quantiles, ranks, process.ranks_.back(ranks.ravel()).reshape(ranks.shape))


class _Outlook(NamedTuple):
    """What one metric of the candidates may turn out to be, at equally likely quantiles."""

    told: Floats
    """Normal quantiles of the ranks of what was told, shape (n,)."""
    ranks: Floats
    """Those of the candidates, shape (candidates, quantiles)."""
    values: Floats
    """The same in the unit of the metric."""


class _Promises(NamedTuple):
    """What is known and what may come, objectives on a scale where what was told goes from 0 to 1, lower is better."""

    told: Floats
    """Shape (objectives, n)."""
    losses: Floats
    """Values of the candidates, shape (objectives, candidates, quantiles)."""
    violations: Floats
    """Violations of the constraints by the candidates, shape (candidates, quantiles)."""
    kept: NDArray[np.bool_]
    """Whether all constraints were, shape (n,)."""

    def of(self, places: NDArray[np.intp]) -> _Promises:
        """Return those of some candidates."""
        return self._replace(losses=self.losses[:, places], violations=self.violations[places])

    def worth(self, weights: Floats) -> Floats:
        """Return how much each candidate is worth an evaluation, shape (candidates,)."""
        if not self.kept.any():
            return np.asarray(-self.violations.mean(axis=1))
        losses = tchebycheff(self.losses, weights)
        best = tchebycheff(self.told[:, self.kept], weights).min()
        allowed = self.violations == 0
        improvements = (np.maximum(best - losses, 0) * allowed).mean(axis=1)
        if improvements.any():
            return np.asarray(improvements)
        chances = allowed.mean(axis=1)
        return np.where(chances == chances.max(), -losses.mean(axis=1), -np.inf)


def _weights(n: int, rng: np.random.Generator) -> Floats:
    """Draw n tenths that sum to one, all such vectors equally likely: as n - 1 bars among n + 9 places cut them."""
    bars = np.sort(rng.choice(n + _STEPS - 1, n - 1, replace=False))
    return (np.diff([-1, *bars.tolist(), n + _STEPS - 1]) - 1) / _STEPS


def tchebycheff(losses: Floats, weights: Floats) -> Floats:
    """Return the augmented Tchebycheff function, shape (...): the largest weighted loss, and a twentieth of their sum.

    Args:
        losses: Shape (objectives, ...), from 0 on.
        weights: Shape (objectives,).
    """
    weighted = weights.reshape(-1, *[1] * (losses.ndim - 1)) * losses
    return np.asarray(weighted.max(axis=0) + _RHO * weighted.sum(axis=0))


def _exact(told: Floats, values: Floats) -> _Outlook:
    """Return the outlook on values that are certain; beyond what was told the line between the last two goes on."""
    ranks = ndtri((rankdata(told) - 0.5) / len(told))
    steps, first = np.unique(told, return_index=True)
    heights = ranks[first]
    found = np.interp(values, steps, heights)
    if len(steps) > 1:
        for end, next_, beyond in ((0, 1, values < steps[0]), (-1, -2, values > steps[-1])):
            slope = (heights[next_] - heights[end]) / (steps[next_] - steps[end])
            found[beyond] = heights[end] + slope * (values[beyond] - steps[end])
    shape = (len(values), len(_QUANTILES))
    return _Outlook(ranks, np.broadcast_to(found[:, None], shape), np.broadcast_to(values[:, None], shape))


def _scaled(outlook: _Outlook, sign: int) -> tuple[Floats, Floats]:
    """Return what was told, from 0 to 1, and the candidates on this scale."""
    told = sign * outlook.told
    least, span = told.min(), np.ptp(told) or 1.0
    return (told - least) / span, (sign * outlook.ranks - least) / span
