"""BANANAS: its published settings, its candidates, and its networks beside those of torch."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import pairwise
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

from baselines.bananas import Bananas
from baselines.models import neural_networks
from baselines.models.neural_networks import NeuralNetworks
from nasbench import Architecture, SearchSpace
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from nasbench.spaces.nb_macro import NBMacro

SPACE = NB201()


def test_published_settings():
    """White, Neiswanger & Savani, AAAI 2021, section 5; naszilla, params.py and meta_neural_net.py."""
    defaults = {name: p.default for name, p in inspect.signature(Bananas).parameters.items()}
    assert defaults["initial"] == defaults["batch"] == 10
    assert (defaults["encoding"], defaults["predictor"]) == ("truncated_paths", "neural_networks")
    networks = neural_networks
    assert (networks._NETWORKS, networks._LAYERS, networks._WIDTH) == (5, 10, 20)
    assert (networks._EPOCHS, networks._BATCH, networks._RATE) == (150, 32, 0.01)
    assert (networks._BETA1, networks._BETA2) == (0.9, 0.99)


def told(space: SearchSpace, accuracies: Sequence[float]) -> tuple[Bananas, list[Architecture]]:
    """A searcher that knows as many architectures, and these."""
    searcher = Bananas(space, seed=0, initial=len(accuracies))
    known = []
    for accuracy in accuracies:
        trial = searcher.ask()
        known.append(trial.architecture)
        searcher.tell(trial, accuracy)
    return searcher, known


def test_mutates_the_best_and_the_next_until_there_are_a_hundred_candidates():
    searcher, known = told(SPACE, [0.1, 0.6, 0.3, 0.5, 0.2, 0.5])
    fresh = iter(SPACE.decode(np.random.default_rng(1).permutation(SPACE.size)).tolist())
    mutated, made = [], []

    def thirty(parent: Any) -> Any:
        mutated.append(tuple(parent.tolist()))
        made.extend([next(fresh) for _ in range(30)])
        return np.array([*made[-30:], *known], np.uint8)

    searcher._mutations = thirty  # type: ignore[method-assign]
    candidates = searcher._candidates()
    assert mutated == [known[i] for i in (1, 3, 5, 2)], "four times thirty are enough; the first of equals comes first"
    assert {*map(tuple, candidates.tolist())} == {*map(tuple, made)} - {*known}


def test_never_mutates_more_than_the_best_five():
    searcher, known = told(SPACE, [0.1, 0.6, 0.3, 0.5, 0.2, 0.4, 0.7])
    mutated = []
    searcher._mutations = lambda parent: mutated.append(tuple(parent.tolist())) or parent[None]  # type: ignore[func-returns-value,method-assign]
    assert not len(searcher._candidates())
    assert mutated == [known[i] for i in (6, 1, 3, 5, 2)]


def test_each_operation_of_201_changes_with_probability_one_quarter():
    """cell_201.py: rate / (6 - 2), to another operation; so that a sixth of the children are copies."""
    parent = np.array((1, 2, 3, 4, 0, 1), np.uint8)
    children = np.concatenate([Bananas(SPACE, seed=r)._mutations(parent) for r in range(60)])
    assert children.shape == (6000, 6)
    changed = children != parent
    law = [comb(6, k) * 3 ** (6 - k) / 4**6 for k in range(7)]
    counts = np.bincount(changed.sum(axis=1), minlength=7)
    assert stats.chisquare([*counts[:4], counts[4:].sum()], 6000 * np.array([*law[:4], sum(law[4:])])).pvalue > 1e-3
    for i, old in enumerate(parent.tolist()):
        values = np.bincount(children[changed[:, i], i], minlength=5)
        assert values[old] == 0
        assert stats.chisquare(np.delete(values, old)).pvalue > 1e-4


def test_edges_of_101_flip_with_probability_1_in_21_and_operations_change_with_1_in_5():
    """mutations.py, adj_mutate; until the cell is valid, here by rejection of whole arrays."""
    space, rng = NB101(), np.random.default_rng(3)
    parent = space.sample_many(1, rng)
    ours = np.concatenate([Bananas(space, seed=r)._mutations(parent[0]) for r in range(40)])
    assert space.valid_many(ours).all()
    n = 40_000
    flips = rng.random((n, 21)) < 1 / 21
    turns = (rng.random((n, 5)) < 1 / 5) * rng.integers(1, 3, (n, 5))
    theirs = np.concatenate([parent[:, :21] ^ flips, (parent[:, 21:] + turns) % 3], axis=1).astype(np.uint8)
    theirs = theirs[space.valid_many(theirs)]
    for part in (slice(0, 21), slice(21, 26)):
        a, b = ((rows[:, part] != parent[:, part]).sum(axis=1) for rows in (ours, theirs))
        assert stats.ks_2samp(a, b).pvalue > 1e-3
    each = np.abs((ours != parent).mean(axis=0) - (theirs != parent).mean(axis=0))
    assert (each < 4.5 * np.sqrt((theirs != parent).mean(axis=0) / len(ours))).all()


def test_other_spaces_have_neighbours_as_candidates():
    space = NBMacro()
    parent = np.zeros(8, np.uint8)
    assert ((Bananas(space, seed=0)._mutations(parent) != parent).sum(axis=1) == 1).all()


def test_forms_of_one_network_may_come_in_one_batch():
    """naszilla tells cells apart by their text: in NAS-Bench-201 each has an accuracy of its own."""
    searcher, _ = told(SPACE, [0.1, 0.2])
    dead = [(0, 0, i, 0, 3, 0) for i in range(5)]  # of which nothing reaches the output
    assert len({SPACE.key(cell) for cell in dead}) == 1
    searcher._mutations = lambda parent: np.array(dead, np.uint8)  # type: ignore[method-assign]
    assert len(searcher._candidates()) == 5


@pytest.mark.parametrize("predictor", ["neural_networks", "gaussian_process", "extra_trees"])
def test_climbs_with_every_predictor(predictor):
    """Forty evaluations: the last batch is better than the random start."""
    searcher = Bananas(SPACE, seed=1, predictor=predictor, encoding="graph")
    values = []
    for _ in range(40):
        trial = searcher.ask()
        values.append(trial.architecture.count(3) / 6)
        searcher.tell(trial, values[-1])
    assert np.mean(values[30:]) > np.mean(values[:10]) + 0.2


def test_networks_take_the_steps_that_torch_takes():
    """Same weights and batches: gradients of the mean absolute error, and Adam."""
    torch = pytest.importorskip("torch", reason="the extra [train] is not installed")
    rng = np.random.default_rng(0)
    inputs, labels = rng.random((32, 7)).astype(np.float32), rng.random((32, 1)).astype(np.float32)
    ours = NeuralNetworks(rng)
    ours._begin(7)
    start = [(w.copy(), b.copy()) for w, b in zip(ours._weights, ours._biases, strict=True)]
    for _ in range(20):
        ours._step(np.repeat(inputs[None], 5, axis=0), np.repeat(labels[None], 5, axis=0))
    mean, deviation = ours.predict(inputs.astype(np.float64))
    each = []
    for i in range(5):
        layers = []
        for layer, (fan_in, fan_out) in enumerate(pairwise([7, *[20] * 10, 1])):
            linear = torch.nn.Linear(fan_in, fan_out)
            linear.weight.data = torch.from_numpy(start[layer][0][i].T.copy())
            linear.bias.data = torch.from_numpy(start[layer][1][i, 0].copy())
            layers += [linear, torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers[:-1])
        adam = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.9, 0.99), eps=1e-7)
        for _ in range(20):
            adam.zero_grad()
            torch.nn.functional.l1_loss(network(torch.from_numpy(inputs)), torch.from_numpy(labels)).backward()
            adam.step()
        each.append(network(torch.from_numpy(inputs)).detach().numpy()[:, 0])
    assert np.abs(mean - np.mean(each, axis=0)).max() < 1e-3
    assert np.abs(deviation - np.std(each, axis=0)).max() < 1e-3
    assert np.ptp(mean) > 0, "dead networks would agree too"


def test_initial_weights_are_glorots():
    """Uniform with variance 2 / (in + out), as Keras draws them."""
    networks = NeuralNetworks(np.random.default_rng(0))
    networks._begin(84)
    assert networks._weights[0].shape == (5, 84, 20)
    assert networks._weights[0].var() == pytest.approx(2 / 104, rel=0.03)
    assert networks._weights[5].var() == pytest.approx(2 / 40, rel=0.1)
    assert all(not bias.any() for bias in networks._biases)


def test_networks_learn():
    """A line of a few features, to a tenth of its spread."""
    rng = np.random.default_rng(1)
    features = rng.random((100, 5))
    labels = 10 + 5 * features[:, 0] - 3 * features[:, 1]
    mean, deviation = NeuralNetworks(rng).fit(features, labels).predict(features)
    assert np.abs(mean - labels).mean() < 0.1 * np.ptp(labels)
    assert (deviation > 0).all()


def test_refuses_predictors_that_it_does_not_have():
    with pytest.raises(ValueError, match="predictor must be one of neural_networks, gaussian_process, extra_trees"):
        Bananas(SPACE, seed=0, predictor="oracle")
