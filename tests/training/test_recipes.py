from __future__ import annotations

import math

import pytest
import torch
from _small import CIFAR10

from nasbench.training.images import cifar10
from nasbench.training.recipes import RECIPES


def test_nas_bench_101_as_its_code_has_it() -> None:
    recipe = RECIPES["nb101"]
    assert recipe.optimizer == "tensorflow_rmsprop"
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.batch) == (0.2, 0.9, 1e-4, 256)
    assert (recipe.mean, recipe.deviation) == ((125.31, 122.95, 113.87), (62.99, 62.09, 66.70))
    assert (recipe.train_sample, recipe.drop_remainder, recipe.reports) == (10_000, True, "last epoch")
    assert [recipe.steps(epochs, 40_000) for epochs in (4, 12, 36, 108)] == [625, 1875, 5625, 16_875]


def test_nas_bench_201_as_its_code_has_it() -> None:
    recipe = RECIPES["nb201"]
    assert (recipe.optimizer, recipe.nesterov, recipe.schedule) == ("sgd", True, "epoch")
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.batch) == (0.1, 0.9, 5e-4, 256)
    assert (recipe.mean, recipe.deviation) == ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7))
    assert (recipe.train_sample, recipe.drop_remainder, recipe.reports) == (None, False, "last epoch")
    assert recipe.steps(200, 25_000) == 200 * 98
    assert (recipe.padding(32), recipe.padding(16)) == (4, 2)


def test_nas_bench_macro_as_its_code_has_it() -> None:
    recipe = RECIPES["nb_macro"]
    assert (recipe.optimizer, recipe.nesterov, recipe.schedule) == ("sgd", False, "epoch")
    assert (recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.batch) == (0.1, 0.9, 5e-4, 256)
    assert [value / 255 for value in recipe.mean] == pytest.approx([0.4914, 0.4822, 0.4465])
    assert [value / 255 for value in recipe.deviation] == pytest.approx([0.2470, 0.2435, 0.2616])
    assert recipe.reports == "best epoch"


def test_each_recipe_is_found_by_the_name_it_has() -> None:
    assert {name: recipe.name for name, recipe in RECIPES.items()} == {name: name for name in RECIPES}


@pytest.mark.parametrize("name", ["nb201", "nb_macro"])
def test_the_cosine_of_epochs_is_that_of_pytorch(name: str) -> None:
    recipe, epochs = RECIPES[name], 12
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], recipe.learning_rate)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        for step in (98 * epoch, 98 * epoch + 97):
            rate = recipe.learning_rate_at(epoch, step, epochs=epochs, steps=98 * epochs)
            assert rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize(
    ("name", "steps", "step", "expected"),
    [
        ("nb101", 625, 0, 0.0),  # forced
        ("nb101", 625, 1, 0.1 * (1 + math.cos(math.pi / 625))),
        ("nb101", 625, 125, 0.1 * (1 + (1 + math.sqrt(5)) / 4)),  # cos 36 degrees
        ("nb101", 16_875, 5625, 0.15),  # cos 60 degrees
        ("nb101", 16_875, 11_250, 0.05),
        ("conv5", 630, 0, 0.1),
        ("conv5", 630, 315, 0.05),
        ("conv5", 630, 420, 0.025),
    ],
)
def test_the_cosine_of_steps_in_closed_form(name: str, steps: int, step: int, expected: float) -> None:
    rate = RECIPES[name].learning_rate_at(step // 157, step, epochs=4, steps=steps)
    assert rate == pytest.approx(expected, rel=1e-12)


def test_the_published_means_are_those_of_real_images() -> None:
    if not CIFAR10.is_dir():
        pytest.skip("the real images ../shared/data/cifar10 are not here")
    pixels = cifar10.read(CIFAR10 / "data_batch_1.bin").pixels.double()
    for recipe in RECIPES.values():
        assert pixels.mean(dim=(0, 2, 3)).tolist() == pytest.approx(recipe.mean, abs=1)
        assert pixels.std(dim=(0, 2, 3)).tolist() == pytest.approx(recipe.deviation, abs=1)
