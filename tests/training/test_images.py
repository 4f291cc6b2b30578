from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from nasbench.errors import ImagesError
from nasbench.training.images import Images, Split
from nasbench.training.images.base import collect, halved


def split(n: int, *, side: int = 4, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (n, 3, side, side), dtype=np.uint8)
    return Split(torch.from_numpy(pixels), torch.from_numpy(rng.integers(0, 10, n)))


def test_splits_come_in_a_fixed_order() -> None:
    train, test = split(5), split(3, seed=1)
    images = collect("some", {"test": test, "train": train}, classes=10)
    assert list(images.splits) == ["train", "test"]
    assert images.digest == collect("other name", {"train": train, "test": test}, classes=10).digest
    assert images.side == 4


def test_the_digest_is_sha256_over_names_shapes_and_bytes() -> None:
    train = split(2)
    expected = hashlib.sha256(b"train (2, 3, 4, 4)\n" + bytes(train.pixels.numpy()) + bytes(train.labels.numpy()))
    assert collect("some", {"train": train}, classes=10).digest == expected.hexdigest()


def changed(which: str) -> dict[str, Split]:
    splits = {"train": split(5), "test": split(3, seed=1)}
    if which == "a pixel":
        splits["test"].pixels[2, 1, 3, 3] ^= 1
    if which == "a label":
        splits["test"].labels[0] = (splits["test"].labels[0] + 1) % 10
    if which == "a name":
        splits["validation"] = splits.pop("test")
    return splits


@pytest.mark.parametrize("which", ["a pixel", "a label", "a name"])
def test_the_digest_sees(which: str) -> None:
    before = collect("some", changed("nothing"), classes=10)
    assert collect("some", changed(which), classes=10).digest != before.digest


def test_halving_rounds_means_half_to_even() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)
    pixels[0, 0, :2, :2] = [[0, 0], [1, 1]]  # 0.5
    pixels[0, 0, :2, 2:4] = [[1, 1], [2, 2]]  # 1.5
    pixels[0, 0, :2, 4:6] = 255
    small = halved(Split(torch.from_numpy(pixels), torch.zeros(20, dtype=torch.int64))).pixels.numpy()
    assert small[0, 0, 0, :3].tolist() == [0, 2, 255]
    for i, c, y, x in np.ndindex(small.shape):
        exact = pixels[i, c, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].astype(float).mean()
        assert small[i, c, y, x] == np.round(exact)  # numpy rounds half to even


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({}, "expected the split train"),
        ({"test": split(3)}, "expected the split train"),
        ({"train": split(3), "valid": split(3)}, "expected the split train"),
        ({"train": split(3), "test": split(3, side=8)}, "one size"),
        ({"train": split(0)}, "train is empty"),
        ({"train": Split(split(3).pixels.float(), split(3).labels)}, "torch.float32"),
        ({"train": Split(split(3).pixels, split(4).labels)}, "4 labels"),
        ({"train": Split(split(3).pixels[:, :, :2], split(3).labels)}, "shape"),
        ({"train": Split(split(3).pixels[:, :1], split(3).labels)}, "shape"),
        ({"train": Split(split(3).pixels, split(3).labels.int())}, "int32"),
        ({"train": Split(split(3).pixels, torch.tensor([0, 10, 1]))}, "from 0 to 10"),
        ({"train": Split(split(3).pixels, torch.tensor([0, -1, 1]))}, "from -1 to 1"),
    ],
)
def test_what_is_no_set_of_images_is_refused(splits: dict[str, Split], message: str) -> None:
    with pytest.raises(ImagesError, match=message):
        collect("some", splits, classes=10)


def test_images_of_another_order_in_memory_are_the_same_images() -> None:
    plain = split(6)
    last = Split(plain.pixels.contiguous(memory_format=torch.channels_last), plain.labels)
    assert isinstance(collect("a", {"train": last}, classes=10), Images)
    assert collect("a", {"train": last}, classes=10).digest == collect("a", {"train": plain}, classes=10).digest
