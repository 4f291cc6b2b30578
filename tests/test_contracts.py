"""The contracts of nasbench.testing over all that is registered: whatever is added to the registry is tested by itself."""

from __future__ import annotations

import pytest

from nasbench import Table, load, registry
from nasbench.testing import SearcherContract, SpaceContract, TableContract

DATASETS = [(name, dataset) for name in registry.names("tables") for dataset in load(name).datasets]


class TestSpaces(SpaceContract):
    @pytest.fixture(params=registry.names("spaces"))
    def space(self, request):
        return registry.find("spaces", request.param)()


class TestTables(TableContract):
    @pytest.fixture(params=DATASETS, ids="-".join)
    def table(self, request) -> Table:
        return load(*request.param)


class TestSearchers(SearcherContract):
    @pytest.fixture(params=registry.names("searchers"))
    def make_searcher(self, request):
        kind = registry.find("searchers", request.param)
        return lambda space, seed: kind(space, seed=seed)
