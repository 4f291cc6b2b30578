"""Local search: walk to better neighbours, restart at local optima.

C. White, S. Nolen and Y. Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021; settings of
its code, naszilla (nas_algorithms.py: ten random architectures, then the best one's neighbours in turn, moving on the
first improvement; at a local optimum again from ten new ones; cell_201.py and cell_101.py: neighbours in random order).
"""

from __future__ import annotations

import numpy as np

from baselines.variation import shuffle
from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_ATTEMPTS = 100


class LocalSearch:
    """First-improvement hill climbing with restarts; what was evaluated is never proposed again.

    What was evaluated goes by its decisions; in NAS-Bench-101 naszilla goes by the set of paths, so that isomorphic
    cells are one there and not here. Once nearly the whole space was proposed, random architectures are proposed
    whether new or not.

    Ties, as in naszilla: an equally good neighbour is no improvement, and of equally good architectures of a start the
    first is climbed from.

    Args:
        space: The search space.
        seed: Seed of all draws, among them the order in which neighbours are visited.
        initial: Random architectures at each start; the climb begins from the best of them. 10 in naszilla.

    Raises:
        ValueError: ``initial`` is below 1.
    """

    def __init__(self, space: SearchSpace, *, seed: Seed, initial: int = 10) -> None:
        if initial < 1:
            raise ValueError(f"initial must be at least 1, got {initial}.")
        self.space = space
        self.seed = seed
        self.initial = initial
        self._rng = Uniforms(np.random.default_rng(seed))
        self._proposed: set[Architecture] = set()
        self._queue: list[Architecture] = []
        self._draws_left = initial
        self._best: tuple[float, Architecture] | None = None
        self._climbing = False

    def ask(self) -> Trial:
        """Return a random architecture at a start, then the neighbours of the current one."""
        if self._draws_left == 0:
            while self._queue:
                neighbor = self._queue.pop()
                if neighbor not in self._proposed:
                    self._proposed.add(neighbor)
                    return Trial(neighbor)
            if not self._climbing and self._best is not None:
                self._climbing = True
                self._expand(self._best[1])
                return self.ask()
            self._draws_left, self._climbing, self._best = self.initial, False, None
        self._draws_left -= 1
        return Trial(self._new_random())

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Move if this is better than all of the current climb."""
        if self._best is None or validation_accuracy > self._best[0]:
            self._best = validation_accuracy, trial.architecture
            if self._climbing:
                self._expand(trial.architecture)

    def _expand(self, architecture: Architecture) -> None:
        self._queue = self.space.neighbors(architecture)
        shuffle(self._queue, self._rng.random)

    def _new_random(self) -> Architecture:
        architecture = self.space.sample(self._rng)
        for _ in range(_ATTEMPTS):
            if architecture not in self._proposed:
                break
            architecture = self.space.sample(self._rng)
        self._proposed.add(architecture)
        return architecture
