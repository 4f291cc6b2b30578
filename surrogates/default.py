"""The name of :mod:`surrogates.models.default` in release 0.1, for what was written with it."""

from surrogates.models.default import MEMBERS, default, stacked

__all__ = ["MEMBERS", "default", "stacked"]
