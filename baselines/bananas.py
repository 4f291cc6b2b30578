"""BANANAS: Bayesian optimisation with neural architecture search's own features.

C. White, W. Neiswanger and Y. Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural
Architecture Search", AAAI 2021, algorithm 1; settings of its code, naszilla (nas_algorithms.py and params.py: ten
random architectures, then ten at a time; truncated path encoding; an ensemble of five networks; independent Thompson
sampling; nas_benchmarks.py: candidates are mutations of the best one, and of the next four until there are a hundred;
cell_201.py and cell_101.py: how a cell mutates).
"""

from __future__ import annotations

import numpy as np

from baselines.models.model_based import Choices, Features, Floats, ModelBasedSearch
from baselines.models.neural_networks import NeuralNetworks
from baselines.variation import NASZILLA, mutate_each
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed
from surrogates.models.forest import ExtraTrees
from surrogates.models.gaussian_process import GroupedGaussianProcess

_PARENTS, _CANDIDATES = 5, 100
_PREDICTORS = ("neural_networks", "gaussian_process", "extra_trees")


class Bananas(ModelBasedSearch):
    """Mutate the best; of the mutations evaluate those that a Thompson sample of the predictor ranks highest.

    In NAS-Bench-201 and 101 everything is as in naszilla: what the predictor sees (30 of 155 paths, 40 of 364), the
    networks, and how candidates are made: each operation of NAS-Bench-201 changes with probability 1/4; in
    NAS-Bench-101 each edge with 1/21 and each operation with 1/5, until the cell is valid. What was evaluated is not
    proposed again: there that goes by isomorphism here and by the set of paths in naszilla. naszilla knows no other of
    our spaces: there the predictor sees one-hot choices, and candidates are neighbours.

    ``encoding="graph", predictor="gaussian_process"`` is the same search with our features and model, and twenty times
    faster.

    Ties: among equally good architectures the one told first is mutated first, as in naszilla; samples of predictions
    are never equal.

    Args:
        space: The search space.
        seed: Seed of all draws.
        encoding: What the predictor sees: ``"truncated_paths"`` (naszilla's default), ``"paths"`` (all those without
            the operation none, 84 in NAS-Bench-201), ``"graph"`` or ``"choices"``; the last is one-hot, and stands in
            where a space has no such features.
        predictor: ``"neural_networks"`` (naszilla's), ``"gaussian_process"`` or ``"extra_trees"`` (ours).
        initial: Random architectures at the start; 10 in naszilla.
        batch: Architectures evaluated before the predictor is trained anew; 10 in naszilla.

    Raises:
        ValueError: A number is below 1, or the encoding or predictor is unknown.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        encoding: str = "truncated_paths",
        predictor: str = "neural_networks",
        initial: int = 10,
        batch: int = 10,
    ) -> None:
        if predictor not in _PREDICTORS:
            raise ValueError(f"predictor must be one of {', '.join(_PREDICTORS)}, got {predictor!r}.")
        super().__init__(space, seed, initial, batch)
        self.encoding = encoding
        self.predictor = predictor
        self._features = Features(space, encoding)

    def _candidates(self) -> Choices:
        """Return mutations of the best architecture, and of the next four until there are a hundred new ones."""
        found = np.empty((0, len(self.space.choices)), np.uint8)
        for parent in self._best(_PARENTS):
            found = self._new(np.concatenate([found, self._mutations(parent)]), every_form=True)
            if len(found) >= _CANDIDATES:
                break
        return found

    def _mutations(self, parent: Choices) -> Choices:
        """Return a hundred mutations of an architecture; some may be copies of it."""
        space, probabilities = self.space, NASZILLA.get(self.space.name)
        if probabilities is None:
            return space.mutate_many(np.repeat(parent[None], _CANDIDATES, axis=0), self._rng)
        before: Architecture = tuple(parent.tolist())
        children: list[Architecture] = []
        while len(children) < _CANDIDATES:
            child = mutate_each(space, before, probabilities, self._rng.random)
            if not space.constrained or space.is_valid(child):
                children.append(child)
        return np.array(children, np.uint8)

    def _scores(self, known: Choices, accuracies: Floats, candidates: Choices) -> Floats:
        """Draw from the normal distribution of each prediction: independent Thompson sampling (section 4)."""
        features, new = self._features.of(known), self._features.of(candidates)
        if self.predictor == "neural_networks":
            mean, deviation = NeuralNetworks(self._rng).fit(features, 100 * (1 - accuracies)).predict(new)
            return -self._rng.normal(mean, deviation)  # they predict the validation error in percent
        seed = int(self._rng.integers(2**31))
        model = (
            GroupedGaussianProcess(self._features.columns, learn_from=100, random_state=seed)
            if self.predictor == "gaussian_process"
            else ExtraTrees(trees=100, random_state=seed)
        )
        mean, deviation = model.fit(features, accuracies).predict_ranks(new)
        return self._rng.normal(mean, deviation)
