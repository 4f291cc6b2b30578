"""The search space of NAS-Bench-101: its cells, their official hash, what they cost, and all of them."""

from nasbench.spaces.nb101.space import EDGES, MAX_EDGES, NB101, OPERATIONS, VERTICES

__all__ = ["EDGES", "MAX_EDGES", "NB101", "OPERATIONS", "VERTICES"]
