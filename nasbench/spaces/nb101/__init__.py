"""The search space of NAS-Bench-101: its cells, their official hash, what they cost, and all of them."""

from nasbench.spaces.nb101.cells import EDGES
from nasbench.spaces.nb101.enumerate import MAX_EDGES, VERTICES
from nasbench.spaces.nb101.matrix import OPERATIONS
from nasbench.spaces.nb101.space import NB101

__all__ = ["EDGES", "MAX_EDGES", "NB101", "OPERATIONS", "VERTICES"]
