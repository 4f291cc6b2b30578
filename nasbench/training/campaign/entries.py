"""What is kept of a finished training, wherever that is: in a journal, in a table, on the way from one to the other."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from nasbench.spaces import SearchSpace
from nasbench.training.images import Images
from nasbench.training.loop.train import Training
from nasbench.training.recipes import Recipe


class Setting(NamedTuple):
    """What the trainings of one campaign have in common."""

    space: str
    recipe: str
    images: str
    """The digest."""
    epochs: int

    @classmethod
    def of(cls, space: SearchSpace, recipe: Recipe, images: Images, epochs: int) -> Setting:
        """Return the setting of a campaign."""
        return cls(space.name, recipe.name, images.digest, epochs)


class Entry(NamedTuple):
    """One finished training."""

    architecture: str
    identity: int
    """The identity of the architecture in its space: :meth:`nasbench.SearchSpace.identity`."""
    seed: int
    training: Training
    made_with: dict[str, str]
    """Versions of libraries, and the machine."""
    finished: str
    """Date and time, UTC."""
    origin: str = ""
    """Name and digest of the table that it was taken over from; empty for what was trained into this journal."""


class About(NamedTuple):
    """What is known of the recipe and the images of a setting."""

    recipe: dict[str, Any]
    """The constants of the recipe by name."""
    images: str
    """Name of the images, for people."""
    splits: dict[str, int]
    """How many images each split has."""
    classes: int
    side: int

    @classmethod
    def of(cls, recipe: Recipe, images: Images) -> About:
        """Return what is known before anything was trained."""
        splits = {name: len(split.labels) for name, split in images.splits.items()}
        return cls(constants_of(recipe), images.name, splits, images.classes, images.side)


def made_with() -> dict[str, str]:
    """Return the versions of what trains, and the machine."""
    import torch

    import nasbench

    return {
        "nasbench": nasbench.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def constants_of(recipe: Recipe) -> dict[str, Any]:
    """Return the constants of a recipe as they come back from JSON: tuples are lists."""
    constants: dict[str, Any] = json.loads(json_of(recipe._asdict()))
    return constants


def difference(one: Training, other: Training) -> str:
    """Say what two trainings that should be the same do not agree in, or return nothing; seconds may differ."""
    if (one.epochs, one.images) != (other.epochs, other.images):
        return "they were evaluated after other epochs, or on other images"
    for split in sorted(one.images):
        ours, theirs = one.correct[split].tolist(), other.correct[split].tolist()
        for epoch, a, b in zip(one.epochs, ours, theirs, strict=True):
            if a != b:
                return f"{a:,} and {b:,} correct images of {split} after epoch {epoch}"
    if one.diverged != other.diverged:
        return f"their losses became infinite in epoch {one.diverged} and {other.diverged}"
    return ""


def text_of(training: Training) -> str:
    """Write a training as JSON: counts as they are, seconds in their shortest exact form."""
    plain = training._asdict()
    plain["correct"] = {split: _numbers(counts) for split, counts in training.correct.items()}
    for name in ("training_seconds", "evaluation_seconds"):
        plain[name] = _numbers(plain[name])
    return json_of(plain)


def training_of(text: str) -> Training:
    """Read a training back.

    Raises:
        ValueError: The text is no JSON, or of numbers that are none.
        KeyError: It lacks something.
        TypeError: It is JSON of something else.
    """
    plain = json.loads(text)
    plain["epochs"] = tuple(plain["epochs"])
    plain["correct"] = {split: np.array(counts, np.int64) for split, counts in plain["correct"].items()}
    for name in ("training_seconds", "evaluation_seconds"):
        plain[name] = np.array(plain[name], np.float64)
    return Training(**plain)


def json_of(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _numbers(values: Iterable[Any]) -> list[Any]:
    return np.asarray(values).tolist()  # type: ignore[no-any-return]
