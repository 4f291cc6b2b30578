"""PPO: its gradient against differences of the clipped objective written in numpy, and what it learns."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the policy is a torch module")

from _numpy_lstm import check_gradient, distributions, log_terms, values, weights_of  # noqa: E402
from scipy import stats  # noqa: E402

from baselines.ppo import PPO, _generalised  # noqa: E402
from nasbench import SearchSpace, Trial  # noqa: E402
from nasbench.spaces.nb201 import NB201  # noqa: E402
from nasbench.testing import SearcherContract  # noqa: E402

SPACE = NB201()


class Uneven(SearchSpace):
    name = "uneven"
    choices = (3, 1, 4)


class TestContract(SearcherContract):
    @pytest.fixture(params=["nasnet", "nni"])
    def make_searcher(self, request):
        passes = {"passes": 2}  # the presets' many passes would take minutes over five spaces
        return lambda space, seed: PPO(space, seed=seed, **PPO.presets[request.param] | passes)


def objective(space, told, advantages, old, *, clip=0.2, entropy=0.0, returned=None):
    """Equation 7 of Schulman et al. 2017, an action a decision, negated; with entropy and value loss (equation 9)."""

    def loss(weights):
        gains, entropies, errors = [], [], []
        for i, one in enumerate(told):
            ratios = log_terms(weights, space.choices, one) / old[i]
            gains.append(np.minimum(ratios * advantages[i], np.clip(ratios, 1 - clip, 1 + clip) * advantages[i]))
            entropies.append([stats.entropy(p) for p in distributions(weights, space.choices, one)])
            if returned is not None:
                errors.append((returned[i] - values(weights, space.choices, one)) ** 2)
        return -np.mean(gains) - entropy * np.mean(entropies) + (0.5 * np.mean(errors) if errors else 0)

    return loss


@pytest.mark.parametrize("space", [SPACE, Uneven()], ids=lambda space: space.name)
def test_the_gradient_is_that_of_the_clipped_objective(space):
    """At the first pass all ratios are one; a second pass, large steps and a narrow clip make others."""
    passes, clip = 3, 0.02
    settings = {"batch": 3, "initial_range": 0.5, "clip": clip, "entropy": 0.03, "learning_rate": 0.01}
    accuracies = np.array([0.9, 0.3, 0.5])
    for done in range(1, passes + 1):
        searcher = PPO(space, seed=1, passes=done, **settings)
        policy = searcher._controller.policy
        if done == 1:
            first = before = weights_of(policy)
        told = [searcher.ask() for _ in accuracies]
        old = [log_terms(first, space.choices, trial.architecture) for trial in told]
        for trial, accuracy in zip(told, accuracies, strict=True):
            searcher.tell(trial, accuracy)
        architectures = [trial.architecture for trial in told]
        advantages = accuracies - accuracies.mean()
        loss = objective(space, architectures, advantages, old, clip=clip, entropy=0.03)
        check_gradient(policy, before, loss)
        before = weights_of(policy)  # the same searcher with one pass more starts its last one here
    ratios = np.array([log_terms(before, space.choices, a) / o for a, o in zip(architectures, old, strict=True)])
    assert (np.abs(ratios - 1) > clip).any(), "nothing was clipped, so that the clip was not tested"


def test_the_critic_learns_what_was_returned():
    searcher = PPO(SPACE, seed=2, batch=3, passes=1, initial_range=0.5, critic=True, entropy=0.01)
    policy = searcher._controller.policy
    before, accuracies = weights_of(policy), (0.9, 0.3, 0.5)
    told = [searcher.ask() for _ in accuracies]
    for trial, accuracy in zip(told, accuracies, strict=True):
        searcher.tell(trial, accuracy)
    architectures = [trial.architecture for trial in told]
    expected = np.array([values(before, SPACE.choices, a) for a in architectures])
    advantages = np.array([generalised_by_hand(v, r) for v, r in zip(expected, accuracies, strict=True)])
    normalised = (advantages - advantages.mean()) / advantages.std(ddof=1)
    old = [log_terms(before, SPACE.choices, a) for a in architectures]
    returned = advantages + expected
    check_gradient(policy, before, objective(SPACE, architectures, normalised, old, entropy=0.01, returned=returned))


def generalised_by_hand(expected, reward, decay=0.95):
    """Equation 16 of Schulman et al. 2016 (High-Dimensional Continuous Control), with a reward at the end alone."""
    following = [*expected[1:], reward]
    differences = [after - before for before, after in zip(expected, following, strict=True)]
    return [sum(decay**k * d for k, d in enumerate(differences[t:])) for t in range(len(expected))]


def test_generalised_advantages():
    expected, rewards = torch.tensor([[0.1, 0.2, 0.4], [0.5, 0.1, 0.0]]), torch.tensor([[0.9], [0.3]])
    normalised, returned = _generalised(expected, rewards)
    by_hand = np.array([generalised_by_hand(v, r[0]) for v, r in zip(expected.tolist(), rewards.tolist(), strict=True)])
    np.testing.assert_allclose(returned.numpy(), by_hand + expected.numpy(), rtol=1e-5)
    np.testing.assert_allclose(normalised.numpy(), (by_hand - by_hand.mean()) / by_hand.std(ddof=1), rtol=1e-5)


def test_a_late_result_is_weighed_by_the_policy_that_drew_it():
    """With n workers: the old probabilities are those of the asking, however many steps ago."""
    settings = {"batch": 2, "passes": 1, "initial_range": 0.5, "learning_rate": 0.003, "entropy": 0.0}
    searcher = PPO(SPACE, seed=3, **settings)
    policy = searcher._controller.policy
    first = weights_of(policy)
    out = [searcher.ask() for _ in range(8)]
    for trial, accuracy in zip(out[:6], (0.2, 0.8, 0.4, 0.6, 0.9, 0.1), strict=True):
        searcher.tell(trial, accuracy)  # three steps
    now, base = weights_of(policy), 0.5
    for accuracy in (0.2, 0.8, 0.4, 0.6, 0.9, 0.1):
        base = 0.95 * base + 0.05 * accuracy
    late = [trial.architecture for trial in reversed(out[6:])]
    for one, accuracy in zip(late, (0.7, 0.3), strict=True):
        searcher.tell(Trial(one), accuracy)
    drawn_by, advantages = [log_terms(first, SPACE.choices, one) for one in late], [0.7 - base, 0.3 - base]
    check_gradient(policy, now, objective(SPACE, late, advantages, drawn_by))
    on_policy = [log_terms(now, SPACE.choices, one) for one in late]
    with pytest.raises(AssertionError):
        check_gradient(policy, now, objective(SPACE, late, advantages, on_policy))


def test_what_was_not_asked_for_has_ratio_one():
    searcher = PPO(SPACE, seed=4, batch=2, passes=1, initial_range=0.5, entropy=0.0)
    before, told = weights_of(searcher._controller.policy), [(0, 1, 2, 3, 4, 0), (1, 1, 1, 1, 1, 1)]
    for one, accuracy in zip(told, (0.7, 0.3), strict=True):
        searcher.tell(Trial(one), accuracy)
    old = [log_terms(before, SPACE.choices, one) for one in told]
    check_gradient(searcher._controller.policy, before, objective(SPACE, told, [0.2, -0.2], old))


def test_of_twins_that_are_out_the_first_asked_for_is_told_first():
    space = Uneven()
    searcher = PPO(space, seed=5, batch=3, learning_rate=0.01)
    drawn_by = [weights_of(searcher._controller.policy)]
    twin = searcher.ask().architecture
    for accuracy in (0.1, 0.9, 0.5, 0.1, 0.9, 0.5):
        searcher.tell(Trial((0, 0, 1)), accuracy)
    drawn_by.append(weights_of(searcher._controller.policy))
    while searcher.ask().architecture != twin:
        pass
    first, second = (np.log(log_terms(weights, space.choices, twin)) for weights in drawn_by)
    assert not np.allclose(first, second, rtol=1e-3)
    for logs in (first, second):
        searcher.tell(Trial(twin), 0.5)
        np.testing.assert_allclose(searcher._told[-1][2].numpy(), logs, rtol=1e-4, atol=1e-6)
    assert twin not in searcher._out


@pytest.mark.parametrize("workers", [1, 20])
def test_learns_which_choice_is_rewarded(workers):
    searcher = PPO(SPACE, seed=0, learning_rate=0.01)
    out = [searcher.ask() for _ in range(workers)]
    for _ in range(1000):
        trial = out.pop(0)
        searcher.tell(trial, trial.architecture.count(3) / 6)
        out.append(searcher.ask())
    assert np.mean([searcher.ask().architecture.count(3) for _ in range(50)]) > 5


def test_learns_that_a_decision_hangs_on_the_one_before():
    searcher = PPO(SPACE, seed=1, **PPO.presets["nni"] | {"learning_rate": 0.003, "passes": 8})
    for _ in range(1500):
        trial = searcher.ask()
        searcher.tell(trial, float(trial.architecture[0] == trial.architecture[1]))
    assert np.mean([a[0] == a[1] for a in (searcher.ask().architecture for _ in range(100))]) > 0.9


def test_a_pickled_searcher_goes_on_as_the_first():
    one = PPO(SPACE, seed=5, batch=4)
    out = [one.ask() for _ in range(11)]
    for trial in out[:9]:
        one.tell(trial, sum(trial.architecture) / 24)
    other = pickle.loads(pickle.dumps(one))
    for trial in out[9:]:
        one.tell(trial, 0.5)
        other.tell(trial, 0.5)
    for _ in range(30):
        trial = one.ask()
        assert other.ask() == trial
        for searcher in (one, other):
            searcher.tell(Trial(trial.architecture), sum(trial.architecture) / 24)


def test_the_preset_of_nasnet_is_the_default():
    searcher = PPO(SPACE, seed=0)
    assert vars(searcher).items() >= PPO.presets["nasnet"].items()


@pytest.mark.parametrize("arguments", [{"passes": 0}, {"clip": 0.0}, {"entropy": -1.0}, {"clip": float("nan")}])
def test_refuses_settings_that_make_no_sense(arguments):
    with pytest.raises(ValueError, match="passes must be at least 1, clip positive and entropy not negative"):
        PPO(SPACE, seed=0, **arguments)
