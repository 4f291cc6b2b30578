"""Random search: independent uniform draws, with replacement.

As NATS-Bench runs it (D-X-Y/AutoDL-Projects, exps/NATS-algos/random_wo_share.py). Its expected best after n draws
is known exactly: :func:`nasbench.analysis.random_search_law`.
"""

from __future__ import annotations

import numpy as np

from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_BLOCK = 256
"""Architectures that are drawn at a time, which is much faster than one by one."""


class RandomSearch:
    """Propose architectures uniformly at random, whatever was learned.

    It has no settings, and no ties to decide: nothing that is told is used.

    Args:
        space: The search space.
        seed: Seed of the draws.
    """

    def __init__(self, space: SearchSpace, *, seed: Seed) -> None:
        self.space = space
        self.seed = seed
        self._rng = np.random.default_rng(seed)
        self._drawn: list[Architecture] = []

    def ask(self) -> Trial:
        """Return the next draw."""
        if not self._drawn:
            self._drawn = [*map(tuple, self.space.sample_many(_BLOCK, self._rng).tolist())][::-1]
        return Trial(self._drawn.pop())

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Learn nothing."""
