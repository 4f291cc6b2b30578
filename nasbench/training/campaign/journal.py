"""The journal: one SQLite file that keeps every finished training, once.

A training is known by its space, architecture (by identity: forms of one network are one), recipe, epochs, seed and
images. The first one that is written stays; what was trained is never trained again, and never changed. Several
processes may write at once (write-ahead log, each waits for its turn). A commit is synced to the disk before it counts
(``synchronous=FULL``): neither a killed process nor a power cut loses a training that was added. Every row has a
checksum, and so have all together: a damaged file is refused, and never answers with other values. Every call opens and
closes the file, so a Journal may be pickled, shared by threads, and carried through fork. The file must lie on a local
disk, as SQLite's write-ahead log demands.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nasbench.errors import JournalError
from nasbench.spaces import SearchSpace
from nasbench.system.files import checked_path
from nasbench.training.campaign.entries import (
    Conditions,
    Entry,
    Setting,
    difference,
    json_of,
    made_with,
    text_of,
    training_of,
)
from nasbench.training.campaign.journal_file import JournalFile
from nasbench.training.campaign.journal_layout import VERSION, insert
from nasbench.training.images import Images
from nasbench.training.loop.train import Training
from nasbench.training.recipes import Recipe
from nasbench.types import Architecture

__all__ = ["VERSION", "Conditions", "Entry", "Journal", "Setting", "made_with"]


class Journal:
    """A journal of trainings. Nothing is opened, or made, before it is needed.

    Args:
        path: The SQLite file; the first :meth:`add` makes it.

    Raises:
        FileNameError: The path is no UTF-8 text.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(checked_path(path)).absolute()
        self._file = JournalFile(self.path)

    def __repr__(self) -> str:
        return f"<journal {self.path}>"

    def add(
        self,
        space: SearchSpace,
        architecture: Architecture,
        recipe: Recipe,
        images: Images,
        *,
        epochs: int,
        seed: int,
        training: Training,
    ) -> bool:
        """Keep a finished training, on disk when this returns; one that is there already stays as it is.

        Returns:
            Whether it was new.

        Raises:
            JournalError: The file is no journal, of a newer version, damaged, or cannot be written; or a recipe of this
                name with other constants is in it.
        """
        entry = Entry(
            architecture=space.format(architecture),
            identity=space.identity(architecture),
            seed=seed,
            training=training,
            made_with=made_with(),
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        setting, about = Setting.of(space, recipe, images, epochs), Conditions.of(recipe, images)
        with self._file.writing() as connection:
            self._declare(connection, setting, about)
            return _insert(connection, setting, entry)

    def take_over(self, setting: Setting, about: Conditions, entries: Iterable[Entry]) -> int:
        """Keep trainings that were done elsewhere, all or none of them; what is there already stays as it is.

        Args:
            setting: What they have in common.
            about: Its recipe and images.
            entries: They, with their origins.

        Returns:
            How many were new.

        Raises:
            JournalError: As for :meth:`add`; or one that is there already has other counts.
        """
        new = 0
        with self._file.writing() as connection:
            self._declare(connection, setting, about)
            for entry in entries:
                known = self._find(connection, setting, entry.identity, entry.seed)
                if known is None:
                    new += _insert(connection, setting, entry)
                    continue
                differs = difference(known.training, entry.training)
                if differs:
                    raise JournalError(
                        f"{self.path}: has another training of {entry.architecture}, seed {entry.seed}, than "
                        f"{entry.origin or 'the one to take over'}: {differs}. Choose another --journal."
                    )
        return new

    def claim(self, recipe: Recipe) -> None:
        """Make the file if there is none, and make sure that trainings by this recipe can be added.

        Raises:
            JournalError: As for :meth:`add`.
        """
        with self._file.writing() as connection:
            self._claim(connection, recipe.name, json_of(recipe._asdict()))

    def trained(self, setting: Setting) -> set[tuple[int, int]]:
        """Return (identity, seed) of every training of a setting; none where there is no file yet.

        Raises:
            JournalError: The file is no journal, of a newer version, or damaged.
        """
        with self._file.reading() as connection:
            return set(connection.execute(f"SELECT identity, seed FROM trainings {_WHERE}", setting))

    def find(self, setting: Setting, identity: int, seed: int) -> Entry | None:
        """Return one training, or None.

        Raises:
            JournalError: As for :meth:`trained`.
        """
        with self._file.reading() as connection:
            return self._find(connection, setting, identity, seed)

    def entries(self, setting: Setting) -> Iterator[Entry]:
        """Return all trainings of a setting, by identity and seed.

        Raises:
            JournalError: As for :meth:`trained`.
        """
        with self._file.reading() as connection:
            for row in self._file.rows(connection, "trainings", f"{_WHERE} ORDER BY identity, seed", setting):
                yield _entry(row)

    def settings(self) -> list[Setting]:
        """Return what has trainings, in order.

        Raises:
            JournalError: As for :meth:`trained`.
        """
        with self._file.reading() as connection:
            found = connection.execute(
                "SELECT DISTINCT space, recipe, images, epochs FROM trainings ORDER BY 1, 2, 3, 4"
            )
            return [Setting(*row) for row in found]

    def about(self, setting: Setting) -> Conditions:
        """Return what is known of the recipe and the images of a setting.

        Raises:
            JournalError: As for :meth:`trained`, or it holds nothing of that recipe or those images.
        """
        with self._file.reading() as connection:
            recipe = next(self._file.rows(connection, "recipes", "WHERE name = ?", (setting.recipe,)), None)
            images = next(self._file.rows(connection, "images", "WHERE digest = ?", (setting.images,)), None)
        if recipe is None or images is None:
            raise JournalError(f"{self.path}: has no training by recipe {setting.recipe!r} on these images.")
        _, name, splits, classes, side = images
        return Conditions(json.loads(recipe[1]), name, json.loads(splits), classes, side)

    def _find(self, connection: sqlite3.Connection, setting: Setting, identity: int, seed: int) -> Entry | None:
        where, values = f"{_WHERE} AND identity = ? AND seed = ?", (*setting, identity, seed)
        row = next(self._file.rows(connection, "trainings", where, values), None)
        return None if row is None else _entry(row)

    def _declare(self, connection: sqlite3.Connection, setting: Setting, about: Conditions) -> None:
        """Write down recipe and images, unless they are there."""
        constants = json_of(about.recipe)
        self._claim(connection, setting.recipe, constants)
        insert(connection, "recipes", (setting.recipe, constants))
        splits = json_of(about.splits)
        insert(connection, "images", (setting.images, about.images, splits, about.classes, about.side))

    def _claim(self, connection: sqlite3.Connection, name: str, constants: str) -> None:
        known = next(self._file.rows(connection, "recipes", "WHERE name = ?", (name,)), None)
        if known is None or known[1] == constants:
            return
        old, new = json.loads(known[1]), json.loads(constants)
        differing = sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
        raise JournalError(
            f"{self.path}: holds trainings by another recipe of the name {name!r}, which differs in "
            f"{', '.join(differing)}. Choose another journal, or give the recipe another name."
        )


_WHERE = "WHERE space = ? AND recipe = ? AND images = ? AND epochs = ?"


def _insert(connection: sqlite3.Connection, setting: Setting, entry: Entry) -> bool:
    space, recipe, images, epochs = setting
    row = (
        space,
        entry.identity,
        entry.architecture,
        recipe,
        epochs,
        entry.seed,
        images,
        text_of(entry.training),
        json_of(entry.made_with),
        entry.finished,
        entry.origin,
    )
    return insert(connection, "trainings", row)


def _entry(row: tuple[Any, ...]) -> Entry:
    _, identity, architecture, _, _, seed, _, training, versions, finished, origin = row
    return Entry(architecture, identity, seed, training_of(training), json.loads(versions), finished, origin)
