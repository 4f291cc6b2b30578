"""NSGA-II: parents and children compete by non-dominated fronts, and within a front by how alone they are.

K. Deb, A. Pratap, S. Agarwal and T. Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 2002; the authors' code, as spread by the Kanpur Genetic Algorithms Laboratory
(crossover.c, tourselect.c); and pymoo 0.6.2, by J. Blank and K. Deb (algorithms/moo/nsga2.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from baselines.parts.goals import Goals
from baselines.parts.ranking import Member, ranked
from baselines.parts.variation import mutate_each, shuffle
from nasbench.metrics import Metric
from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Constraint, Seed, Trial

_ATTEMPTS = 100


class NSGA2:
    """The elitist genetic algorithm for several objectives, of which one is enough.

    A generation, from a population of n in order of rank:

    1. Parents win tournaments of two. Pairs are drawn from the shuffled population until all have taken part, then
       from the population shuffled again, so that each takes part in two tournaments for n children.
    2. With ``crossover_probability`` two parents exchange some decisions, else they are copied; then each decision of
       both children changes with probability ``mutation_rate`` divided by the number of decisions, to another value.
    3. Population and children together are sorted into non-dominated fronts, and each front by crowding distance. The
       first n are the next population.

    Constraints go by Deb's rule: what keeps all of them ranks before what violates one, and of those the smaller
    violation ranks first; each violation counts relative to its bound.

    A generation ends when n trials were told since the last one ended, wherever they come from. With several workers
    nobody waits: while the last of the n children are out, who is idle gets one child more of the same parents, and
    what is told late counts in the next generation. With one worker that is the published scheme.

    Presets have the numbers of others, with the selection and mutation of here:

    - ``evoxbench``: the tutorial of EvoXBench (benchmark_c10mop.py) for two objectives; for three to six and eight it
      has a population of 105, 120, 126, 132 and 156. Its crossover and mutation are those of real numbers, rounded,
      which take choices for sizes.
    - ``nsga_net``: Z. Lu et al., "NSGA-Net", GECCO 2019 (evolution_search.py, nsganet.py); the same holds of its
      mutation.
    - ``optuna``: NSGAIISampler of Optuna 5.0. Its parents are chosen by dominance alone, a pair has one child, and a
      mutation draws the old value too.
    - ``pymoo``: its operators for choices, UX and ChoiceRandomMutation, which draws the old value too.

    Ties: of equal rank and crowding the one told first ranks first, in tournaments and for survival; in pymoo chance
    decides.

    Args:
        space: The search space.
        seed: Seed of all draws.
        objectives: What is minimised or maximised, whichever is better.
        constraints: What must hold.
        population_size: Members of the population, and children of a generation. 100 in Deb et al. and pymoo.
        crossover: ``"two_point"``: the stretch between two different cuts, as the authors' code crosses bits;
            ``"uniform"``: each decision with probability 1/2.
        crossover_probability: Chance that a pair of parents is crossed. 0.9 in Deb et al.
        mutation_rate: Decisions that change in a child on average. 1 in Deb et al.
        eliminate_duplicates: Whether a child that equals a member of the population, or a child of this generation, is
            bred anew, up to 100 rounds of pairs; then come random architectures, whether new or not. True in pymoo; the
            authors' code takes all.

    Raises:
        ValueError: There is no objective, the population is below 2, the crossover unknown, the probability outside of
            [0, 1], or the rate outside of [0, decisions].
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "evoxbench": {"crossover": "uniform", "crossover_probability": 1.0, "mutation_rate": 0.9},
        "nsga_net": {"population_size": 40, "crossover_probability": 1.0},
        "optuna": {"population_size": 50, "crossover": "uniform", "eliminate_duplicates": False},
        "pymoo": {"crossover": "uniform"},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        objectives: Sequence[Metric],
        constraints: Sequence[Constraint] = (),
        population_size: int = 100,
        crossover: Literal["two_point", "uniform"] = "two_point",
        crossover_probability: float = 0.9,
        mutation_rate: float = 1.0,
        eliminate_duplicates: bool = True,
    ) -> None:
        decisions = len(space.choices)
        if population_size < 2:
            raise ValueError(f"population_size must be at least 2, got {population_size}.")
        if crossover not in ("two_point", "uniform"):
            raise ValueError(f"crossover must be 'two_point' or 'uniform', got {crossover!r}.")
        if not 0 <= crossover_probability <= 1:
            raise ValueError(f"crossover_probability must lie in [0, 1], got {crossover_probability}.")
        if not 0 <= mutation_rate <= decisions:
            raise ValueError(
                f"mutation_rate must lie in [0, {decisions}], the decisions of {space.name}, got {mutation_rate}."
            )
        self.space = space
        self.seed = seed
        self.objectives = objectives
        self.constraints = constraints
        self.population_size = population_size
        self.crossover = crossover
        self.crossover_probability = crossover_probability
        self.mutation_rate = mutation_rate
        self.eliminate_duplicates = eliminate_duplicates
        self._goals = Goals(objectives, constraints)
        self._probabilities = (mutation_rate / decisions,) * decisions
        self._rng = Uniforms(np.random.default_rng(seed))
        self._population: list[Member] = []
        self._children: list[Member] = []
        self._queue: list[Architecture] = []
        self._deck: list[int] = []
        self._out: set[Architecture] = set()
        self._told = 0

    def ask(self) -> Trial:
        """Return a random architecture in the first generation, a child in later ones."""
        if not self._queue:
            # Whoever has none left when all of the generation are out breeds one child more.
            missing = max(1, self.population_size - len(self._children) - len(self._out))
            self._queue = (self._bred(missing) if self._population else self._founders(missing))[::-1]
        architecture = self._queue.pop()
        self._out.add(architecture)
        return Trial(architecture)

    def tell(self, trial: Trial, values: dict[str, float]) -> None:
        """Collect the child; a full generation competes with the population for survival."""
        self._out.discard(trial.architecture)
        self._children.append(self._goals.member(self._told, trial.architecture, values))
        self._told += 1
        if len(self._children) == self.population_size:
            self._population = ranked(sorted(self._population) + self._children, self.population_size)
            self._children, self._queue, self._deck = [], [], []

    def _founders(self, n: int) -> list[Architecture]:
        """Return random architectures, no two of them equal where the space has so many."""
        taken = self._taken()
        found = []
        for _ in range(n):
            for _ in range(_ATTEMPTS):
                architecture = self.space.sample(self._rng)
                if architecture not in taken:
                    break
            taken.add(architecture)
            found.append(architecture)
        return found

    def _bred(self, n: int) -> list[Architecture]:
        """Return so many children of the population."""
        space, random, probabilities = self.space, self._rng.random, self._probabilities
        taken, eliminate = self._taken(), self.eliminate_duplicates
        children: list[Architecture] = []
        for _ in range(_ATTEMPTS):
            for _ in range((n - len(children) + 1) // 2):
                for crossed in self._crossed(self._winner(), self._winner()):
                    child = mutate_each(space, crossed, probabilities, random)
                    if (eliminate and child in taken) or (space.constrained and not space.is_valid(child)):
                        continue
                    taken.add(child)
                    children.append(child)
            if len(children) >= n:
                return children[:n]
        return children + [space.sample(self._rng) for _ in range(n - len(children))]

    def _taken(self) -> set[Architecture]:
        return {member.architecture for member in self._population + self._children} | self._out

    def _winner(self) -> Architecture:
        """Return who wins the next tournament of two."""
        if len(self._deck) < 2:
            self._deck = list(range(self.population_size))
            shuffle(self._deck, self._rng.random)
        return self._population[min(self._deck.pop(), self._deck.pop())].architecture  # it is in order of rank

    def _crossed(self, first: Architecture, second: Architecture) -> tuple[Architecture, Architecture]:
        """Return two children, which have what their parents have at each decision, exchanged or not."""
        random = self._rng.random
        if random() >= self.crossover_probability:
            return first, second
        if self.crossover == "uniform":
            swapped = [(a, b) if random() < 0.5 else (b, a) for a, b in zip(first, second, strict=True)]
            one, other = zip(*swapped, strict=True)
            return one, other
        a, b = _cuts(len(first), random)
        return first[:a] + second[a:b] + first[b:], second[:a] + first[a:b] + second[b:]


def _cuts(decisions: int, random: Callable[[], float]) -> tuple[int, int]:
    """Draw two different places between decisions; of two decisions, the only one and the end; of one, no stretch."""
    if decisions < 3:
        return 1, decisions
    a = 1 + int(random() * (decisions - 1))
    b = 1 + int(random() * (decisions - 2))
    b += b >= a
    return (a, b) if a < b else (b, a)
