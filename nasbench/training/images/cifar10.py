"""CIFAR-10 in its official binary form: fetched or read, and split as each benchmark splits it.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. A record is a byte of label and 3,072 bytes
of pixels: red, green, blue, each row by row.
"""

from __future__ import annotations

import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from nasbench.errors import ImagesError
from nasbench.sources.download import download
from nasbench.sources.fetch import alone, cache_folder, clear, writing_below
from nasbench.system.files import replacing
from nasbench.training.images.base import Images, Split, collect, halved

ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
# The page gives the MD5 c32a1d4ab5d03f1284b67883e8d87530; this is the SHA-256 that independent projects record for the
# same file, of SIZE bytes, beside that MD5.
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
SIZE = 170_052_171
PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
TRAINING = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"

SPLITS = {"nb101": "nb101", "nb201": "nb201", "nats_sss": "nb201", "nb_macro": "nb_macro", "conv5": "nb101"}
"""By search space, how its benchmark splits the images; ``conv5`` has no benchmark, and gets those of NAS-Bench-101."""

_RECORD = 1 + 3 * 32 * 32
_FILE = 10_000 * _RECORD
_MEMBERS = "cifar-10-batches-bin"


def fetch(
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cache: str | os.PathLike[str] | None = None,
) -> Path:
    """Bring the six official files into the cache, unless they are there; return their folder.

    Args:
        progress: Called with the bytes that have arrived and those in all.
        cache: The folder of the cache, see :func:`nasbench.sources.fetch.cache_folder`.

    Raises:
        FetchError: As :func:`nasbench.sources.fetch.fetch` says.
        ImagesError: The archive is verified, but is not what it was.
    """
    root = cache_folder(cache)
    folder, downloads = root / "images" / "cifar10", root / "downloads" / "cifar10"
    names = (*TRAINING, TEST)
    if all((folder / name).is_file() and (folder / name).stat().st_size == _FILE for name in names):
        return folder
    with writing_below(root):
        downloads.mkdir(parents=True, exist_ok=True)
        with alone(downloads):
            archive = download(ADDRESS, SHA256, downloads, progress=progress, page=PAGE, at_most=SIZE)
            for name in names:
                content = _member(archive, name)
                with replacing(folder / name) as temporary, open(temporary, "wb") as file:
                    file.write(content)
            clear(downloads)
    return folder


def images(splits: str, data: str | os.PathLike[str] | None = None) -> Images:
    """Return all 60,000 images, split as a benchmark splits them.

    Args:
        splits: ``"nb101"``: 40,000 for training (files 1 to 4), 10,000 for validation (file 5), 10,000 for testing.
            ``"nb201"``: 25,000 and 25,000 (drawn by the authors, see :func:`nb201_halves`) and 10,000.
            ``"nb_macro"`` or ``"full"``: 50,000 for training, 10,000 for testing; NAS-Bench-201's second training too.
        data: A folder of the six official files; the cache by default, into which they are fetched.

    Raises:
        ImagesError: A file is missing or damaged, or there are no such splits.
        FetchError: The files are not in the cache and cannot be fetched.
    """
    if splits not in ("nb101", "nb201", "nb_macro", "full"):
        raise ImagesError(f"no splits {splits!r} of CIFAR-10. Known: nb101, nb201, nb_macro, full.")
    folder = fetch() if data is None else Path(data)
    files = [read(folder / name) for name in TRAINING]
    test = read(folder / TEST)
    everything = _joined(*files)
    if splits == "nb101":
        return collect(
            "CIFAR-10, 40,000 images for training, 10,000 for validation (data_batch_5), 10,000 for testing",
            {"train": _joined(*files[:4]), "validation": files[4], "test": test},
            classes=10,
        )
    if splits == "nb201":
        train, validation = (_chosen(everything, half) for half in nb201_halves())
        return collect(
            "CIFAR-10, 25,000 images for training, 25,000 for validation (NAS-Bench-201's), 10,000 for testing",
            {"train": train, "validation": validation, "test": test},
            classes=10,
        )
    return collect(
        "CIFAR-10, 50,000 images for training, 10,000 for testing", {"train": everything, "test": test}, classes=10
    )


def subset(data: str | os.PathLike[str], *, side: int = 32) -> Images:
    """Return the tenth of CIFAR-10 that a CPU trains on in minutes, from two files.

    ``data_batch_1.bin``: the first 8,000 images for training, the last 2,000 for validation. For testing what is there:
    ``test_balanced_2000.bin``, 200 test images of each class, or else ``test_batch.bin``, all 10,000.

    Args:
        data: The folder of the files.
        side: 32, or 16: pixels are then means of 2 x 2, rounded half to even.

    Raises:
        ImagesError: A file is missing or damaged, or the side is another.
    """
    if side not in (32, 16):
        raise ImagesError(f"images of 32 or 16 pixels a side, not {side}.")
    folder = Path(data)
    batch = read(folder / TRAINING[0])
    small = folder / "test_balanced_2000.bin"
    test_file = small if small.is_file() else folder / TEST
    test = read(test_file, size=2_000 * _RECORD if test_file == small else _FILE)
    splits = {
        "train": Split(batch.pixels[:8_000], batch.labels[:8_000]),
        "validation": Split(batch.pixels[8_000:], batch.labels[8_000:]),
        "test": test,
    }
    name = (
        f"CIFAR-10, of data_batch_1 the first 8,000 images for training, the last 2,000 for validation, of "
        f"{test_file.stem} {len(test.labels):,} for testing, {side} x {side} pixels"
    )
    if side == 16:
        return collect(
            f"{name} (means of 2 x 2, rounded half to even)",
            {key: halved(split) for key, split in splits.items()},
            classes=10,
        )
    return collect(name, splits, classes=10)


def images_for(
    space: str, data: str | os.PathLike[str] | None = None, *, tenth: bool = False, side: int = 32
) -> Images:
    """Return what architectures of a search space are trained on: :data:`SPLITS` of all images, or :func:`subset`.

    Args:
        space: Name of the search space.
        data: The folder of the official files; the cache by default, into which they are fetched.
        tenth: Whether to take the subset.
        side: 32, or 16 with the subset.

    Raises:
        ImagesError: A file is missing or damaged, the space has no images here, or no images have such a side.
        FetchError: The files are not in the cache and cannot be fetched.
    """
    if space not in SPLITS:
        raise ImagesError(f"no images for the search space {space!r}. Known: {', '.join(SPLITS)}.")
    if tenth:
        return subset(fetch() if data is None else data, side=side)
    if side != 32:
        raise ImagesError(f"only the subset has images of {side} pixels a side: give --subset too.")
    return images(SPLITS[space], data)


def nb201_halves() -> tuple[list[int], list[int]]:
    """Return which of the 50,000 training images NAS-Bench-201 trains on, and validates on, each rising.

    Its authors shuffled ``range(50000)`` with Python's generator, seeded with 1021, and sorted each half.
    """
    order = list(range(50_000))
    random.Random(1021).shuffle(order)
    return sorted(order[:25_000]), sorted(order[25_000:])


def read(path: Path, *, size: int = _FILE) -> Split:
    """Read a file of records.

    Args:
        path: The file.
        size: Its size in bytes.

    Raises:
        ImagesError: It is missing, cannot be read, has another size, or a label above 9.
    """
    try:
        content = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise ImagesError(
            f"{path}: no such file. It is one of those in {ADDRESS}; without a folder, they are fetched."
        ) from None
    except OSError as error:
        raise ImagesError(f"{path}: cannot be read: {error.strerror or error}.") from None
    if len(content) != size:
        raise ImagesError(
            f"{path}: has {len(content):,} bytes; expected {size:,}, which are {size // _RECORD:,} records of a label "
            "and 3,072 pixels."
        )
    records = content.reshape(-1, _RECORD)
    if records[:, 0].max() > 9:
        row = int(np.argmax(records[:, 0] > 9))
        raise ImagesError(f"{path}: record {row} has the label {records[row, 0]}; expected 0 to 9.")
    pixels = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy())
    return Split(pixels, torch.from_numpy(records[:, 0].astype(np.int64)))


def _member(archive: Path, name: str) -> bytes:
    """Return the content of a file of the archive. Nothing is extracted: no path of the archive is used."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            member = tar.getmember(f"{_MEMBERS}/{name}")
            file = tar.extractfile(member) if member.isreg() and member.size == _FILE else None
            content = file.read() if file else b""
    except (tarfile.TarError, EOFError, KeyError) as error:
        raise ImagesError(f"{archive}: no sound archive with {_MEMBERS}/{name}: {error}") from None
    if len(content) != _FILE:
        raise ImagesError(f"{archive}: {_MEMBERS}/{name} is no file of {_FILE:,} bytes.")
    return content


def _joined(*splits: Split) -> Split:
    return Split(torch.cat([s.pixels for s in splits]), torch.cat([s.labels for s in splits]))


def _chosen(split: Split, rows: list[int]) -> Split:
    return Split(split.pixels[rows], split.labels[rows])
