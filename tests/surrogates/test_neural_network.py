"""Neural networks: labels that are held out stay unseen, intervals hold, and what was learnt can be carried away."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.base import clone

from nasbench.cli import main
from surrogates.models.neural_network import NeuralNetworks
from surrogates.models.ridge import Ridge
from surrogates.models.stack import Stack


def problem(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels that depend on the product of two of four features, which nothing linear can learn."""
    features = np.random.default_rng(seed).normal(size=(n, 4))
    return features, features[:, 0] * features[:, 1] + features[:, 2]


def test_learns_what_a_line_cannot() -> None:
    (features, labels), (others, recorded) = problem(200, 0), problem(500, 1)
    taus = [
        kendalltau(model.fit(features, labels).predict(others), recorded).statistic
        for model in (NeuralNetworks(random_state=0), Ridge())
    ]
    assert taus[0] > 0.8
    assert taus[0] > taus[1] + 0.2


def test_held_out_labels_are_not_seen() -> None:
    """Of labels that are noise nothing can be known; networks that saw them know much."""
    features = np.random.default_rng(0).normal(size=(100, 20))
    noise = np.random.default_rng(2).normal(size=100)
    model = NeuralNetworks(members=4, random_state=0).fit(features, noise)
    folds = np.array_split(np.random.default_rng(3).permutation(100), 4)
    held_out, deviation = model._predict_held_out(features, noise, folds)
    assert kendalltau(model.predict(features), noise).statistic > 0.5
    assert abs(kendalltau(held_out, noise).statistic) < 0.2
    # Networks that saw a label agree on it; those that did not have no reason to.
    assert np.median(deviation) > 1.5 * np.median(model.predict_ranks(features)[1])


def test_intervals_of_a_stack_of_networks_hold() -> None:
    inside = []
    for seed in range(3):
        (features, labels), (others, recorded) = problem(100, seed), problem(500, seed + 50)
        stack = Stack([NeuralNetworks(members=4, epochs=50, random_state=0)], random_state=0).fit(features, labels)
        z, deviation = stack.predict_ranks(others)
        low, high = (stack.ranks_.back(z + side * 1.6449 * deviation) for side in (-1, 1))
        inside.append(((recorded >= low) & (recorded <= high)).mean())
    assert 0.82 < np.mean(inside) < 0.97


def test_neither_seeds_nor_threads_of_others_are_touched() -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    NeuralNetworks(members=2, epochs=2, random_state=0).fit(*problem(50, 0))
    assert (torch.get_rng_state() == state).all()
    assert torch.get_num_threads() == threads


def test_a_state_is_all_that_was_learnt() -> None:
    features, labels = problem(50, 0)
    model = NeuralNetworks(members=2, epochs=3, random_state=0).fit(features, labels)
    again = clone(model).restore(model.state())
    for one, other in zip(model.predict(features, True), again.predict(features, True), strict=True):
        np.testing.assert_array_equal(one, other)
    spoilt = model.state()
    spoilt["model"]["parameters"]["weights 0"] = np.full((2, 4, 32), np.nan)
    with pytest.raises(ValueError, match="finite"):
        clone(model).restore(spoilt)


def test_without_torch_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delitem(sys.modules, "surrogates.models.neural_network")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["evaluate-surrogates", "neural_networks"]) == 1
    assert "this model of nb201 needs torch" in (told := capsys.readouterr().err)
    assert "pip install 'nasbench-suite[train]'" in told
