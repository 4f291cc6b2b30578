"""Images for training and evaluation: whole splits of bytes in memory, under a name and a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from nasbench.errors import ImagesError

_NAMES = ("train", "validation", "test")


class Split(NamedTuple):
    """Images of one purpose, with their classes."""

    pixels: Tensor
    """uint8, shape (n, 3, side, side): red, green and blue, 0 to 255."""
    labels: Tensor
    """int64, shape (n,): 0 to classes - 1."""


class Images(NamedTuple):
    """What a training sees: made by :func:`collect`, which checks it."""

    name: str
    """For people and provenance: which images, how many, and what was done to them."""
    digest: str
    """Hexadecimal sha256 of the names and bytes of all splits."""
    splits: dict[str, Split]
    """``"train"``, and ``"validation"`` and ``"test"`` where there are any, in this order."""
    classes: int

    @property
    def side(self) -> int:
        """Width and height of an image, in pixels."""
        return int(self.splits["train"].pixels.shape[-1])


def collect(name: str, splits: Mapping[str, Split], *, classes: int) -> Images:
    """Check images, and put them under a digest.

    Args:
        name: For people and provenance.
        splits: ``"train"``, and any of ``"validation"`` and ``"test"``.
        classes: How many classes there are.

    Raises:
        ImagesError: There are no images to train on, or a split has another name, type or shape, images of another
            size, or a label that is no class.
    """
    if "train" not in splits or not set(splits) <= set(_NAMES):
        raise ImagesError(f"{name}: expected the split train, and any of validation and test, not {list(splits)}.")
    ordered = {key: _checked(name, key, splits[key], classes) for key in _NAMES if key in splits}
    sides = {key: split.pixels.shape[-1] for key, split in ordered.items()}
    if len(set(sides.values())) > 1:
        raise ImagesError(f"{name}: all splits need images of one size, not {sides}.")
    return Images(name, _digest(ordered), ordered, classes)


def halved(split: Split) -> Split:
    """Return images of half the width and height: the mean of 2 x 2 pixels, rounded half to even."""
    n, channels, height, width = split.pixels.shape
    blocks = split.pixels.reshape(n, channels, height // 2, 2, width // 2, 2)
    sums = blocks.sum(dim=(3, 5), dtype=torch.int16)
    return Split((sums / 4).round_().to(torch.uint8), split.labels)


def _checked(name: str, key: str, split: Split, classes: int) -> Split:
    pixels, labels = (tensor.contiguous() for tensor in split)
    n = len(labels)
    shape = tuple(pixels.shape)
    if pixels.dtype != torch.uint8 or shape != (n, 3, *shape[-1:] * 2):
        raise ImagesError(
            f"{name}: pixels of {key} are {pixels.dtype} of shape {shape}; expected torch.uint8 of shape "
            f"({n}, 3, side, side) for its {n} labels."
        )
    if labels.dtype != torch.int64 or labels.ndim != 1:
        raise ImagesError(f"{name}: labels of {key} are {labels.dtype} of shape {tuple(labels.shape)}, not int64 (n,).")
    if not n:
        raise ImagesError(f"{name}: the split {key} is empty. Leave out a split that has no images.")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ImagesError(
            f"{name}: labels of {key} run from {low} to {high}; with {classes} classes, expected 0 to {classes - 1}."
        )
    return Split(pixels, labels)


def _digest(splits: Mapping[str, Split]) -> str:
    total = hashlib.sha256()
    for name, split in splits.items():
        total.update(f"{name} {tuple(split.pixels.shape)}\n".encode())
        total.update(split.pixels.numpy().tobytes())
        total.update(split.labels.numpy().astype("<i8").tobytes())
    return total.hexdigest()
