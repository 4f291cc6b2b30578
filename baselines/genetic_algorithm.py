"""A generational genetic algorithm: binary tournaments, two-point crossover, mutation, the fittest survive.

The settings follow the genetic algorithm that MF-NAS runs on NAS-Bench-101 and 201 (configs/algo_201.yaml: population
10, two-point crossover with probability 0.9, every child mutated); survival of the best of parents and children is
that of pymoo's GA (Blank & Deb, "pymoo: Multi-Objective Optimization in Python", IEEE Access 2020).
"""

from __future__ import annotations

import numpy as np

from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_ATTEMPTS = 20


class GeneticAlgorithm:
    """Evolution with crossover and elitist survival.

    A child that equals a living parent or a sibling is bred again, up to 20 times, as pymoo's duplicate elimination
    does: a converged population would otherwise spend its budget on copies of itself.

    Args:
        space: The search space.
        seed: Seed of all draws.
        population_size: Survivors of a generation, and children in it.
        crossover_probability: Chance that a child has two parents.
        mutation_probability: Chance that a child has one decision changed.

    Raises:
        ValueError: The population is below 2 or a probability is outside of [0, 1].
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        population_size: int = 10,
        crossover_probability: float = 0.9,
        mutation_probability: float = 1.0,
    ) -> None:
        if population_size < 2:
            raise ValueError(f"population_size must be at least 2, got {population_size}.")
        if not (0 <= crossover_probability <= 1 and 0 <= mutation_probability <= 1):
            raise ValueError(
                f"probabilities must lie in [0, 1], got {crossover_probability} and {mutation_probability}."
            )
        self.space = space
        self.seed = seed
        self.population_size = population_size
        self.crossover_probability = crossover_probability
        self.mutation_probability = mutation_probability
        self._rng = Uniforms(np.random.default_rng(seed))
        self._alive: set[Architecture] = set()
        self._parents: list[tuple[float, Architecture]] = []
        self._children: list[tuple[float, Architecture]] = []

    def ask(self) -> Trial:
        """Return a random architecture in the first generation, a child in later ones."""
        make = self._child if self._parents else self._founder
        architecture = make()
        for _ in range(_ATTEMPTS):
            if architecture not in self._alive:
                break
            architecture = make()
        self._alive.add(architecture)
        return Trial(architecture)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Collect the child; a full generation competes with its parents for survival."""
        self._children.append((validation_accuracy, trial.architecture))
        if len(self._children) == self.population_size:
            # Newcomers first: among equals the sort, which is stable, prefers them.
            pool = self._children + self._parents
            pool.sort(key=_accuracy, reverse=True)
            self._parents = pool[: self.population_size]
            self._children = []
            self._alive = {architecture for _, architecture in self._parents}

    def _founder(self) -> Architecture:
        return self.space.sample(self._rng)

    def _child(self) -> Architecture:
        random = self._rng.random
        child = self._winner()
        if random() < self.crossover_probability:
            child = self.space.crossover(child, self._winner(), self._rng)
        if random() < self.mutation_probability:
            child = self.space.mutate(child, self._rng)
        return child

    def _winner(self) -> Architecture:
        parents, random = self._parents, self._rng.random
        first = parents[int(random() * len(parents))]
        second = parents[int(random() * len(parents))]
        return first[1] if first[0] >= second[0] else second[1]


def _accuracy(member: tuple[float, Architecture]) -> float:
    return member[0]
