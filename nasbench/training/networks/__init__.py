"""From an architecture to its network, as its benchmark trained it: one file a space beside this one.

`nb101.py`, `nats.py` (NAS-Bench-201 and NATS-Bench's size space), `macro.py`, `conv5.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from nasbench import registry
from nasbench.errors import TrainingError, unknown_name
from nasbench.spaces import SearchSpace
from nasbench.training.networks import conv5, macro, nats, nb101
from nasbench.training.networks.base import Network
from nasbench.training.recipes import RECIPES, Recipe
from nasbench.types import Architecture

__all__ = ["Network", "build", "initialise"]

_BODIES: dict[str, tuple[Callable[[Architecture], tuple[nn.Module, int]], str, int]] = {
    "nb101": (nb101.body, "nb101", 4),
    "nb201": (nats.topology, "nb201", 4),
    "nats_sss": (nats.size, "nb201", 4),
    "nb_macro": (macro.body, "nb_macro", 1),
    "conv5": (conv5.body, "conv5", 1),
}
"""What makes the body of a space's networks, the recipe of their first weights, what the side is a multiple of."""


def build(space: SearchSpace | str, architecture: Architecture | str, *, classes: int = 10, side: int = 32) -> Network:
    """Return the official network of an architecture, on torch's default device.

    Its weights are drawn as the benchmark's recipe says from a generator of its own, seeded with 0: the same
    architecture gives the same network, and torch's global generator is left alone. :func:`initialise` draws others.

    Args:
        space: A search space, or its registered name.
        architecture: A tuple of choices, or its text. A NAS-Bench-201 cell whose output is not connected gives a
            network that answers the same whatever it sees.
        classes: Outputs of the linear layer.
        side: Of the images, in pixels. Networks of NAS-Bench-101, NAS-Bench-201 and NATS-Bench halve it twice and take
            multiples of 4; those of NAS-Bench-Macro and conv5 take any.

    Raises:
        InvalidArchitectureError: This is no architecture of the space.
        UnknownNameError: No search space has this name, or none of the networks here is of it.
        TrainingError: The number of classes is not positive, or the side no positive multiple of what the space needs.
    """
    known: SearchSpace = registry.find("spaces", space)() if isinstance(space, str) else space
    choices = known.parse(architecture) if isinstance(architecture, str) else known.check(architecture)
    if known.name not in _BODIES:
        raise unknown_name("network's search space", known.name, _BODIES)
    make, recipe, multiple = _BODIES[known.name]
    if not _whole(classes):
        raise TrainingError(f"a network needs a positive whole number of classes, not {classes!r}.")
    if not _whole(side) or side % multiple:
        expected = f"a multiple of {multiple}" if multiple > 1 else "at least 1"
        raise TrainingError(
            f"images for networks of {known.name} need a side in pixels that is {expected}, not {side!r}."
        )
    device = torch.empty(0).device  # the default, or that of a surrounding `with torch.device(...)`
    with torch.device("meta"):  # without weights: otherwise torch draws some from its global generator
        network = Network(*make(choices), classes)
    network.space, network.architecture, network.side = known.name, known.format(choices), side
    if device.type != "meta":
        network.to_empty(device=device)
        initialise(network, RECIPES[recipe], torch.Generator("cpu").manual_seed(0))
    return network


def initialise(network: nn.Module, recipe: Recipe, generator: torch.Generator) -> None:
    """Draw all weights of a network, module by module in the order of ``network.modules()``; the same on any device.

    Batch normalisation starts with scale 1, offset 0, and running statistics of mean 0 and variance 1. The rest is,
    with n the inputs of one output:

    - recipe nb101, as the source asks TensorFlow for: convolutions ``tf.variance_scaling_initializer()``, a normal
      distribution of variance 1 / n, cut at two standard deviations; its deviation before the cut is
      sqrt(1 / n) / 0.8796, as TensorFlow has it since 1.8 or so (earlier ones left out the quotient; which one trained
      the benchmark is not recorded). Linear layers have ``tf.layers.dense``'s default: uniform (Glorot) within
      sqrt(6 / (inputs + outputs)), biases 0.
    - all other recipes, PyTorch's defaults, since the sources of NAS-Bench-201, NATS-Bench and NAS-Bench-Macro build
      their networks and set no weights: convolutions and linear layers uniform within 1 / sqrt(n), biases too.

    Args:
        network: Of convolutions, linear layers and normalisations, and of what has no parameters.
        recipe: Its name decides.
        generator: On the CPU. The seed of a training, not shared with anything else.

    Raises:
        TrainingError: A module is of another kind and has parameters, so that the seed would not decide all of them.
    """
    draw = _tensorflow if recipe.name == "nb101" else _pytorch
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)):
                parameters = [p for p in (module.weight, module.bias) if p is not None]
                drawn = [torch.empty(p.shape, dtype=torch.float32, device="cpu") for p in parameters]
                draw(generator, *drawn)
                for parameter, values in zip(parameters, drawn, strict=True):
                    parameter.copy_(values)
            elif isinstance(module, (_NormBase, nn.GroupNorm, nn.LayerNorm)):
                module.reset_parameters()
            elif next(module.parameters(recurse=False), None) is not None:
                raise TrainingError(
                    f"cannot draw the weights of {name or 'the network'}, a {type(module).__name__}: known are "
                    "convolutions, linear layers and normalisations."
                )


def _pytorch(generator: torch.Generator, weight: Tensor, *bias: Tensor) -> None:
    """Fill with PyTorch's defaults: what ``kaiming_uniform_`` with ``a = sqrt(5)`` comes to."""
    bound = 1 / math.sqrt(weight[0].numel())
    for tensor in (weight, *bias):
        tensor.uniform_(-bound, bound, generator=generator)


def _tensorflow(generator: torch.Generator, weight: Tensor, *bias: Tensor) -> None:
    if weight.ndim == 2:  # a linear layer
        nn.init.xavier_uniform_(weight, generator=generator)
    else:
        deviation = math.sqrt(1 / weight[0].numel()) / _CUT
        nn.init.trunc_normal_(weight, 0, deviation, -2 * deviation, 2 * deviation, generator=generator)
    for tensor in bias:
        tensor.zero_()


_CUT = 0.87962566103423978
"""Standard deviation of a normal distribution that is cut at plus and minus 2."""


def _whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number > 0
