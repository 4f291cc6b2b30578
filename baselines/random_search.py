"""Random search: independent uniform draws, with replacement.

As NATS-Bench runs it (D-X-Y/AutoDL-Projects, exps/NATS-algos/random_wo_share.py). Its expected best after n draws
is known exactly: :func:`nasbench.analysis.random_search_law`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial


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
        self._draws = _draws(space, np.random.default_rng(seed))

    def ask(self) -> Trial:
        """Return the next draw."""
        return Trial(next(self._draws))

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Learn nothing."""


def _draws(space: SearchSpace, rng: np.random.Generator) -> Iterator[Architecture]:
    while True:
        yield from map(tuple, space.sample_many(256, rng).tolist())
