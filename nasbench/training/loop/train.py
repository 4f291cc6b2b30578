"""One training, from the seed to the accuracies, read from top to bottom.

The splits lie on the device as bytes; a batch is cropped, flipped and normalised there, all its images at once. What
the device can do decides how it is computed: on the CPU in single precision and on one thread, so that any machine
setting gives the same bytes; on NVIDIA GPUs that have it, convolutions in bfloat16 (autocast), and compiled
(torch.compile) where a training is long enough. Memory is in the order "channels last" everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from nasbench.errors import TrainingError
from nasbench.training.images import Images, Split
from nasbench.training.loop import checkpoint as checkpoints
from nasbench.training.loop.checkpoint import Progress
from nasbench.training.loop.devices import device_name, find_device, now, prepared, reproducible
from nasbench.training.loop.optimizers import optimizer as optimizer_of
from nasbench.training.loop.randomness import generator_of, plan_of
from nasbench.training.networks import initialise
from nasbench.training.recipes import Recipe


class Training(NamedTuple):
    """What came of a training; counts, not rates, so that accuracies are exact."""

    epochs: tuple[int, ...]
    """The epochs after which it was evaluated: all, from 1 to the schedule's last."""
    correct: dict[str, NDArray[np.int64]]
    """By split, correct images after each epoch, shape (epochs,). ``"train"`` is counted on each batch as it is trained
    on, or in evaluation mode where the recipe has a ``train_sample``."""
    images: dict[str, int]
    """By split, of how many images."""
    training_seconds: NDArray[np.float64]
    """Cumulative, shape (epochs,): steps with their crops and flips; not evaluation, moving the splits to the device,
    compilation, or checkpoints."""
    evaluation_seconds: NDArray[np.float64]
    """Cumulative, shape (epochs,): of all splits that are evaluated."""
    device: str
    """What it ran on: ``"cpu"``, ``"mps"``, or the name of the GPU."""
    diverged: int | None
    """The epoch in which the loss became NaN or infinite. Its counts are those of the network as it was then, and are
    repeated for the epochs after it, which were not trained. None if all went well."""


def train(
    network: nn.Module,
    images: Images,
    recipe: Recipe,
    *,
    epochs: int,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Training:
    """Train a network from scratch; it holds the last epoch's weights afterwards.

    The seed decides initial weights, order of the images, crops and flips: on one device it gives the same bytes in any
    process, whatever the number of threads and however often the training was cut and resumed.

    Where a GPU's memory is too small for a batch, the training begins anew with half as many images at once, and
    again: gradients are added up over the batch, so that steps stay what the recipe says, but batch normalisation sees
    only the images that are there at once.

    Args:
        network: Takes (n, 3, side, side), returns (n, classes). Its weights are drawn anew.
        images: What it is trained and evaluated on.
        recipe: How.
        epochs: The length of the schedule.
        seed: Not negative.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or ``"auto"``: the first there is of cuda, mps, cpu.
        checkpoint: A file, written after each epoch; if it is there, the training goes on from it.
        progress: Called after each epoch with the epochs done and those in all.

    Raises:
        TrainingError: There is no such device; epochs or seed are no such numbers; there are too few images for a
            batch of the recipe; the network has parameters of a kind that :func:`initialise` does not know, or gives
            no logits of these classes; or the memory is too small for a single image.
        CheckpointError: The checkpoint is damaged, belongs to another training, or cannot be written.
    """
    place = find_device(device)
    _check(images, recipe, epochs, seed)
    task = _Task(network, images, recipe, epochs, seed, place)
    identity = {
        "architecture": _digest(network),
        "recipe": repr(recipe),
        "images": images.digest,
        "epochs": str(epochs),
        "seed": str(seed),
        "device": device_name(place),
        "torch": str(torch.__version__),  # another one need not give the same bytes
    }

    def after_epoch(state: Progress) -> None:
        if checkpoint:
            checkpoints.save(checkpoint, identity, state)
        progress(len(state.training_seconds), epochs)

    with reproducible(place):
        state = checkpoints.load(checkpoint, identity) if checkpoint else None
        part = state.part if state else recipe.batch
        while True:
            try:
                state = _run(task, part, state, after_epoch)
                break
            except torch.cuda.OutOfMemoryError as error:
                if part == 1:
                    raise TrainingError(f"{device_name(place)}: no memory for a single image: {error}") from None
            # Outside of `except`, which keeps the tensors of the failed step alive.
            part, state = part // 2, None
            if place.type == "cuda":
                torch.cuda.empty_cache()
    return Training(
        epochs=tuple(range(1, epochs + 1)),
        correct={name: np.array(counts, np.int64) for name, counts in state.correct.items()},
        images={"train": len(images.splits["train"].labels)}
        | {name: len(split.labels) for name, split in _evaluated(task).items()},
        training_seconds=np.array(state.training_seconds),
        evaluation_seconds=np.array(state.evaluation_seconds),
        device=device_name(place),
        diverged=state.diverged,
    )


class _Task(NamedTuple):
    network: nn.Module
    images: Images
    recipe: Recipe
    epochs: int
    seed: int
    place: torch.device


def _run(task: _Task, part: int, state: Progress | None, after_epoch: Callable[[Progress], None]) -> Progress:
    """Train from the start, or go on from a state, with so many images at once; return the last state."""
    network, images, recipe, epochs, seed, place = task
    network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    initialise(network, recipe, generator_of(seed, 0))
    optimizer = optimizer_of(recipe, network.parameters())
    evaluated = _evaluated(task)
    if state is None:
        state = Progress({}, {}, part, {name: [] for name in {"train": 0, **evaluated}}, [], [], None)
    else:
        network.load_state_dict(state.network)
        optimizer.load_state_dict(state.optimizer)

    # Everything is on the device from here on. A view of all crops of all images, and of all their mirror images, shape
    # (2, n, top, left, side, side, 3): one look-up crops and flips a batch, in the order "channels last".
    splits = {name: Split(*(tensor.to(place) for tensor in split)) for name, split in evaluated.items()}
    labels = images.splits["train"].labels.to(place)
    margin, side, count = recipe.padding(images.side), images.side, len(labels)
    padded = pad(images.splits["train"].pixels.to(place), (margin,) * 4).permute(0, 2, 3, 1)
    both = torch.stack([padded, padded.flip(2)])
    crops = both.unfold(2, side, 1).unfold(3, side, 1).permute(0, 1, 2, 3, 5, 6, 4)
    normalise = _normalise(recipe, place)
    steps = recipe.steps(epochs, count)
    _check_logits(network, normalise(images.splits["train"].pixels[:1].to(place)), images.classes)
    forward = prepared(network, place, side=side, batch=min(part, count), steps=steps)

    for epoch in range(len(state.training_seconds) + 1, epochs + 1):
        plan = [rows.to(place) for rows in plan_of(recipe, seed, epoch, count, margin)]
        torch.manual_seed(generator_of(seed, epoch).initial_seed())  # for networks with dropout; restored at the end
        step = recipe.steps(epoch - 1, count)
        correct = torch.zeros((), dtype=torch.int64, device=place)
        losses = torch.zeros((), device=place)
        network.train()
        begin = now(place)
        for rows in plan:
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate_at(epoch - 1, step, epochs=epochs, steps=steps)
            optimizer.zero_grad()
            for image, top, left, mirrored in (piece.unbind(1) for piece in torch.split(rows, part)):
                # The crop of a mirror image that is the mirror image of the crop lies as far from the other side.
                left = torch.where(mirrored > 0, 2 * margin - left, left)
                crop = crops[mirrored, image, top, left].permute(0, 3, 1, 2)
                logits, target = forward(normalise(crop)), labels[image]
                loss = cross_entropy(logits, target, reduction="sum") / len(rows)
                loss.backward()  # type: ignore[no-untyped-call]
                losses += loss.detach()
                correct += (logits.argmax(1) == target).sum()
            optimizer.step()
            step += 1
        trained = now(place)
        network.eval()
        counts = {name: _correct(forward, normalise, split, part) for name, split in splits.items()}
        finished = now(place)

        for name, value in {"train": int(correct), **counts}.items():
            state.correct[name].append(value)
        state.training_seconds.append(sum(state.training_seconds[-1:]) + trained - begin)
        state.evaluation_seconds.append(sum(state.evaluation_seconds[-1:]) + finished - trained)
        if not torch.isfinite(losses):
            columns: list[list[Any]] = [*state.correct.values(), state.training_seconds, state.evaluation_seconds]
            for column in columns:
                column.extend(column[-1:] * (epochs - epoch))
            state = state._replace(diverged=epoch)
        state = state._replace(network=network.state_dict(), optimizer=optimizer.state_dict())
        after_epoch(state)
        if state.diverged:
            break
    return state


def _evaluated(task: _Task) -> dict[str, Split]:
    """Return the images that are evaluated after each epoch."""
    recipe, splits = task.recipe, dict(task.images.splits)
    train = splits.pop("train")
    if recipe.train_sample:
        splits = {"train": Split(train.pixels[: recipe.train_sample], train.labels[: recipe.train_sample]), **splits}
    if recipe.drop_remainder:
        whole = {name: len(split.labels) // recipe.batch * recipe.batch for name, split in splits.items()}
        splits = {
            name: Split(split.pixels[: whole[name]], split.labels[: whole[name]]) for name, split in splits.items()
        }
    return splits


def _normalise(recipe: Recipe, place: torch.device) -> Callable[[Tensor], Tensor]:
    mean, deviation = (torch.tensor(value, device=place).view(1, 3, 1, 1) for value in (recipe.mean, recipe.deviation))
    scale = 1 / deviation
    return lambda pixels: (pixels - mean).mul_(scale).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def _correct(
    forward: Callable[[Tensor], Tensor], normalise: Callable[[Tensor], Tensor], split: Split, part: int
) -> int:
    batches = zip(torch.split(split.pixels, part), torch.split(split.labels, part), strict=True)
    return int(sum((forward(normalise(pixels)).argmax(1) == labels).sum() for pixels, labels in batches))


def _check(images: Images, recipe: Recipe, epochs: int, seed: int) -> None:
    if epochs < 1 or seed < 0:
        raise TrainingError(f"expected at least 1 epoch and a seed that is not negative, not {epochs} and {seed}.")
    if recipe.remainder == "carry" and not recipe.train_sample:
        raise TrainingError(f"{recipe.name}: batches that begin in one epoch and end in the next need a train_sample.")
    for name, split in images.splits.items():
        whole = recipe.remainder == "carry" if name == "train" else recipe.drop_remainder
        if whole and len(split.labels) < recipe.batch:
            raise TrainingError(
                f"{images.name}: {len(split.labels)} images in {name}, and the recipe {recipe.name} takes whole "
                f"batches of {recipe.batch}. Give more images, or another recipe."
            )


@torch.no_grad()
def _check_logits(network: nn.Module, image: Tensor, classes: int) -> None:
    shape = tuple(network.eval()(image).shape)
    if shape != (1, classes):
        raise TrainingError(
            f"the network answers one image with shape {shape}; with {classes} classes, expected (1, {classes})."
        )


def _digest(network: nn.Module) -> str:
    """Return a digest of the architecture: modules as they print themselves, and names and shapes of parameters."""
    shapes = [(name, tuple(value.shape)) for name, value in network.state_dict().items()]
    return hashlib.sha256(f"{network}\n{shapes}".encode()).hexdigest()[:16]
