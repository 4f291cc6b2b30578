"""What the searchers that learn a surrogate share: what they know, what may be proposed, and batches."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import MissingPackageError
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

try:
    from baselines.models.truncated_paths import TruncatedPaths
    from surrogates.encodings import Encoding, EncodingError, GraphFeatures, OneHot, Paths
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise MissingPackageError(
        "searchers that learn a surrogate need scikit-learn, which is not installed: "
        "pip install 'nasbench-suite[surrogates]'."
    ) from error

Choices = NDArray[np.uint8]
Floats = NDArray[np.float64]

_ENCODINGS: dict[str, type[Encoding]] = {
    "graph": GraphFeatures,
    "paths": Paths,
    "truncated_paths": TruncatedPaths,
    "choices": OneHot,
}
_ENUMERABLE = 2**14
_PARENTS, _CHILDREN = 10, 50
_ATTEMPTS = 100


class ModelBasedSearch:
    """Random architectures first, then batches of those that a surrogate scores highest.

    Subclasses write :meth:`_scores`. What was proposed or told is not proposed again. That goes by
    :meth:`nasbench.SearchSpace.identity`, one row of a table: forms of one network that were trained one by one, as in
    NAS-Bench-201, have accuracies of their own, and any of them can be the best. A batch has one form of a network at
    most, drawn at random, if the subclass does not say otherwise, and none of a network that is still running: of
    several trials that are out at once no two are the same network.

    Ties: among equal scores chance decides; among equally good architectures that were told, the one told first counts
    as the better.

    Spaces of up to 16,384 architectures are scored whole; of larger ones fifty mutations of each of the best ten, one
    mutation more of each of these, and as many random architectures. Without two different accuracies there is nothing
    to learn, and once the space is exhausted nothing to propose: architectures are then random.

    Args:
        space: The search space.
        seed: Seed of all draws.
        initial: Random architectures at the start.
        batch: Architectures of a batch, proposed before any of them is told.

    Raises:
        ValueError: A number is below 1.
    """

    def __init__(self, space: SearchSpace, seed: Seed, initial: int, batch: int) -> None:
        if initial < 1 or batch < 1:
            raise ValueError(f"initial and batch must be at least 1, got {initial} and {batch}.")
        self.space = space
        self.seed = seed
        self.initial = initial
        self.batch = batch
        self._rng = np.random.default_rng(seed)
        self._architectures: list[Architecture] = []
        self._accuracies: list[float] = []
        self._taken: set[int] = set()
        self._running: list[Architecture] = []
        self._queue: list[Architecture] = []
        self._asked = 0

    def ask(self) -> Trial:
        """Return a random architecture at the start, then the next of the batch."""
        self._asked += 1
        architecture = self._next_in_queue()
        if architecture is None and self._asked > self.initial and len({*self._accuracies}) > 1:
            self._queue = self._best_candidates()
            architecture = self._next_in_queue()
        if architecture is None:
            architecture = self._new_random()
        self._taken.add(self.space.identity(architecture))
        self._running.append(architecture)
        return Trial(architecture)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Remember what the next batch will be learnt from."""
        self._taken.add(self.space.identity(trial.architecture))
        if trial.architecture in self._running:  # not where somebody else evaluated it
            self._running.remove(trial.architecture)
        self._architectures.append(trial.architecture)
        self._accuracies.append(validation_accuracy)

    def _scores(self, known: Choices, accuracies: Floats, candidates: Choices) -> Floats:
        """Return how much each candidate is worth an evaluation, learnt from the accuracies of what is known."""
        raise NotImplementedError

    def _batch_size(self) -> int:
        """Return how many are proposed before the surrogate learns again."""
        return self.batch

    def _candidates(self) -> Choices:
        """Return what may be proposed, shape (n, decisions)."""
        if _is_enumerable(self.space):
            return self._new(self.space.decode(np.arange(self.space.size)))
        return self._drawn()

    def _drawn(self) -> Choices:
        """Return some of what may be proposed in a large space: around the best, and anywhere."""
        near = self.space.mutate_many(np.repeat(self._best(_PARENTS), _CHILDREN, axis=0), self._rng)
        far = self.space.sample_many(len(near), self._rng)
        return self._new(np.concatenate([near, self.space.mutate_many(near, self._rng), far]))

    def _best(self, n: int) -> Choices:
        """Return the n best architectures that are known, the best first, shape (at most n, decisions)."""
        order = np.argsort(-np.array(self._accuracies), kind="stable")[:n]
        return self.space.validated([self._architectures[i] for i in order.tolist()])

    def _new(self, architectures: Choices, *, every_form: bool = False) -> Choices:
        """Return those that were neither proposed nor told, in random order; if not every form, one of each network.

        Nor forms of networks that are still running, if not every form: a surrogate that was not told of them since
        would see in them what made it propose the first.
        """
        space = self.space
        taken = np.isin(space.identity_many(architectures), np.fromiter(self._taken, np.int64, len(self._taken)))
        if self._running and not every_form:
            taken |= np.isin(space.key_many(architectures), space.key_many(space.validated(self._running)))
        shuffled = architectures[self._rng.permutation(np.flatnonzero(~taken))]
        same = space.identity_many(shuffled) if every_form else space.key_many(shuffled)
        return np.asarray(shuffled[np.sort(np.unique(same, return_index=True)[1])])

    def _best_candidates(self) -> list[Architecture]:
        """Return the next batch, the best last."""
        candidates = self._candidates()
        if not len(candidates):
            return []
        scores = self._scores(self.space.validated(self._architectures), np.array(self._accuracies), candidates)
        best = np.argsort(-scores, kind="stable")[: self._batch_size()][::-1]
        return [tuple(architecture) for architecture in candidates[best].tolist()]

    def _next_in_queue(self) -> Architecture | None:
        while self._queue:
            architecture = self._queue.pop()
            if self.space.identity(architecture) not in self._taken:  # told by somebody else meanwhile
                return architecture
        return None

    def _new_random(self) -> Architecture:
        for _ in range(_ATTEMPTS):
            architecture = self.space.sample(self._rng)
            if self.space.identity(architecture) not in self._taken:
                break
        return architecture


class SpaceFeatures:
    """The features of architectures, under the name of an encoding.

    Args:
        space: The search space.
        encoding: ``"graph"``, ``"paths"``, ``"truncated_paths"`` or ``"choices"``, which is one-hot and stands in for
            the others where a space has no such features.

    Raises:
        ValueError: The encoding is unknown.
    """

    def __init__(self, space: SearchSpace, encoding: str) -> None:
        if encoding not in _ENCODINGS:
            raise ValueError(f"encoding must be one of {', '.join(_ENCODINGS)}, got {encoding!r}.")
        self._space = space
        self._encoding = encoding
        self._encoder = _encoder(space, encoding)
        self.columns: list[list[int]] = self._encoder.columns()
        """The columns of each group of features."""

    def of(self, architectures: Choices) -> Floats:
        """Return the features, shape (n, features); those of small spaces are computed once a process."""
        if _is_enumerable(self._space):
            return _of_all(self._space, self._encoding)[self._space.codes(architectures)]
        return np.asarray(self._encoder.transform(architectures))


def _is_enumerable(space: SearchSpace) -> bool:
    return not space.constrained and space.size <= _ENUMERABLE


@lru_cache(maxsize=4)
def _of_all(space: SearchSpace, encoding: str) -> Floats:
    return np.asarray(_encoder(space, encoding).transform(space.decode(np.arange(space.size))))


def _encoder(space: SearchSpace, encoding: str) -> Encoding:
    one = space.sample_many(1, np.random.default_rng(0))
    try:
        return _ENCODINGS[encoding](space.name).fit(one)
    except EncodingError:
        return OneHot(space.name).fit(one)
