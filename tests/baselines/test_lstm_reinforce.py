"""REINFORCE with an LSTM: its gradient against differences of a hand-written one, and what it learns."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("torch", reason="the policy is a torch module")

from _numpy_lstm import check_gradient, log_probability, weights_of

from baselines.lstm_reinforce import LSTMReinforce
from nasbench import SearchSpace, Trial
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract

SPACE = NB201()


class Uneven(SearchSpace):
    name = "uneven"
    choices = (3, 1, 4)


class TestContract(SearcherContract):
    @pytest.fixture
    def make_searcher(self):
        return lambda space, seed: LSTMReinforce(space, seed=seed)


def negated_gain(told, advantages, choices):
    return lambda weights: (
        -np.mean([a * log_probability(weights, choices, one) for a, one in zip(advantages, told, strict=True)])
    )


@pytest.mark.parametrize("space", [SPACE, Uneven()], ids=lambda space: space.name)
def test_the_gradient_is_that_of_the_rewards_cubed(space):
    searcher = LSTMReinforce(space, seed=1, batch=4, initial_range=0.5)
    policy = searcher._controller.policy
    rng, average = np.random.default_rng(2), None
    for _ in range(3):
        before, told = weights_of(policy), []
        accuracies = rng.random(4)
        for accuracy in accuracies:
            told.append(searcher.ask())
            searcher.tell(told[-1], accuracy)
        average = np.mean(accuracies**3) if average is None else average
        advantages = accuracies**3 - average
        check_gradient(policy, before, negated_gain([t.architecture for t in told], advantages, space.choices))
        for reward in accuracies**3:
            average = 0.95 * average + 0.05 * reward


def test_a_late_result_moves_the_policy_of_now():
    """Off-policy by the steps between: the gradient is at the weights of now, of architectures of the ones before."""
    searcher = LSTMReinforce(SPACE, seed=3, batch=2, initial_range=0.5, learning_rate=0.05)
    policy = searcher._controller.policy
    first = [searcher.ask() for _ in range(6)]
    old = weights_of(policy)
    for i in range(2):
        searcher.tell(first[i], 0.5 + 0.4 * i)
    now = weights_of(policy)
    rewards = np.array([0.9, 0.2]) ** 3
    base = np.mean([0.5**3, 0.9**3])
    for reward in (0.5**3, 0.9**3):
        base = 0.95 * base + 0.05 * reward
    for trial, accuracy in zip(first[4:], (0.9, 0.2), strict=True):
        searcher.tell(trial, accuracy)
    loss = negated_gain([t.architecture for t in first[4:]], rewards - base, SPACE.choices)
    check_gradient(policy, now, loss)
    with pytest.raises(AssertionError):
        check_gradient(policy, old, loss)


def test_asks_after_a_step_come_from_the_new_policy():
    """What was drawn at once and not yet asked for is thrown away: with one worker the search is on-policy."""
    searcher = LSTMReinforce(SPACE, seed=4, batch=5)
    for i in range(40):
        assert len(searcher._controller._drawn) == (5 - i) % 5
        searcher.tell(searcher.ask(), i % 3 / 3)


@pytest.mark.parametrize("workers", [1, 8])
def test_learns_which_choice_is_rewarded(workers):
    searcher = LSTMReinforce(SPACE, seed=0, learning_rate=0.02)
    out = [searcher.ask() for _ in range(workers)]
    for _ in range(1200):
        trial = out.pop(0)
        searcher.tell(trial, trial.architecture.count(3) / 6)
        out.append(searcher.ask())
    assert np.mean([searcher.ask().architecture.count(3) for _ in range(50)]) > 5


def test_learns_that_a_decision_hangs_on_the_one_before():
    """Which REINFORCE with independent decisions cannot: the second decision must equal the first."""
    searcher = LSTMReinforce(SPACE, seed=1, learning_rate=0.02)
    for _ in range(3000):
        trial = searcher.ask()
        searcher.tell(trial, float(trial.architecture[0] == trial.architecture[1]))
    assert np.mean([a[0] == a[1] for a in (searcher.ask().architecture for _ in range(100))]) > 0.9


def test_a_pickled_searcher_goes_on_as_the_first():
    one = LSTMReinforce(SPACE, seed=5)
    out = [one.ask() for _ in range(11)]
    for trial in out[:9]:
        one.tell(trial, sum(trial.architecture) / 24)
    other = pickle.loads(pickle.dumps(one))
    for trial in out[9:]:
        one.tell(trial, 0.5)
        other.tell(trial, 0.5)
    for _ in range(50):
        trial = one.ask()
        assert other.ask() == trial
        for searcher in (one, other):
            searcher.tell(Trial(trial.architecture), sum(trial.architecture) / 24)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": 0}, "layers, hidden and batch must be at least 1, got 0, 35 and 8"),
        ({"batch": 0}, "layers, hidden and batch must be at least 1, got 2, 35 and 0"),
        ({"learning_rate": 0.0}, "initial_range and learning_rate must be positive, got 0.08 and 0.0"),
        ({"initial_range": float("nan")}, "initial_range and learning_rate must be positive, got nan"),
        ({"baseline_momentum": 1.0}, "baseline_momentum must lie in"),
    ],
)
def test_refuses_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        LSTMReinforce(SPACE, seed=0, **arguments)
