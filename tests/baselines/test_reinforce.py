"""REINFORCE against torch: autograd of the log-probability, torch.optim.Adam, the moving average written out."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.reinforce import Reinforce
from nasbench import SearchSpace, Trial
from nasbench.spaces.nb201 import NB201


class Uneven(SearchSpace):
    name = "uneven"
    choices = (3, 1, 4)


@pytest.mark.parametrize("space", [NB201(), Uneven()], ids=lambda space: space.name)
@pytest.mark.parametrize("learning_rate", [0.01, 0.3])
def test_each_step_is_that_of_torch(space, learning_rate):
    torch = pytest.importorskip("torch", reason="compares with torch.optim.Adam")
    searcher = Reinforce(space, seed=4, learning_rate=learning_rate)
    start = [searcher._logits[i, :k].copy() for i, k in enumerate(space.choices)]
    logits = [torch.tensor(row, requires_grad=True) for row in start]
    adam = torch.optim.Adam(logits, lr=learning_rate)
    rng = np.random.default_rng(0)
    average = 0.0
    for step in range(1, 200):
        trial = searcher.ask()
        accuracy = rng.random()
        reward = 100 * accuracy
        average = 0.9 * average + (1 - 0.9) * reward  # not 0.1: the first advantage is exactly zero
        advantage = reward - average / (1 - 0.9**step)
        log_p = sum(torch.log_softmax(row, 0)[c] for row, c in zip(logits, trial.architecture, strict=True))
        adam.zero_grad()
        (-log_p * advantage).backward()
        adam.step()
        searcher.tell(trial, accuracy)
        for i, row in enumerate(logits):
            ours, theirs = searcher._logits[i, : len(row)], row.detach().numpy()
            # Only differences of logits mean anything: the largest is moved to zero now and then.
            np.testing.assert_allclose(ours - ours.max(), theirs - theirs.max(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("workers", [3, 8])
def test_with_several_workers_each_step_is_that_of_the_policy_of_now(workers):
    """Off-policy: what was asked of an older policy moves the present one, as if that had drawn it."""
    torch = pytest.importorskip("torch", reason="compares with torch.optim.Adam")
    space = NB201()
    searcher = Reinforce(space, seed=4, learning_rate=0.3)
    logits = [torch.tensor(row, requires_grad=True) for row in searcher._logits.copy()]
    adam = torch.optim.Adam(logits, lr=0.3)
    rng = np.random.default_rng(0)
    out = [searcher.ask() for _ in range(workers)]
    average = 0.0
    for step in range(1, 100):
        trial = out.pop(int(rng.random() * workers))
        accuracy = rng.random()
        reward = 100 * accuracy
        average = 0.9 * average + (1 - 0.9) * reward
        advantage = reward - average / (1 - 0.9**step)
        log_p = sum(torch.log_softmax(row, 0)[c] for row, c in zip(logits, trial.architecture, strict=True))
        adam.zero_grad()
        (-log_p * advantage).backward()
        adam.step()
        searcher.tell(trial, accuracy)
        out.append(searcher.ask())
        for ours, row in zip(searcher._logits, logits, strict=True):
            theirs = row.detach().numpy()
            np.testing.assert_allclose(ours - ours.max(), theirs - theirs.max(), rtol=1e-9, atol=1e-9)


def test_learns_with_eight_workers():
    searcher = Reinforce(NB201(), seed=0, learning_rate=0.1)
    out = [searcher.ask() for _ in range(8)]
    for _ in range(400):
        trial = out.pop(0)
        searcher.tell(trial, trial.architecture.count(3) / 6)
        out.append(searcher.ask())
    assert np.mean([searcher.ask().architecture.count(3) for _ in range(50)]) > 5


def test_starts_nearly_uniform():
    space = NB201()
    drawn = np.array([Reinforce(space, seed=seed).ask().architecture for seed in range(3000)])
    for column in drawn.T:
        counts = np.bincount(column, minlength=5)
        assert ((counts - 600) ** 2 / 600).sum() < 23.5  # chi-square, 4 degrees of freedom: once in ten thousand


def test_learns_which_choice_is_rewarded():
    space = NB201()
    searcher = Reinforce(space, seed=0, learning_rate=0.1)
    for _ in range(400):
        trial = searcher.ask()
        searcher.tell(trial, trial.architecture.count(3) / 6)
    assert np.mean([searcher.ask().architecture.count(3) for _ in range(50)]) > 5


@pytest.mark.parametrize("arguments", [{"learning_rate": 0.0}, {"learning_rate": -1.0}, {"baseline_momentum": 1.0}])
def test_refuses_settings_that_make_no_sense(arguments):
    with pytest.raises(ValueError, match="learning_rate must be positive and baseline_momentum in"):
        Reinforce(NB201(), seed=0, **arguments)


def test_never_draws_a_choice_that_a_decision_does_not_have():
    searcher = Reinforce(Uneven(), seed=0, learning_rate=0.5)
    for i in range(500):
        trial = searcher.ask()
        assert Uneven().is_valid(trial.architecture)
        searcher.tell(Trial(trial.architecture), i % 2)
