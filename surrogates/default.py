"""The name of :mod:`surrogates.models.default` in release 0.1, for what was written with it."""

from surrogates.models.default import default, stacked

__all__ = ["default", "stacked"]
