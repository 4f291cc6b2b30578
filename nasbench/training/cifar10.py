"""The name of :mod:`nasbench.training.images.cifar10` in release 0.1, for what was written with it."""

from nasbench.training.images.cifar10 import (
    ADDRESS,
    PAGE,
    SPLITS,
    fetch,
    images,
    images_for,
    nb201_halves,
    read,
    subset,
)

__all__ = ["ADDRESS", "PAGE", "SPLITS", "fetch", "images", "images_for", "nb201_halves", "read", "subset"]
