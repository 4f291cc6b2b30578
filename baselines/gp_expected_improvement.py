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
from nasbench.spaces import SearchSpace
from nasbench.types import Seed
from surrogates.models.gaussian_process import GroupedGaussianProcess

_LEARN_FROM, _ITERATIONS = 100, 15


class GPExpectedImprovement(ModelBasedSearch):
    """Evaluate the neighbour of one of the best that promises the largest improvement on the best so far.

    Two processes, one over features of the graph and one over the choices as they are, count half each: the first
    knows what is the same network, the second where in the cell things are. They err in different places, and
    searches with one of them alone often stay in the wrong place. Noise is left out of their variance: what matters is
    how good an architecture is, not how lucky a form of it could be. When all neighbours of the best were evaluated,
    the candidates are those of the other searchers. Ties are decided as in all of them, see ModelBasedSearch.

    Args:
        space: The search space.
        seed: Seed of all draws.
        encodings: What each process sees: ``"graph"``, ``"paths"``, ``"truncated_paths"`` or ``"choices"``; the last is
            one-hot, and stands in where a space has no such features. Ours.
        initial: Random architectures at the start. Ours.
        batch: Architectures evaluated before the processes are fitted anew. Ours.
        parents: How many of the best have their neighbours looked at. Ours.

    Raises:
        ValueError: A number is below 1, or an encoding is unknown or there is none.
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
    ) -> None:
        if parents < 1 or not encodings:
            raise ValueError(f"parents must be at least 1 and encodings not empty, got {parents} and {encodings}.")
        super().__init__(space, seed, initial, batch)
        self.encodings = encodings
        self.parents = parents
        self._features = [SpaceFeatures(space, encoding) for encoding in encodings]

    def _candidates(self) -> Choices:
        """Return the neighbours of the best, if one of them is new."""
        neighbors = [self.space.neighbors(tuple(parent)) for parent in self._best(self.parents).tolist()]
        near = self._new(self.space.validated([architecture for one in neighbors for architecture in one]))
        return near if len(near) else super()._candidates()

    def _scores(self, known: Choices, accuracies: Floats, candidates: Choices) -> Floats:
        each = []
        for features in self._features:
            process = GroupedGaussianProcess(
                features.columns,
                learn_from=_LEARN_FROM,
                iterations=_ITERATIONS,
                random_state=int(self._rng.integers(2**31)),
            ).fit(features.of(known), accuracies)
            mean, deviation = process.predict_ranks(features.of(candidates))
            each.append((mean, np.maximum(deviation**2 - process.weights_[-1], 1e-6)))
        means, variances = np.array(each).transpose(1, 0, 2)
        mean = means.mean(axis=0)
        deviation = np.sqrt((variances + (means - mean) ** 2).mean(axis=0))
        return expected_improvement(mean, deviation, float(process.ranks_.quantiles.max()))


def expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Return E[max(value - best, 0)] of normally distributed values, shape (n,)."""
    z = (mean - best) / deviation
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.asarray(deviation * (z * ndtr(z) + density))
