"""REINFORCE with one categorical distribution a decision.

R. J. Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning", Machine
Learning 1992, as NATS-Bench runs it (D-X-Y/AutoDL-Projects, exps/NATS-algos/reinforce.py): logits start at 0.001
times a standard normal, Adam (Kingma & Ba 2015) ascends the advantage times the gradient of the log-probability, the
reward is validation accuracy in percent, and the baseline is its bias-corrected moving average, updated first.
"""

from __future__ import annotations

from bisect import bisect

import numpy as np

from baselines.models.adam import Adam
from nasbench.randomness import Uniforms
from nasbench.spaces import SearchSpace
from nasbench.types import Seed, Trial

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # Adam's published defaults, which the script leaves alone


class Reinforce:
    """Policy gradient over independent categorical choices.

    Results hang on the learning rate: docs/reproduction.md has a table of it.

    While several trials are out at once, a result is of a policy that has moved on since: as many steps as results came
    in between. The step is taken for the policy of now, without a correction, so that with n workers the search is
    off-policy by up to n - 1 steps, and more where trainings take unequally long.

    Ties: there are none to decide; a reward counts only by how far it is from the moving average.

    Args:
        space: The search space.
        seed: Seed of the initial logits and of all draws.
        learning_rate: Step size of Adam; 0.01 in NATS-Bench's run-all.sh.
        baseline_momentum: Weight of the old baseline in its moving average; 0.9 in reinforce.py.

    Raises:
        ValueError: The learning rate is not positive, or the momentum outside of [0, 1).
    """

    def __init__(
        self, space: SearchSpace, *, seed: Seed, learning_rate: float = 0.01, baseline_momentum: float = 0.9
    ) -> None:
        if not learning_rate > 0 or not 0 <= baseline_momentum < 1:
            raise ValueError(
                "learning_rate must be positive and baseline_momentum in [0, 1), got "
                f"{learning_rate} and {baseline_momentum}."
            )
        self.space = space
        self.seed = seed
        self.learning_rate = learning_rate
        self.baseline_momentum = baseline_momentum
        rng = np.random.default_rng(seed)
        width = max(space.choices)
        self._logits = 1e-3 * rng.standard_normal((len(space.choices), width))
        # Decisions with fewer choices than the widest: their surplus logits never win.
        self._logits[np.arange(width) >= np.array(space.choices)[:, None]] = -np.inf
        self._rng = Uniforms(rng)
        self._policy, self._cumulative, self._gradient = np.zeros((3, *self._logits.shape))
        self._adam = Adam(self._logits, rate=learning_rate, beta1=_BETA1, beta2=_BETA2, epsilon=_EPSILON)
        self._steps = 0
        self._average = 0.0
        self._refresh()

    def ask(self) -> Trial:
        """Draw each decision from its distribution; again, while what comes is no architecture of the space."""
        random = self._rng.random
        while True:
            drawn = tuple([bisect(row, random() * row[-1]) for row in self._bounds])
            if not self.space.constrained or self.space.is_valid(drawn):
                return Trial(drawn)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Take one step of Adam along the policy gradient of this trial."""
        reward = 100 * validation_accuracy
        self._steps += 1
        momentum = self.baseline_momentum
        self._average = momentum * self._average + (1 - momentum) * reward
        advantage = reward - self._average / (1 - momentum**self._steps)

        gradient = self._gradient  # of -log p: the probabilities minus the one-hot choice
        np.copyto(gradient, self._policy)
        for decision, choice in enumerate(trial.architecture):
            gradient[decision, choice] -= 1.0
        gradient *= advantage

        self._adam.step(gradient)
        if self._steps % 64 == 0:
            self._logits -= self._logits.max(axis=1, keepdims=True)
        self._refresh()

    def _refresh(self) -> None:
        """Compute the probabilities of all choices, and their sums up to each choice, from the logits."""
        # Without the usual subtraction of the largest logit: tell() keeps that near zero.
        np.exp(self._logits, out=self._policy)
        np.add.accumulate(self._policy, axis=1, out=self._cumulative)
        self._policy /= self._cumulative[:, -1:]
        self._bounds = self._cumulative.tolist()
