"""From a journal to a table of the format's version 1, with all that is known of where its numbers come from.

One table holds the trainings of one space by one recipe on the same images; each number of epochs is a schedule. Runs
are the seeds in rising order, of all architectures and schedules together; the report names them. What was not trained
is missing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import JournalError
from nasbench.spaces import SearchSpace
from nasbench.spaces.conv5 import Conv5
from nasbench.tables import Column, DatasetContent, TableContent, missing_value
from nasbench.training.campaign.entries import About, Entry, Setting, json_of
from nasbench.training.campaign.journal import Journal
from nasbench.types import Architecture

METRICS = {"validation": "validation_accuracy", "test": "test_accuracy", "train": "train_accuracy"}
"""By split, the column of its counts."""
_IMAGES = {
    "cifar10": (
        "https://www.cs.toronto.edu/~kriz/cifar.html",
        "Images: A. Krizhevsky. Learning Multiple Layers of Features from Tiny Images. 2009.",
    )
}
"""Where the images are from, and whom to cite for them."""
_SECONDS = {"training_time": "training_seconds", "evaluation_time": "evaluation_seconds"}
SETUP, FINISHED, DIVERGED = "setup", "finished", "diverged"
"""Columns of the last epoch: on what each training ran, by its place in the report's setups; when it was finished; and,
where any did, the epoch in which it diverged, or 0."""


class Trainings(NamedTuple):
    """What a table of trainings holds: all of one space, by one recipe, on the same images."""

    where: str
    """What they were read from, for messages."""
    space: str
    recipe: str
    images: str
    """The digest."""
    about: About
    entries: dict[int, list[Entry]]
    """By the epochs of the schedule, each by identity and seed."""


def pack(
    journal: Journal,
    settings: Sequence[Setting] | None = None,
    *,
    dataset: str = "images",
    only: Container[tuple[int, int]] | None = None,
) -> TableContent:
    """Gather trainings into the content of a table: the same trainings give the same content, in whatever order.

    The table holds all that is known of each, so that :func:`nasbench.training.campaign.resume.read_trainings` gets
    them back.

    Args:
        journal: Where they are.
        settings: Which: they differ in epochs only. By default all that the journal holds.
        dataset: What the table calls the images, such as ``"cifar10"``.
        only: Which of them, by identity of the architecture and seed. By default all.

    Raises:
        JournalError: There is no such training, or the settings differ in more than epochs, or the journal cannot be
            read.
        UnknownNameError: The search space is not installed.
    """
    settings = sorted(journal.settings() if settings is None else settings)
    entries = {
        setting.epochs: [e for e in journal.entries(setting) if only is None or (e.identity, e.seed) in only]
        for setting in settings
    }
    if not any(entries.values()):
        raise JournalError(f"{journal.path}: holds no such training: there is nothing to make a table of.")
    if len({setting[:3] for setting in settings}) > 1:
        words = "; ".join(f"{s.space} by {s.recipe} on images {s.images[:8]}" for s in settings)
        raise JournalError(f"{journal.path}: a table is of one space, recipe and images. Choose one of these: {words}.")
    about = journal.about(settings[0])
    return content_of(Trainings(str(journal.path), *settings[0][:3], about, entries), dataset)


def content_of(trainings: Trainings, dataset: str) -> TableContent:
    """Return the content of the table of these trainings, of which there is at least one.

    Args:
        trainings: They; the order of entries does not matter.
        dataset: What the table calls the images.

    Raises:
        JournalError: Trainings of one schedule were evaluated at other epochs, or on other images.
        UnknownNameError: The search space is not installed.
    """
    about = trainings.about
    entries = {
        epochs: sorted(found, key=lambda entry: (entry.identity, entry.seed))
        for epochs, found in sorted(trainings.entries.items())
        if found
    }
    every = [entry for found in entries.values() for entry in found]
    space: SearchSpace = registry.find("spaces", trainings.space)()
    texts = {entry.identity: entry.architecture for entry in reversed(every)}
    rows = {identity: row for row, identity in enumerate(sorted(texts))}
    runs = {seed: run for run, seed in enumerate(sorted({entry.seed for entry in every}))}
    setups = sorted({_setup_of(entry) for entry in every})
    architectures = np.array([space.parse(texts[identity]) for identity in rows], np.uint8)
    schedules = {
        epochs: _columns(trainings.where, found, rows, runs, about) | _origins(found, rows, runs, setups)
        for epochs, found in entries.items()
    }
    columns = {}
    parameters, flops = costs(space, architectures, classes=about.classes, side=about.side)
    if parameters is not None:
        columns["parameters"] = Column(parameters.astype(np.uint64), "parameters")
    if flops is not None:
        columns["flops"] = Column(flops.astype(np.uint64), "multiply-accumulates")
    return TableContent(
        space=space.name,
        architectures=architectures,
        datasets={dataset: DatasetContent(columns, schedules)},
        source=_source(trainings._replace(entries=entries), dataset),
        report=_report(space, trainings._replace(entries=entries), rows, runs, setups),
    )


def table_name(settings: Sequence[Setting]) -> str:
    """Return the name of a table's file without its ending, such as ``conv5-by-conv5-12epochs-on-0a1b2c3d``."""
    epochs = "-".join(str(setting.epochs) for setting in sorted(settings))
    first = settings[0]
    return f"{first.space}-by-{first.recipe}-{epochs}epochs-on-{first.images[:8]}"


def costs(
    space: SearchSpace, architectures: Sequence[Architecture] | NDArray[np.uint8], *, classes: int, side: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Return parameters and multiply-accumulates, shape (n,) each, or None where the formulas do not hold.

    The formulas of the spaces are of 10 classes and images of 32 x 32 pixels; parameters do not depend on the latter.
    """
    if classes != 10:
        return None, None
    parameters = space.parameters_many(architectures)
    if isinstance(space, Conv5):
        return parameters, space.flops_many(architectures, side=side)
    return parameters, space.flops_many(architectures) if side == 32 else None


def recipe_in_words(recipe: dict[str, Any]) -> str:
    """Return the constants of a recipe as one line, such as ``batch 128, learning_rate 0.1, ...``."""
    return ", ".join(f"{name} {value}" for name, value in sorted(recipe.items()) if name != "name")


def _columns(
    where: str, entries: Sequence[Entry], rows: dict[int, int], runs: dict[int, int], about: About
) -> dict[str, Column]:
    """Return what one schedule measured."""
    first = entries[0].training
    if any(entry.training.epochs != first.epochs or entry.training.images != first.images for entry in entries):
        raise JournalError(f"{where}: trainings of one schedule were evaluated at other epochs or images.")
    shape = len(rows), len(first.epochs), len(runs)
    trained_on = f"{about.splits['train']:,} images, split train of {about.images}"
    columns = {}
    for split, metric in METRICS.items():
        if split in first.images:
            values = _empty(shape, np.min_scalar_type(first.images[split] + 1))  # its largest value means missing
            for entry in entries:
                values[rows[entry.identity], :, runs[entry.seed]] = entry.training.correct[split]
            evaluated_on = _evaluated_on(split, first.images[split], about)
            columns[metric] = Column(values, "images", first.epochs, first.images[split], trained_on, evaluated_on)
    for metric, name in _SECONDS.items():
        values = _empty(shape, np.dtype(np.float64))
        for entry in entries:
            values[rows[entry.identity], :, runs[entry.seed]] = getattr(entry.training, name)
        columns[metric] = Column(values, "seconds", first.epochs, trained_on=trained_on)
    return columns


def _origins(
    entries: Sequence[Entry], rows: dict[int, int], runs: dict[int, int], setups: Sequence[str]
) -> dict[str, Column]:
    """Return what is known of each training beside what it measured, at the last epoch."""
    shape, last = (len(rows), 1, len(runs)), entries[0].training.epochs[-1:]
    setup, finished = _empty(shape, np.min_scalar_type(len(setups))), _empty(shape, np.dtype(np.uint32))
    diverged = _empty(shape, np.min_scalar_type(last[0] + 1))
    for entry in entries:
        place = rows[entry.identity], 0, runs[entry.seed]
        setup[place] = setups.index(_setup_of(entry))
        finished[place] = int(datetime.fromisoformat(entry.finished).timestamp())
        diverged[place] = entry.training.diverged or 0
    columns = {
        SETUP: Column(setup, "place in the report's setups", last),
        FINISHED: Column(finished, "seconds since 1970-01-01, UTC", last),
    }
    if any(entry.training.diverged is not None for entry in entries):
        columns[DIVERGED] = Column(diverged, "epoch", last)
    return columns


def _setup_of(entry: Entry) -> str:
    return json_of({"device": entry.training.device, "made with": entry.made_with})


def _empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.full(shape, missing_value(dtype), dtype)


def _evaluated_on(split: str, images: int, about: About) -> str:
    if split != "train":
        return f"{images:,} images, split {split} of {about.images}"
    if about.recipe["train_sample"]:
        return f"the first {images:,} images that were trained on, as they are"
    return f"the {images:,} images that were trained on, flipped and cropped, each before the step that learned it"


def _source(trainings: Trainings, dataset: str) -> dict[str, str]:
    address, images = _IMAGES.get(dataset, ("", ""))
    epochs = " and ".join(str(epochs) for epochs in trainings.entries)
    return {
        "name": f"{trainings.space} by the recipe {trainings.recipe}, {epochs} epochs, on {trainings.about.images}: "
        "measured by this code, on this data",
        "address": address,
        "licence": "measured with nasbench-suite, whose licence is Apache-2.0; the images have terms of their own",
        "citation": f"Trained with nasbench-suite. {images}".strip(),
        "sha256": f"images {trainings.images}",
        "elsewhere": "What is not here was not trained; `nasbench train-table --from` this file goes on.",
    }


def _report(
    space: SearchSpace,
    trainings: Trainings,
    rows: dict[int, int],
    runs: dict[int, int],
    setups: Sequence[str],
) -> dict[str, Any]:
    about, entries = trainings.about, trainings.entries
    every = [entry for found in entries.values() for entry in found]
    made_with: dict[str, set[str]] = {}
    for entry in every:
        for name, version in entry.made_with.items():
            made_with.setdefault(name, set()).add(version)
    return {
        "made by": "trainings of nasbench-suite, packed, version 2",
        "recipe": trainings.recipe,
        "recipe in words": recipe_in_words(about.recipe),
        "recipe constants": about.recipe,
        "images": {
            "name": about.images,
            "digest": trainings.images,
            "splits": about.splits,
            "classes": about.classes,
            "side": about.side,
        },
        "seeds, by run": list(runs),
        "architectures": len(rows),
        "architectures of the search space": space.size,
        "trainings": {str(epochs): len(found) for epochs, found in entries.items()},
        "missing runs": sum(len(rows) * len(runs) - len(found) for found in entries.values()),
        "diverged": sum(entry.training.diverged is not None for entry in every),
        "devices": dict(sorted(Counter(entry.training.device for entry in every).items())),
        "made with": {name: sorted(versions) for name, versions in sorted(made_with.items())},
        "setups": [json.loads(setup) for setup in setups],
        "first finished": min(entry.finished for entry in every),
        "last finished": max(entry.finished for entry in every),
    }
