from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from _small import CIFAR10

from nasbench.errors import ImagesError
from nasbench.training.images import cifar10

SPLIT = CIFAR10.parent / "nb201" / "cifar-split.txt"
NAMES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
real = pytest.mark.skipif(not CIFAR10.is_dir(), reason="the real images ../shared/data/cifar10 are not here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six files of the official size, whose images say where they come from: file in red, number in green and blue."""
    folder = tmp_path_factory.mktemp("cifar10")
    for i, name in enumerate(NAMES):
        records = np.zeros((10_000, 3073), np.uint8)
        numbers = np.arange(10_000)
        records[:, 0] = numbers % 10
        records[:, 1:1025] = i
        records[:, 1025:2049] = (numbers // 256)[:, None]
        records[:, 2049:] = (numbers % 256)[:, None]
        records.tofile(folder / name)
    return folder


def origins(pixels: torch.Tensor) -> list[int]:
    """Number of each image: of 50,000 for training, and from 50,000 on of those for testing."""
    corner = pixels[:, :, 0, 0].long()
    return (corner[:, 0] * 10_000 + corner[:, 1] * 256 + corner[:, 2]).tolist()


def test_nas_bench_101_takes_four_files_one_and_one(folder: Path) -> None:
    images = cifar10.images("nb101", folder)
    assert {name: origins(split.pixels) for name, split in images.splits.items()} == {
        "train": list(range(40_000)),
        "validation": list(range(40_000, 50_000)),
        "test": list(range(50_000, 60_000)),
    }
    assert images.splits["validation"].labels.tolist() == [i % 10 for i in range(10_000)]


def test_nas_bench_201_takes_its_authors_halves(folder: Path) -> None:
    images = cifar10.images("nb201", folder)
    train, validation = (origins(images.splits[name].pixels) for name in ("train", "validation"))
    assert (train, validation) == cifar10.nb201_halves()
    assert sorted(train + validation) == list(range(50_000))
    assert origins(images.splits["test"].pixels) == list(range(50_000, 60_000))


@pytest.mark.skipif(not SPLIT.is_file(), reason="the official split ../shared/data/nb201 is not here")
def test_the_halves_are_those_of_the_official_file() -> None:
    official = json.loads(SPLIT.read_text())
    train, validation = cifar10.nb201_halves()
    assert train == [int(i) for i in official["train"][1]]
    assert validation == [int(i) for i in official["valid"][1]]


@pytest.mark.parametrize("name", ["nb_macro", "full"])
def test_others_train_on_all(folder: Path, name: str) -> None:
    images = cifar10.images(name, folder)
    assert list(images.splits) == ["train", "test"]
    assert origins(images.splits["train"].pixels) == list(range(50_000))


@real
def test_pixels_are_read_as_the_format_says() -> None:
    raw = (CIFAR10 / "data_batch_1.bin").read_bytes()
    split = cifar10.read(CIFAR10 / "data_batch_1.bin")
    rng = np.random.default_rng(0)
    for i, c, y, x in rng.integers(0, (10_000, 3, 32, 32), (300, 4)):
        assert split.pixels[i, c, y, x] == raw[i * 3073 + 1 + c * 1024 + y * 32 + x]
        assert split.labels[i] == raw[i * 3073]
    # The first image of the file is the well-known frog, label 6, whose corner has the colour (59, 62, 63).
    assert split.labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert split.pixels[0, :, 0, 0].tolist() == [59, 62, 63]


@real
def test_the_subset_divides_what_is_there() -> None:
    images = cifar10.subset(CIFAR10)
    batch = cifar10.read(CIFAR10 / "data_batch_1.bin")
    assert torch.equal(images.splits["train"].pixels, batch.pixels[:8000])
    assert torch.equal(images.splits["validation"].labels, batch.labels[8000:])
    assert torch.bincount(images.splits["test"].labels).tolist() == [200] * 10
    assert images.side == 32
    assert images.name.endswith("of test_balanced_2000 2,000 for testing, 32 x 32 pixels")


@real
def test_the_subset_in_half_size_says_so() -> None:
    images = cifar10.subset(CIFAR10, side=16)
    assert images.side == 16
    assert "16 x 16 pixels (means of 2 x 2, rounded half to even)" in images.name
    whole = cifar10.subset(CIFAR10)
    assert images.digest != whole.digest
    block = whole.splits["test"].pixels[7, 1, 4:6, 8:10].double().mean().item()
    assert images.splits["test"].pixels[7, 1, 2, 4].item() == round(block)  # Python rounds half to even too


def test_the_subset_of_the_official_files_tests_on_all_test_images(folder: Path) -> None:
    images = cifar10.subset(folder)
    assert origins(images.splits["train"].pixels) == list(range(8_000))
    assert origins(images.splits["validation"].pixels) == list(range(8_000, 10_000))
    assert origins(images.splits["test"].pixels) == list(range(50_000, 60_000))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match=r"data_batch_1\.bin: no such file\. .*cifar-10-binary\.tar\.gz"):
        cifar10.images("nb101", tmp_path)
    with pytest.raises(ImagesError, match=r"data_batch_1\.bin: no such file"):
        cifar10.subset(tmp_path)


@pytest.mark.parametrize("size", [0, 3073, 30_729_999, 30_730_001])
def test_a_file_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(size))
    with pytest.raises(ImagesError, match=f"has {size:,} bytes; expected 30,730,000, which are 10,000 records"):
        cifar10.subset(tmp_path)


def test_a_label_above_nine_is_refused(tmp_path: Path) -> None:
    content = bytearray(30_730_000)
    content[5 * 3073] = 10
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    with pytest.raises(ImagesError, match="record 5 has the label 10; expected 0 to 9"):
        cifar10.subset(tmp_path)


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").mkdir()
    with pytest.raises(ImagesError, match="cannot be read"):
        cifar10.subset(tmp_path)


def test_other_splits_and_sides_are_refused(folder: Path) -> None:
    with pytest.raises(ImagesError, match="Known: nb101, nb201, nb_macro, full"):
        cifar10.images("nb301", folder)
    with pytest.raises(ImagesError, match="of 32 or 16 pixels a side, not 8"):
        cifar10.subset(folder, side=8)
