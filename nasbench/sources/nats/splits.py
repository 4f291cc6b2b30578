"""What NATS-Bench and NAS-Bench-201 files hold, and under which names it goes into a table.

A raw training is of one data set, schedule and seed, and holds curves by split. Where each goes in the table:

| raw data set                     | raw split | group    | accuracy, loss, seconds of one evaluation              |
|----------------------------------|-----------|----------|--------------------------------------------------------|
| cifar10-valid (trains on 25,000) | train     | cifar10  | train_accuracy_25k, train_loss_25k                     |
|                                  | x-valid   | cifar10  | validation_accuracy, validation_loss, validation_time  |
|                                  | ori-test  | cifar10  | test_accuracy_25k, test_loss_25k, test_time_25k        |
| cifar10 (trains on 50,000)       | train     | cifar10  | train_accuracy, train_loss                             |
|                                  | ori-test  | cifar10  | test_accuracy, test_loss, test_time                    |
| cifar100, ImageNet16-120         | train     | the same | train_accuracy, train_loss                             |
|                                  | x-valid   | the same | validation_accuracy, validation_loss, validation_time  |
|                                  | x-test    | the same | test_accuracy, test_loss, test_time                    |
|                                  | ori-test  | the same | valtest_accuracy, valtest_loss, valtest_time           |

So in group cifar10 a search sees and pays the training on 25,000 images, and what it found is judged by the other one.
Seconds of training are ``training_time``, and ``training_time_50k`` for raw cifar10; seconds of a forward pass
``latency`` and ``latency_50k``; accuracy among the five likeliest classes, where recorded, ``train_top5_accuracy`` and
``train_top5_accuracy_25k``. Raw epoch e is epoch e + 1 here. The runs of a schedule are its seeds, rising, of all
architectures and data sets together; which seeds stands in the report.

Losses are kept in single precision, the one they were computed in.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple


class TrainedOn(NamedTuple):
    """A raw data set, as what a network is trained on."""

    group: str
    suffix: str
    """How names end that belong to none of the splits: training time and latency."""
    words: str
    images: int


class MeasuredOn(NamedTuple):
    """A raw data set and split, as what a network is measured on."""

    metric: str
    suffix: str
    images: int
    evaluated_on: str


TRAININGS = {
    "cifar10-valid": TrainedOn("cifar10", "", "25,000 of the CIFAR-10 training images (cifar10-valid)", 25_000),
    "cifar10": TrainedOn("cifar10", "_50k", "the 50,000 CIFAR-10 training images (cifar10)", 50_000),
    "cifar100": TrainedOn("cifar100", "", "the 50,000 CIFAR-100 training images", 50_000),
    "ImageNet16-120": TrainedOn("ImageNet16-120", "", "the 151,700 ImageNet16-120 training images", 151_700),
}
# As the authors define them: https://github.com/D-X-Y/NAS-Bench-201#dataset-splits
_OWN = "the same images, augmented, while training on them"
_CIFAR10, _CIFAR100, _IMAGENET = "CIFAR-10 test images", "CIFAR-100 test images", "ImageNet16-120 validation images"
SPLITS = {
    ("cifar10-valid", "train"): MeasuredOn("train", "_25k", 25_000, _OWN),
    ("cifar10-valid", "x-valid"): MeasuredOn("validation", "", 25_000, "the other 25,000 training images (x-valid)"),
    ("cifar10-valid", "ori-test"): MeasuredOn("test", "_25k", 10_000, f"the 10,000 {_CIFAR10} (ori-test)"),
    ("cifar10", "train"): MeasuredOn("train", "", 50_000, _OWN),
    ("cifar10", "ori-test"): MeasuredOn("test", "", 10_000, f"the 10,000 {_CIFAR10} (ori-test)"),
    ("cifar100", "train"): MeasuredOn("train", "", 50_000, _OWN),
    ("cifar100", "x-valid"): MeasuredOn("validation", "", 5_000, f"5,000 of the {_CIFAR100} (x-valid)"),
    ("cifar100", "x-test"): MeasuredOn("test", "", 5_000, f"the other 5,000 {_CIFAR100} (x-test)"),
    ("cifar100", "ori-test"): MeasuredOn("valtest", "", 10_000, f"all 10,000 {_CIFAR100} (ori-test)"),
    ("ImageNet16-120", "train"): MeasuredOn("train", "", 151_700, _OWN),
    ("ImageNet16-120", "x-valid"): MeasuredOn("validation", "", 3_000, f"3,000 of the {_IMAGENET} (x-valid)"),
    ("ImageNet16-120", "x-test"): MeasuredOn("test", "", 3_000, f"the other 3,000 {_IMAGENET} (x-test)"),
    ("ImageNet16-120", "ori-test"): MeasuredOn("valtest", "", 6_000, f"all 6,000 {_IMAGENET} (ori-test)"),
}

EVERY_EPOCH = (0,)
"""The epochs of seconds that are the same in each epoch."""
NOT_TIMED = math.inf
"""The seconds of a training of which the source has no time; of a training that is missing altogether it has none."""


@cache
def completed(schedule: int) -> tuple[int, ...]:
    """Return the completed epochs of each step of a schedule, 1 to the last."""
    return tuple(range(1, schedule + 1))
