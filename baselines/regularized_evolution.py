"""Regularized (aging) evolution: the best of a few drawn parents is mutated, the oldest of the population dies.

E. Real, A. Aggarwal, Y. Huang and Q. V. Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI
2019, algorithm 1.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial


class RegularizedEvolution:
    """Aging evolution with tournament selection.

    The algorithm and its defaults are those of NATS-Bench (D-X-Y/AutoDL-Projects, exps/NATS-algos/regularized_ea.py and
    run-all.sh), but for the mutation, which is the space's: one decision, all equally likely, to another value. The
    script draws a node of the topology first and then one of its edges, so that edges are not equally likely, and in
    the size space one of all widths, the old one too.

    Ties: of equally good parents the one drawn first wins, as in the script, so that chance decides; age only decides
    who dies.

    Args:
        space: The search space.
        seed: Seed of all draws.
        population_size: Architectures that live at a time; the first that many are drawn at random. 10 in run-all.sh
            (100 in Real et al., 50 in NAS-Bench-101's NASBench.ipynb, 30 in naszilla).
        sample_size: Parents drawn, with replacement, for each tournament. 3 in run-all.sh (25, 10 without replacement,
            and 10).

    Raises:
        ValueError: One of the two sizes is below 1.
    """

    def __init__(self, space: SearchSpace, *, seed: Seed, population_size: int = 10, sample_size: int = 3) -> None:
        if population_size < 1 or sample_size < 1:
            raise ValueError(
                f"population_size and sample_size must be at least 1, got {population_size} and {sample_size}."
            )
        self.space = space
        self.seed = seed
        self.population_size = population_size
        self.sample_size = sample_size
        self._rng = Uniforms(np.random.default_rng(seed))
        self._population: deque[tuple[float, Architecture]] = deque(maxlen=population_size)
        self._asked = 0

    def ask(self) -> Trial:
        """Return a random architecture while the population fills, then a child."""
        self._asked += 1
        population, random = self._population, self._rng.random
        # While several trials are out at once, the population may still be empty although enough were asked for.
        if self._asked <= self.population_size or not population:
            return Trial(self.space.sample(self._rng))
        size = len(population)
        accuracy, parent = population[int(random() * size)]
        for _ in range(self.sample_size - 1):
            rival = population[int(random() * size)]
            if rival[0] > accuracy:
                accuracy, parent = rival
        return Trial(self.space.mutate(parent, self._rng))

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Let the newcomer in; the oldest dies."""
        self._population.append((validation_accuracy, trial.architecture))
