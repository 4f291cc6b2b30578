"""fit(): learning from a part of a table, and the score card of what was learnt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import NotRecordedError
from nasbench.tables.table import Table
from nasbench.types import Fidelity
from surrogates.benchmark import card
from surrogates.benchmark.surrogate import ACCURACIES, About, Fitted, Surrogate, canonical_forms
from surrogates.evaluation import noise, scores
from surrogates.evaluation.harness import EvaluationError, make, protocol_of
from surrogates.models.ranked import Floats, RankedRegressor

_LARGEST_TEST = 20_000
"""Held-out architectures that a score card looks at."""


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
        model: As for :func:`surrogates.evaluation.harness.make`.
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
    from surrogates.benchmark.queries import SurrogateBenchmark  # which reads folders of what is defined here

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
