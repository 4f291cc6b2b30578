"""Search spaces, one file each; :func:`nasbench.space` finds them by name."""

from nasbench.spaces._choices import SearchSpace

__all__ = ["SearchSpace"]
