"""Local search: walk to better neighbours, restart at local optima.

C. White, S. Nolen and Y. Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021; settings of
its code, naszilla (nas_algorithms.py: ten random architectures, then the best one's neighbours in turn, moving on the
first improvement; at a local optimum again from ten new ones).
"""

from __future__ import annotations

import numpy as np

from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_ATTEMPTS = 100


class LocalSearch:
    """First-improvement hill climbing with restarts; what was evaluated is never proposed again.

    Once nearly the whole space was proposed, random architectures are proposed whether new or not.

    Args:
        space: The search space.
        seed: Seed of all draws, among them the order in which neighbours are visited.
        initial: Random architectures at each start; the climb begins from the best of them.

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
        neighbors = self.space.neighbors(architecture)
        random = self._rng.random
        for i in range(len(neighbors) - 1, 0, -1):  # Fisher-Yates
            j = int(random() * (i + 1))
            neighbors[i], neighbors[j] = neighbors[j], neighbors[i]
        self._queue = neighbors

    def _new_random(self) -> Architecture:
        architecture = self.space.sample(self._rng)
        for _ in range(_ATTEMPTS):
            if architecture not in self._proposed:
                break
            architecture = self.space.sample(self._rng)
        self._proposed.add(architecture)
        return architecture
