"""NAS-Bench-201 against published facts, official samples, and a plain canonicalisation written here."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nb201 import NB201, OPERATIONS

SPACE = NB201()
ALL = [tuple(a) for a in SPACE.architectures.tolist()]
architectures = st.tuples(*[st.integers(0, 4)] * 6)


def test_official_index_order():
    """The sha256 of the official list of texts, and two of its entries."""
    texts = [SPACE.format(a) for a in ALL]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    assert digest == "83abc799e45cf34e9d2163654668ab998b9a54d01c39e72ca1f71f2cdf356d84"
    first = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert texts[0] == first
    assert texts[9] == "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
    assert [SPACE.index(a) for a in ALL] == list(range(15_625))


def test_listing_the_official_order_leaves_the_global_generator_alone():
    import random

    before = random.getstate()
    _ = NB201().architectures
    assert random.getstate() == before


@given(architectures)
@settings(max_examples=200, derandomize=True)
def test_parse_is_the_inverse_of_format(architecture):
    text = SPACE.format(architecture)
    assert SPACE.parse(text) == architecture
    nodes = [part.strip("|").split("|") for part in text.split("+")]
    assert [OPERATIONS.index(edge.split("~")[0]) for node in nodes for edge in node] == list(architecture)


@given(st.text(max_size=120))
@settings(max_examples=200, derandomize=True)
def test_other_texts_are_refused(text):
    with pytest.raises(InvalidArchitectureError):
        SPACE.parse(text)


def test_an_unknown_operation_is_named():
    with pytest.raises(InvalidArchitectureError, match="unknown operation 'conv_7x7'"):
        SPACE.parse("|conv_7x7~0|+|none~0|none~1|+|none~0|none~1|none~2|")


def test_published_number_of_topologies():
    """6,466: Dong et al., NATS-Bench, section 3; counted with the official rule."""
    assert len({SPACE.topology(a) for a in ALL}) == 6466


def network(architecture):
    """What a cell computes: sums as multisets, nothing for what gets nothing, a skip as its source."""
    nodes = [("input",)]
    for target, edges in ((1, architecture[:1]), (2, architecture[1:3]), (3, architecture[3:])):
        terms = []
        for source, operation in enumerate(edges):
            value = nodes[source]
            if operation == 0 or not value:
                continue
            terms.extend(value if operation == 1 else [(operation, value)])
        nodes.append(tuple(sorted(terms, key=repr)))
        assert len(nodes) == target + 1
    return nodes[3]


def test_keys_are_equal_exactly_for_the_same_network():
    keys = SPACE.key_many(SPACE.architectures).tolist()
    networks = [network(a) for a in ALL]
    assert len(set(keys)) == len(set(networks)) == len(set(zip(keys, networks, strict=True))) == 4930
    assert networks.count(()) == 341
    assert len({key for key, cell in zip(keys, networks, strict=True) if not cell}) == 1
    assert SPACE.key((3, 0, 0, 1, 1, 0)) == SPACE.key((3, 0, 0, 1, 1, 2)) != SPACE.key((3, 0, 0, 1, 3, 0))


@pytest.mark.parametrize(
    ("text", "parameters", "flops"),
    [  # Official figures in millions, to the digit.
        (
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
            129306,
            15647370,
        ),
        ("|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|", 802426, 113951370),
        ("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|", 101306, 11715210),
    ],
)
def test_costs_of_official_architectures(text, parameters, flops):
    architecture = SPACE.parse(text)
    assert (SPACE.parameters(architecture), SPACE.flops(architecture)) == (parameters, flops)


def test_ranges_of_costs():
    parameters, flops = SPACE.parameters_many(SPACE.architectures), SPACE.flops_many(SPACE.architectures)
    assert (parameters.min(), parameters.max()) == (73_306, 1_531_546)
    assert (flops.min(), flops.max()) == (7_783_050, 220_119_690)
    cifar100 = SPACE.parameters_many(SPACE.architectures, dataset="cifar100")
    assert set((cifar100 - parameters).tolist()) == {90 * 65}  # ninety more classes of 64 weights and a bias


def test_parameters_and_flops_of_a_network_that_torch_built():
    torch = pytest.importorskip("torch", reason="counts the parameters of a torch module")
    rng = np.random.default_rng(0)
    for architecture in SPACE.sample_many(5, rng).tolist():
        assert sum(p.numel() for p in _torch_network(torch, architecture).parameters()) == SPACE.parameters(
            tuple(architecture)
        )


def _torch_network(torch, architecture):
    nn = torch.nn

    def convolution(c_in, c_out, size):
        return nn.Sequential(nn.Conv2d(c_in, c_out, size, bias=False), nn.BatchNorm2d(c_out))

    def residual(c_in, c_out):
        shortcut = nn.Conv2d(c_in, c_out, 1, bias=False)
        return nn.ModuleList([convolution(c_in, c_out, 3), convolution(c_out, c_out, 3), shortcut])

    sizes = {2: 1, 3: 3}
    parts = [convolution(3, 16, 3)]
    for channels in (16, 32, 64):
        if channels > 16:
            parts.append(residual(channels // 2, channels))
        for _ in range(5):
            parts.extend(convolution(channels, channels, sizes[o]) for o in architecture if o in sizes)
    return nn.ModuleList([*parts, nn.BatchNorm2d(64), nn.Linear(64, 10)])


def test_graph_of_a_cell():
    graph = SPACE.graph((3, 0, 2, 1, 4, 3))
    names = ("input", "nor_conv_3x3", "none", "nor_conv_1x1", "skip_connect", "avg_pool_3x3", "nor_conv_3x3", "output")
    assert graph.operations == names
    edges = {(i, j) for i, j in zip(*np.nonzero(graph.adjacency), strict=True)}
    # Edge 1<-0 feeds 2<-1 and 3<-1; 2<-0 and 2<-1 feed 3<-2.
    assert edges == {(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)}
