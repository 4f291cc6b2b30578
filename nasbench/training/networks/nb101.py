"""The networks of NAS-Bench-101: google-research/nasbench, nasbench/lib/model_builder.py and base_ops.py.

Stem, and three stacks of three cells; the second and third begin with a 2x2 maximum pool and have twice the channels.
Every convolution is followed by batch normalisation and ReLU, keeps the side, and has no bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nasbench.spaces.nb101 import NB101
from nasbench.types import Architecture

_STEM, _STACKS, _CELLS = 128, 3, 3
_MOMENTUM, _EPSILON = 1 - 0.997, 1e-5
"""TensorFlow's momentum of 0.997 is what the running statistics keep; PyTorch's is what they take up."""


def body(architecture: Architecture) -> tuple[nn.Module, int]:
    """Return what comes before the mean over the image, and its channels."""
    matrix, operations = NB101().cell(architecture)
    inside = out = _STEM
    layers: list[nn.Module] = [_convolution(3, _STEM, 3)]
    for stack in range(_STACKS):
        if stack > 0:
            layers.append(nn.MaxPool2d(2, 2))
            out *= 2
        for _ in range(_CELLS):
            layers.append(Cell(matrix, operations, inside, out))
            inside = out
    return nn.Sequential(*layers), out


class Cell(nn.Module):
    """A pruned cell (``build_module``).

    An interior vertex applies its operation to a sum: of its interior sources, cut to its channels, and of a 1x1
    convolution of the cell's input if that is a source. The output is the interior vertices that feed it, side by side,
    plus a 1x1 convolution of the input if that feeds it.

    Args:
        matrix: Edges by source and target, 0 or 1, shape (vertices, vertices).
        operations: Of each vertex, the first and the last are the input and the output.
        inside: Channels of the input.
        out: Channels of the output.
    """

    def __init__(self, matrix: NDArray[np.int8], operations: Sequence[str], inside: int, out: int) -> None:
        super().__init__()
        last = len(operations) - 1
        interior = range(1, last)
        self.channels = vertex_channels(matrix, out)
        self.sources = {v: [u for u in range(1, v) if matrix[u, v]] for v in (*interior, last)}
        self.projections = nn.ModuleDict(
            {str(v): _convolution(inside, self.channels[v], 1) for v in (*interior, last) if matrix[0, v]}
        )
        self.operations = nn.ModuleDict({str(v): _operation(operations[v], self.channels[v]) for v in interior})
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        """Return the output vertex, shape (n, out, side, side)."""
        values: dict[int, Tensor] = {}
        for vertex, width in enumerate(self.channels[1:-1], start=1):
            terms = [values[source][:, :width] for source in self.sources[vertex]]
            if str(vertex) in self.projections:
                terms.append(self.projections[str(vertex)](x))
            values[vertex] = self.operations[str(vertex)](_sum(terms))
        terms = []
        fed = [values[vertex] for vertex in self.sources[self.last]]
        if fed:
            terms.append(torch.cat(fed, dim=1) if len(fed) > 1 else fed[0])
        if str(self.last) in self.projections:
            terms.append(self.projections[str(self.last)](x))
        return _sum(terms)


def vertex_channels(matrix: NDArray[np.int8], out: int) -> list[int]:
    """Return the channels of each vertex, of the input 0 (``compute_vertex_channels``).

    Interior vertices that feed the output share its channels; the first ones take one more where that leaves a
    remainder. The others have as many as the widest that they feed, so that a source is at most one channel too wide.
    """
    last = len(matrix) - 1
    channels = [0] * last + [out]
    feeding = [v for v in range(1, last) if matrix[v, last]]
    for place, v in enumerate(feeding):
        share, rest = divmod(out, len(feeding))
        channels[v] = share + (place < rest)
    for v in range(last - 1, 0, -1):
        if not matrix[v, last]:
            channels[v] = max(channels[w] for w in range(v + 1, last) if matrix[v, w])
    return channels


def _operation(name: str, channels: int) -> nn.Module:
    if name == "maxpool3x3":
        return nn.MaxPool2d(3, 1, padding=1)  # padding counts as minus infinity, as TensorFlow's 'same'
    return _convolution(channels, channels, {"conv1x1-bn-relu": 1, "conv3x3-bn-relu": 3}[name])


def _convolution(inside: int, out: int, kernel: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inside, out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out, eps=_EPSILON, momentum=_MOMENTUM),
        nn.ReLU(inplace=True),
    )


def _sum(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for i, term in enumerate(terms[1:]):
        total = total + term if i == 0 else total.add_(term)  # the first makes a new tensor; the rest add to that
    return total
