"""Surrogate: what was learnt from some architectures of a table, to answer for all of its search space.

The accuracy that it is about has the model that was asked for. All other accuracies, at all epochs, are predicted as
their distance from that one, so that curves end where it says; training times by their logarithms.

Two things are not predicted but drawn: by how much an architecture differs from its prediction, as labels did that were
held out, and by how much a run differs from its mean, as runs of the training architectures did.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import NotRecordedError
from nasbench.spaces import SearchSpace
from nasbench.table import Table
from nasbench.types import Fidelity
from surrogates import noise, scores
from surrogates._ranked import Floats, RankedRegressor, State, numbers
from surrogates.curves import Curves
from surrogates.draws import Draws, field, uniform
from surrogates.evaluation import EvaluationError, make, protocol_of

ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")
_LARGEST_TEST = 20_000
"""Held-out architectures that a score card looks at."""


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
        offsets_: Of the other columns, as distances from the first.
        times_: Of the logarithms of training times.
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
        :func:`surrogates.draws.field`), but in spaces whose tables know architectures by what they compute: there each
        has one that has nothing to do with others.
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

    def _draws(self) -> dict[str, Draws | None]:
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
            Draws().restore(state[name]) if name in state else None for name in ("noise", "residuals")
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
    :mod:`surrogates.card` returns them."""


def fit(
    table: Table,
    *,
    metric: str | None = None,
    model: str = "default",
    train_size: int | None = None,
    seeds: int = 3,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Fitted:
    """Learn from a random part of a table, and score on the rest.

    Args:
        table: Where the labels come from: means over runs.
        metric: The accuracy to be about, at the end of the longest schedule; by default validation accuracy, or test
            accuracy where the table lacks it.
        model: As for :func:`surrogates.evaluation.make`.
        train_size: Architectures to learn from; by default 1,000, or four fifths where there are less than 1,250.
        seeds: How many times to draw, fit and score; the surrogate is that of the first.
        seed: The first seed; the others follow it.
        progress: Called after each fit.

    Raises:
        EvaluationError: The table lacks the metric, has too few architectures with it, or a number is out of range.
        EncodingError: There are no features of this search space.
        NotRecordedError: The table has no such metric.
        MissingPackageError: The model needs a package that is not installed.
    """
    metric = metric or protocol_of(table).metric
    if metric not in ACCURACIES:
        raise EvaluationError(f"a surrogate is about one of {', '.join(ACCURACIES)}, not {metric!r}.")
    labels = np.asarray(table.column(metric), np.float64)
    there = np.flatnonzero(np.isfinite(labels))
    size = train_size if train_size is not None else min(1000, len(there) * 4 // 5)
    if not 2 <= size <= len(there) - 2 or seeds < 1 or seed < 0:
        raise EvaluationError(
            f"{table.name} has {len(there):,} architectures with {metric}: a train size must be from 2 to "
            f"{len(there) - 2}, seeds at least 1, the seed not negative; asked for {size}, {seeds} and {seed}."
        )
    cards, fitted, rows = [], None, there
    for i in range(seeds):
        order = np.random.default_rng((seed + i, size)).permutation(there)
        train, test = order[:size], order[size:][:_LARGEST_TEST]
        main = make(model, table.space.name, seed + i, size).fit(table.architectures[train], labels[train])
        predicted, deviation = main.predict(table.architectures[test], return_std=True)
        cards.append(_scores(labels[test], predicted, deviation))
        if i == 0:
            rows, held_out = train, test
            fitted = _around(main, table, metric, model, train, seed)
        progress(i + 1, seeds)
    assert fitted is not None
    summary = scores.mean_and_error(cards)
    card = {
        "held_out": len(held_out),
        "seeds": cards,
        "mean": {name: mean for name, (mean, _) in summary.items()},
        "error": {name: error for name, (_, error) in summary.items()},
        **_other_scores(fitted, table, held_out),
        **_as_benchmark(fitted, rows, table),
    }
    return Fitted(fitted, rows, card)


def _as_benchmark(surrogate: Surrogate, rows: NDArray[np.intp], table: Table) -> dict[str, Any]:
    from surrogates import card
    from surrogates.benchmark import SurrogateBenchmark  # which reads folders of what is defined here

    benchmark = SurrogateBenchmark.unsaved(surrogate, rows.astype(np.int64), table)
    return {"levels": card.spread_by_level(benchmark, table), "searches": card.searched(benchmark, table)}


def _scores(recorded: Floats, predicted: Floats, deviation: Floats) -> dict[str, float]:
    return {
        **scores.of_order(recorded, predicted),
        **scores.of_values(recorded, predicted),
        **scores.of_uncertainty(recorded, predicted, deviation),
    }


def _around(
    main: RankedRegressor, table: Table, metric: str, model: str, rows: NDArray[np.intp], seed: int
) -> Surrogate:
    """Learn the other columns around a fitted model, and keep the runs."""
    last = table.fidelities[-1]
    others = [
        (name, fidelity)
        for name in ACCURACIES
        for fidelity in table.fidelities
        if (name, fidelity) != (metric, last) and np.isfinite(_column(table, name, fidelity)[rows]).any()
    ]
    times = [f for f in table.fidelities if np.isfinite(_column(table, "training_time", f)[rows]).any()]
    choices = table.architectures[rows]
    exact = {"parameters": table.space.parameters_many, "flops": table.space.flops_many}
    costs = tuple(
        name
        for name, formula in exact.items()
        if name in table.metrics and np.array_equal(table.column(name)[rows], formula(choices))
    )
    columns = ((metric, last), *others)
    about = About(table.space.name, metric, model, len(rows), seed, columns, tuple(times), costs)
    surrogate = Surrogate(about)
    surrogate.main_ = main
    accuracies = np.stack([_column(table, *column)[rows] for column in columns], axis=1)
    whole = np.isfinite(accuracies).all(axis=1)
    surrogate.offsets_.fit(choices[whole], accuracies[whole, 1:] - accuracies[whole, :1])
    seconds = np.array([_column(table, "training_time", f)[rows] for f in times]).reshape(-1, len(rows)).T
    positive = (seconds > 0).all(axis=1) & np.isfinite(seconds).all(axis=1)
    surrogate.times_.fit(choices[positive], np.log(seconds[positive]))
    predicted = main.ranks_.back(main.held_out_)  # whatever make() returns is a stack
    off = np.repeat((accuracies[:, 0] - predicted)[:, None], len(columns), axis=1)
    off[whole, 1:] = accuracies[whole, 1:] - predicted[whole, None] - surrogate.offsets_.held_out_
    kept = noise.keep(_runs(table, columns, rows), accuracies, predicted, off)
    surrogate.still_, surrogate.moving_, surrogate.runs_, surrogate.residuals_ = kept
    surrogate.known_ = np.unique(table.space.identity_many(canonical_forms(table.space, choices)))
    return surrogate


def _runs(table: Table, columns: tuple[tuple[str, Fidelity], ...], rows: NDArray[np.intp]) -> Floats:
    """Return single runs, shape (runs, len(rows), columns), nan where there is none."""
    info = table.describe()
    runs = max(info[f"{name}@{fidelity.schedule}"].shape[-1] for name, fidelity in columns)
    return np.stack(
        [np.stack([_column(table, *column, run=run)[rows] for column in columns], axis=1) for run in range(runs)]
    )


def canonical_forms(space: SearchSpace, choices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the same choices for all forms of a network, where the space has a rule for it; else the choices."""
    return np.asarray(getattr(space, "canonical_many", np.asarray)(choices), np.uint8)


def _distance(levels: Floats, others: Floats) -> Floats:
    """Return how far each of the others is from the nearest of rising levels."""
    edged = np.concatenate([[-np.inf], levels, [np.inf]])
    places = edged.searchsorted(others)
    return np.asarray(np.minimum(others - edged[places - 1], edged[places] - others))


def _column(table: Table, metric: str, fidelity: Fidelity, run: int | None = None) -> Floats:
    """Return a column, all nan where the table does not have it at this fidelity."""
    try:
        return np.asarray(table.column(metric, schedule=fidelity.schedule, epoch=fidelity.epoch, run=run), np.float64)
    except NotRecordedError:
        return np.full(len(table), np.nan)


def _other_scores(surrogate: Surrogate, table: Table, rows: NDArray[np.intp]) -> dict[str, Any]:
    about = surrogate.about
    predicted = surrogate.predict(table.architectures[rows])
    errors: dict[str, list[float]] = {}
    for i, (name, fidelity) in enumerate(about.columns[1:], 1):
        error = np.abs(predicted.accuracies[:, i] - _column(table, name, fidelity)[rows])
        if np.isfinite(error).any():
            errors.setdefault(name, []).append(float(np.nanmean(error)))
    found: dict[str, Any] = {"columns": {name: float(np.mean(values)) for name, values in errors.items()}}
    if about.times:
        recorded = _column(table, "training_time", about.times[-1])[rows]
        found["training_time"] = float(np.nanmedian(np.abs(predicted.seconds[:, -1] / recorded - 1)))
    return found
