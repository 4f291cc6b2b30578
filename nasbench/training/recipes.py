"""How each benchmark trained its networks: the constants of its own code, in words, and who builds these networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from nasbench import registry
from nasbench.errors import UnknownNameError
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture

if TYPE_CHECKING:
    from torch import nn


class Recipe(NamedTuple):
    """Everything that decides a training, except the network, the images, the epochs and the seed.

    All recipes crop after padding with black, flip half of the images, and normalise last. Whether an image is flipped
    before it is cropped (NAS-Bench-201) or after (the others) makes no difference to what can come out, nor how often:
    the corner of the crop is uniform. The loss is the cross-entropy, a mean over the batch.
    """

    name: str
    optimizer: Literal["sgd", "tensorflow_rmsprop"]
    learning_rate: float
    """At its highest; it falls to 0 with the cosine."""
    schedule: Literal["epoch", "step"]
    """Whether the learning rate falls after each epoch or after each step."""
    momentum: float
    weight_decay: float
    """For all trainable parameters, those of batch normalisation and biases too: added, times the parameter, to its
    gradient, which is the same as half of it times the squared norm in the loss."""
    nesterov: bool
    batch: int
    remainder: Literal["keep", "carry"]
    """An epoch's images that fill no batch: a smaller batch (as PyTorch's loaders do), or the beginning of the next
    epoch's first batch (as TensorFlow's repeated data sets do): E epochs of n images are int(E * n / batch) steps."""
    first_step_at_zero: bool
    """Whether the very first step has a learning rate of 0."""
    mean: tuple[float, float, float]
    """Mean of red, green and blue, in pixels of 0 to 255."""
    deviation: tuple[float, float, float]
    """Standard deviation of red, green and blue, in pixels of 0 to 255."""
    train_sample: int | None
    """Train accuracy is measured on so many images of the training split, its first, without augmentation and in
    evaluation mode; None: online, on each batch as it is trained on."""
    drop_remainder: bool
    """Whether evaluation leaves out the last images that fill no batch."""
    reports: Literal["last epoch", "best epoch"]
    """What the benchmark published: the last epoch's accuracy, or that of the epoch that was best on the very split
    it reports. A training records every epoch in any case."""

    def learning_rate_at(self, epoch: int, step: int, *, epochs: int, steps: int) -> float:
        """Return the learning rate of a step: with a fraction done, learning_rate / 2 * (1 + cos(pi * fraction)).

        Args:
            epoch: Epochs finished before this step.
            step: Steps finished before this step.
            epochs: Epochs in all.
            steps: Steps in all.
        """
        if step == 0 and self.first_step_at_zero:
            return 0.0
        fraction = epoch / epochs if self.schedule == "epoch" else step / steps
        return self.learning_rate / 2 * (1 + math.cos(math.pi * fraction))

    def steps(self, epochs: int, images: int) -> int:
        """Return the steps of so many epochs of so many images."""
        if self.remainder == "carry":
            return epochs * images // self.batch
        return epochs * math.ceil(images / self.batch)

    def padding(self, side: int) -> int:
        """Return the black pixels around an image: 4 of 32 x 32 and, as NAS-Bench-201 does, 2 of 16 x 16."""
        return side // 8


_NB201 = Recipe(
    # Dong and Yang, "NAS-Bench-201", ICLR 2020, table 1, and the code of its authors.
    name="nb201",
    optimizer="sgd",
    learning_rate=0.1,
    schedule="epoch",
    momentum=0.9,
    weight_decay=5e-4,
    nesterov=True,
    batch=256,
    remainder="keep",
    first_step_at_zero=False,
    mean=(125.3, 123.0, 113.9),
    deviation=(63.0, 62.1, 66.7),
    train_sample=None,
    drop_remainder=False,
    reports="last epoch",
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        # Ying et al., "NAS-Bench-101", ICML 2019, and the code of its authors. The learning rate is 0.1 times two TPU
        # shards, which share the batch of 256; decay 0.9 and epsilon 1 are the defaults of TensorFlowRMSProp.
        # Training accuracy is measured on the first of the four training files.
        "nb101": Recipe(
            name="nb101",
            optimizer="tensorflow_rmsprop",
            learning_rate=0.2,
            schedule="step",
            momentum=0.9,
            weight_decay=1e-4,
            nesterov=False,
            batch=256,
            remainder="carry",
            first_step_at_zero=True,
            mean=(125.31, 122.95, 113.87),
            deviation=(62.99, 62.09, 66.70),
            train_sample=10_000,
            drop_remainder=True,
            reports="last epoch",
        ),
        # NATS-Bench's size space too.
        "nb201": _NB201,
        # Su et al., "Prioritized architecture sampling with Monte-Carlo tree search", CVPR 2021, and the code of
        # NAS-Bench-Macro: there is no validation split; the test split is evaluated after each epoch and the best kept.
        "nb_macro": _NB201._replace(
            name="nb_macro",
            nesterov=False,
            mean=(0.4914 * 255, 0.4822 * 255, 0.4465 * 255),
            deviation=(0.2470 * 255, 0.2435 * 255, 0.2616 * 255),
            reports="best epoch",
        ),
        # Ours.
        "conv5": _NB201._replace(name="conv5", schedule="step", batch=128),
    }
)


class Networks(NamedTuple):
    """How the networks of a search space are built and trained; :attr:`nasbench.SearchSpace.networks` names it.

    Made without torch, unless ``body`` lies in a module that imports it.
    """

    body: Callable[[Architecture], tuple[nn.Module, int]]
    """Make what comes before the mean over the image, and say how many channels leave it. It draws no weights:
    :func:`nasbench.training.networks.initialise` does."""
    recipe: Recipe
    """One of :data:`RECIPES`, or one that differs and has a name of its own."""
    splits: str
    """How CIFAR-10 is split: as for :func:`nasbench.training.images.cifar10.images`."""
    multiple: int = 1
    """What the side of an image is a multiple of, in pixels."""


def networks_of(space: SearchSpace | str) -> Networks:
    """Return how the networks of a search space, or of one of this name, are built and trained.

    Raises:
        UnknownNameError: There is no such search space, or nobody says how to train its networks.
        ModuleNotFoundError: PyTorch is not installed.
    """
    known: SearchSpace = registry.find("spaces", space)() if isinstance(space, str) else space
    if not known.networks:
        raise UnknownNameError(
            f"nobody says how to train networks of the search space {known.name}: its class needs an attribute "
            "'networks' (docs/extending.md)."
        )
    networks: Networks = registry.load(known.networks, f"networks of {known.name}")
    return networks


def recipe_for(space: SearchSpace | str) -> Recipe:
    """Return the recipe by which the benchmark of a search space trained its networks.

    Raises:
        UnknownNameError, ModuleNotFoundError: As for :func:`networks_of`.
    """
    return networks_of(space).recipe
