"""What is random in a training: initial weights, order of the images, crops and flips.

All of it follows from the seed and the number of the epoch, so that a training that was cut goes on without any state.
It is drawn on the CPU, so that it is the same for every device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nasbench.training.recipes import Recipe


def generator_of(seed: int, epoch: int) -> torch.Generator:
    """Return the generator of an epoch's images or, as epoch 0, of the initial weights."""
    return torch.Generator().manual_seed(int(np.random.default_rng([seed, epoch]).integers(2**63)))


def plan_of(recipe: Recipe, seed: int, epoch: int, count: int, margin: int) -> Sequence[Tensor]:
    """Return the steps of an epoch: of each, int64 rows of image, top and left of its crop, and 1 to mirror it."""
    drawn = _drawn(seed, epoch, count, margin)
    if recipe.remainder == "keep":
        return torch.split(drawn, recipe.batch)
    left = (epoch - 1) * count % recipe.batch
    stream = torch.cat([_drawn(seed, epoch - 1, count, margin)[count - left :], drawn])
    return torch.split(stream[: len(stream) // recipe.batch * recipe.batch], recipe.batch)


def _drawn(seed: int, epoch: int, count: int, margin: int) -> Tensor:
    generator = generator_of(seed, epoch)
    order = torch.randperm(count, generator=generator)
    corners = torch.randint(2 * margin + 1, (count, 2), generator=generator)
    mirrored = torch.randint(2, (count, 1), generator=generator)
    return torch.cat([order[:, None], corners, mirrored], dim=1)
