"""From a table of trainings back to the trainings: a campaign goes on from a table, and tables are merged.

A table that :func:`nasbench.training.campaign.pack.pack` made holds every training whole. In tables of release 0.1.0
the time that each was finished is not known, nor, where there were several, on which machine and by which versions:
what the report says of all stands for each.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.errors import CampaignError
from nasbench.spaces import SearchSpace
from nasbench.tables import ColumnInfo, TableContent, TableFile, missing_value
from nasbench.training.campaign.entries import About, Entry, Setting, constants_of, difference
from nasbench.training.campaign.journal import Journal
from nasbench.training.campaign.pack import DIVERGED, FINISHED, METRICS, SETUP, Trainings, content_of, recipe_in_words
from nasbench.training.loop.train import Training
from nasbench.training.recipes import RECIPES


class TrainingsTable(NamedTuple):
    """A table of trainings, read back."""

    trainings: Trainings
    dataset: str
    """What it calls its images."""
    digest: str
    seeds: list[int]
    """By run."""

    @property
    def settings(self) -> list[Setting]:
        """The setting of each schedule, shortest first."""
        return [Setting(*self.trainings[1:4], epochs) for epochs in sorted(self.trainings.entries)]


def read_trainings(path: str | os.PathLike[str]) -> TrainingsTable:
    """Read all trainings of a table back, every value compared with its digest.

    Args:
        path: A table that ``nasbench train-table`` made.

    Raises:
        TableFileError: The file is no sound table.
        UnknownNameError: Its search space is not installed.
        CampaignError: It is no table of trainings, or does not say enough of them.
    """
    where = os.fspath(path)
    file = TableFile(where)
    file.verify()
    space: SearchSpace = registry.find("spaces", file.space)()
    try:
        report = file.report
        images = report["images"]
        about = About(
            _constants(where, report), images["name"], dict(images["splits"]), images["classes"], images["side"]
        )
        seeds = [int(seed) for seed in report["seeds, by run"]]
        reader = _Reader(file, space, report, seeds)
        entries = {schedule: reader.entries(schedule) for schedule in file.schedules}
        trainings = Trainings(where, file.space, report["recipe"], images["digest"], about, entries)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        if isinstance(error, CampaignError):
            raise
        raise CampaignError(
            f"{where}: no table of trainings by this package, or not enough is known of them "
            f"({type(error).__name__}: {error}). A campaign goes on from what `nasbench train-table` made."
        ) from None
    if len(file.datasets) != 1 or not any(entries.values()):
        raise CampaignError(f"{where}: expected trainings on one image dataset, found {', '.join(file.datasets)}.")
    return TrainingsTable(trainings, file.dataset, file.digest, seeds)


def take_over(table: TrainingsTable, setting: Setting, about: About, journal: Journal) -> int:
    """Put the trainings of a table into a journal, each with the name and digest of the table; none of them twice.

    Args:
        table: Where they are.
        setting: Of the campaign that goes on; the table must have it.
        about: Recipe and images of the campaign.
        journal: Where they go.

    Returns:
        How many were new to the journal.

    Raises:
        CampaignError: The table is of another space, recipe, other images or epochs.
        JournalError: The journal is none, or has one of them with other counts.
    """
    refuse_other(table.trainings, setting, about)
    origin = f"{os.path.basename(table.trainings.where)} {table.digest}"
    entries = table.trainings.entries[setting.epochs]
    return journal.take_over(setting, about, [entry._replace(origin=origin) for entry in entries])


def refuse_other(theirs: Trainings, setting: Setting, about: About) -> None:
    """Make sure that trainings are of a setting.

    Raises:
        CampaignError: They are not; the message names the first difference.
    """
    differs = _other_setting(theirs, Trainings("", *setting[:3], about, {}))
    if not differs and setting.epochs not in theirs.entries:
        differs = f"trainings of {_listed(theirs)} epochs", str(setting.epochs)
    if differs:
        raise CampaignError(f"{theirs.where}: a campaign cannot go on from it: {differs[0]}; asked for {differs[1]}.")


class Merged(NamedTuple):
    """What came of merging tables."""

    content: TableContent
    trainings: int
    both: int
    """How many trainings several tables had, with the same counts."""


def merge(paths: Sequence[str | os.PathLike[str]]) -> Merged:
    """Put tables of one setting together; what several have is kept once, with the seconds of the first that has it.

    Args:
        paths: At least two tables that ``nasbench train-table`` made.

    Raises:
        CampaignError: There are fewer than two, one is no table of trainings, they are of different settings, or two
            have a training of the same architecture and seed with other counts.
        TableFileError: One of them is no sound table.
        UnknownNameError: Their search space is not installed.
    """
    if len(paths) < 2:
        raise CampaignError("merging needs at least two tables.")
    tables = [read_trainings(path) for path in paths]
    first, both = tables[0], 0
    kept: dict[int, dict[tuple[int, int], tuple[Entry, str]]] = {epochs: {} for epochs in first.trainings.entries}
    for table in tables:
        theirs = table.trainings
        differs = _other_setting(theirs, first.trainings)
        if differs or theirs.entries.keys() != kept.keys() or table.dataset != first.dataset:
            words = differs or (_schedules(table), _schedules(first))
            raise CampaignError(
                f"{theirs.where}: cannot be merged with {first.trainings.where}: {' and '.join(words)}."
            )
        for epochs, entries in theirs.entries.items():
            for entry in entries:
                known, where = kept[epochs].setdefault((entry.identity, entry.seed), (entry, theirs.where))
                both += known is not entry
                differing = difference(known.training, entry.training)
                if differing:
                    raise CampaignError(
                        f"{theirs.where}: differs from {where} in the training of {entry.architecture}, seed "
                        f"{entry.seed} (run {table.seeds.index(entry.seed)} there), {epochs} epochs: {differing}."
                    )
    entries_of = {epochs: [entry for entry, _ in found.values()] for epochs, found in kept.items()}
    trainings = first.trainings._replace(entries=entries_of)
    return Merged(content_of(trainings, first.dataset), sum(map(len, entries_of.values())), both)


def _schedules(table: TrainingsTable) -> str:
    return f"schedules of {_listed(table.trainings)} epochs on images called {table.dataset}"


def _listed(trainings: Trainings) -> str:
    return ", ".join(map(str, sorted(trainings.entries)))


def _other_setting(one: Trainings, other: Trainings) -> tuple[str, str] | None:
    """Return in which words two settings differ, or None; not in epochs."""
    if one.space != other.space:
        return f"search space {one.space}", other.space
    if one.recipe != other.recipe:
        return f"recipe {one.recipe}", other.recipe
    if one.about.recipe != other.about.recipe:
        names = sorted({*one.about.recipe, *other.about.recipe})
        differing = [name for name in names if one.about.recipe.get(name) != other.about.recipe.get(name)]
        words = [", ".join(f"{name} {each.about.recipe.get(name)}" for name in differing) for each in (one, other)]
        return f"recipe {one.recipe} with {words[0]}", words[1]
    if one.images != other.images:
        return tuple(f"images {t.images[:8]} ({t.about.images}, {t.about.side} pixels)" for t in (one, other))  # type: ignore[return-value]
    return None


def _constants(where: str, report: dict[str, Any]) -> dict[str, Any]:
    """Return the constants of the recipe; release 0.1.0 wrote them in words only."""
    name, words = report["recipe"], report["recipe in words"]
    if "recipe constants" in report:
        constants = dict(report["recipe constants"])
    elif name in RECIPES:
        constants = constants_of(RECIPES[name])
    else:
        raise CampaignError(f"{where}: was trained by the recipe {name!r}, which this installation does not have.")
    if recipe_in_words(constants) != words:
        raise CampaignError(f"{where}: was trained by another recipe of the name {name!r}: {words}.")
    return constants


class _Reader:
    """The trainings of one file."""

    def __init__(self, file: TableFile, space: SearchSpace, report: dict[str, Any], seeds: Sequence[int]) -> None:
        self._file, self._report, self._seeds = file, report, seeds
        architectures = file.architectures()
        self._identities = space.identity_many(architectures).tolist()
        self._texts = [space.format(tuple(choices)) for choices in architectures.tolist()]

    def entries(self, schedule: int) -> list[Entry]:
        """Return the trainings of one schedule, by identity and seed."""
        infos = self._file.schedules[schedule]
        counts = {split: self._values(infos[metric]) for split, metric in METRICS.items() if metric in infos}
        images = {split: infos[METRICS[split]].images for split in counts}
        training_seconds, evaluation_seconds = (
            self._values(infos[f"{name}_time"]) for name in ("training", "evaluation")
        )
        epochs = infos[METRICS["train"]].epochs
        shape = len(self._identities), len(epochs), len(self._seeds)
        there = np.isfinite(training_seconds)
        for split, values in counts.items():
            present = values != missing_value(infos[METRICS[split]].dtype)
            if values.shape != shape or infos[METRICS[split]].epochs != epochs or not np.array_equal(present, there):
                raise ValueError(f"{METRICS[split]} is not of the same trainings as the seconds")
        if not np.array_equal(there.any(axis=1), there.all(axis=1)):
            raise ValueError("trainings lack epochs")
        setups, finished, diverged = self._origins(schedule, there[:, 0], training_seconds)
        found = []
        for row, run in np.argwhere(there[:, 0]).tolist():
            setup = setups[row][run]
            training = Training(
                epochs=epochs,
                correct={split: values[row, :, run].astype(np.int64) for split, values in counts.items()},
                images={split: int(number or 0) for split, number in images.items()},
                training_seconds=training_seconds[row, :, run].astype(np.float64),
                evaluation_seconds=evaluation_seconds[row, :, run].astype(np.float64),
                device=setup["device"],
                diverged=int(diverged[row, run]) or None,
            )
            at = datetime.fromtimestamp(int(finished[row, run]), UTC).isoformat(timespec="seconds")
            seed, versions = self._seeds[run], dict(setup["made with"])
            found.append(Entry(self._texts[row], self._identities[row], seed, training, versions, at))
        return sorted(found, key=lambda entry: (entry.identity, entry.seed))

    def _origins(
        self, schedule: int, there: NDArray[np.bool_], seconds: NDArray[np.float64]
    ) -> tuple[list[list[Any]], NDArray[Any], NDArray[Any]]:
        """Return setups, times of the end (seconds since 1970) and epochs of divergence, of shape (n, runs) each."""
        infos = self._file.schedules[schedule]
        if SETUP in infos:
            places, finished = (self._values(infos[name])[:, 0] for name in (SETUP, FINISHED))
            # A training that is not there has no setup: the largest value stands for it, and for nothing in the list.
            setups = [
                [self._report["setups"][i] if ok else None for i, ok in zip(*pair, strict=True)]
                for pair in zip(places.tolist(), there.tolist(), strict=True)
            ]
            diverged = self._values(infos[DIVERGED])[:, 0] if DIVERGED in infos else np.zeros_like(places)
            return setups, finished, diverged
        one = {
            "device": " or ".join(self._report["devices"]),
            "made with": {name: " or ".join(versions) for name, versions in self._report["made with"].items()},
        }
        last = int(datetime.fromisoformat(self._report["last finished"]).timestamp())
        diverged = _diverged(seconds)
        several = len(self._file.schedules) > 1  # the report counts those of all together
        if self._report["diverged"] != (diverged > 0).sum() or (self._report["diverged"] and several):
            raise ValueError("it does not say which of its trainings diverged")
        return [[one] * there.shape[1]] * len(there), np.full(there.shape, last), diverged

    def _values(self, info: ColumnInfo) -> NDArray[Any]:
        """Return a column, shape (n, epochs, runs)."""
        return np.stack([self._file.read(info, epoch) for epoch in info.epochs], axis=1)


def _diverged(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the epoch after which no time passed, or 0; shape (n, runs), of cumulative seconds (n, epochs, runs)."""
    stands = np.diff(seconds, axis=1) == 0
    return np.where(stands.any(axis=1), stands.argmax(axis=1) + 1, 0)
