"""Images for training and evaluation, and where they come from: one file a source."""

from nasbench.training.images.base import Images, Split

__all__ = ["Images", "Split"]
