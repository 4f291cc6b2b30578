"""Published settings have names: in the class, in its docstring and on the command line."""

from __future__ import annotations

import inspect
import re

import pytest

from nasbench import Budget, registry, run
from nasbench.errors import ComparisonError, UnknownNameError
from nasbench.search.algorithm import Algorithm
from nasbench.testing import Landscape, made

WITH_PRESETS = {
    name: kind
    for name in registry.names("searchers")
    if getattr(kind := registry.find("searchers", name), "presets", {})
}
# They are about epochs that the made-up benchmark, of nine epochs, lacks.
LONGER = {("bohb", "nats"), ("successive_halving", "mf_nas")}
EACH = [(name, preset) for name, kind in WITH_PRESETS.items() for preset in kind.presets]


@pytest.mark.parametrize(("name", "preset"), EACH)
@pytest.mark.parametrize("space", registry.names("spaces"))
def test_each_preset_makes_a_searcher(name, preset, space):
    kind = WITH_PRESETS[name]
    if (name, preset) in LONGER:
        with pytest.raises(ValueError, match=r"schedule|fidelities"):
            made(kind, registry.find("spaces", space)(), 0, **kind.presets[preset])
        return
    searcher = made(kind, registry.find("spaces", space)(), 0, **kind.presets[preset])
    assert len(run(searcher, Landscape(searcher.space), Budget(60), seed=0)) == 60
    for argument, value in kind.presets[preset].items():
        assert getattr(searcher, argument) == value


@pytest.mark.parametrize("name", WITH_PRESETS)
def test_the_docstring_says_whose_each_preset_is(name):
    said = inspect.getdoc(WITH_PRESETS[name])
    assert all(re.search(rf"\b{preset}\b", said) for preset in WITH_PRESETS[name].presets)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("regularized_evolution:real", {"population_size": 100, "sample_size": 25}),
        ("regularized_evolution:real,sample_size=5", {"population_size": 100, "sample_size": 5}),
        ("regularized_evolution:nb101", {"population_size": 50, "sample_size": 10, "replacement": False}),
        ("regularized_evolution:sample_size=5", {"sample_size": 5}),
        ("local_search:naslib,initial=3", {"initial": 3, "restart": 1, "first_improvement": False}),
        ("genetic_algorithm:mf_nas", {"population_size": 10, "crossover_probability": 0.9, "mutation_rate": 1.0}),
    ],
)
def test_a_preset_is_written_first_and_arguments_change_it(text, arguments):
    algorithm = Algorithm.parse(text)
    assert algorithm.arguments == arguments
    assert algorithm.label == text.replace(":", "(", 1) + ")"
    assert registry.find("searchers", algorithm.source).presets.get("real") in (
        None,
        {"population_size": 100, "sample_size": 25},
    ), "changed by a search"


def test_a_class_in_a_file_may_have_presets(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("class Mine:\n    presets = {'wide': {'width': 7}}\n")
    assert Algorithm.parse(f"{path}:Mine:wide,depth=2").arguments == {"width": 7, "depth": 2}
    with pytest.raises(ComparisonError, match=r"unknown preset 'wise'\. Did you mean 'wide'\? Known: wide\."):
        Algorithm.parse(f"{path}:Mine:wise")


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "regularized_evolution:natz",
            ComparisonError,
            r"^'regularized_evolution:natz': unknown preset 'natz'\. Did you mean 'nats'\?",
        ),
        (
            "random_search:quick",
            ComparisonError,
            r"unknown preset 'quick'\. Known: none\. Other arguments are written NAME=VALUE",
        ),
        ("regularized_evolution:sample_size=5,nats", ComparisonError, "arguments are written NAME=VALUE,NAME=VALUE"),
        ("regularized_evolution:nats,", ComparisonError, "arguments are written NAME=VALUE,NAME=VALUE"),
        ("regularised_evolution:nats", UnknownNameError, "Did you mean 'regularized_evolution'"),
    ],
)
def test_what_is_no_preset_is_refused(text, kind, message):
    with pytest.raises(kind, match=message):
        Algorithm.parse(text)
