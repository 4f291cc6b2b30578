"""TPE: what the best have in common and the rest have not, as the ratio of two densities.

J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011, with the
kernels, weights and settings of Optuna 5.0 (TPESampler), whose densities and proposals these are.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

Floats = NDArray[np.float64]

_IN_FULL = 25  # Optuna: the newest 25 of a set count in full, older ones the less the older
_ATTEMPTS = 100
_FEW = 64


class TPE:
    """Tree-structured Parzen estimator over categorical decisions, of all decisions together.

    The good are the best tenth of what was told, 25 at most. Of candidates drawn from the density of the good the one
    where it is highest relative to the density of the rest is proposed. Each density is a mixture of m kernels: one of
    each of its architectures, with (m + 1) / (m + choices) for the architecture's own choice and 1 / (m + choices) for
    each other one in every decision, and the uniform distribution. What was asked for and not told yet counts as one of
    the rest, so that several workers do not all try the same (Optuna's constant liar).

    Optuna proposes what was evaluated before whenever it has the highest ratio: on CIFAR-10 of the embedded table 37 of
    200 evaluations are repeats, and 234 of 1,000. ``distinct`` skips whatever was proposed or told before, by
    :meth:`nasbench.SearchSpace.identity`; once nothing new is found among 100 times as many candidates, the proposal is
    random.

    That all decisions have one density together (``multivariate``), and the liar, are what Optuna does since 5.0. In
    hyperopt and in Optuna before, each decision has densities of its own: then 110 of 200 are repeats, and the search
    comes to a halt.

    Ties: of equally good architectures the one asked for first is the better; of equal ratios the candidate drawn first
    wins.

    Args:
        space: The search space.
        seed: Seed of all draws.
        distinct: Whether nothing is proposed twice. Ours; False is Optuna's sampler.
        initial: Architectures that must be told before there is a density; until then proposals are random. 10 in
            Optuna (n_startup_trials).
        candidates: Drawn for each proposal. 24 in Optuna (n_ei_candidates).
        good: The share of the good, rounded up. 0.1 in Optuna (gamma).
        most_good: The good are never more. 25 in Optuna (gamma).

    Raises:
        ValueError: A number is below 1, or ``good`` is not in (0, 1).
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        distinct: bool = True,
        initial: int = 10,
        candidates: int = 24,
        good: float = 0.1,
        most_good: int = 25,
    ) -> None:
        if initial < 1 or candidates < 1 or most_good < 1:
            raise ValueError(
                f"initial, candidates and most_good must be at least 1, got {initial}, {candidates} and {most_good}."
            )
        if not 0 < good < 1:
            raise ValueError(f"good must be a share between 0 and 1, got {good}.")
        self.space = space
        self.seed = seed
        self.distinct = distinct
        self.initial = initial
        self.candidates = candidates
        self.good = good
        self.most_good = most_good
        self._rng = np.random.default_rng(seed)
        self._choices = np.array(space.choices)
        self._offsets = np.cumsum(self._choices) - self._choices
        # By age: what was asked for, or told without being asked for. In one column a choice, products count matches.
        self._architectures = np.zeros((_FEW, len(self._choices)), np.intp)
        self._one_hot = np.zeros((_FEW, int(self._choices.sum())), np.float32)
        self._values: list[float] = []
        self._told = 0
        self._out: dict[Architecture, list[int]] = {}
        self._identities: dict[Architecture, int] = {}
        self._taken: set[int] = set()

    def ask(self) -> Trial:
        """Return a random architecture at the start, then the candidate with the highest ratio."""
        architecture = self._propose() if self._told >= self.initial else None
        if architecture is None:
            architecture = self._new_random()
        self._out.setdefault(architecture, []).append(len(self._values))
        self._append(architecture, math.nan)
        return Trial(architecture)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Remember the accuracy; of one architecture that is out several times it belongs to the oldest."""
        architecture = trial.architecture
        waiting = self._out.get(architecture)
        if waiting:
            self._values[waiting.pop(0)] = validation_accuracy
            if not waiting:
                del self._out[architecture]
        else:
            self._append(architecture, validation_accuracy)
        self._told += 1

    def _append(self, architecture: Architecture, value: float) -> None:
        age = len(self._values)
        if age == len(self._one_hot):
            self._architectures = np.concatenate([self._architectures, np.zeros_like(self._architectures)])
            self._one_hot = np.concatenate([self._one_hot, np.zeros_like(self._one_hot)])
        self._architectures[age] = architecture
        self._one_hot[age, self._offsets + self._architectures[age]] = 1
        self._values.append(value)
        if self.distinct:
            self._taken.add(self._identity(architecture))

    def _propose(self) -> Architecture | None:
        """Return the best candidate that may be proposed; None if there is none."""
        good, rest = self._split()
        for _ in range(_ATTEMPTS if self.distinct or self.space.constrained else 1):
            drawn = self._draw(good)
            # Rounded, so that what differs from machine to machine, the last bits, decides nothing.
            order = np.argsort(-self._log_ratios(drawn, good, rest).round(9), kind="stable")
            for candidate in drawn[order].tolist():
                architecture = tuple(candidate)
                if self._may_be_proposed(architecture):
                    return architecture
        return None

    def _may_be_proposed(self, architecture: Architecture) -> bool:
        if self.space.constrained and not self.space.is_valid(architecture):
            return False
        return not self.distinct or self._identity(architecture) not in self._taken

    def _identity(self, architecture: Architecture) -> int:
        """Return the space's identity, which costs more than all else, once an architecture."""
        identity = self._identities.get(architecture)
        if identity is None:
            identity = self._identities[architecture] = self.space.identity(architecture)
        return identity

    def _split(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the ages of the good and of the rest, rising."""
        number = min(math.ceil(self.good * self._told), self.most_good)
        # What is out is nan, which sorts behind everything.
        order = np.argsort(-np.array(self._values), kind="stable")
        return np.sort(order[:number]), np.sort(order[number:])

    def _draw(self, good: NDArray[np.intp]) -> NDArray[np.int64]:
        """Draw candidates from the density of the good, shape (candidates, decisions)."""
        kernels = len(good) + 1
        shape = self.candidates, len(self._choices)
        kernel = np.searchsorted(np.cumsum(_weights(kernels)[:-1]), self._rng.random(self.candidates), side="right")
        random = self._rng.integers(0, self._choices, size=shape)
        # A kernel is its architecture's own choice, or else uniform over all of them; the last one is always uniform.
        own = self._rng.random(shape) < kernels / (kernels + self._choices)
        own &= (kernel < len(good))[:, None]
        return np.where(own, self._architectures[good[kernel - (kernel == len(good))]], random)

    def _log_ratios(self, drawn: NDArray[np.int64], good: NDArray[np.intp], rest: NDArray[np.intp]) -> Floats:
        """Return the logarithm of the density of the good over that of the rest, for each candidate."""
        one_hot = np.zeros((len(drawn), self._one_hot.shape[1]), np.float32)
        np.put_along_axis(one_hot, drawn + self._offsets, 1, axis=1)
        matches = (one_hot @ self._one_hot[: len(self._values)].T).astype(np.intp)
        return np.log(self._density(matches[:, good])) - np.log(self._density(matches[:, rest]))

    def _density(self, matches: NDArray[np.intp]) -> Floats:
        """Return the density where candidates agree with the architectures behind it in so many decisions.

        Args:
            matches: Numbers of decisions, shape (candidates, architectures), the oldest architecture first.
        """
        kernels = matches.shape[1] + 1
        decisions = len(self._choices)
        weights = _weights(kernels)
        # The own choice is kernels + 1 times as probable as each other one, whatever the number of choices.
        full = math.prod(((kernels + 1) / (kernels + self._choices)).tolist())
        by_matches = full * (kernels + 1.0) ** np.arange(-decisions, 1)
        return np.asarray(by_matches[matches] @ weights[:-1] + weights[-1] / float(self.space.size))

    def _new_random(self) -> Architecture:
        architecture = self.space.sample(self._rng)
        for _ in range(_ATTEMPTS if self.distinct else 0):
            if self._identity(architecture) not in self._taken:
                break
            architecture = self.space.sample(self._rng)
        return architecture


@lru_cache(maxsize=256)
def _weights(kernels: int) -> Floats:
    """Return the weights of the kernels of a density, the oldest first, the uniform one last; they sum to 1."""
    weights = np.ones(kernels)
    old = kernels - 1 - _IN_FULL
    if old > 0:
        weights[:old] = np.linspace(1 / (kernels - 1), 1, old)
    return np.asarray(weights / weights.sum())
