"""The networks of NAS-Bench-Macro: xiusu/NAS-Bench-Macro, train/model.py; see :mod:`nasbench.spaces.nb_macro`.

Batch normalisation has PyTorch's momentum of 0.1 and epsilon of 1e-5, as there. No convolution has a bias.
"""

from __future__ import annotations

from torch import Tensor, nn

from nasbench.spaces.nb_macro import OPERATIONS
from nasbench.types import Architecture

_STEM, _HEAD = 32, 1280
_STAGES = (2, 3, 3)
"""Layers of each stage; the first halves the side and doubles the channels."""
_BLOCKS = {"MB3_K3": (3, 3), "MB6_K5": (6, 5)}
"""Expansion and kernel."""


def body(architecture: Architecture) -> tuple[nn.Module, int]:
    """Return what comes before the mean over the image, and its channels."""
    operations = iter(architecture)
    channels = _STEM
    layers: list[nn.Module] = [*_normalised(3, channels, 3), nn.ReLU(inplace=True)]
    for depth in _STAGES:
        layers.append(_layer(OPERATIONS[next(operations)], channels, 2 * channels, stride=2))
        channels *= 2
        layers += [_layer(OPERATIONS[next(operations)], channels, channels, stride=1) for _ in range(depth - 1)]
    layers += [*_normalised(channels, _HEAD, 1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers), _HEAD


def _layer(operation: str, inside: int, out: int, stride: int) -> nn.Module:
    if operation in _BLOCKS:
        return InvertedBottleneck(inside, out, stride, *_BLOCKS[operation])
    if stride == 1 and inside == out:
        return nn.Identity()
    return nn.Sequential(*_normalised(inside, out, 1, stride))


class InvertedBottleneck(nn.Module):
    """Expand the channels, convolve each by itself, project; with a shortcut where the shape stays as it is.

    Sandler, Howard, Zhu, Zhmoginov & Chen, "MobileNetV2", CVPR 2018, with ReLU in place of ReLU6.
    """

    def __init__(self, inside: int, out: int, stride: int, expansion: int, kernel: int) -> None:
        super().__init__()
        wide = inside * expansion
        self.shortcut = stride == 1 and inside == out
        self.block = nn.Sequential(
            *_normalised(inside, wide, 1),
            nn.ReLU(inplace=True),
            *_normalised(wide, wide, kernel, stride, groups=wide),
            nn.ReLU(inplace=True),
            *_normalised(wide, out, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features, shape (n, out, ...)."""
        features: Tensor = self.block(x)
        return features.add_(x) if self.shortcut else features  # normalisation does not need its output again


def _normalised(inside: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> tuple[nn.Module, nn.Module]:
    return (
        nn.Conv2d(inside, out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    )
