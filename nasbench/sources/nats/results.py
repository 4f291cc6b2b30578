"""The raw trainings of an architecture in NATS-Bench and NAS-Bench-201 files, checked and named."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError
from nasbench.sources.nats.batch import LOSS, SECONDS, Batch
from nasbench.sources.nats.splits import EVERY_EPOCH, NOT_TIMED, SPLITS, TRAININGS, completed


class RawTraining(NamedTuple):
    """One training of the source, checked."""

    training: str
    schedule: int
    seed: int
    columns: dict[str, tuple[tuple[int, ...], int]]
    """By name: completed epochs, and where their values begin in :attr:`Results.values`."""
    parameters: int
    flops: int
    """As the source claims them."""


class Results(NamedTuple):
    """All trainings of an architecture. One array for all, since small ones take long between processes."""

    trials: list[RawTraining]
    values: NDArray[np.float64]
    """Counts of correct images, losses, seconds."""
    infinite_losses: int


def read_results(states: Any, schedules: Mapping[str, int], index: int, text: str, place: str) -> Results:
    """Check one architecture's raw results and return its trainings.

    Args:
        states: Results by name of the schedule, as in the file.
        schedules: The names to expect, and the epochs of each.
        index: Index of the architecture that this should be.
        text: Its text.
        place: What errors call it.

    Raises:
        ConversionError: Something is not as the format says; the message says what.
    """
    try:
        if set(states) != set(schedules):
            raise ConversionError(f"{place}: schedules {_shown(*states)}, expected {_shown(*schedules)}.")
        trials = []
        batch = Batch()
        for name, state in states.items():
            found = state["arch_index"], state["arch_str"]
            if found != (index, text):
                raise ConversionError(f"{place}: holds architecture {_shown(*found)}, expected {index}, {text}.")
            listed = {(dataset, seed) for dataset, seeds in state["dataset_seed"].items() for seed in seeds}
            if listed != set(state["all_results"]):
                raise ConversionError(f"{place}: schedule {name}: results and the list of their seeds differ.")
            for (dataset, seed), raw in state["all_results"].items():
                where = f"{place}: schedule {name}, {_shown(dataset)}, seed {_shown(seed)}"
                if (raw["name"], int(raw["seed"]), raw["epochs"]) != (dataset, seed, schedules[name]):
                    holds = _shown(raw["name"], raw["seed"], raw["epochs"])
                    raise ConversionError(f"{where}: holds a training of {holds} (data set, seed, epochs).")
                trials.append(_trial(raw, dataset, schedules[name], seed, where, batch))
        return Results(trials, *batch.converted())
    except ConversionError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConversionError(
            f"{place}: not results of NATS-Bench or NAS-Bench-201: {type(error).__name__}: {str(error)[:160]}."
        ) from None


def _shown(*values: Any) -> str:
    """Return short text of what a file holds; a hostile one may hold what has no short text."""
    plain = (str, int, float)
    return ", ".join(repr(v)[:100] if isinstance(v, plain) else f"a {type(v).__name__}" for v in values[:6])


def _trial(raw: dict[str, Any], dataset: str, schedule: int, seed: int, place: str, batch: Batch) -> RawTraining:
    """Read one training into the batch."""
    training, train = TRAININGS[dataset], SPLITS[dataset, "train"]
    trial = RawTraining(dataset, schedule, seed, {}, round(raw["params"] * 1e6), round(raw["flop"] * 1e6))
    read: dict[str, int] = {}

    def curve(name: str, key: str, split: str = "", images: int = LOSS) -> None:
        epochs, values = _reader(split, schedule)(raw[key])
        read[key] = read.get(key, 0) + len(epochs)
        if epochs:
            trial.columns[name] = epochs, batch.add(values, images, place, key)

    def seconds(name: str, key: str, split: str = "") -> None:
        epochs: tuple[int, ...] = EVERY_EPOCH
        values: Sequence[Any] = [NOT_TIMED]
        if raw[key]:
            epochs, values = _reader(split, schedule)(raw[key])
            read[key] = read.get(key, 0) + len(epochs)
            if len(epochs) != schedule:
                raise ConversionError(f"{place}: {key}: seconds of {len(epochs)} of {schedule} epochs.")
            if values.count(values[0]) == schedule:
                epochs, values = EVERY_EPOCH, values[:1]
            _check_seconds(values, place, key)
        trial.columns[name] = epochs, batch.add(values, SECONDS, place, key)

    curve(f"train_accuracy{train.suffix}", "train_acc1es", images=train.images)
    curve(f"train_loss{train.suffix}", "train_losses")
    if raw["train_acc5es"]:
        curve(f"train_top5_accuracy{train.suffix}", "train_acc5es", images=train.images)
    seconds(f"training_time{training.suffix}", "train_times")
    batches = raw["latency"] or [NOT_TIMED]
    if raw["latency"]:
        _check_seconds(batches, place, "latency")
    # The mean over the batches that were timed, as nats_bench takes it (ResultsCount.get_latency).
    latency = sum(batches) / len(batches)
    trial.columns[f"latency{training.suffix}"] = EVERY_EPOCH, batch.add([latency], SECONDS, place, "latency")
    for name in raw["eval_names"]:
        if (dataset, name) not in SPLITS or name == "train":
            raise ConversionError(f"{place}: evaluated on an unknown split, {_shown(name)}.")
        metric, suffix, images, _ = SPLITS[dataset, name]
        curve(f"{metric}_accuracy{suffix}", "eval_acc1es", name, images)
        curve(f"{metric}_loss{suffix}", "eval_losses", name)
        seconds(f"{metric}_time{suffix}", "eval_times", name)
    for key, count in read.items():
        if len(raw[key]) != count:
            raise ConversionError(f"{place}: {len(raw[key]) - count} of {key} belong to no known split and epoch.")
    return trial


def _check_seconds(values: Sequence[Any], place: str, key: str) -> None:
    if not all(isinstance(value, float) and 0 < value < math.inf for value in values):
        raise ConversionError(f"{place}: {key}: expected seconds, positive numbers.")


@cache
def _reader(split: str, schedule: int) -> Callable[[Mapping[Any, Any]], tuple[tuple[int, ...], Sequence[Any]]]:
    """Return a function from a raw curve to the completed epochs that it has and their values."""
    keys = tuple(f"{split}@{epoch}" if split else epoch for epoch in range(schedule))
    # With one key it would give no tuple. It is twice as fast as asking for each key.
    complete = itemgetter(*keys) if schedule > 1 else lambda curve: (curve[keys[0]],)

    def read(curve: Mapping[Any, Any]) -> tuple[tuple[int, ...], Sequence[Any]]:
        try:
            return completed(schedule), complete(curve)
        except KeyError:
            found = [epoch for epoch, key in enumerate(keys) if key in curve]
            return tuple(epoch + 1 for epoch in found), [curve[keys[epoch]] for epoch in found]

    return read
