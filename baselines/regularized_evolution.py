"""Regularized (aging) evolution: the best of a few drawn parents is mutated, the oldest of the population dies.

E. Real, A. Aggarwal, Y. Huang and Q. V. Le, "Regularized Evolution for Image Classifier Architecture Search", AAAI
2019, algorithm 1.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

import numpy as np

from baselines.mutations import MUTATIONS, mutated
from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial


class RegularizedEvolution:
    """Aging evolution with tournament selection.

    The algorithm and its defaults are those of NATS-Bench (D-X-Y/AutoDL-Projects, exps/NATS-algos/regularized_ea.py and
    run-all.sh), but for the mutation, which is the space's: one decision, all equally likely, to another value. The
    script draws a node of the topology first and then one of its edges, so that edges are not equally likely, and in
    the size space one of all widths, the old one too.

    Presets:
        nats: NATS-Bench, with its mutation.
        nb101: NAS-Bench-101's NASBench.ipynb: 50, of which 10 are drawn without replacement. Its mutation is that of
            the space, which draws a copy again and it does not.
        naszilla: naszilla's nas_algorithms.py: starts with 10, grows, and mutates each decision by itself, so that a
            child may be a copy. It says 30, but the oldest dies when the 30th comes. Its first 10 are different.
        real: Real et al. 2019, from memory: 100, of which 25 are drawn. Their mutation is of another space.

    Ties: of equally good parents the one drawn first wins, as in the script, so that chance decides; without
    replacement the youngest, as in NASBench.ipynb. Else age only decides who dies.

    Args:
        space: The search space.
        seed: Seed of all draws.
        population_size: Architectures that live at a time. 10 in run-all.sh.
        sample_size: Parents drawn for each tournament. 3 in run-all.sh.
        initial: The first that many are drawn at random; None: as many as live at a time, as in the script.
        replacement: Whether a parent may be drawn twice for one tournament; yes in the script.
        mutation: ``"space"`` (ours, see above), ``"nats"`` or ``"naszilla"``; a space that these do not know has its
            own.

    Raises:
        ValueError: A number is below 1, or the mutation unknown.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "nats": {"population_size": 10, "sample_size": 3, "mutation": "nats"},
        "nb101": {"population_size": 50, "sample_size": 10, "replacement": False},
        "naszilla": {"population_size": 29, "sample_size": 10, "initial": 10, "mutation": "naszilla"},
        "real": {"population_size": 100, "sample_size": 25},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        population_size: int = 10,
        sample_size: int = 3,
        initial: int | None = None,
        replacement: bool = True,
        mutation: str = "space",
    ) -> None:
        if population_size < 1 or sample_size < 1:
            raise ValueError(
                f"population_size and sample_size must be at least 1, got {population_size} and {sample_size}."
            )
        if initial is not None and initial < 1:
            raise ValueError(f"initial must be at least 1, or None for as many as live at a time, got {initial}.")
        if mutation not in MUTATIONS:
            raise ValueError(f"mutation must be one of {', '.join(MUTATIONS)}, got {mutation!r}.")
        self.space = space
        self.seed = seed
        self.population_size = population_size
        self.sample_size = sample_size
        self.initial = initial
        self.replacement = replacement
        self.mutation = mutation
        self._random_ones = population_size if initial is None else initial
        self._rng = Uniforms(np.random.default_rng(seed))
        self._population: deque[tuple[float, Architecture]] = deque(maxlen=population_size)
        self._asked = 0

    def ask(self) -> Trial:
        """Return a random architecture at the start, then a child."""
        self._asked += 1
        # While several trials are out at once, the population may still be empty although enough were asked for.
        if self._asked <= self._random_ones or not self._population:
            return Trial(self.space.sample(self._rng))
        parent = self._winner() if self.replacement else self._winner_of_different()
        return Trial(mutated(self.space, self.mutation, parent, self._rng))

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Let the newcomer in; the oldest dies."""
        self._population.append((validation_accuracy, trial.architecture))

    def _winner(self) -> Architecture:
        population, random = self._population, self._rng.random
        size = len(population)
        accuracy, parent = population[int(random() * size)]
        for _ in range(self.sample_size - 1):
            rival = population[int(random() * size)]
            if rival[0] > accuracy:
                accuracy, parent = rival
        return parent

    def _winner_of_different(self) -> Architecture:
        """Return the best of as many different members as a tournament has, or of all."""
        random, places = self._rng.random, list(range(len(self._population)))
        drawn = [places.pop(int(random() * len(places))) for _ in range(min(self.sample_size, len(places)))]
        best = max(drawn, key=lambda place: (self._population[place][0], place))
        return self._population[best][1]
