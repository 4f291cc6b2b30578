"""The genetic algorithm of MF-NAS: tournaments of two, two-point crossover, mutation of each decision by itself.

From the code that Q. M. Phan and N. H. Luong released with "MF-NAS" (GECCO 2024), github.com/ELO-Lab/MF-NAS:
algos/sonas/ga.py, utils/genetic_operators.py and the entry GA of configs/algo_201.yaml. The results that its
documentation lists are those of other algorithms.
"""

from __future__ import annotations

from itertools import count
from typing import Any, ClassVar

import numpy as np

from baselines.variation import mutate_each, shuffle
from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_Member = tuple[float, Architecture]

_ATTEMPTS = 100


class GeneticAlgorithm:
    """Evolution with crossover; parents and their children compete in pairs for survival.

    A generation, from a population of n:

    1. n parents win tournaments of two: the population is paired at random, twice.
    2. Parents are paired at random. With ``crossover_probability`` a pair gives two children, which exchange the
       stretch between two different cuts; else it is copied. A child that was bred already in this generation is not
       taken, unless that has happened for 5 n rounds of pairs.
    3. Each decision of each child changes with probability ``mutation_rate`` divided by the number of decisions: a
       third of the children of NAS-Bench-201 stay as they are. A child that equals a member of the population is not
       taken, and the children are mutated again from the first on until there are n, after 5 n rounds whatever they
       equal. Siblings may be twins.
    4. Population and children are paired at random once; the n winners are the next population. So the best always
       survives and the worst never does.

    Ties: in every pair of equal accuracies chance decides; age does not count.

    All this is the script's, but for one thing: it mutates the members of the population in step 3, not the children
    of step 2, so that its crossover has no effect. Here it has. As in the script, cuts lie after the first decision at
    the earliest, and before the last but one at the latest, so that the first and the last two decisions always come
    from the same parent; spaces of fewer than four decisions have no two such cuts, and pairs are copied. In
    constrained spaces children that are no architectures are not taken. docs/reproduction.md has figures with and
    without what differs.

    Presets:
        mf_nas: MF-NAS, algo_201.yaml. These are the defaults.

    Args:
        space: The search space.
        seed: Seed of all draws.
        population_size: Members of the population, and children of a generation; even. 10 in algo_201.yaml. The first
            are drawn at random, no two of which share a row of a table.
        crossover_probability: Chance that a pair of parents is crossed. 0.9 in algo_201.yaml.
        mutation_rate: Decisions that change in a child on average. 1 in the script, which fixes it: the 1.0 of
            algo_201.yaml is read and not used.

    Raises:
        ValueError: The population is odd or below 2, the probability is outside of [0, 1], or the rate is outside of
            [0, decisions].
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mf_nas": {"population_size": 10, "crossover_probability": 0.9, "mutation_rate": 1.0},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        population_size: int = 10,
        crossover_probability: float = 0.9,
        mutation_rate: float = 1.0,
    ) -> None:
        if population_size < 2 or population_size % 2:
            raise ValueError(f"population_size must be even and at least 2, got {population_size}.")
        if not 0 <= crossover_probability <= 1:
            raise ValueError(f"crossover_probability must lie in [0, 1], got {crossover_probability}.")
        decisions = len(space.choices)
        if not 0 <= mutation_rate <= decisions:
            raise ValueError(
                f"mutation_rate must lie in [0, {decisions}], the decisions of {space.name}, got {mutation_rate}."
            )
        self.space = space
        self.seed = seed
        self.population_size = population_size
        self.crossover_probability = crossover_probability
        self.mutation_rate = mutation_rate
        self._probabilities = (mutation_rate / decisions,) * decisions
        self._cuts = decisions - 2
        self._rounds = 5 * population_size
        self._rng = Uniforms(np.random.default_rng(seed))
        self._founders: set[int] = set()
        self._population: list[_Member] = []
        self._children: list[_Member] = []
        self._queue: list[Architecture] = []

    def ask(self) -> Trial:
        """Return a random architecture in the first generation, a child in later ones."""
        if not self._population:
            return Trial(self._founder())
        if not self._queue:
            self._queue = self._mutated(self._crossed())[::-1]
        return Trial(self._queue.pop())

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Collect the child; a full generation competes with the population for survival."""
        self._children.append((validation_accuracy, trial.architecture))
        if len(self._children) == self.population_size:
            pool = self._population + self._children
            self._population = self._winners(pool) if self._population else pool
            self._children, self._queue = [], []

    def _founder(self) -> Architecture:
        for _ in range(_ATTEMPTS):  # tiny spaces may have no other
            architecture = self.space.sample(self._rng)
            identity = self.space.identity(architecture)
            if identity not in self._founders:
                break
        self._founders.add(identity)
        return architecture

    def _winners(self, pool: list[_Member]) -> list[_Member]:
        """Pair the members at random, and return the better one of each pair."""
        pool = pool.copy()
        shuffle(pool, self._rng.random)
        # Among equals the first, and which one that is was drawn.
        return [a if a[0] >= b[0] else b for a, b in zip(pool[::2], pool[1::2], strict=True)]

    def _crossed(self) -> list[Architecture]:
        """Return as many children as there are members, before their mutation."""
        random, crossover_probability = self._rng.random, self.crossover_probability
        parents = [parent for _ in range(2) for _, parent in self._winners(self._population)]
        children: list[Architecture] = []
        for done in count():
            shuffle(parents, random)
            for pair in zip(parents[::2], parents[1::2], strict=True):
                if self._cuts > 1 and random() < crossover_probability:
                    for child, parent in zip(self._exchange(*pair), pair, strict=True):
                        if done > self._rounds:
                            children.append(child if self._is_valid(child) else parent)
                        elif child not in children and self._is_valid(child):
                            children.append(child)
                else:
                    children += pair
                if len(children) >= self.population_size:
                    return children[: self.population_size]
        raise AssertionError("count() does not end")

    def _exchange(self, first: Architecture, second: Architecture) -> tuple[Architecture, Architecture]:
        """Cross two parents between two different cuts."""
        random, cuts = self._rng.random, self._cuts
        a = int(random() * cuts)
        b = int(random() * (cuts - 1))
        b += b >= a
        a, b = (a + 1, b + 1) if a < b else (b + 1, a + 1)
        return first[:a] + second[a:b] + first[b:], second[:a] + first[a:b] + second[b:]

    def _mutated(self, crossed: list[Architecture]) -> list[Architecture]:
        """Return as many children, mutated."""
        space, probabilities, random = self.space, self._probabilities, self._rng.random
        population = {architecture for _, architecture in self._population}
        children: list[Architecture] = []
        for done in count():
            for before in crossed:
                child = mutate_each(space, before, probabilities, random)
                if done > self._rounds:
                    children.append(child if self._is_valid(child) else before)
                elif child not in population and self._is_valid(child):
                    children.append(child)
                if len(children) == self.population_size:
                    return children
        raise AssertionError("count() does not end")

    def _is_valid(self, child: Architecture) -> bool:
        return not self.space.constrained or self.space.is_valid(child)
