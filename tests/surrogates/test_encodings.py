"""Encodings against paths counted by hand and by enumeration, and the laws of what is the same network."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench import registry
from nasbench.errors import InvalidArchitectureError, UnknownNameError
from nasbench.spaces.nb201 import NB201, OPERATIONS
from surrogates.encodings import EncodingError, GraphFeatures, OneHot, Paths
from surrogates.encodings.encoding import Adjacency

CELLS = st.tuples(*[st.integers(0, 4)] * 6)
GRAPH_SPACES = ("nb201", "nb101", "nats_sss", "nb_macro", "conv5")
SHORT = {"nor_conv_1x1": "conv1", "nor_conv_3x3": "conv3", "avg_pool_3x3": "pool"}


def encode(encoding, *cells):
    found = encoding.fit_transform(np.array(cells, np.uint8))
    names = encoding.get_feature_names_out()
    assert found.shape == (len(cells), len(names))
    assert len(set(names)) == len(names)
    return [dict(zip(names, row, strict=True)) for row in found.tolist()]


def live_paths(cell):
    """Walk through the cell from node 0 to node 3."""
    edges = dict(zip(((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)), cell, strict=True))

    def walk(node, operations):
        if node == 3:
            yield tuple(operations)
        for (source, target), operation in edges.items():
            if source == node and OPERATIONS[operation] != "none":
                yield from walk(target, [*operations, OPERATIONS[operation]])

    return list(walk(0, []))


@settings(max_examples=100, deadline=None)
@given(CELLS)
def test_paths_are_those_that_a_walk_finds(cell):
    (found,) = encode(Paths("nb201"), cell)
    assert {name for name, there in found.items() if there} == {" ".join(path) for path in live_paths(cell)}
    counts = Counter(
        "paths of " + (" ".join(SHORT[o] for o in path if o != "skip_connect") or "nothing")
        for path in live_paths(cell)
    )
    (features,) = encode(GraphFeatures("nb201"), cell)
    for name, value in features.items():
        if set(name.removeprefix("paths of ").split()) <= {*SHORT.values(), "nothing"}:
            assert np.expm1(value) == pytest.approx(counts[name])
    assert features["live paths"] == len(live_paths(cell))


def test_a_cell_by_hand():
    # conv3 from the input to the output, beside a pool, a skip and a conv1 in a row; node 1 to the output: none.
    (found,) = encode(GraphFeatures("nb201"), (4, 0, 1, 3, 0, 2))
    assert found["paths of conv3"] == found["paths of pool conv1"] == pytest.approx(np.log(2))
    assert found["live paths"] == 2
    assert (found["live conv1"], found["live conv3"], found["live pool"]) == (1, 1, 1)
    assert (found["most operations on a path"], found["fewest operations on a path"]) == (2, 1)
    assert found["paths that begin with pool"] == 1
    assert found["paths that end with pool"] == 0
    assert (found["live edges into the output"], found["most live edges into a node between"]) == (2, 1)
    assert found["log live weights"] == pytest.approx(np.log(11))


def dead(cell):
    """Edges from which the output cannot be reached, or that the input does not reach."""
    a, b, c, d, e, f = (operation != 0 for operation in cell)
    alive = (a and (e or (c and f)), b and f, a and c and f, d, a and e, f and (b or (a and c)))
    return [i for i, there in enumerate(alive) if not there]


@settings(max_examples=100, deadline=None)
@given(CELLS, st.integers(0, 2**32 - 1))
def test_dead_operations_and_the_names_of_nodes_do_not_matter(cell, seed):
    rng = np.random.default_rng(seed)
    other = list(cell)
    for edge in dead(cell):
        changed = [*other]
        changed[edge] = int(rng.integers(0, 5))
        if set(dead(changed)) == set(dead(other)):
            other = changed
    a, b, c, d, e, f = cell
    forms = [cell, other] + ([(b, a, 0, d, f, e)] if c == 0 else [])
    features = GraphFeatures("nb201").fit_transform(np.array(forms, np.uint8))
    assert (features == features[0]).all()


def test_graph_features_see_more_than_the_key():
    """Whether a sum takes one convolution twice, or two: the key of these is the same, their weights are not."""
    space = NB201()
    features = GraphFeatures("nb201").fit_transform(space.architectures)
    row = np.unique(features, axis=0, return_inverse=True)[1].ravel()
    pairs = set(zip(row.tolist(), space.key_many(space.architectures).tolist(), strict=True))
    rows, keys = ({pair[i] for pair in pairs} for i in (0, 1))
    assert len(pairs) == len(rows) > len(keys) == 4930  # no row has two keys


def test_all_texts_of_a_macro_network_are_the_same():
    space = registry.find("spaces", "nb_macro")()
    choices = space.decode(np.arange(space.size))
    features = GraphFeatures("nb_macro").fit_transform(choices)
    assert len(np.unique(features, axis=0)) == len(np.unique(space.key_many(choices))) == 3969


@pytest.mark.parametrize("name", GRAPH_SPACES)
def test_contract_of_every_encoding(name):
    space = registry.find("spaces", name)()
    choices = space.sample_many(300, np.random.default_rng(0))
    for encoding in (OneHot(name), GraphFeatures(name)):
        found = encoding.fit(choices).transform(choices)
        assert found.dtype == np.float64
        assert np.isfinite(found).all()
        assert [*range(found.shape[1])] == [column for group in encoding.columns() for column in group]
        np.testing.assert_array_equal(encoding.transform(choices[7:8]), found[7:8])  # a row does not depend on others
        assert len(encoding.get_feature_names_out()) == found.shape[1]
    assert (OneHot(name).fit_transform(choices).sum(axis=1) == len(space.choices)).all()


def test_costs_are_those_of_the_space():
    space = registry.find("spaces", "nats_sss")()
    choices = space.sample_many(50, np.random.default_rng(0))
    encoding = GraphFeatures("nats_sss").fit(choices)
    names = encoding.get_feature_names_out().tolist()
    found = encoding.transform(choices)
    np.testing.assert_allclose(np.exp(found[:, names.index("log parameters")]), space.parameters_many(choices))
    np.testing.assert_allclose(np.exp(found[:, names.index("log flops")]), space.flops_many(choices))


LAYER = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(0, 3))


@settings(max_examples=50, deadline=None)
@given(st.lists(LAYER, min_size=5, max_size=5))
def test_the_receptive_field_of_conv5_is_what_a_pixel_depends_on(layers):
    (found,) = encode(GraphFeatures("conv5"), sum(layers, ()))
    seen = {0}
    for kernel, stride, _ in reversed(layers):
        reach = (1, 3, 5)[kernel] // 2
        seen = {pixel * (1, 2)[stride] + step for pixel in seen for step in range(-reach, reach + 1)}
    # From the first to the last pixel that is seen: kernels of 1 with a stride leave gaps.
    assert np.exp(found["log receptive field"]) == pytest.approx(max(seen) - min(seen) + 1)
    assert 2 ** found["halvings"] == pytest.approx(2 ** sum(stride for _, stride, _ in layers))


def test_a_conv5_network_by_hand():
    space = registry.find("spaces", "conv5")()
    architecture = space.parse("3s1relu-5s2silu-1s2relu-1s1tanh-3s2relu")
    (found,) = encode(GraphFeatures("conv5"), architecture)
    expected = {
        "log parameters": np.log(space.parameters(architecture)),
        "log flops": np.log(space.flops_many([architecture])[0]),
        "halvings": 3,
        "halvings over all layers": 0 + 1 + 2 + 2 + 3,
        "halvings up to kernels above 1": 0 + 1 + 3,
        "kernels above 1 at half of the side or more": 2,
        "kernels above 1 at an eighth or less": 1,
        "kernels of 1 with a stride": 1,
        "kernels of 3": 2,
        "relu": 3,
        "silu": 1,
        "leaky_relu": 0,
        "log receptive field of layer 2": np.log(7),
        "log receptive field": np.log(15),
        "log kernel of layer 2": np.log(5),
        "stride of layer 3": 2,
        "layer 4 is tanh": 1,
        "layer 4 is relu": 0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_adjacency_is_the_pruned_matrix():
    space = registry.find("spaces", "nb101")()
    cell = space.from_cell([[0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], ["input", *OFFICIAL, "output"])
    (found,) = encode(Adjacency("nb101"), cell)
    there = {name for name, value in found.items() if value}
    assert there == {
        "edge 0>1",
        "edge 1>2",
        "edge 0>6",
        "edge 2>6",
        *(f"vertex {i + 1} is {OFFICIAL[i]}" for i in (0, 1)),
    }


OFFICIAL = ("conv3x3-bn-relu", "maxpool3x3")


def test_what_cannot_be_encoded_says_why():
    with pytest.raises(EncodingError, match="Adjacency is for nb101, not for 'nb201': use OneHot"):
        Adjacency("nb201").fit([[0] * 6])
    with pytest.raises(EncodingError, match="Paths is for nb201, nb101, not for 'nats_sss'"):
        Paths("nats_sss").fit([[0] * 5])
    with pytest.raises(UnknownNameError, match="Did you mean 'nb201'"):
        OneHot("nb20l").fit([[0] * 6])
    with pytest.raises(InvalidArchitectureError):
        GraphFeatures("nb201").fit([[0] * 5])
    with pytest.raises(InvalidArchitectureError):
        GraphFeatures("nb201").fit([[0] * 6]).transform([[5] * 6])
