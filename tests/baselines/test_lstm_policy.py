"""The recurrent policy against one written in numpy, and against the laws of probability."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the policy is a torch module")

from _numpy_lstm import distributions, log_terms, values, weights_of  # noqa: E402
from scipy import stats  # noqa: E402

from baselines.models.lstm_policy import LSTMPolicy, MovingAverage  # noqa: E402

UNEVEN = (3, 1, 4)


def policy(choices=UNEVEN, layers=2, initial_range=1.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return LSTMPolicy(choices, layers=layers, hidden=7, initial_range=initial_range, generator=generator)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("choices", [UNEVEN, (5,) * 6, (2,)])
def test_scores_are_those_of_a_hand_written_lstm(choices, layers):
    ours = policy(choices, layers)
    weights = weights_of(ours)
    rng = np.random.default_rng(1)
    architectures = [tuple(rng.integers(0, choices).tolist()) for _ in range(20)]
    with torch.no_grad():
        scores = ours(torch.tensor(architectures))
    for i, architecture in enumerate(architectures):
        expected = log_terms(weights, choices, architecture)
        np.testing.assert_allclose(scores.log_probabilities[i].exp().numpy(), expected, rtol=1e-4)
        entropies = [stats.entropy(p) for p in distributions(weights, choices, architecture)]
        np.testing.assert_allclose(scores.entropies[i].numpy(), entropies, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            scores.values[i].numpy(), values(weights, choices, architecture), rtol=1e-4, atol=1e-5
        )


def test_probabilities_of_all_architectures_sum_to_one():
    everything = list(itertools.product(*map(range, UNEVEN)))
    with torch.no_grad():
        scores = policy()(torch.tensor(everything))
    assert scores.log_probabilities.sum(dim=1).exp().sum().item() == pytest.approx(1, abs=1e-6)


def test_draws_follow_the_probabilities():
    ours = policy()
    drawn, logs = ours.draw(20_000)
    everything = {a: i for i, a in enumerate(itertools.product(*map(range, UNEVEN)))}
    counts = np.bincount([everything[tuple(a)] for a in drawn.tolist()], minlength=len(everything))
    weights = weights_of(ours)
    expected = np.array([log_terms(weights, UNEVEN, a).prod() for a in everything])
    assert stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 1e-3
    assert stats.chisquare(counts).pvalue < 1e-9, "a uniform policy would show nothing"
    with torch.no_grad():
        np.testing.assert_allclose(logs.numpy(), ours(drawn).log_probabilities.numpy(), rtol=1e-4, atol=1e-6)


def test_initial_weights_are_uniform():
    found = np.concatenate([p.detach().numpy().ravel() for p in policy((5,) * 6, initial_range=0.08).parameters()])
    assert stats.kstest(found, stats.uniform(-0.08, 0.16).cdf).pvalue > 1e-3


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    policy().draw(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_pickled_policy_draws_the_same():
    ours = policy()
    ours.draw(5)
    copy = pickle.loads(pickle.dumps(ours))
    assert torch.equal(ours.draw(9)[0], copy.draw(9)[0])


def test_moving_average_is_of_the_rewards_before():
    average = MovingAverage(0.9)
    assert average.advantages(torch.tensor([0.2, 0.4])).tolist() == pytest.approx([-0.1, 0.1])
    expected = 0.9 * (0.9 * 0.3 + 0.1 * 0.2) + 0.1 * 0.4
    assert average.advantages(torch.tensor([0.5])).tolist() == pytest.approx([0.5 - expected])
    with pytest.raises(ValueError, match=r"baseline_momentum must lie in \[0, 1\), got 1"):
        MovingAverage(1.0)


@pytest.mark.parametrize("name", ["lstm_reinforce:LSTMReinforce", "ppo:PPO"])
def test_without_torch_the_registry_says_what_to_install(name):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from nasbench import registry; from nasbench.errors import MissingPackageError\n"
        f"registry._BUILT_IN['searchers']['it'] = 'baselines.{name}'\n"
        "try: registry.find('searchers', 'it')\n"
        "except MissingPackageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "need torch, which is not installed: pip install 'nasbench-suite[train]'" in done.stdout
