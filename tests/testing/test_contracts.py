"""The contracts over everything that is registered: a new name is tested without a change here."""

import pytest

from nasbench import SearchSpace, Table, load, registry
from nasbench.testing import MakeSearcher, SearcherContract, SpaceContract, TableContract, made

# Those that fit a model before each batch: by default so often that the tests would take minutes.
ARGUMENTS = {name: {"batch": 25} for name in ("bananas", "gp_expected_improvement", "tree_confidence_bound")}


class TestSpaces(SpaceContract):
    @pytest.fixture(params=registry.names("spaces"))
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        space: SearchSpace = registry.find("spaces", request.param)()
        return space

    def test_is_registered_under_its_own_name(self, space: SearchSpace, request: pytest.FixtureRequest) -> None:
        # A table file names its space, and opening it looks the name up.
        assert type(space) is registry.find("spaces", space.name)


class TestTables(TableContract):
    @pytest.fixture(
        params=[(name, dataset) for name in registry.names("tables") for dataset in load(name).datasets],
        ids="-".join,
    )
    def table(self, request: pytest.FixtureRequest) -> Table:
        return load(*request.param)


class TestSearchers(SearcherContract):
    @pytest.fixture(params=registry.names("searchers"))
    def make_searcher(self, request: pytest.FixtureRequest) -> MakeSearcher:
        searcher = registry.find("searchers", request.param)
        return lambda space, seed: made(searcher, space, seed, **ARGUMENTS.get(request.param, {}))
