"""NAS-Bench-Macro against the published benchmark of all architectures, and its aliases against their definition."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nb_macro import OPERATIONS, NBMacro

SPACE = NBMacro()
FILE = Path(__file__).parents[2] / "../shared/data/nas_bench_macro/nas-bench-macro_cifar10.json"
ALL = np.array(list(product(range(3), repeat=8)), np.uint8)


def canonical(text: str) -> str:
    """The definition: within each stage the first layer stays, later identities move to the end."""
    stages = []
    for stage in (text[:2], text[2:5], text[5:]):
        later = stage[1:].replace("0", "")
        stages.append(stage[0] + later + "0" * (len(stage) - 1 - len(later)))
    return "".join(stages)


def test_costs_of_all_published_architectures():
    if not FILE.is_file():
        pytest.skip("the published benchmark is not at hand: no ../shared/data/nas_bench_macro")
    raw = json.loads(FILE.read_text())
    architectures = np.array([SPACE.parse(text) for text in raw], np.uint8)
    assert len(raw) == 6_561
    assert SPACE.parameters_many(architectures).tolist() == [entry["params"] for entry in raw.values()]
    assert SPACE.flops_many(architectures).tolist() == [entry["flops"] for entry in raw.values()]


def test_published_ranges():
    """facts C: parameters 387,882 to 2,932,586; multiply-accumulates 7,713,280 to 105,660,928."""
    parameters, flops = SPACE.parameters_many(ALL), SPACE.flops_many(ALL)
    assert (parameters.min(), parameters.max()) == (387_882, 2_932_586)
    assert (flops.min(), flops.max()) == (7_713_280, 105_660_928)


def test_aliases_are_those_of_the_definition():
    texts = [SPACE.format(tuple(a)) for a in ALL.tolist()]
    assert [SPACE.format(tuple(a)) for a in SPACE.canonical_many(ALL).tolist()] == [*map(canonical, texts)]
    assert len(set(SPACE.key_many(ALL).tolist())) == 9 * 21 * 21 == 3_969
    assert SPACE.key(SPACE.parse("22212220")) == SPACE.key(SPACE.parse("22212202"))
    assert SPACE.key(SPACE.parse("22212220")) != SPACE.key(SPACE.parse("22212222"))


def test_aliases_cost_the_same_but_keep_rows_of_their_own():
    costs = np.stack([SPACE.parameters_many(ALL), SPACE.flops_many(ALL)])
    alias = SPACE.canonical_many(ALL)
    np.testing.assert_array_equal(np.stack([SPACE.parameters_many(alias), SPACE.flops_many(alias)]), costs)
    assert len(set(SPACE.identity_many(ALL).tolist())) == 6_561


def test_text_and_graph():
    architecture = SPACE.parse("01210021")
    assert architecture == (0, 1, 2, 1, 0, 0, 2, 1)
    assert SPACE.format(architecture) == "01210021"
    graph = SPACE.graph(architecture)
    assert graph.operations == ("input", *(OPERATIONS[int(digit)] for digit in "01210021"), "output")
    assert np.argwhere(graph.adjacency).tolist() == [[i, i + 1] for i in range(9)]


@pytest.mark.parametrize("text", ["", "0121002", "012100210", "01210023", " 1210021", "0121002\n", "0121-021"])
def test_other_texts_are_refused(text):
    with pytest.raises(InvalidArchitectureError, match="expected eight digits"):
        SPACE.parse(text)
