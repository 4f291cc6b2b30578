"""The name of :mod:`nasbench.tables.data` in release 0.1, for what was written with it."""

from nasbench.tables.data import CONV5, NASBENCH201

__all__ = ["CONV5", "NASBENCH201"]
