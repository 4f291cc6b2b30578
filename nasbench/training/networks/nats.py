"""The networks of NAS-Bench-201 and NATS-Bench: D-X-Y/AutoDL-Projects, models/cell_infers, cell_operations.py.

Stem, stage, residual block, stage, residual block, stage, batch normalisation and ReLU. A stage of NAS-Bench-201 has
five cells and 16, 32 or 64 channels; one of the size space has one cell, and its channels are the architecture. No
convolution has a bias. Batch normalisation has PyTorch's momentum of 0.1 and epsilon of 1e-5, as there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nasbench.spaces.nats_sss import CHANNELS
from nasbench.spaces.nb201 import EDGES, NB201, OPERATIONS
from nasbench.types import Architecture

SIZE_CELL = NB201().parse(
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)
"""The cell of all architectures of the size space."""


def topology(architecture: Architecture) -> tuple[nn.Module, int]:
    """Return what comes before the mean over the image, and its channels, of a NAS-Bench-201 cell."""
    layers = [*_stem(16), *[Cell(architecture, 16, 16) for _ in range(5)]]
    layers += [Residual(16, 32), *[Cell(architecture, 32, 32) for _ in range(5)]]
    layers += [Residual(32, 64), *[Cell(architecture, 64, 64) for _ in range(5)]]
    return nn.Sequential(*layers, nn.BatchNorm2d(64), nn.ReLU(inplace=True)), 64


def size(architecture: Architecture) -> tuple[nn.Module, int]:
    """Return the same of an architecture of the size space."""
    c1, c2, c3, c4, c5 = (CHANNELS[choice] for choice in architecture)
    layers = [*_stem(c1), Cell(SIZE_CELL, c1, c1)]
    layers += [Residual(c1, c2), Cell(SIZE_CELL, c2, c3)]
    layers += [Residual(c3, c4), Cell(SIZE_CELL, c4, c5)]
    return nn.Sequential(*layers, nn.BatchNorm2d(c5), nn.ReLU(inplace=True)), c5


class Cell(nn.Module):
    """Four nodes; each but the first is the sum of the operations on its edges.

    Every edge is computed, also one whose node leads nowhere, as in the source. An operation on a node without edges
    sees zeros, and a convolution turns these into the offsets of its normalisation.
    """

    def __init__(self, architecture: Architecture, inside: int, out: int) -> None:
        super().__init__()
        self.operations = nn.ModuleDict()
        for (source, target), choice in zip(EDGES, architecture, strict=True):
            if OPERATIONS[choice] != "none":
                width = inside if source == 0 else out
                self.operations[f"{target}<-{source}"] = _operation(OPERATIONS[choice], width, out)
        # (source, name) of the edges into nodes 1, 2 and 3.
        self.incoming = [
            [(s, f"{t}<-{s}") for s, t in EDGES if t == node and f"{t}<-{s}" in self.operations] for node in (1, 2, 3)
        ]

    def forward(self, x: Tensor) -> Tensor:
        """Return the last node, shape (n, out, side, side)."""
        nodes = [x]
        for incoming in self.incoming:
            terms = [self.operations[name](nodes[source]) for source, name in incoming]
            if not terms:
                nodes.append(torch.zeros_like(x))  # only in NAS-Bench-201, whose cells keep the channels
            elif len(terms) == 1:
                nodes.append(terms[0])
            else:
                total = terms[0] + terms[1]
                for term in terms[2:]:
                    total += term  # addition needs nothing of it again
                nodes.append(total)
        return nodes[-1]


class Residual(nn.Module):
    """Two 3x3 convolutions, the first with a stride of 2, and a shortcut: mean of 2x2 pixels, then a 1x1 convolution.

    The shortcut has no batch normalisation.
    """

    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(*_convolution(inside, out, 3, stride=2), *_convolution(out, out, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(inside, out, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, shape (n, out, side / 2, side / 2)."""
        features: Tensor = self.convolutions(x)
        return features.add_(self.shortcut(x))  # normalisation does not need its output again


def _stem(out: int) -> list[nn.Module]:
    return [nn.Conv2d(3, out, 3, padding=1, bias=False), nn.BatchNorm2d(out)]  # cells begin with a ReLU


def _operation(name: str, inside: int, out: int) -> nn.Module:
    if name == "nor_conv_1x1":
        return nn.Sequential(*_convolution(inside, out, 1))
    if name == "nor_conv_3x3":
        return nn.Sequential(*_convolution(inside, out, 3))
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)  # of the size space's cells none has one
    if inside == out:
        return nn.Identity()
    # FactorizedReduce with a stride of 1: here the source leaves out the ReLU.
    return nn.Sequential(nn.Conv2d(inside, out, 1, bias=False), nn.BatchNorm2d(out))


def _convolution(inside: int, out: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """ReLU, convolution, batch normalisation: in this order, so that sums are not rectified."""
    return [
        nn.ReLU(),  # not in place: others read the node too
        nn.Conv2d(inside, out, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    ]
