"""The graph network: equal for isomorphic forms, the same seed the same numbers, learns what a cell is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.base import clone

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nb101 import NB101
from surrogates.encodings import EncodingError, GraphFeatures, OneHot
from surrogates.models.boosting import BoostedTrees
from surrogates.models.encoded import Encoded
from surrogates.models.graph_network import GraphNetwork
from surrogates.models.stack import Stack

SPACE = NB101()
CELLS = SPACE.cells[np.random.default_rng(0).permutation(len(SPACE.cells))[:700]]


def score(choices: np.ndarray) -> np.ndarray:
    """Additive over live vertices, with a term for the edge from input to output."""
    edges, labels = SPACE.pruned_many(choices)
    return (labels == 1).sum(axis=0) - 0.7 * (labels == 3).sum(axis=0) + 0.5 * edges[15] + 1e-3 * len(edges)


LABELS = score(CELLS) + 0.01 * np.random.default_rng(1).normal(size=len(CELLS))


@pytest.fixture(scope="module")
def fitted() -> GraphNetwork:
    return GraphNetwork(epochs=15, members=2, random_state=0).fit(CELLS[:200], LABELS[:200])


def test_learns_an_additive_function(fitted: GraphNetwork) -> None:
    assert kendalltau(fitted.predict(CELLS[200:]), LABELS[200:]).statistic > 0.85


def test_isomorphic_forms_get_equal_predictions(fitted: GraphNetwork) -> None:
    # Vertices 1 and 2 of these cells are not connected: they can change places.
    cells = CELLS[CELLS[:, 2] == 0][:200]
    edge = {(x, y): x + y * (y - 1) // 2 for y in range(7) for x in range(y)}
    swap = {1: 2, 2: 1}
    forms = cells.copy()
    for (x, y), i in edge.items():
        if (x, y) != (1, 2):
            forms[:, edge[swap.get(x, x), swap.get(y, y)]] = cells[:, i]
    forms[:, [21, 22]] = cells[:, [22, 21]]
    assert (forms != cells).any(axis=1).sum() > 100
    np.testing.assert_array_equal(SPACE.key_many(forms), SPACE.key_many(cells))
    np.testing.assert_allclose(fitted.predict_ranks(forms)[0], fitted.predict_ranks(cells)[0], atol=1e-4)


def test_the_same_seed_gives_the_same_numbers_and_leaves_the_global_state_alone(fitted: GraphNetwork) -> None:
    state, numpy_state, threads = torch.get_rng_state(), np.random.get_state()[1], torch.get_num_threads()
    again = clone(fitted).fit(CELLS[:200], LABELS[:200])
    assert (torch.get_rng_state() == state).all()
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.get_num_threads() == threads
    for one, other in zip(fitted.predict(CELLS, return_std=True), again.predict(CELLS, return_std=True), strict=True):
        assert one.tobytes() == other.tobytes()
    other = clone(fitted).set_params(random_state=1).fit(CELLS[:200], LABELS[:200])
    assert (other.predict(CELLS) != fitted.predict(CELLS)).any()


def test_rows_do_not_depend_on_those_around_them(fitted: GraphNetwork) -> None:
    together = fitted.predict_ranks(SPACE.cells[:1100])[0]  # more than are predicted at once
    alone = np.concatenate([fitted.predict_ranks(SPACE.cells[i : i + 1])[0] for i in (0, 1023, 1024, 1099)])
    np.testing.assert_allclose(together[[0, 1023, 1024, 1099]], alone, atol=1e-5)


def test_held_out_labels_are_not_seen() -> None:
    """Of labels that are noise, nothing can be known; a network that saw them knows much."""
    noise = np.random.default_rng(2).normal(size=200)
    model = GraphNetwork(epochs=30, members=2, random_state=0).fit(CELLS[:200], noise)
    folds = np.array_split(np.random.default_rng(3).permutation(200), 4)
    held_out, deviation = model._predict_held_out(CELLS[:200].astype(float), noise, folds)
    assert kendalltau(model.predict(CELLS[:200]), noise).statistic > 0.5
    assert abs(kendalltau(held_out, noise).statistic) < 0.2
    assert (deviation > 0).all()


@pytest.mark.parametrize(
    ("choices", "labels", "error", "message"),
    [
        (CELLS[:20], np.full(20, 0.9), ValueError, "nothing to learn"),
        (CELLS[:20], np.where(np.arange(20) == 3, np.nan, LABELS[:20]), ValueError, "NaN"),
        (CELLS[:20], LABELS[:19], ValueError, "inconsistent"),
        (CELLS[:20] + 0.5, LABELS[:20], InvalidArchitectureError, "integer"),
        (np.zeros((20, 26), np.uint8), LABELS[:20], InvalidArchitectureError, "disconnected"),
        (CELLS[:20, :25], LABELS[:20], InvalidArchitectureError, "26"),
    ],
)
def test_refuses(choices: np.ndarray, labels: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GraphNetwork(epochs=1).fit(choices, labels)


def test_refuses_other_spaces() -> None:
    with pytest.raises(EncodingError, match="nb101, not for 'nb201'"):
        GraphNetwork("nb201").fit(np.zeros((5, 6), np.uint8), np.arange(5.0))


def test_refuses_parameters_of_another_network(fitted: GraphNetwork) -> None:
    state = fitted.state()
    weights = state["model"]["weights"]
    for wrong in (
        {name: value for name, value in weights.items() if name != "hidden"},
        {**weights, "hidden": weights["hidden"][:, :, :-1]},
        {**weights, "hidden": weights["hidden"][:1]},
    ):
        with pytest.raises((ValueError, KeyError), match=r"expected numbers of shape|hidden"):
            clone(fitted).restore({**state, "model": {**state["model"], "weights": wrong}})
    biases = {name: value[:, :, :1] for name, value in state["model"]["biases"].items()}
    with pytest.raises(ValueError, match="expected numbers of shape"):
        clone(fitted).restore({**state, "model": {**state["model"], "biases": biases}})


def test_an_encoded_model_is_the_model_on_features() -> None:
    """What a pipeline predicts, predictions held out included."""
    trees = BoostedTrees(trees=20, random_state=0)
    features = GraphFeatures("nb101").fit(CELLS).transform(CELLS)
    model = Encoded(GraphFeatures("nb101"), trees).fit(CELLS[:100], LABELS[:100])
    plain = clone(trees).fit(features[:100], LABELS[:100])
    np.testing.assert_array_equal(model.predict(CELLS), plain.predict(features))
    for one, other in zip(model.predict_ranks(CELLS), plain.predict_ranks(features), strict=True):
        np.testing.assert_array_equal(one, other)


def test_models_with_other_encodings_stack() -> None:
    members = [
        GraphNetwork(epochs=5, members=2, random_state=0),
        Encoded(GraphFeatures("nb101"), BoostedTrees(trees=30, random_state=0)),
        Encoded(OneHot("nb101"), BoostedTrees(trees=30, random_state=0)),
    ]
    stack = Stack(members, folds=3, random_state=0).fit(CELLS[:100], LABELS[:100])
    mean, deviation = stack.predict(CELLS[100:], return_std=True)
    assert kendalltau(mean, LABELS[100:]).statistic > 0.6
    assert (deviation > 0).all()
