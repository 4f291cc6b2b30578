"""What NATS-Bench and NAS-Bench-201 files share: the raw trainings of an architecture, checked and named.

A raw training is of one data set, schedule and seed, and holds curves by split. Where each goes in the table:

| raw data set                     | raw split | group    | accuracy, loss, seconds of one evaluation              |
|----------------------------------|-----------|----------|--------------------------------------------------------|
| cifar10-valid (trains on 25,000) | train     | cifar10  | train_accuracy_25k, train_loss_25k                     |
|                                  | x-valid   | cifar10  | validation_accuracy, validation_loss, validation_time  |
|                                  | ori-test  | cifar10  | test_accuracy_25k, test_loss_25k, test_time_25k        |
| cifar10 (trains on 50,000)       | train     | cifar10  | train_accuracy, train_loss                             |
|                                  | ori-test  | cifar10  | test_accuracy, test_loss, test_time                    |
| cifar100, ImageNet16-120         | train     | the same | train_accuracy, train_loss                             |
|                                  | x-valid   | the same | validation_accuracy, validation_loss, validation_time  |
|                                  | x-test    | the same | test_accuracy, test_loss, test_time                    |
|                                  | ori-test  | the same | valtest_accuracy, valtest_loss, valtest_time           |

So in group cifar10 a search sees and pays the training on 25,000 images, and what it found is judged by the other one.
Seconds of training are ``training_time``, and ``training_time_50k`` for raw cifar10; seconds of a forward pass
``latency`` and ``latency_50k``; accuracy among the five likeliest classes, where recorded, ``train_top5_accuracy`` and
``train_top5_accuracy_25k``. Raw epoch e is epoch e + 1 here. The runs of a schedule are its seeds, rising, of all
architectures and data sets together; which seeds stands in the report.

Losses are kept in single precision, the one they were computed in.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb201 import NB201


class Training(NamedTuple):
    """A raw data set, as what a network is trained on."""

    group: str
    suffix: str
    """How names end that belong to none of the splits: training time and latency."""
    trained_on: str


class Split(NamedTuple):
    """A raw data set and split, as what a network is measured on."""

    metric: str
    suffix: str
    images: int
    evaluated_on: str


TRAININGS = {
    "cifar10-valid": Training("cifar10", "", "25,000 of the CIFAR-10 training images (cifar10-valid)"),
    "cifar10": Training("cifar10", "_50k", "the 50,000 CIFAR-10 training images (cifar10)"),
    "cifar100": Training("cifar100", "", "the 50,000 CIFAR-100 training images"),
    "ImageNet16-120": Training("ImageNet16-120", "", "the 151,700 ImageNet16-120 training images"),
}
# As the authors define them: https://github.com/D-X-Y/NAS-Bench-201#dataset-splits
_OWN = "the same images, augmented, while training on them"
_CIFAR10, _CIFAR100, _IMAGENET = "CIFAR-10 test images", "CIFAR-100 test images", "ImageNet16-120 validation images"
SPLITS = {
    ("cifar10-valid", "train"): Split("train", "_25k", 25_000, _OWN),
    ("cifar10-valid", "x-valid"): Split("validation", "", 25_000, "the other 25,000 training images (x-valid)"),
    ("cifar10-valid", "ori-test"): Split("test", "_25k", 10_000, f"the 10,000 {_CIFAR10} (ori-test)"),
    ("cifar10", "train"): Split("train", "", 50_000, _OWN),
    ("cifar10", "ori-test"): Split("test", "", 10_000, f"the 10,000 {_CIFAR10} (ori-test)"),
    ("cifar100", "train"): Split("train", "", 50_000, _OWN),
    ("cifar100", "x-valid"): Split("validation", "", 5_000, f"5,000 of the {_CIFAR100} (x-valid)"),
    ("cifar100", "x-test"): Split("test", "", 5_000, f"the other 5,000 {_CIFAR100} (x-test)"),
    ("cifar100", "ori-test"): Split("valtest", "", 10_000, f"all 10,000 {_CIFAR100} (ori-test)"),
    ("ImageNet16-120", "train"): Split("train", "", 151_700, _OWN),
    ("ImageNet16-120", "x-valid"): Split("validation", "", 3_000, f"3,000 of the {_IMAGENET} (x-valid)"),
    ("ImageNet16-120", "x-test"): Split("test", "", 3_000, f"the other 3,000 {_IMAGENET} (x-test)"),
    ("ImageNet16-120", "ori-test"): Split("valtest", "", 6_000, f"all 6,000 {_IMAGENET} (ori-test)"),
}
# The source sums percentages of batches of 256 images in single precision. Those of full batches are exact; that of the
# last, smaller one is off by at most 2e-5 of an image (two roundings of a number up to 100), and ori-test may join two.
# The largest deviation in the files at hand is 7.4e-6 of an image.
_TOLERANCE = 1e-4

EVERY_EPOCH = (0,)
"""The epochs of seconds that are the same in each epoch."""
NOT_TIMED = math.inf
"""The seconds of a training of which the source has no time; of a training that is missing altogether it has none."""


class Space(NamedTuple):
    """The search space of a source, and its architectures in the order of the source."""

    space: NB201 | NatsSSS
    texts: tuple[str, ...]
    architectures: NDArray[np.uint8]


class Trial(NamedTuple):
    """One training, checked."""

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

    trials: list[Trial]
    values: NDArray[np.float64]
    """Counts of correct images, losses, seconds."""
    infinite_losses: int


def read_space(meta: Any, place: str) -> Space:
    """Find the search space of a file's list of all architectures, ``meta_archs``.

    Raises:
        ConversionError: This is not the whole of NAS-Bench-201 or of the NATS-Bench size space.
    """
    texts = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or not texts:
        raise ConversionError(f"{place}: no NATS-Bench data: expected a dictionary with the list 'meta_archs'.")
    space = NB201() if "|" in texts[0] else NatsSSS()
    try:
        architectures = np.array([space.parse(text) for text in texts], np.uint8)
    except InvalidArchitectureError as error:
        raise ConversionError(f"{place}: in meta_archs: {error}") from None
    if len(texts) != space.size or len(np.unique(space.codes(architectures))) != space.size:
        raise ConversionError(
            f"{place}: meta_archs lists {len(set(texts))} different architectures in {len(texts)} entries, expected "
            f"each of the {space.size} of {space.name} once."
        )
    return Space(space, tuple(texts), architectures)


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
        batch = _Batch()
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


def _trial(raw: dict[str, Any], dataset: str, schedule: int, seed: int, place: str, batch: _Batch) -> Trial:
    """Read one training into the batch."""
    training, train = TRAININGS[dataset], SPLITS[dataset, "train"]
    trial = Trial(dataset, schedule, seed, {}, round(raw["params"] * 1e6), round(raw["flop"] * 1e6))
    read: dict[str, int] = {}

    def curve(name: str, key: str, split: str = "", images: int = _LOSS) -> None:
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
        trial.columns[name] = epochs, batch.add(values, _SECONDS, place, key)

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
    trial.columns[f"latency{training.suffix}"] = EVERY_EPOCH, batch.add([latency], _SECONDS, place, "latency")
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


@cache
def completed(schedule: int) -> tuple[int, ...]:
    """Return the completed epochs of each step of a schedule, 1 to the last."""
    return tuple(range(1, schedule + 1))


_LOSS, _SECONDS = 0, -1
"""What values are that are no accuracy on so many images."""
_LARGEST_LOSS = np.finfo(np.float32).max


class _Batch:
    """All numbers of an architecture, converted at once: numpy costs by the call more than by the number."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._parts: list[tuple[int, int, str, str]] = []

    def add(self, values: Sequence[Any], images: int, place: str, key: str) -> int:
        """Take some values; return where they begin. The last two are for errors."""
        start = len(self._values)
        self._values += values
        self._parts.append((len(values), images, place, key))
        return start

    def converted(self) -> tuple[NDArray[np.float64], int]:
        """Return all values, percentages as counts of images, and how many losses are not finite.

        Raises:
            ConversionError: An accuracy is no whole count of its images.
        """
        values = np.frombuffer(array("d", self._values))  # refuses what is no number
        lengths = [length for length, *_ in self._parts]
        images = np.repeat([images for _, images, *_ in self._parts], lengths)
        possible = (values >= 0) & (values <= 100)
        exact = np.where(possible, values, 0) * images / 100
        counts = np.rint(exact)
        good = (images <= 0) | (possible & (np.abs(exact - counts) <= _TOLERANCE))
        if not good.all():
            worst = int(np.argmin(good))
            _, of, place, key = self._parts[np.searchsorted(np.cumsum(lengths), worst, side="right")]
            raise ConversionError(
                f"{place}: {key}: an accuracy of {values[worst]} percent is no whole count of {of:,} images."
            )
        infinite = (images == _LOSS) & ~(np.abs(values) <= _LARGEST_LOSS)
        return np.where(images > 0, counts, values), int(infinite.sum())
