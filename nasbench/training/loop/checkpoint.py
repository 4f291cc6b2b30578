"""Checkpoints of trainings: one file, replaced as a whole after each epoch, that says which training it belongs to.

Nothing random needs to be kept: the numbers of an epoch follow from the seed and the epoch alone.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any, NamedTuple

import torch

from nasbench.errors import CheckpointError, StaleCheckpointError
from nasbench.system.files import replacing

_MAGIC = b"nasbench checkpoint 1\n"
_DIGEST = 32


class Progress(NamedTuple):
    """How far a training is, between two epochs."""

    network: dict[str, Any]
    """The state_dict of the network."""
    optimizer: dict[str, Any]
    """The state_dict of the optimizer."""
    part: int
    """How many images of a batch are worked on at once."""
    correct: dict[str, list[int]]
    """By split: correct images after each epoch."""
    training_seconds: list[float]
    evaluation_seconds: list[float]
    diverged: int | None


def save(path: Path, identity: dict[str, str], progress: Progress) -> None:
    """Write a checkpoint; whoever reads meanwhile, and whatever fails, sees the one before it.

    Args:
        path: The file; its folder is made.
        identity: What decides the training: a checkpoint is used by a training of the same only.
        progress: How far it is.

    Raises:
        CheckpointError: It cannot be written, for want of room or of permission.
    """
    stream = io.BytesIO()
    torch.save({"identity": identity, **progress._asdict()}, stream)
    body = stream.getvalue()
    try:
        try:
            _write(path, _MAGIC + hashlib.sha256(body).digest() + body)
        except FileNotFoundError:  # another process removed its last checkpoint just now, and the folder with it
            _write(path, _MAGIC + hashlib.sha256(body).digest() + body)
    except OSError as error:
        raise CheckpointError(
            f"{path}: the checkpoint cannot be written: {error.strerror or error}. The one before it, if any, is as "
            "it was: make room, and run the same training to go on from there."
        ) from error


def load(path: Path, identity: dict[str, str]) -> Progress | None:
    """Read a checkpoint, or return None where there is none.

    Args:
        path: The file.
        identity: As in :func:`save`.

    Raises:
        CheckpointError: It cannot be read.
        StaleCheckpointError: It is damaged, or belongs to another training.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be read: {error.strerror or error}.") from None
    start = len(_MAGIC) + _DIGEST
    body = content[start:]
    if content[:start] != _MAGIC + hashlib.sha256(body).digest():
        raise StaleCheckpointError(
            f"{path}: is damaged, or no checkpoint of this version. Remove it to train from the start."
        )
    try:
        saved = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
        theirs, progress = saved.pop("identity"), Progress(**saved)
    except Exception as error:  # whatever torch says, in many lines, of what it did not write or refuses to run
        raise StaleCheckpointError(
            f"{path}: is no checkpoint ({type(error).__name__}). Remove it to train from the start."
        ) from None
    for name, value in identity.items():
        if theirs.get(name) != value:
            raise StaleCheckpointError(
                f"{path}: is the checkpoint of another training: its {name} is {theirs.get(name)}, not {value}. Give "
                "each training a file of its own, or remove this one."
            )
    return progress


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
