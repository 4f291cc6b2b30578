"""``live:SPACE:SETTINGS``, one text that opens a LiveBenchmark, in this process and in every worker."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nasbench.errors import CampaignError, UnknownNameError, unknown_name
from nasbench.training import needing_torch

if TYPE_CHECKING:
    from nasbench.training.live import LiveBenchmark

_EXAMPLE = "live:conv5:epochs=3,subset=1,side=16,data=/home/me/cifar10"
_DATASET = "cifar10"


class LiveSettings(NamedTuple):
    """What a live benchmark is; its text is ``live:SPACE:NAME=VALUE,...`` with any of these names in any order."""

    space: str
    epochs: int
    """The length of the one schedule."""
    seeds: int = 1
    """Runs of each architecture."""
    subset: int = 0
    """1 for a tenth of the images."""
    side: int = 32
    """Width and height of the images, in pixels; 16 with the subset only."""
    data: str = ""
    """Folder of the official files, without a comma in its path; empty for the cache, into which they are fetched."""
    journal: str = "trainings.db"
    """File of what was trained, without a comma in its path."""
    device: str = "cpu"

    @classmethod
    def parse(cls, text: str) -> LiveSettings:
        """Read what stands after ``live:``; paths become absolute.

        Raises:
            UnknownNameError: There is no setting of that name.
            CampaignError: The text is not of that form, a setting stands there twice or has no such value, or there is
                no number of epochs.
        """
        space, _, rest = text.partition(":")
        if not space:
            raise CampaignError(f"'live:{text}' names no search space. Write it as {_EXAMPLE}.")
        given: dict[str, Any] = {}
        for part in rest.split(",") if rest else ():
            name, equals, value = part.partition("=")
            if not equals or not value:
                raise CampaignError(
                    f"'live:{text}': {part!r} is no NAME=VALUE. Write it as {_EXAMPLE}; paths must have no comma."
                )
            if name not in _DEFAULTS:
                raise unknown_name("setting of a live benchmark", name, _DEFAULTS)
            if name in given:
                raise CampaignError(f"'live:{text}': {name} is given twice.")
            given[name] = _value(text, name, value)
        if "epochs" not in given:
            raise CampaignError(f"'live:{text}': how many epochs? Write it as {_EXAMPLE}, or give --epochs.")
        found = cls(space, **given)
        data = os.path.abspath(found.data) if found.data else ""
        found = found._replace(data=data, journal=os.path.abspath(found.journal))
        if "," in found.data + found.journal:
            raise CampaignError(
                f"'live:{text}': data and journal are {found.data!r} and {found.journal!r}; their paths must have no "
                "comma."
            )
        return found

    def __str__(self) -> str:
        """Return the text that opens it from any working folder."""
        pairs = (f"{name}={value}" for name, value in self._asdict().items() if name != "space" and value != "")
        return f"live:{self.space}:{','.join(pairs)}"


_DEFAULTS: Mapping[str, Any] = {"epochs": 1} | LiveSettings._field_defaults


def open_live(text: str, dataset: str | None = None) -> LiveBenchmark:
    """Open the benchmark whose queries train, by the recipe of its search space.

    Args:
        text: What stands after ``live:``.
        dataset: ``"cifar10"``, the only one there is.

    Raises:
        UnknownNameError: There is no such space, recipe, setting or image dataset.
        CampaignError: As for :meth:`LiveSettings.parse`, or these images have none to validate on.
        ImagesError: The images are not there, or not sound.
        FetchError: The images cannot be fetched.
        TrainingError: There is no such device.
        JournalError: The journal is none.
        MissingPackageError: PyTorch is not installed.
    """
    settings = LiveSettings.parse(text)
    if dataset not in (None, _DATASET):
        raise UnknownNameError(f"a live benchmark has no image dataset {dataset!r}. Known: {_DATASET}.")
    with needing_torch("a live benchmark needs"):
        from nasbench.training.images import cifar10
        from nasbench.training.live import LiveBenchmark
        from nasbench.training.loop.devices import without_auto
        from nasbench.training.recipes import recipe_for
    recipe = recipe_for(settings.space)
    images = cifar10.images_for(settings.space, settings.data or None, tenth=bool(settings.subset), side=settings.side)
    if "validation" not in images.splits:
        raise CampaignError(
            f"live:{settings.space}: its benchmark has no validation images, so that nothing can be searched on them. "
            "Give subset=1 (--subset), which has some."
        )
    return LiveBenchmark(
        settings.space,
        images,
        recipe=recipe.name,
        epochs=settings.epochs,
        journal=settings.journal,
        seeds=settings.seeds,
        device=without_auto(settings.device),
        dataset=_DATASET,
        locator=str(settings),
    )


def _value(text: str, name: str, value: str) -> int | str:
    if isinstance(_DEFAULTS[name], str):
        return value
    if not re.fullmatch(r"[0-9]{1,6}", value) or (name == "subset" and value not in ("0", "1")):
        expected = "0 or 1" if name == "subset" else "a whole number"
        raise CampaignError(f"'live:{text}': {name} is {value!r}; expected {expected}.")
    return int(value)
