"""NAS-Bench-Macro: a chain of eight layers in three stages, three kinds of layer, 6,561 texts of 3,969 networks.

Su, Huang, Li, You, Wang, Qian, Zhang & Xu, "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021,
https://github.com/xiusu/NAS-Bench-Macro.

An architecture is the operation of each layer, in order; stages have 2, 3 and 3 layers. The network: 3x3 convolution to
32 channels at 32 x 32 pixels; stages of 64, 128 and 256 channels, whose first layer halves the side; 1x1 convolution to
1,280 channels; global pooling; linear head.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.base import SearchSpace
from nasbench.types import Architecture, Graph

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

OPERATIONS = ("Identity", "MB3_K3", "MB6_K5")
"""MBt_Kk: inverted bottleneck block (MobileNetV2) that expands the channels t times, with a k x k depthwise kernel."""

_EXPANSION = np.array([0, 3, 6])
_KERNEL = np.array([0, 3, 5])
_STAGES = ((32, 64, 2), (64, 128, 3), (128, 256, 3))
"""Channels in and out, layers."""
_PATTERN = re.compile("[012]{8}")


class NBMacro(SearchSpace):
    """The NAS-Bench-Macro space."""

    name = "nb_macro"
    choices = (3,) * 8

    def parse(self, text: str) -> Architecture:
        """Read the official text, eight digits: 0 Identity, 1 MB3_K3, 2 MB6_K5.

        Raises:
            InvalidArchitectureError: The text is anything else.
        """
        if _PATTERN.fullmatch(text) is None:
            raise InvalidArchitectureError(
                f"{text!r} is no NAS-Bench-Macro architecture: expected eight digits, each one of "
                f"{', '.join(f'{i} ({name})' for i, name in enumerate(OPERATIONS))}."
            )
        return tuple([int(digit) for digit in text])

    def format(self, architecture: Architecture) -> str:
        """Return the official text.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        return "".join(map(str, self.check(architecture)))

    def graph(self, architecture: Architecture) -> Graph:
        """Return the network as a chain: input, the eight layers, output."""
        names = tuple(OPERATIONS[choice] for choice in self.check(architecture))
        return Graph(np.eye(10, k=1, dtype=np.bool_), ("input", *names, "output"))

    def canonical_many(self, architectures: ArrayLike) -> NDArray[np.uint8]:
        """Return the text that stands for each network, as choices, shape (n, 8).

        The first layer of a stage changes the shape, so an Identity there is a convolution; a later Identity does
        nothing and may stand anywhere: it moves to the end of its stage. That leaves 9 * 21 * 21 = 3,969 networks.
        """
        result = self.validated(architectures).copy()
        for middle, last in ((3, 4), (6, 7)):
            swap = (result[:, middle] == 0) & (result[:, last] != 0)
            result[swap, middle], result[swap, last] = result[swap, last], 0
        return result

    def key_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return integers that are equal exactly for texts of the same network: codes of :meth:`canonical_many`."""
        return self.codes(self.canonical_many(architectures))

    def parameters_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the exact numbers of trainable parameters, with batch normalisation and the head's bias, (n,)."""
        total = np.asarray(27 * 32 + 2 * 32 + 256 * 1280 + 2 * 1280 + 1280 * 10 + 10)
        for operation, inside, out, _, _ in self._layers(architectures):
            wide, kernel = _EXPANSION[operation] * inside, _KERNEL[operation]
            block = inside * wide + kernel**2 * wide + wide * out + 2 * (wide + wide + out)
            identity = 0 if inside == out else inside * out + 2 * out
            total = total + np.where(operation == 0, identity, block)
        return np.asarray(total, np.int64)

    def flops_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return multiply-accumulates of convolutions and the linear layer, without its bias, shape (n,).

        The convention of the source; images have 32 x 32 pixels.
        """
        total = np.asarray(32 * 32 * 27 * 32 + 4 * 4 * 256 * 1280 + 1280 * 10)
        for operation, inside, out, before, after in self._layers(architectures):
            wide, kernel = _EXPANSION[operation] * inside, _KERNEL[operation]
            block = before**2 * inside * wide + after**2 * (kernel**2 * wide + wide * out)
            identity = 0 if inside == out else after**2 * inside * out
            total = total + np.where(operation == 0, identity, block)
        return np.asarray(total, np.int64)

    def _layers(self, architectures: ArrayLike) -> list[tuple[NDArray[np.uint8], int, int, int, int]]:
        """Return of each layer the operations (n,), channels in and out, and the side of the image in and out."""
        columns = iter(self.validated(architectures).T)
        layers = []
        side = 32
        for inside, out, depth in _STAGES:
            layers.append((next(columns), inside, out, side, side // 2))
            side //= 2
            layers += [(next(columns), out, out, side, side) for _ in range(depth - 1)]
        return layers
