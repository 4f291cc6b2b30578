"""The field's protocol for predictors: few labels, many splits, everything else is predicted.

Labels are means over the recorded runs. Each split draws so many architectures at random, fits, and predicts all others
(or a sample of them). Scores are averaged over splits, beside the Kendall tau that knowing the truth would reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.tables.table import Table
from surrogates.encodings import inputs as inputs_
from surrogates.encodings.inputs import Extra
from surrogates.evaluation import noise, scores
from surrogates.evaluation.folder import EvaluationFolder, Part, plain
from surrogates.evaluation.protocol import Copies, EvaluationError, Protocol, better_of, protocol_of, unit_of
from surrogates.models import default

__all__ = ["Copies", "EvaluationError", "Protocol", "evaluate", "make", "plain", "protocol_of"]

_POINTS = 2000
"""Points that are kept for the plot of predicted against recorded values."""


def make(model: str, space: str, seed: int, labels: int, inputs: Sequence[Extra] = ()) -> Any:
    """Return an unfitted estimator: ``default``, one of its ``MEMBERS``, or several joined by ``+``.

    Raises:
        EvaluationError: Nothing has this name.
        InputError: The default model of this space takes no inputs.
    """
    if model == "default":
        return default.default(space, labels=labels, inputs=inputs, random_state=seed)
    members = model.split("+")
    unknown = [name for name in members if name not in default.MEMBERS]
    if unknown:
        raise EvaluationError(f"unknown model {unknown[0]!r}: expected default, or of {'+'.join(default.MEMBERS)}.")
    return default.stacked(space, members, inputs=inputs, random_state=seed)


def evaluate(
    table: Table,
    models: Sequence[str],
    protocol: Protocol,
    *,
    folder: Path | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Fit and score models.

    Args:
        table: The labels.
        models: Names, as :func:`make` takes them.
        protocol: What is predicted from what.
        folder: Where each finished fit is kept, and the result written: the same call goes on where it was stopped.
            Nowhere by default.
        force: Delete an evaluation that is in ``folder``, and start over.
        progress: Called after each fit.

    Returns:
        ``table``, ``digest``, ``protocol``, ``unit`` (of errors and regrets as they are shown), ``better`` ("higher",
        "lower", or None where nobody says which: then what is scored of the best is of the highest), ``architectures``,
        ``ceiling``, ``inputs`` (the training seconds of each for one architecture, nan where nobody said), and
        ``results``, by model and size: the ``scores`` of each split, their ``mean`` and ``error`` (standard error of
        the mean), ``seconds`` (to fit, and to predict once, of each split), and ``points``, a sample of recorded,
        predicted and deviation of the first split. With inputs each model is there twice, then as ``MODEL, inputs``.
        Scores have ``label_seconds``, what the trainings took whose means the labels are, and ``input_seconds``, what
        the inputs of all labelled and predicted architectures took; nan where the table does not say.

    Raises:
        EvaluationError: There are fewer architectures than labels asked for, nothing has a model's name, or the folder
            is that of another evaluation.
        InputError: An input cannot be read, gives the labels away, or lacks a value.
        NotRecordedError: The table has no such metric or input.
        OSError: The folder cannot be written.
    """
    rows, labels, keys, ceiling = _labelled(table, protocol)
    better = better_of(table, protocol.metric)
    extras = [inputs_.read(table, text, protocol.metric) for text in protocol.inputs]
    if max(protocol.sizes) > len(rows) - 2 or min(protocol.sizes) < 2 or protocol.splits < 1:
        raise EvaluationError(
            f"{table.name} has {len(rows):,} architectures with {protocol.metric}: sizes must be from 2 to "
            f"{len(rows) - 2}, and splits at least 1; asked for {protocol.sizes} and {protocol.splits}."
        )
    choices, spent = table.architectures[rows], _label_seconds(table, protocol.metric)[rows]
    variants = {name: variant for model in models for name, variant in _variants(model, extras).items()}
    for model, given in variants.values():
        make(model, table.space.name, 0, min(protocol.sizes), given)  # a wrong name is told at once
    for extra in extras:
        inputs_.column_of(extra, table.space, choices)  # so is a value that is missing
    kept = None if folder is None else EvaluationFolder(folder, table, [*variants], protocol, force=force)
    parts: dict[tuple[str, int], list[Part]] = {(name, size): [] for name in variants for size in protocol.sizes}
    done = 0
    for size in protocol.sizes:
        for split in range(protocol.splits):
            train, test = _split(keys, size, protocol, split)
            for name, (model, given) in variants.items():
                part = None if kept is None else kept.part(name, size, split)
                if part is None:
                    estimator = make(model, table.space.name, protocol.seed + split, size, given)
                    part = _part(estimator, choices, labels, train, test, points=split == 0, lower=better == "lower")
                    part["scores"]["label_seconds"] = float(spent[train].sum())
                    part["scores"]["input_seconds"] = float(
                        sum(extra.seconds for extra in given) * (len(train) + len(test))
                    )
                    if kept is not None:
                        kept.keep(name, size, split, part)
                parts[name, size].append(part)
                done += 1
                progress(done, len(parts) * protocol.splits)
    found = {
        "table": table.name,
        "digest": table.digest,
        "protocol": {**protocol._asdict(), "sizes": list(protocol.sizes), "inputs": list(protocol.inputs)},
        "unit": unit_of(table, protocol.metric),
        "better": better,
        "architectures": len(rows),
        "ceiling": ceiling,
        "inputs": {extra.name: extra.seconds for extra in extras},
        "results": {name: {str(size): _summary(parts[name, size]) for size in protocol.sizes} for name in variants},
    }
    if kept is not None:
        kept.write(found)
    return found


def _summary(parts: Sequence[Part]) -> dict[str, Any]:
    """Return what all splits of one model and size say together."""
    each = [part["scores"] for part in parts]
    summary = scores.mean_and_error(each)
    return {
        "scores": each,
        "points": parts[0]["points"],
        "mean": {key: mean for key, (mean, _) in summary.items()},
        "error": {key: error for key, (_, error) in summary.items()},
        "seconds": {key: [part["seconds"][key] for part in parts] for key in parts[0]["seconds"]},
    }


def _variants(model: str, extras: Sequence[Extra]) -> dict[str, tuple[str, Sequence[Extra]]]:
    """Return a model without inputs and, if there are any, with them, by the name that results have."""
    return {model: (model, ()), **({f"{model}, inputs": (model, extras)} if extras else {})}


def _label_seconds(table: Table, metric: str) -> NDArray[np.float64]:
    """Return what the label of each architecture cost: all the runs that it is a mean of, shape (n,), or nan."""
    fidelity = table.fidelities[-1]
    known = table.describe()
    if f"training_time@{fidelity.schedule}" not in known or f"{metric}@{fidelity.schedule}" not in known:
        return np.full(len(table), np.nan)
    return np.asarray(table.column("training_time") * inputs_.recorded_runs(table, metric, fidelity), np.float64)


def _labelled(
    table: Table, protocol: Protocol
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.int64], float]:
    """Return the rows that have a label, their labels and the keys of their networks, and the ceiling of tau."""
    labels = np.asarray(table.column(protocol.metric), np.float64)
    rows = np.flatnonzero(np.isfinite(labels))
    keys = table.space.key_many(table.architectures[rows])
    if protocol.copies == "one":
        rows = rows[np.sort(np.unique(keys, return_index=True)[1])]
        keys = table.space.key_many(table.architectures[rows])
    runs = _runs(table, protocol.metric)[rows]
    return rows, labels[rows], keys, noise.ceiling(runs, np.random.default_rng(protocol.seed))


def _runs(table: Table, metric: str) -> NDArray[np.float64]:
    schedule = table.fidelities[-1].schedule
    info = table.describe().get(f"{metric}@{schedule}")
    number = info.shape[-1] if info is not None else 1
    if number == 1:
        return np.asarray(table.column(metric), np.float64)[:, None]
    return np.stack([table.column(metric, run=run) for run in range(number)], axis=1)


def _split(
    keys: NDArray[np.int64], size: int, protocol: Protocol, split: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rng = np.random.default_rng((protocol.seed, size, split))
    order = rng.permutation(len(keys))
    train, test = order[:size], order[size:]
    if protocol.copies == "together":
        test = test[~np.isin(keys[test], keys[train])]
    return train, test if protocol.tested is None else test[: protocol.tested]


def _part(
    estimator: Any,
    choices: NDArray[np.uint8],
    labels: NDArray[np.float64],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    *,
    points: bool,
    lower: bool,
) -> Part:
    """Fit, predict and score, where lower may be better; keep some points if asked for."""
    start = time.perf_counter()
    estimator.fit(choices[train], labels[train])
    fitted = time.perf_counter()
    estimator.predict(choices[test])
    done = time.perf_counter()
    predicted, deviation = estimator.predict(choices[test], return_std=True)
    sign = -1 if lower else 1
    shown = {"recorded": labels[test], "predicted": predicted, "deviation": deviation} if points else {}
    some = slice(None, None, max(1, len(test) // _POINTS))
    return {
        "scores": {
            **scores.of_order(sign * labels[test], sign * predicted),
            **scores.of_values(sign * labels[test], sign * predicted),
            **scores.of_uncertainty(labels[test], predicted, deviation),
        },
        "seconds": {"fit_seconds": fitted - start, "predict_seconds": done - fitted},
        "points": {name: values[some].tolist() for name, values in shown.items()},
    }
