"""Small images and a small network, for trainings that take less than a second."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn

from nasbench.training.images import Images, Split
from nasbench.training.images.base import collect
from nasbench.training.recipes import RECIPES, Recipe

CIFAR10 = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "cifar10"
RECIPE: Recipe = RECIPES["conv5"]._replace(name="small", batch=32, mean=(78.0,) * 3, deviation=(96.0,) * 3)


@cache
def digits(train: int = 1200) -> Images:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels and 17 greys."""
    data = load_digits()
    pixels = torch.tensor(data.images * 15, dtype=torch.uint8)[:, None].repeat(1, 3, 1, 1)
    labels = torch.tensor(data.target, dtype=torch.int64)
    bounds = {"train": (0, train), "validation": (1200, 1500), "test": (1500, 1797)}
    splits = {name: Split(pixels[a:b], labels[a:b]) for name, (a, b) in bounds.items()}
    return collect(f"digits, {train} for training", splits, classes=10)


def network(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 3
    for width in widths or (16, 32):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 10))


def weights(network: nn.Module) -> str:
    """A digest of the very bytes of all parameters and buffers."""
    total = hashlib.sha256()
    for name, value in network.state_dict().items():
        total.update(name.encode() + value.contiguous().numpy().tobytes())
    return total.hexdigest()
