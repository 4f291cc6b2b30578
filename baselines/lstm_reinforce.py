"""REINFORCE with an LSTM that decides one decision after the other.

B. Zoph and Q. V. Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017. Their code was not published.
Sizes, learning rate and initial weights are as others quote them from the paper, and so is the reward, the validation
accuracy cubed (theirs is the largest of the last five epochs; here it is what the search sees). From memory: each of
their controllers sends the gradient of eight architectures at once, the baseline is a moving average of the rewards
before, and there is no entropy term. They had 12,800 architectures trained, from memory too: after a few hundred this
search has hardly left random search.
"""

from __future__ import annotations

from baselines.models.lstm_policy import FLOAT, Controller, MovingAverage, one_thread, torch
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_POWER = 3


class LSTMReinforce:
    """Policy gradient over decisions that hang on those before them.

    In constrained spaces what is no architecture is drawn again, as NAS-Bench-101's authors do in REINFORCE; the
    gradient is that of the policy without this condition.

    While several trials are out at once, results are of a policy that has moved on since. The step is taken for the
    policy of now, without a correction, as by asynchronous controllers: with n workers the search is off-policy by as
    many steps as n results make.

    Ties: there are none to decide; a reward counts only by how far it is from the moving average.

    Args:
        space: The search space.
        seed: Seed of the initial weights and of all draws.
        layers: Of the LSTM; 2 in Zoph & Le.
        hidden: Units of each layer; 35 in Zoph & Le. The embeddings have as many (ours).
        initial_range: Weights are drawn between minus and plus this; 0.08 in Zoph & Le.
        learning_rate: Of Adam; 0.0006 in Zoph & Le.
        batch: Results of each step; 8 in Zoph & Le, from memory.
        baseline_momentum: Weight of the old baseline in its moving average; 0.95 as in NASNet, since Zoph & Le do not
            say.

    Raises:
        ValueError: A size is below 1, the range or the learning rate not positive, or the momentum outside of [0, 1).
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        layers: int = 2,
        hidden: int = 35,
        initial_range: float = 0.08,
        learning_rate: float = 6e-4,
        batch: int = 8,
        baseline_momentum: float = 0.95,
    ) -> None:
        self.space = space
        self.seed = seed
        self.layers = layers
        self.hidden = hidden
        self.initial_range = initial_range
        self.learning_rate = learning_rate
        self.batch = batch
        self.baseline_momentum = baseline_momentum
        self._controller = Controller(
            space,
            seed,
            layers=layers,
            hidden=hidden,
            initial_range=initial_range,
            learning_rate=learning_rate,
            batch=batch,
        )
        self._average = MovingAverage(baseline_momentum)
        self._told: list[tuple[Architecture, float]] = []

    def ask(self) -> Trial:
        """Draw one decision after the other; again, while what comes is no architecture of the space."""
        return Trial(self._controller.next()[0])

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Collect the result; a full batch gives one step of Adam along its policy gradient."""
        self._told.append((trial.architecture, validation_accuracy**_POWER))
        if len(self._told) == self.batch:
            with one_thread():
                self._learn()
            self._told = []

    def _learn(self) -> None:
        architectures, rewards = zip(*self._told, strict=True)
        advantages = self._average.advantages(torch.tensor(rewards, dtype=FLOAT))
        scores = self._controller.policy(torch.tensor(architectures))
        self._controller.step(-(advantages * scores.log_probabilities.sum(dim=1)).mean())
