"""Local search: walk to better neighbours, restart at local optima.

C. White, S. Nolen and Y. Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021; settings of
its code, naszilla (nas_algorithms.py: ten random architectures, then the best one's neighbours in turn, moving on the
first improvement; at a local optimum again from ten new ones; cell_201.py and cell_101.py: neighbours in random order).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from baselines.variation import shuffle
from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_ATTEMPTS = 100
_Best = tuple[float, Architecture] | None


class LocalSearch:
    """Hill climbing with restarts; what was evaluated is never proposed again.

    What was evaluated goes by its decisions; in NAS-Bench-101 naszilla goes by the set of paths, so that isomorphic
    cells are one there and not here. Once nearly the whole space was proposed, random architectures are proposed
    whether new or not.

    While several trials are out at once, a climb ends only when all its answers have come: whoever would wait for them
    draws a random architecture for the next start, whose answer counts only there. So a late answer moves the climb
    that asked for it and no other one.

    Presets:
        naszilla: The first better neighbour is moved to, and each start has 10. These are the defaults.
        naslib: NASLib's local search (optimizers/discrete/ls): all neighbours are evaluated before the best is moved
            to, and later starts have one. It evaluates again what it has seen, which is not done here.

    Ties, as in both: an equally good neighbour is no improvement, and of equally good architectures of a start, or of
    a whole neighbourhood, the one told first is climbed from.

    Args:
        space: The search space.
        seed: Seed of all draws, among them the order in which neighbours are visited.
        initial: Random architectures at the first start; the climb begins from the best of them. 10 in naszilla.
        restart: Random architectures at later starts; None: as many as at the first, as in naszilla.
        first_improvement: Whether a better neighbour is moved to at once, as in naszilla by default, or only the best
            one when all were seen.

    Raises:
        ValueError: ``initial`` or ``restart`` is below 1.
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "naszilla": {"initial": 10, "first_improvement": True},
        "naslib": {"initial": 10, "restart": 1, "first_improvement": False},
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        initial: int = 10,
        restart: int | None = None,
        first_improvement: bool = True,
    ) -> None:
        if initial < 1 or (restart is not None and restart < 1):
            raise ValueError(f"initial must be at least 1, and restart so or None, got {initial} and {restart}.")
        self.space = space
        self.seed = seed
        self.initial = initial
        self.restart = restart
        self.first_improvement = first_improvement
        self._rng = Uniforms(np.random.default_rng(seed))
        self._proposed: set[Architecture] = set()
        self._queue: list[Architecture] = []
        self._draws_left = initial
        self._best: _Best = None
        self._center: Architecture | None = None
        """Whose neighbours are visited; None during a start."""
        self._out: set[Architecture] = set()
        """What the present climb has asked for and was not told."""
        self._early_out: set[Architecture] = set()
        self._early_best: _Best = None
        self._early_draws = 0

    def ask(self) -> Trial:
        """Return a random architecture at a start, then the neighbours of the current one."""
        while self._draws_left == 0:
            neighbor = self._next_neighbor()
            if neighbor is not None:
                self._out.add(neighbor)
                return Trial(neighbor)
            if self._center is not None and self._out:
                return Trial(self._early())
            if self._best is None:
                self._draws_left = 1  # nothing of this start was told yet
            elif self._best[1] != self._center:
                self._expand(self._best[1])
            else:
                self._start_again()
        self._draws_left -= 1
        architecture = self._new_random()
        self._out.add(architecture)
        return Trial(architecture)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Move if this is better than all of the current climb."""
        architecture = trial.architecture
        if architecture in self._early_out:
            self._early_out.remove(architecture)
            if self._early_best is None or validation_accuracy > self._early_best[0]:
                self._early_best = validation_accuracy, architecture
            return
        self._out.discard(architecture)
        if self._best is None or validation_accuracy > self._best[0]:
            self._best = validation_accuracy, architecture
            if self._center is not None and self.first_improvement:
                self._expand(architecture)

    def _start_again(self) -> None:
        """Begin the next start, with what was drawn for it while the last answers of this climb were out."""
        draws = self.initial if self.restart is None else self.restart
        self._draws_left = max(0, draws - self._early_draws)
        self._center, self._best, self._out = None, self._early_best, self._early_out
        self._early_draws, self._early_best, self._early_out = 0, None, set()

    def _early(self) -> Architecture:
        architecture = self._new_random()
        self._early_draws += 1
        self._early_out.add(architecture)
        return architecture

    def _next_neighbor(self) -> Architecture | None:
        while self._queue:
            neighbor = self._queue.pop()
            if neighbor not in self._proposed:
                self._proposed.add(neighbor)
                return neighbor
        return None

    def _expand(self, architecture: Architecture) -> None:
        self._center = architecture
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
