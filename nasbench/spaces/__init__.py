"""Search spaces, one file each; :func:`nasbench.space` finds them by name."""

from nasbench.spaces.base import SearchSpace

__all__ = ["SearchSpace"]
