"""Every baseline says of each default whose it is, and how it decides between equals."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from nasbench import registry

SEARCHERS = registry.names("searchers")
SOURCES = (
    *("run-all.sh", "reinforce.py", "algo_201.yaml", "the script", "naszilla", "Ours.", "Ours:", "(ours"),
    *("the paper", "HpBandSter", "syne-tune", "Zoph & Le", "NASNet", "NNI", "Kocsis & Szepesvari"),
)
GIVEN = ("fidelities", "objectives", "constraints", "known")
"""What comparisons hand out has no default of ours."""
PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"


@pytest.mark.parametrize("name", SEARCHERS)
def test_each_default_has_an_origin(name):
    kind = registry.find("searchers", name)
    arguments = re.split(r"\n    (?=\w+:)", inspect.getdoc(kind).partition("Args:")[2].partition("Raises:")[0])
    said = dict(argument.strip().split(":", 1) for argument in arguments if argument.strip())
    for parameter in [name for name in inspect.signature(kind).parameters if name not in ("space", "seed", *GIVEN)]:
        assert any(source in said[parameter] for source in SOURCES), f"{name}: whose is the default of {parameter}?"


@pytest.mark.parametrize("name", SEARCHERS)
def test_each_says_how_it_decides_between_equals(name):
    assert re.search(r"\b[Tt]ies\b", inspect.getdoc(registry.find("searchers", name)))
    ties = PAGE.read_text().partition("## Ties\n")[2].partition("\n## ")[0]
    assert f"`{name}`" in ties


@pytest.mark.parametrize("name", ["gp_expected_improvement", "tree_confidence_bound"])
def test_our_own_are_called_our_own(name):
    module = inspect.getmodule(registry.find("searchers", name))
    assert "our own" in module.__doc__
    assert "tuned on CIFAR-10 of the embedded" in module.__doc__
