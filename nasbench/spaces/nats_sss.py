"""NATS-Bench size space (sss): one cell, five stages, the number of channels of each stage; 32,768 networks.

Dong, Liu, Musial & Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size", IEEE TPAMI
2021, https://github.com/D-X-Y/NATS-Bench.

An architecture is the position of each stage's number of channels in :data:`CHANNELS`. The cell of all of them is
``|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|``. The network: stem
(3 to c1), cell (c1 to c1), residual block (c1 to c2), cell (c2 to c3), residual block (c3 to c4), cell (c4 to c5),
batch normalisation, linear head.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.base import SearchSpace
from nasbench.types import Architecture, Graph

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CHANNELS = (8, 16, 24, 32, 40, 48, 56, 64)
"""What each decision chooses from."""

_CLASSES = {"cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}
_PATTERN = re.compile(r"(\d+):(\d+):(\d+):(\d+):(\d+)", re.ASCII)
_INDEX = {str(channels): i for i, channels in enumerate(CHANNELS)}


class NatsSSS(SearchSpace):
    """The NATS-Bench size space."""

    name = "nats_sss"
    choices = (8,) * 5

    def parse(self, text: str) -> Architecture:
        """Read the official text, ``c1:c2:c3:c4:c5`` in channels.

        Raises:
            InvalidArchitectureError: The text does not follow this grammar, or a width is not on offer.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or not all(width in _INDEX for width in match.groups()):
            raise InvalidArchitectureError(
                f"{text!r} is no NATS-Bench size architecture: expected c1:c2:c3:c4:c5, each one of {CHANNELS}."
            )
        return tuple([_INDEX[width] for width in match.groups()])

    def format(self, architecture: Architecture) -> str:
        """Return the official text.

        Raises:
            InvalidArchitectureError: This is no architecture of the space.
        """
        return ":".join([str(CHANNELS[choice]) for choice in self.check(architecture)])

    @cached_property
    def architectures(self) -> NDArray[np.uint8]:
        """All 32,768 architectures in the official index order, which is lexicographic; (32768, 5), read-only."""
        result = self.decode(np.arange(self.size))
        result.flags.writeable = False
        return result

    def index(self, architecture: Architecture) -> int:
        """Return the official index in [0, 32768), as in NATS-Bench."""
        return int(self.codes([self.check(architecture)])[0])

    def graph(self, architecture: Architecture) -> Graph:
        """Return the network as a chain: input, the five stages named by their channels, output."""
        names = tuple(f"{CHANNELS[choice]}_channels" for choice in self.check(architecture))
        return Graph(np.eye(7, k=1, dtype=np.bool_), ("input", *names, "output"))

    def parameters_many(self, architectures: ArrayLike, *, dataset: str = "cifar10") -> NDArray[np.int64]:
        """Return the exact numbers of trainable parameters, shape (n,).

        Convolutions have no bias and are followed by batch normalisation, except in the shortcut of the two
        residual blocks.

        Args:
            architectures: uint8 array of shape (n, 5).
            dataset: ``"cifar10"``, ``"cifar100"`` or ``"ImageNet16-120"``: the size of the linear head.
        """
        a, b, c, d, e = self._widths(architectures)
        k = _CLASSES[dataset]
        stem = 27 * a + 2 * a
        weights = _cell(a, a) + _residual(a, b) + _cell(b, c) + _residual(c, d) + _cell(d, e)
        norms = sum(2 * out * (5 + (inside != out)) for inside, out in ((a, a), (b, c), (d, e))) + 4 * b + 4 * d
        return np.asarray(stem + weights + norms + 2 * e + e * k + k, np.int64)

    def flops_many(self, architectures: ArrayLike, *, dataset: str = "cifar10") -> NDArray[np.int64]:
        """Return multiply-accumulates of convolutions and the linear layer (its bias counted), shape (n,).

        The convention of the source: batch normalisation, ReLU and pooling are not counted. Images have 32 x 32
        pixels, those of ImageNet16-120 16 x 16; each residual block halves the side.
        """
        a, b, c, d, e = self._widths(architectures)
        k = _CLASSES[dataset]
        pixels = 16 * 16 if dataset == "ImageNet16-120" else 32 * 32
        full = pixels * (27 * a + _cell(a, a))
        half = pixels // 4 * (_residual(a, b) + _cell(b, c))
        quarter = pixels // 16 * (_residual(c, d) + _cell(d, e))
        return np.asarray(full + half + quarter + e * k + k, np.int64)

    def _widths(self, architectures: ArrayLike) -> NDArray[Any]:
        """Return the channels of each stage, shape (5, n)."""
        return np.array(CHANNELS, np.int64)[self.validated(architectures).T]


def _cell(inside: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
    """Weights of a cell: two 3x3 convolutions from its input, three inside, and a 1x1 one for a widening skip."""
    return np.asarray(18 * inside * out + 27 * out * out + (inside != out) * inside * out)


def _residual(inside: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
    """Weights of a residual block: two 3x3 convolutions and the 1x1 one of the shortcut."""
    return np.asarray(9 * inside * out + 9 * out * out + inside * out)
