"""Contract tests for your own search space, benchmark, table or searcher: see :mod:`nasbench.testing.contracts`."""

from nasbench.testing.contracts import BenchmarkContract, SearcherContract, SpaceContract, TableContract

__all__ = ["BenchmarkContract", "SearcherContract", "SpaceContract", "TableContract"]
