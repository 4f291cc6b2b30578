"""The contracts over everything that is registered: a new name is tested without a change here."""

from typing import Any

import pytest

from nasbench import SearchSpace, Table, load, registry
from nasbench.testing import (
    MakeModel,
    MakeSearcher,
    SearcherContract,
    SpaceContract,
    SurrogateContract,
    TableContract,
    made,
)
from surrogates.models.default import default, stacked

# Those that fit a model before each batch: by default so often that the tests would take minutes.
ARGUMENTS: dict[str, dict[str, float]] = {
    name: {"batch": 25} for name in ("bananas", "gp_expected_improvement", "parego", "tree_confidence_bound")
}
# The same of predictors: fewer trees and epochs.
SMALLER: dict[str, dict[str, float]] = {
    "random_forest": {"trees": 20},
    "extra_trees": {"trees": 20},
    "boosted_trees": {"trees": 30, "learning_rate": 0.3},
    "neural_networks": {"members": 3, "epochs": 40},
}


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


class TestModels(SurrogateContract):
    @pytest.fixture(params=registry.names("models"))
    def make_model(self, request: pytest.FixtureRequest) -> MakeModel:
        def make(space: SearchSpace, seed: int) -> Any:
            model = stacked(space.name, [request.param], random_state=seed)
            model.model.models[0].set_params(**SMALLER.get(request.param, {}))
            return model

        return make


class TestDefaultModel(SurrogateContract):
    @pytest.fixture(params=["nb201", "conv5"])
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        space: SearchSpace = registry.find("spaces", request.param)()
        return space

    @pytest.fixture
    def make_model(self) -> MakeModel:
        return lambda space, seed: default(space.name, random_state=seed)
