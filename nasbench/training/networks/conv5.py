"""The network of the space conv5; see :mod:`nasbench.spaces.conv5`."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from nasbench.spaces.conv5 import CHANNELS, Conv5
from nasbench.types import Architecture

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def body(architecture: Architecture) -> tuple[nn.Module, int]:
    """Return what comes before the mean over the image, and its channels."""
    layers: list[nn.Module] = []
    for (inside, out), (kernel, stride, activation) in zip(
        pairwise(CHANNELS), Conv5().layers(architecture), strict=True
    ):
        layers += [
            nn.Conv2d(inside, out, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out),
            _ACTIVATIONS[activation](),
        ]
    return nn.Sequential(*layers), CHANNELS[-1]
