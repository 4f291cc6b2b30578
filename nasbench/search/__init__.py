"""Searches: the only ask/tell loop, the histories that it writes, and comparisons of many of them."""

from nasbench.search.loop import Rules, run

__all__ = ["Rules", "run"]
