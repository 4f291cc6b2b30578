"""Conv5: five convolutional layers, each with its kernel, stride and activation: 7,962,624 small networks.

Our own space, for training on real images. An architecture is three decisions a layer: kernel (1, 3, 5), stride (1, 2)
and activation (ReLU, LeakyReLU, SiLU, Tanh). The network: five layers of 16, 16, 32, 32 and 64 channels, each a
convolution without bias, padded by half of its kernel, then batch normalisation, then the activation; the mean over the
image; a linear layer with bias.
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

KERNELS = (1, 3, 5)
STRIDES = (1, 2)
ACTIVATIONS = ("relu", "leaky_relu", "silu", "tanh")
"""LeakyReLU has a slope of 0.01 below zero."""
CHANNELS = (3, 16, 16, 32, 32, 64)
"""How many channels the image has, and the output of each layer."""
CONVENTIONAL = "3s1relu-3s2relu-3s1relu-3s2relu-3s1relu"
"""The design a person would draw: 3x3 convolutions and ReLU, halving the side before the channels double."""

_LAYERS = len(CHANNELS) - 1
_CLASSES = 10
_PATTERN = re.compile(r"([135])s([12])(relu|leaky_relu|silu|tanh)")


class Conv5(SearchSpace):
    """The space of five convolutional layers."""

    name = "conv5"
    choices = (len(KERNELS), len(STRIDES), len(ACTIVATIONS)) * _LAYERS

    def parse(self, text: str) -> Architecture:
        """Read five layers joined by ``-``, each kernel, ``s`` and stride, activation: ``3s1relu-5s2silu-...``.

        Raises:
            InvalidArchitectureError: The text does not follow this grammar.
        """
        layers = [_PATTERN.fullmatch(layer) for layer in text.split("-")]
        if len(layers) != _LAYERS or None in layers:
            raise InvalidArchitectureError(
                f"{text!r} is no conv5 architecture: expected five layers such as {CONVENTIONAL!r}, each a kernel of "
                f"{KERNELS}, s and a stride of {STRIDES}, an activation of {', '.join(ACTIVATIONS)}."
            )
        return tuple(
            choice
            for layer in layers
            if layer  # all of them
            for choice in (KERNELS.index(int(layer[1])), STRIDES.index(int(layer[2])), ACTIVATIONS.index(layer[3]))
        )

    def layers(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        """Return kernel, stride and activation of each layer.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        choices = self.check(architecture)
        triples = zip(choices[::3], choices[1::3], choices[2::3], strict=True)
        return [(KERNELS[kernel], STRIDES[stride], ACTIVATIONS[activation]) for kernel, stride, activation in triples]

    def format(self, architecture: Architecture) -> str:
        """Return the text that :meth:`parse` reads.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        return "-".join([f"{kernel}s{stride}{activation}" for kernel, stride, activation in self.layers(architecture)])

    def graph(self, architecture: Architecture) -> Graph:
        """Return the network as a chain: input, the five layers by their texts, output."""
        layers = self.format(architecture).split("-")
        return Graph(np.eye(_LAYERS + 2, k=1, dtype=np.bool_), ("input", *layers, "output"))

    def parameters_many(self, architectures: ArrayLike) -> NDArray[np.int64]:
        """Return the exact numbers of trainable parameters, with batch normalisation and the head's bias, (n,)."""
        kernels = np.array(KERNELS, np.int64)[self.validated(architectures)[:, ::3]]
        inside, out = np.array(CHANNELS[:-1]), np.array(CHANNELS[1:])
        head = CHANNELS[-1] * _CLASSES + _CLASSES
        return np.asarray((kernels**2 * inside * out + 2 * out).sum(axis=1) + head, np.int64)

    def flops_many(self, architectures: ArrayLike, *, side: int = 32) -> NDArray[np.int64]:
        """Return multiply-accumulates of the convolutions and the linear layer, shape (n,).

        Biases, batch normalisation and activations are not counted, nor is it subtracted that padding is zero.

        Args:
            architectures: uint8 array of shape (n, 15).
            side: Of the images, in pixels. A stride of 2 halves it, and rounds up.
        """
        array = self.validated(architectures)
        kernels, strides = np.array(KERNELS, np.int64)[array[:, ::3]], np.array(STRIDES)[array[:, 1::3]]
        sides = np.full(len(array), side, np.int64)
        total = np.full(len(array), CHANNELS[-1] * _CLASSES, np.int64)
        for layer in range(_LAYERS):
            sides = -(-sides // strides[:, layer])
            total += sides**2 * kernels[:, layer] ** 2 * CHANNELS[layer] * CHANNELS[layer + 1]
        return total
