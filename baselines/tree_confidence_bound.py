"""Bayesian optimisation with a forest and an upper confidence bound.

F. Hutter, H. H. Hoos and K. Leyton-Brown, "Sequential Model-Based Optimization for General Algorithm Configuration",
LION 2011, for the spread of trees as uncertainty; N. Srinivas, A. Krause, S. Kakade and M. Seeger, "Gaussian Process
Optimization in the Bandit Setting", ICML 2010, for the bound. The weight 0.5 is naszilla's (acquisition_functions.py).
The rest is our own, and so is every other default: none is published, and they were tuned on CIFAR-10 of the embedded
table.
"""

from __future__ import annotations

from baselines.models.model_based import Choices, Floats, ModelBasedSearch, SpaceFeatures
from nasbench.spaces import SearchSpace
from nasbench.types import Seed
from surrogates.models.forest import ExtraTrees


class TreeConfidenceBound(ModelBasedSearch):
    """Evaluate where the mean of the trees plus a part of their spread is largest.

    Trees often predict the same for several architectures: ties are decided by chance, see ModelBasedSearch.

    Args:
        space: The search space.
        seed: Seed of all draws.
        encoding: What the trees see, ``"graph"``, ``"paths"``, ``"truncated_paths"`` or ``"choices"``; the last is
            one-hot, and stands in where a space has no such features. Ours.
        initial: Random architectures at the start. Ours.
        batch: Architectures evaluated before the forest is grown anew, at least. Ours.
        exploration: Standard deviations added to the mean; 0.5 in naszilla's acquisition_functions.py.
        trees: Trees of the forest. Ours.
        growth: A batch has at least so large a share of what was evaluated, so that the forest is grown 39 times in 300
            evaluations, and not 148 times. With 0 the searches find the best in as many evaluations
            (docs/reproduction.md). Ours.

    Raises:
        ValueError: A number is below 1, the exploration or the growth negative, or the encoding unknown.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        encoding: str = "graph",
        initial: int = 5,
        batch: int = 2,
        exploration: float = 0.5,
        trees: int = 50,
        growth: float = 0.1,
    ) -> None:
        if not exploration >= 0 or trees < 1 or not growth >= 0:
            raise ValueError(
                "exploration and growth must not be negative, trees at least 1, got "
                f"{exploration}, {growth} and {trees}."
            )
        super().__init__(space, seed, initial, batch)
        self.encoding = encoding
        self._features = SpaceFeatures(space, encoding)
        self.exploration = exploration
        self.trees = trees
        self.growth = growth

    def _batch_size(self) -> int:
        return max(self.batch, int(self.growth * len(self._architectures)))

    def _scores(self, known: Choices, accuracies: Floats, candidates: Choices) -> Floats:
        forest = ExtraTrees(trees=self.trees, random_state=int(self._rng.integers(2**31)))
        forest.fit(self._features.of(known), accuracies)
        mean, deviation = forest.predict_ranks(self._features.of(candidates))
        return mean + self.exploration * deviation
