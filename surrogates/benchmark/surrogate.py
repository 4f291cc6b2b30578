"""Surrogate: what was learnt from some architectures of a table, to answer for all of its search space.

The accuracy that it is about has the model that was asked for. All other accuracies, at all epochs, are predicted as
their distance from that one, so that curves end where it says; training times by their logarithms.

Two things are not predicted but drawn: by how much an architecture differs from its prediction, as labels did that were
held out, and by how much a run differs from its mean, as runs of the training architectures did.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.spaces import SearchSpace
from nasbench.types import Fidelity
from surrogates.benchmark.curves import Curves
from surrogates.evaluation.harness import make
from surrogates.models.draws import Deviations, field, uniform
from surrogates.models.ranked import Floats, RankedRegressor, State, numbers

ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")


class About(NamedTuple):
    """What a surrogate is about: with its state, all that is needed to have it again."""

    space: str
    metric: str
    model: str
    labels: int
    seed: int
    columns: tuple[tuple[str, Fidelity], ...]
    """The accuracies it predicts; the first is ``metric`` at the end of the longest schedule."""
    times: tuple[Fidelity, ...]
    """The fidelities whose training times it predicts."""
    costs: tuple[str, ...]
    """Which of parameters and flops the formulas of the space give as the table has them."""


class Prediction(NamedTuple):
    """What is predicted for n architectures."""

    accuracies: Floats
    """Shape (n, columns), fractions in [0, 1]."""
    deviation: Floats
    """Shape (n,): standard deviation of the first column, of the model's doubt and the label's noise together."""
    seconds: Floats
    """Shape (n, times): training up to that epoch."""


class Surrogate:
    """A fitted surrogate.

    Args:
        about: What it is about.

    Attributes:
        main_: The model of the first column.
        offsets_: The model of the other columns, as distances from the first.
        times_: The model of the logarithms of training times.
        runs_: By how much runs differ from the mean over runs, in all columns, at the level of that mean. They are
            enlarged by sqrt(r / (r - 1)), because the mean of r runs leans towards each of them. None where no training
            architecture has two runs that differ.
        residuals_: By how much labels that were held out differ from what was predicted, at the level of the
            prediction, without the noise that is in a label. None where no label says how far it is off.
        still_: Shape (m,), rising: means of the architectures all of whose runs are the same, such as networks that
            answer one class; what is predicted to be next to one of them is not moved.
        moving_: Shape (m,), rising: the means of all others.
        known_: Identities of the architectures that it was fitted to, rising: their predictions are not moved.
    """

    def __init__(self, about: About) -> None:
        self.about = about
        self.main_: RankedRegressor = make(about.model, about.space, about.seed, about.labels)
        self.offsets_ = Curves(about.space, random_state=about.seed)
        self.times_ = Curves(about.space, random_state=about.seed)

    def predict(self, architectures: NDArray[np.uint8]) -> Prediction:
        """Predict for choices, shape (n, decisions)."""
        first, deviation = self.main_.predict(architectures, return_std=True)
        return Prediction(self._expanded(first, architectures), deviation, self.seconds(architectures))

    def accuracies(self, architectures: NDArray[np.uint8]) -> Floats:
        """Return what :meth:`predict` gives of them, shape (n, columns), alone and faster."""
        return self._expanded(self.main_.predict(architectures), architectures)

    def seconds(self, architectures: NDArray[np.uint8]) -> Floats:
        """Return what :meth:`predict` gives of them, shape (n, times)."""
        return np.asarray(np.exp(self.times_.predict(architectures)))

    def plausible(self, architectures: NDArray[np.uint8]) -> Floats:
        """Return accuracies that might be the true ones, shape (n, columns): predictions with residuals drawn.

        Predictions lie closer together than what they predict: the best of a space is better than the best prediction.
        To each is added by how much a held-out label of about the same prediction was off. The residual of an
        architecture is the same whenever and wherever it is asked for. Alike architectures have alike residuals (see
        :func:`surrogates.models.draws.field`), but in spaces whose tables know architectures by what they compute:
        there each has one that has nothing to do with others.
        """
        predicted = self.accuracies(architectures)
        if self.residuals_ is None:
            return predicted
        forms = canonical_forms(self._space, architectures)
        identities = self._space.identity_many(forms)
        moved = ~self.is_still(predicted[:, 0]) & ~np.isin(identities, self.known_)
        alike = type(self._space).identity_many is SearchSpace.identity_many
        ranks = (field(self.salt, forms) if alike else uniform(self.salt, identities))[moved]
        predicted[moved] += self.residuals_.ranked(predicted[moved, 0], ranks)
        return np.clip(predicted, 0, 1)

    def is_still(self, levels: Floats) -> NDArray[np.bool_]:
        """Return whether the training architecture next to each level has runs that are all the same."""
        return _distance(self.still_, levels) < _distance(self.moving_, levels)

    @cached_property
    def salt(self) -> int:
        """64 bits that tell its draws from those of another surrogate."""
        learnt_from = self.known_.astype("<i8").tobytes()  # integers: a fit on another machine draws the same
        return int.from_bytes(hashlib.sha256(f"{self.about.seed}:".encode() + learnt_from).digest()[:8])

    @cached_property
    def _space(self) -> SearchSpace:
        space: SearchSpace = registry.find("spaces", self.about.space)()
        return space

    def _expanded(self, first: Floats, architectures: NDArray[np.uint8]) -> Floats:
        others = first[:, None] + self.offsets_.predict(architectures)
        return np.clip(np.column_stack([first, others]), 0, 1)

    def state(self) -> State:
        """Return all that was learnt, to be written to files."""
        return {
            "main": self.main_.state(),
            "offsets": self.offsets_.state(),
            "times": self.times_.state(),
            "labels": {"still": self.still_, "moving": self.moving_, "known": self.known_},
            **{name: draws.state() for name, draws in self._draws().items() if draws is not None},
        }

    def _draws(self) -> dict[str, Deviations | None]:
        return {"noise": self.runs_, "residuals": self.residuals_}

    def restore(self, state: State) -> Self:
        """Become what was fitted, from :meth:`state`.

        Raises:
            ValueError, KeyError, TypeError, IndexError: It is no such state.
        """
        self.main_.restore(state["main"])
        self.offsets_.restore(state["offsets"])
        self.times_.restore(state["times"])
        labels = state["labels"]
        self.still_, self.moving_ = numbers(labels["still"], 1), numbers(labels["moving"], 1)
        self.known_ = np.asarray(labels["known"], np.int64)
        self.runs_, self.residuals_ = (
            Deviations().restore(state[name]) if name in state else None for name in ("noise", "residuals")
        )
        columns = len(self.about.columns)
        shapes = (len(self.offsets_.mean_) + 1, len(self.times_.mean_), *self._widths())
        expected = (columns, len(self.about.times), *[columns] * len(self._widths()))
        if shapes != expected or self.known_.ndim != 1:
            raise ValueError(f"expected predictions and draws of {expected} columns, found {shapes}.")
        return self

    def _widths(self) -> list[int]:
        return [draws.rows_.shape[1] for draws in self._draws().values() if draws is not None]


class Fitted(NamedTuple):
    """What :func:`fit` returns."""

    surrogate: Surrogate
    rows: NDArray[np.intp]
    """The rows of the table that it was fitted to, in the order in which they were drawn."""
    score_card: dict[str, Any]
    """``seeds`` (scores of the model of each seed on architectures that it did not see), ``mean`` and ``error`` of
    these, and, of the first seed, ``columns``: mean absolute errors of the other accuracies by name,
    ``training_time``: the median relative error, and what it is as a benchmark: ``levels`` and ``searches`` as
    :mod:`surrogates.benchmark.card` returns them."""


def canonical_forms(space: SearchSpace, choices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the same choices for all forms of a network, where the space has a rule for it; else the choices."""
    return np.asarray(getattr(space, "canonical_many", np.asarray)(choices), np.uint8)


def _distance(levels: Floats, others: Floats) -> Floats:
    """Return how far each of the others is from the nearest of rising levels."""
    edged = np.concatenate([[-np.inf], levels, [np.inf]])
    places = edged.searchsorted(others)
    return np.asarray(np.minimum(others - edged[places - 1], edged[places] - others))
