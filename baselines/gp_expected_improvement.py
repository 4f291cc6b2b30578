"""Bayesian optimisation with Gaussian processes and expected improvement, among the neighbours of the best.

D. R. Jones, M. Schonlau and W. J. Welch, "Efficient Global Optimization of Expensive Black-Box Functions", Journal of
Global Optimization 1998, equation 15. That it pays to look at neighbours of the best alone is what White et al.
("BANANAS", AAAI 2021) and Schneider et al. ("Mutation is all you need", 2021) found. The rest is our own, and so is
every default: none is published, and they were tuned on CIFAR-10 of the embedded table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from baselines.models.model_based import Choices, Floats, ModelBasedSearch, SpaceFeatures
from baselines.models.search_process import SearchProcess
from nasbench.spaces import SearchSpace
from nasbench.types import Seed
from surrogates.models.ranked import RankMap


class GPExpectedImprovement(ModelBasedSearch):
    """Evaluate the neighbour of one of the best that promises the largest improvement on the best so far.

    Two processes, one over features of the graph and one over the choices as they are, count half each: the first
    knows what is the same network, the second where in the cell things are. They err in different places, and
    searches with one of them alone often stay in the wrong place. Noise is left out of their variance: what matters is
    how good an architecture is, not how lucky a form of it could be. What is still running narrows it, as if it had
    been observed where it is expected. When all neighbours of the best were evaluated, the candidates are those of the
    other searchers in a large space. Ties are decided as in all of them, see ModelBasedSearch.

    Args:
        space: The search space.
        seed: Seed of all draws.
        encodings: What each process sees: ``"graph"``, ``"paths"``, ``"truncated_paths"`` or ``"choices"``; the last is
            one-hot, and stands in where a space has no such features. Ours.
        initial: Random architectures at the start. Ours.
        batch: Architectures evaluated before the processes are asked anew. Ours.
        parents: How many of the best have their neighbours looked at. Ours.
        growth: The scales of features and the weights of kernels are learnt again when what was evaluated has grown by
            so large a share since; what was evaluated counts at once. With 0 they are learnt for every batch, and the
            searches find the best in as many evaluations (docs/reproduction.md). Ours.

    Raises:
        ValueError: A number is below 1, the growth negative, or an encoding is unknown or there is none.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        encodings: Sequence[str] = ("graph", "choices"),
        initial: int = 5,
        batch: int = 1,
        parents: int = 10,
        growth: float = 0.1,
    ) -> None:
        if parents < 1 or not encodings or not growth >= 0:
            raise ValueError(
                "parents must be at least 1, encodings not empty and growth not negative, got "
                f"{parents}, {encodings} and {growth}."
            )
        super().__init__(space, seed, initial, batch)
        self.encodings = encodings
        self.parents = parents
        self.growth = growth
        self._features = [SpaceFeatures(space, encoding) for encoding in encodings]
        self._processes = [SearchProcess(features.columns) for features in self._features]
        self._learn_at = 0

    def _candidates(self) -> Choices:
        """Return the neighbours of the best; of twice as many where none is new, and so on."""
        neighbors = [self.space.neighbors(tuple(parent)) for parent in self._best(self.parents).tolist()]
        near = self._new(self.space.validated([architecture for one in neighbors for architecture in one]))
        return near if len(near) else self._drawn()

    def _scores(self, known: Choices, accuracies: Floats, candidates: Choices) -> Floats:
        if len(known) >= self._learn_at:
            for process, features in zip(self._processes, self._features, strict=True):
                process.learn(features.of(known), accuracies, int(self._rng.integers(2**31)))
            self._learn_at = len(known) + int(self.growth * len(known))
        z, running = RankMap(accuracies).quantiles, self.space.validated(self._running)
        each = []
        for process, features in zip(self._processes, self._features, strict=True):
            mean, variance = process.posterior(features.of(known), z, features.of(running), features.of(candidates))
            each.append((mean, np.maximum(variance, 1e-6)))
        means, variances = np.array(each).transpose(1, 0, 2)
        mean = means.mean(axis=0)
        deviation = np.sqrt((variances + (means - mean) ** 2).mean(axis=0))
        return expected_improvement(mean, deviation, float(z.max()))


def expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Return E[max(value - best, 0)] of normally distributed values, shape (n,)."""
    z = (mean - best) / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(deviation * (z * ndtr(z) + density))
