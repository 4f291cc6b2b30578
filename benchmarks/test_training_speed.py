"""Training on one thread of a CPU: train() beside a bare loop, and beside the usual one with a DataLoader.

All three train the same network on the same random images of 16 x 16 pixels for five epochs. The bare loop has its
images normalised in memory and neither crops nor flips: it is what a training costs at least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from rows import peer, row
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nasbench.training.images import Images, Split
from nasbench.training.images.base import collect
from nasbench.training.loop.train import train
from nasbench.training.networks import build
from nasbench.training.recipes import RECIPES

RECIPE = RECIPES["conv5"]
COUNT, SIDE, EPOCHS = 2048, 16, 5
ROW = "train() on one CPU thread, the hand-made network of conv5, 16 x 16 pixels, an image"


@pytest.fixture(scope="module")
def images() -> Images:
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (COUNT, 3, SIDE, SIDE), dtype=np.uint8))
    train = Split(pixels, torch.from_numpy(rng.integers(0, 10, COUNT)))
    return collect("noise", {"train": train}, classes=10)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def network() -> nn.Module:
    return build("conv5", "3s1relu-3s2relu-3s1relu-3s2relu-3s1relu", side=SIDE)


def test_train(benchmark: BenchmarkFixture, images: Images) -> None:
    row(benchmark, ROW, items=COUNT * EPOCHS)
    measure(benchmark, lambda: train(network(), images, RECIPE, epochs=EPOCHS, seed=0))


def test_bare_loop(benchmark: BenchmarkFixture, images: Images) -> None:
    peer(benchmark, "bare PyTorch loop, without crops and flips", ROW, items=COUNT * EPOCHS, times=0.95)
    mean, deviation = (torch.tensor(value).view(1, 3, 1, 1) for value in (RECIPE.mean, RECIPE.deviation))
    pixels, labels = images.splits["train"]
    inputs = ((pixels - mean) / deviation).contiguous(memory_format=torch.channels_last)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.randperm(COUNT).split(RECIPE.batch):
            yield inputs[rows], labels[rows]

    measure(benchmark, lambda: loop(network().to(memory_format=torch.channels_last), batches))


def test_data_loader(benchmark: BenchmarkFixture, images: Images) -> None:
    name = f"DataLoader in the process, Pillow's crops and flips image by image, PyTorch {torch.__version__}"
    peer(benchmark, name, ROW, items=COUNT * EPOCHS, times=1.5)
    loader = DataLoader(Augmented(images.splits["train"]), RECIPE.batch, shuffle=True)
    measure(benchmark, lambda: loop(network(), lambda: iter(loader)))


def measure(benchmark: Any, training: Callable[[], Any]) -> None:
    benchmark.pedantic(training, rounds=7, warmup_rounds=2)


def loop(network: nn.Module, batches: Callable[[], Iterator[tuple[Tensor, Tensor]]]) -> int:
    """The usual loop, with the accuracy on the training images."""
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = EPOCHS * math.ceil(COUNT / RECIPE.batch)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    network.train()
    correct = 0
    for _ in range(EPOCHS):
        for inputs, labels in batches():
            optimizer.zero_grad()
            logits = network(inputs)
            loss = nn.functional.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            correct += (logits.argmax(1) == labels).sum().item()
    return correct


class Augmented(Dataset[tuple[Tensor, int]]):
    """What torchvision's RandomCrop, RandomHorizontalFlip, ToTensor and Normalize do, one image at a time."""

    def __init__(self, split: Split) -> None:
        self.pixels = split.pixels.permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = split.labels.tolist()
        self.mean, self.deviation = (torch.tensor(v).view(3, 1, 1) / 255 for v in (RECIPE.mean, RECIPE.deviation))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image, ImageOps

        margin = RECIPE.padding(SIDE)
        image = ImageOps.expand(Image.fromarray(self.pixels[index]), border=margin, fill=0)
        top, left = torch.randint(2 * margin + 1, (2,)).tolist()
        image = image.crop((left, top, left + SIDE, top + SIDE))
        if torch.rand(1) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        return tensor.sub_(self.mean).div_(self.deviation), self.labels[index]
