"""The name of :mod:`nasbench.training.loop.train` in release 0.1, for what was written with it."""

from nasbench.training.loop.train import Training, train

__all__ = ["Training", "train"]
