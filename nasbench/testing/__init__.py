"""Contract tests for your own space, benchmark, table, searcher or predictor: subclass one class, give one fixture.

    class TestMine(SearcherContract):
        @pytest.fixture
        def make_searcher(self):
            return lambda space, seed: Mine(space, seed=seed)

These are the tests that run over everything that is registered here; pytest collects the subclass as any other. This is
the only package of the project that imports pytest.
"""

from nasbench.testing.benchmark import BenchmarkContract, TableContract
from nasbench.testing.landscape import Landscape
from nasbench.testing.searcher import MakeSearcher, SearcherContract, made
from nasbench.testing.space import SpaceContract
from nasbench.testing.surrogate import MakeModel, SurrogateContract

__all__ = [
    "BenchmarkContract",
    "Landscape",
    "MakeModel",
    "MakeSearcher",
    "SearcherContract",
    "SpaceContract",
    "SurrogateContract",
    "TableContract",
    "made",
]
