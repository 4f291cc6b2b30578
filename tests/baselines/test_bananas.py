"""BANANAS: its published settings, its candidates, and its networks beside those of torch."""

from __future__ import annotations

import inspect
from itertools import pairwise

import numpy as np
import pytest

from baselines import _neural_networks
from baselines._neural_networks import NeuralNetworks
from baselines.bananas import Bananas
from nasbench.spaces.nb201 import NB201

SPACE = NB201()


def test_published_settings():
    """White, Neiswanger & Savani, AAAI 2021, section 5; naszilla, params.py and meta_neural_net.py."""
    defaults = {name: p.default for name, p in inspect.signature(Bananas).parameters.items()}
    assert defaults["initial"] == defaults["batch"] == 10
    assert (defaults["encoding"], defaults["predictor"]) == ("paths", "neural_networks")
    networks = _neural_networks
    assert (networks._NETWORKS, networks._LAYERS, networks._WIDTH) == (5, 10, 20)
    assert (networks._EPOCHS, networks._BATCH, networks._RATE) == (150, 32, 0.01)
    assert (networks._BETA1, networks._BETA2) == (0.9, 0.99)


def test_candidates_are_mutations_of_the_best_five():
    """One decision away from one of them; the best alone has 24, so that the others are needed too."""
    searcher = Bananas(SPACE, seed=0, predictor="gaussian_process")
    told = []
    for _ in range(10):
        trial = searcher.ask()
        accuracy = (trial.architecture.count(3) + sum(trial.architecture) / 100) / 10
        told.append((accuracy, trial.architecture))
        searcher.tell(trial, accuracy)
    best = [architecture for _, architecture in sorted(told, reverse=True)[:5]]
    near = [{*SPACE.neighbors(architecture)} for architecture in best]
    candidates = [tuple(row) for row in searcher._candidates().tolist()]
    assert len(set(candidates)) == len(candidates)
    assert set(candidates) <= set().union(*near) - {architecture for _, architecture in told}
    for _ in range(10):
        assert searcher.ask().architecture in set().union(*near)


@pytest.mark.parametrize("predictor", ["neural_networks", "gaussian_process", "extra_trees"])
def test_climbs_with_every_predictor(predictor):
    """Thirty evaluations: the batches are better than the random start."""
    searcher = Bananas(SPACE, seed=1, predictor=predictor, encoding="graph")
    values = []
    for _ in range(30):
        trial = searcher.ask()
        values.append(trial.architecture.count(3) / 6)
        searcher.tell(trial, values[-1])
    assert np.mean(values[20:]) > np.mean(values[:10]) + 0.2


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
