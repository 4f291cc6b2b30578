from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from _small import RECIPE, digits, network, weights
from torch import Tensor, nn

from nasbench.errors import TrainingError
from nasbench.training.images import Split
from nasbench.training.images.base import collect
from nasbench.training.loop import train as module
from nasbench.training.loop.devices import find_device
from nasbench.training.loop.randomness import plan_of
from nasbench.training.loop.train import Training, train
from nasbench.training.recipes import RECIPES


def same_counts(a: Training, b: Training) -> bool:
    return all((a.correct[name] == b.correct[name]).all() for name in a.correct)


def test_digits_are_learned() -> None:
    training = train(network(), digits(), RECIPE, epochs=5, seed=0)
    assert training.epochs == (1, 2, 3, 4, 5)
    assert training.images == {"train": 1200, "validation": 300, "test": 297}
    assert {name: counts.shape for name, counts in training.correct.items()} == dict.fromkeys(training.images, (5,))
    for name, counts in training.correct.items():
        assert counts.dtype == np.int64
        assert counts[-1] / training.images[name] > 0.6, name
    assert training.device == "cpu"
    assert training.diverged is None
    assert (np.diff(training.training_seconds, prepend=0) > 0).all()
    assert (np.diff(training.evaluation_seconds, prepend=0) > 0).all()


def test_the_counts_are_those_of_the_network_that_is_left() -> None:
    trained = network()
    training = train(trained, digits(), RECIPE, epochs=2, seed=0)
    trained.eval()
    for name in ("validation", "test"):
        pixels, labels = digits().splits[name]
        with torch.no_grad():
            logits = trained((pixels - torch.tensor(78.0)) / 96.0)
        assert (logits.argmax(1) == labels).sum() == training.correct[name][-1]


def test_the_seed_decides_every_byte_whatever_happened_before() -> None:
    first, second = network(), network()
    one = train(first, digits(), RECIPE, epochs=2, seed=3)
    torch.manual_seed(99)
    train(second, digits(), RECIPE, epochs=1, seed=8)  # a used network begins anew
    other = weights(second)
    two = train(second, digits(), RECIPE, epochs=2, seed=3)
    assert weights(first) == weights(second) != other
    assert same_counts(one, two)


def test_settings_and_random_numbers_are_left_as_they_were() -> None:
    threads = torch.get_num_threads()
    try:
        torch.manual_seed(5)
        expected = torch.rand(3)
        digests = []
        for number in (1, 2):
            torch.set_num_threads(number)
            torch.manual_seed(5)
            trained = network()
            torch.manual_seed(5)
            train(trained, digits(), RECIPE, epochs=1, seed=0)
            assert torch.get_num_threads() == number
            assert torch.equal(torch.rand(3), expected)
            digests.append(weights(trained))
        assert digests[0] == digests[1]  # any number of threads, the same bytes
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(threads)


def test_dropout_is_reproduced_too() -> None:
    def dropping() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(192, 10))

    first, second = dropping(), dropping()
    train(first, digits(), RECIPE, epochs=2, seed=0)
    torch.rand(7)
    train(second, digits(), RECIPE, epochs=2, seed=0)
    assert weights(first) == weights(second)


class Recorder(nn.Module):
    """Keeps what it is given to train on."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 10)
        self.seen: list[Tensor] = []

    def forward(self, pixels: Tensor) -> Tensor:
        if self.training:
            self.seen.append(pixels.detach().clone())
        return self.layer(pixels.mean(dim=(2, 3)))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_batches_are_those_of_a_slow_reference_image_by_image(name: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (70, 3, 16, 16), dtype=np.uint8)
    split = Split(torch.from_numpy(pixels), torch.from_numpy(rng.integers(0, 10, 70)))
    images = collect("noise", {"train": split}, classes=10)
    recipe = RECIPES[name]._replace(batch=32)
    recorder = Recorder()
    train(recorder, images, recipe, epochs=2, seed=4)
    plan = [rows for epoch in (1, 2) for rows in plan_of(recipe, 4, epoch, 70, 2)]
    assert len(recorder.seen) == len(plan) == recipe.steps(2, 70)
    for batch, rows in zip(recorder.seen, plan, strict=True):
        for seen, (image, top, left, mirrored) in zip(batch.numpy(), rows.tolist(), strict=True):
            padded = np.zeros((3, 20, 20))
            padded[:, 2:18, 2:18] = pixels[image]
            crop = padded[:, top : top + 16, left : left + 16]
            crop = crop[:, :, ::-1] if mirrored else crop
            expected = [(crop[c] - recipe.mean[c]) / recipe.deviation[c] for c in range(3)]
            np.testing.assert_allclose(seen, expected, rtol=1e-4, atol=1e-5)


def test_an_epoch_sees_each_image_once_and_all_crops_equally_often() -> None:
    recipe = RECIPES["nb201"]
    epochs = [torch.cat(list(plan_of(recipe, 0, epoch, 5000, 4))) for epoch in (1, 2)]
    for rows in epochs:
        assert sorted(rows[:, 0].tolist()) == list(range(5000))
        corners = Counter(map(tuple, rows[:, 1:3].tolist()))
        assert set(corners) == {(top, left) for top in range(9) for left in range(9)}
        assert max(corners.values()) < 3 * min(corners.values())
        assert rows[:, 3].sum().item() == pytest.approx(2500, abs=150)  # four standard deviations
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], torch.cat(list(plan_of(recipe, 1, 1, 5000, 4))))
    sizes = [len(rows) for rows in plan_of(recipe, 0, 1, 5000, 4)]
    assert sizes == [256] * 19 + [136]


def test_batches_of_nas_bench_101_go_on_from_epoch_to_epoch() -> None:
    """The data set is shuffled, repeated and cut into whole batches: 625 steps are 4 epochs of 40,000 images."""
    recipe = RECIPES["nb101"]
    steps = [list(plan_of(recipe, 0, epoch, 40_000, 4)) for epoch in (1, 2, 3, 4)]
    assert [len(epoch) for epoch in steps] == [156, 156, 156, 157]
    stream = torch.cat([rows[:, 0] for epoch in steps for rows in epoch])
    assert len(stream) == 625 * 256 == 4 * 40_000
    for epoch in range(4):
        assert sorted(stream[40_000 * epoch : 40_000 * (epoch + 1)].tolist()) == list(range(40_000))


def test_nas_bench_101_evaluates_whole_batches_and_a_part_of_the_training_images() -> None:
    recipe = RECIPES["nb101"]._replace(train_sample=700)
    training = train(network(), digits(), recipe, epochs=2, seed=0)
    assert training.images == {"train": 512, "validation": 256, "test": 256}


def test_the_learning_rate_of_each_step_is_the_recipe_s(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    class Spy(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(module, "optimizer_of", lambda recipe, parameters: Spy(parameters, 9.0))
    by_epoch = RECIPES["nb201"]._replace(batch=600)
    train(network(), digits(), by_epoch, epochs=4, seed=0)
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4) for _ in range(2)])
    rates.clear()
    train(network(), digits(), RECIPES["nb101"]._replace(batch=256), epochs=4, seed=0)
    assert rates == pytest.approx([0.0, *(0.1 * (1 + math.cos(math.pi * step / 18)) for step in range(1, 18))])


class Small(nn.Module):
    """A GPU whose memory is full above so many images."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.layer = nn.Linear(192, 10)
        self.most = most
        self.sizes: set[int] = set()

    def forward(self, pixels: Tensor) -> Tensor:
        if len(pixels) > self.most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        self.sizes.add(len(pixels))
        return self.layer(pixels.flatten(1))


def test_where_memory_is_too_small_steps_stay_what_they_were() -> None:
    large, small = Small(10_000), Small(10)
    one = train(large, digits(), RECIPE, epochs=2, seed=0)
    two = train(small, digits(), RECIPE, epochs=2, seed=0)
    assert max(small.sizes) == 8  # 32, 16, 8
    torch.testing.assert_close(large.layer.weight, small.layer.weight, rtol=1e-3, atol=1e-5)
    for name, counts in one.correct.items():
        np.testing.assert_allclose(two.correct[name], counts, atol=3)


def test_a_single_image_that_is_too_large_is_told() -> None:
    with pytest.raises(TrainingError, match="no memory for a single image: CUDA out of memory"):
        train(Small(0), digits(), RECIPE, epochs=1, seed=0)


class Exploding(nn.Module):
    """Gives what is no number from some step on."""

    def __init__(self, step: int, value: float) -> None:
        super().__init__()
        self.layer = nn.Linear(192, 10)
        self.left, self.value = step, value

    def forward(self, pixels: Tensor) -> Tensor:
        self.left -= self.training
        return self.layer(pixels.flatten(1)) * (self.value if self.left < 0 else 1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training(value: float) -> None:
    done: list[tuple[int, int]] = []
    exploding = Exploding(40, value)  # an epoch is 38 steps
    training = train(exploding, digits(), RECIPE, epochs=5, seed=0, progress=lambda *numbers: done.append(numbers))
    assert training.diverged == 2
    assert exploding.left == 40 - 76  # no step of epoch 3 was made
    assert training.epochs == (1, 2, 3, 4, 5)
    for values in (*training.correct.values(), training.training_seconds, training.evaluation_seconds):
        assert values.shape == (5,)
        assert (values[1:] == values[1]).all()
    assert training.correct["test"][0] != training.correct["test"][1]
    assert done == [(1, 5), (5, 5)]


def test_progress_tells_epochs() -> None:
    done: list[tuple[int, int]] = []
    train(network(4), digits(), RECIPE, epochs=3, seed=0, progress=lambda *numbers: done.append(numbers))
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_splits_that_are_not_there_are_not_evaluated() -> None:
    only = collect("digits, no other", {"train": digits().splits["train"]}, classes=10)
    training = train(network(4), only, RECIPE, epochs=1, seed=0)
    assert set(training.correct) == set(training.images) == {"train"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "at least 1 epoch"),
        ({"seed": -1}, "not negative"),
        ({"device": "tpu"}, "no device 'tpu' here. There are: .*cpu"),
        ({"device": "cuda:77"}, "no device 'cuda:77' here. There are: .*cpu"),
        (
            {"recipe": RECIPES["nb101"], "images": digits(200)},
            "200 images in train, .*nb101 takes whole batches",
        ),
        ({"recipe": RECIPES["nb101"]._replace(batch=299)}, "297 images in test"),
        ({"recipe": RECIPES["nb101"]._replace(train_sample=None)}, "need a train_sample"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(change: dict[str, Any], message: str) -> None:
    arguments = {"images": digits(), "recipe": RECIPE, "epochs": 1, "seed": 0, **change}
    untouched = network(4)
    before = weights(untouched)
    with pytest.raises(TrainingError, match=message):
        train(untouched, **arguments)
    assert weights(untouched) == before


@pytest.mark.parametrize("wrong", [nn.Sequential(nn.Flatten(), nn.Linear(192, 9)), nn.Conv2d(3, 10, 1)])
def test_a_network_of_other_classes_is_refused(wrong: nn.Module) -> None:
    with pytest.raises(TrainingError, match=r"answers one image with shape \(1, .*, expected \(1, 10\)"):
        train(wrong, digits(), RECIPE, epochs=1, seed=0)


@pytest.mark.parametrize(("cuda", "mps", "expected"), [(2, True, "cuda:0"), (0, True, "mps"), (0, False, "cpu")])
def test_auto_takes_the_first_of_cuda_mps_and_cpu(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert str(find_device("auto")) == expected
    if cuda:
        assert str(find_device("cuda")) == "cuda:0"
        assert str(find_device("cuda:1")) == "cuda:1"
        with pytest.raises(TrainingError, match="There are: cuda:0, cuda:1, mps, cpu; auto takes cuda:0"):
            find_device("cuda:2")
