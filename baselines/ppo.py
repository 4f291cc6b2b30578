"""Proximal policy optimisation of an LSTM that decides one decision after the other.

J. Schulman, F. Wolski, P. Dhariwal, A. Radford and O. Klimov, "Proximal Policy Optimization Algorithms", 2017, with the
controller of B. Zoph, V. Vasudevan, J. Shlens and Q. V. Le, "Learning Transferable Architectures for Scalable Image
Recognition" (NASNet), CVPR 2018, or that of NNI (nni/nas/strategy/rl.py and _rl_impl.py), which hands it to tianshou's
PPOPolicy. The controller of NASNet was not published: its figures are as others quote them from the paper.
"""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from baselines.models.lstm_policy import FLOAT, Controller, MovingAverage, Scores, Tensor, one_thread, torch
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed, Trial

_LAMBDA, _VALUE_WEIGHT, _EPSILON = 0.95, 0.5, 1e-8  # tianshou's defaults, which NNI leaves alone


class PPO:
    """Several steps along the policy gradient of each batch, as long as the policy stays near the one that drew it.

    A decision is an action, and its ratio is its probability now over that when it was drawn. That is remembered from
    the asking: the results of several trials that were out at once, of a policy that has moved on since, are weighed
    and clipped as they should be, from whatever step they come. (tianshou takes the policy before its first pass for
    the one that drew.) A result that was not asked for has ratio one at first.

    In constrained spaces what is no architecture is drawn again; the gradient is that of the policy without this
    condition.

    Presets:
        nasnet: NASNet's. These are the defaults.
        nni: NNI's: actor and critic are one network, advantages are generalised with lambda 0.95 and normalised. It
            makes five times five passes over parts of 32 actions, and takes the old probabilities anew after every
            fifth; here each pass is one step along all. Its network has one more layer after the LSTM, is told the
            number of the decision and not its own softmax, and begins with torch's weights, which reach from -0.125 to
            0.125.

    Ties: there are none to decide; a reward counts only by how far it is from what was expected.

    Args:
        space: The search space.
        seed: Seed of the initial weights and of all draws.
        layers: Of the LSTM; 1 in NASNet and NNI.
        hidden: Units of each layer; 100 in NASNet. The embeddings have as many (NNI's too).
        initial_range: Weights are drawn between minus and plus this; 0.1 in NASNet.
        learning_rate: Of Adam; 0.00035 in NASNet.
        batch: Results that are learned from at once; 20 in NNI, and in NASNet from memory.
        passes: Steps for each batch; 4 in NNI's older ppo_tuner, since NASNet does not say.
        clip: How far from one a ratio counts; 0.2 in Schulman et al. and NNI, since NASNet does not say.
        entropy: Weight of the entropy; 0.00001 in NASNet.
        critic: Whether the policy itself learns what to expect, instead of a moving average; no in NASNet.
        baseline_momentum: Weight of the old baseline in its moving average; 0.95 in NASNet. A critic has none.

    Raises:
        ValueError: A size or ``passes`` is below 1, a range, rate or clip is not positive, the entropy is negative, or
            the momentum lies outside of [0, 1).
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "nasnet": {
            "layers": 1,
            "hidden": 100,
            "initial_range": 0.1,
            "learning_rate": 3.5e-4,
            "batch": 20,
            "entropy": 1e-5,
            "critic": False,
            "baseline_momentum": 0.95,
        },
        "nni": {
            "layers": 1,
            "hidden": 64,
            "initial_range": 0.125,
            "learning_rate": 1e-4,
            "batch": 20,
            "passes": 25,
            "clip": 0.2,
            "entropy": 0.01,
            "critic": True,
        },
    }

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: Seed,
        layers: int = 1,
        hidden: int = 100,
        initial_range: float = 0.1,
        learning_rate: float = 3.5e-4,
        batch: int = 20,
        passes: int = 4,
        clip: float = 0.2,
        entropy: float = 1e-5,
        critic: bool = False,
        baseline_momentum: float = 0.95,
    ) -> None:
        if passes < 1 or not clip > 0 or not entropy >= 0:
            raise ValueError(
                f"passes must be at least 1, clip positive and entropy not negative, got {passes}, {clip}, {entropy}."
            )
        self.space = space
        self.seed = seed
        self.layers = layers
        self.hidden = hidden
        self.initial_range = initial_range
        self.learning_rate = learning_rate
        self.batch = batch
        self.passes = passes
        self.clip = clip
        self.entropy = entropy
        self.critic = critic
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
        self._out: dict[Architecture, deque[Tensor]] = {}
        self._told: list[tuple[Architecture, float, Tensor]] = []
        self._unknown = torch.full((len(space.choices),), torch.nan, dtype=FLOAT)

    def ask(self) -> Trial:
        """Draw one decision after the other; again, while what comes is no architecture of the space."""
        architecture, logs = self._controller.next()
        self._out.setdefault(architecture, deque()).append(logs)
        return Trial(architecture)

    def tell(self, trial: Trial, validation_accuracy: float) -> None:
        """Collect the result; a full batch is learned from."""
        architecture, logs = trial.architecture, self._unknown
        if architecture in self._out:  # of twins that are out the one asked for first
            logs = self._out[architecture].popleft()
            if not self._out[architecture]:
                del self._out[architecture]
        self._told.append((architecture, validation_accuracy, logs))
        if len(self._told) == self.batch:
            with one_thread():
                self._learn()
            self._told = []

    def _learn(self) -> None:
        architectures, rewards, logs = zip(*self._told, strict=True)
        choices, old = torch.tensor(architectures), torch.stack(logs)
        returned = torch.tensor(rewards, dtype=FLOAT)
        advantages = self._average.advantages(returned)[:, None]
        for i in range(self.passes):
            scores = self._controller.policy(choices)
            if i == 0:
                old = torch.where(old.isnan(), scores.log_probabilities.detach(), old)
                if self.critic:
                    advantages, returned = _generalised(scores.values.detach(), returned[:, None])
            self._controller.step(self._loss(scores, old, advantages, returned))

    def _loss(self, scores: Scores, old: Tensor, advantages: Tensor, returned: Tensor) -> Tensor:
        ratios = (scores.log_probabilities - old).exp()
        clipped = ratios.clamp(1 - self.clip, 1 + self.clip)
        gain = torch.minimum(ratios * advantages, clipped * advantages).mean() + self.entropy * scores.entropies.mean()
        if not self.critic:
            return -gain
        return _VALUE_WEIGHT * ((returned - scores.values) ** 2).mean() - gain


def _generalised(values: Tensor, rewards: Tensor) -> tuple[Tensor, Tensor]:
    """Return normalised advantages (Schulman et al. 2016, with reward at the end alone), and what was returned."""
    differences = torch.cat([values[:, 1:], rewards], dim=1) - values
    advantages = differences.clone()
    for i in range(values.shape[1] - 2, -1, -1):
        advantages[:, i] += _LAMBDA * advantages[:, i + 1]
    normalised = (advantages - advantages.mean()) / (advantages.std() + _EPSILON)
    return normalised, advantages + values
