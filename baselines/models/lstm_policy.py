"""What the searches with a recurrent policy share: the LSTM, what it draws, and the moving average of rewards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nasbench.errors import MissingPackageError
from nasbench.spaces import SearchSpace
from nasbench.types import Architecture, Seed

try:
    import torch
    from torch import Tensor, nn

    from surrogates.models.torch_threads import one_thread
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "torch":
        raise
    raise MissingPackageError(
        "searchers with a recurrent policy need torch, which is not installed: pip install 'nasbench-suite[train]'."
    ) from error

__all__ = [
    "FLOAT",
    "Controller",
    "LSTMPolicy",
    "MovingAverage",
    "Scores",
    "Tensor",
    "one_thread",
    "torch",
]  # torch from here

FLOAT = torch.float32
"""Whatever the default is; double precision takes twice the time."""


class Scores(NamedTuple):
    """What the policy says of n architectures, each of shape (n, decisions)."""

    log_probabilities: Tensor
    """Of each choice, given those before it."""
    entropies: Tensor
    """Of the distributions that they were drawn from."""
    values: Tensor
    """The reward that is expected before each choice, for searches with a critic."""


class LSTMPolicy(nn.Module):
    """A distribution over architectures: each decision is drawn given those before it.

    The LSTM reads an embedding of the choice before, at first one of the start; each decision has embeddings and a
    softmax of its own, over as many choices as it has.

    Args:
        choices: Of each decision.
        layers: Of the LSTM.
        hidden: Units of each layer, and size of the embeddings.
        initial_range: All parameters are drawn between minus and plus this.
        generator: For them, and for all draws.
    """

    def __init__(
        self, choices: tuple[int, ...], *, layers: int, hidden: int, initial_range: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._generator = generator
        decisions, width = len(choices), max(choices)
        # On the device "meta", where nothing is drawn: elsewhere it would come from the global generator.
        self.lstm = nn.LSTM(hidden, hidden, layers, dtype=FLOAT, device="meta").to_empty(device="cpu")
        self.embeddings = nn.Parameter(torch.empty(1 + decisions * width, hidden, dtype=FLOAT))
        self.weights = nn.Parameter(torch.empty(decisions, hidden, width, dtype=FLOAT))
        self.biases = nn.Parameter(torch.empty(decisions, 1, width, dtype=FLOAT))
        self.critic = nn.Parameter(torch.empty(hidden + 1, dtype=FLOAT))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-initial_range, initial_range, generator=generator)
        self._first = 1 + width * torch.arange(decisions)
        """The embedding of each decision's first choice."""
        self._surplus = torch.arange(width) >= torch.tensor(choices)[:, None, None]

    def forward(self, architectures: Tensor) -> Scores:
        """Score architectures, integers of shape (n, decisions)."""
        tokens = nn.functional.pad(architectures + self._first, (1, 0))[:, :-1]  # embedding 0 is the start
        hidden, _ = self.lstm(self.embeddings[tokens.T])
        logits = torch.baddbmm(self.biases, hidden, self.weights).masked_fill(self._surplus, -torch.inf)
        logs = logits.log_softmax(dim=2)
        chosen = logs.gather(2, architectures.T[:, :, None])[:, :, 0]
        entropies = -(logs.exp() * logs.masked_fill(self._surplus, 0)).sum(dim=2)
        values = hidden @ self.critic[:-1] + self.critic[-1]
        return Scores(chosen.T, entropies.T, values.T)

    @torch.no_grad()
    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Draw n vectors of choices; return them and their log-probabilities, both of shape (n, decisions)."""
        choices, chosen_logs = [], []
        token, state = torch.zeros(n, dtype=torch.int64), None
        for decision, first in enumerate(self._first):
            hidden, state = self.lstm(self.embeddings[token][None], state)
            logits = torch.addmm(self.biases[decision], hidden[0], self.weights[decision])
            logs = logits.masked_fill(self._surplus[decision], -torch.inf).log_softmax(dim=1)
            choice = torch.multinomial(logs.exp(), 1, generator=self._generator)
            choices.append(choice)
            chosen_logs.append(logs.gather(1, choice))
            token = first + choice[:, 0]
        return torch.cat(choices, dim=1), torch.cat(chosen_logs, dim=1)


class Controller:
    """A policy, its optimiser, and architectures that it has drawn.

    Args:
        space: The search space.
        seed: Seed of the parameters and all draws.
        layers: Of the LSTM.
        hidden: Units of each layer.
        initial_range: Parameters are drawn between minus and plus this.
        learning_rate: Of Adam, whose other settings are torch's, and Kingma & Ba's.
        batch: Architectures that are drawn at once.

    Raises:
        ValueError: A size is below 1, or the range or the learning rate not positive.
    """

    def __init__(
        self,
        space: SearchSpace,
        seed: Seed,
        *,
        layers: int,
        hidden: int,
        initial_range: float,
        learning_rate: float,
        batch: int,
    ) -> None:
        if min(layers, hidden, batch) < 1:
            raise ValueError(f"layers, hidden and batch must be at least 1, got {layers}, {hidden} and {batch}.")
        if not (initial_range > 0 and learning_rate > 0):
            raise ValueError(
                f"initial_range and learning_rate must be positive, got {initial_range} and {learning_rate}."
            )
        self._space = space
        self._batch = batch
        generator = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**63)))
        sizes = {"layers": layers, "hidden": hidden}
        self.policy = LSTMPolicy(space.choices, **sizes, initial_range=initial_range, generator=generator)
        self._adam = torch.optim.Adam(self.policy.parameters(), lr=learning_rate, fused=True)
        self._drawn: list[tuple[Architecture, Tensor]] = []

    def next(self) -> tuple[Architecture, Tensor]:
        """Return an architecture that the policy draws, and the log-probabilities of its choices."""
        while not self._drawn:
            with one_thread():
                choices, logs = self.policy.draw(self._batch)
            found = zip(map(tuple, choices.tolist()), logs, strict=True)
            self._drawn = [pair for pair in found if not self._space.constrained or self._space.is_valid(pair[0])]
        return self._drawn.pop()

    def step(self, loss: Tensor) -> None:
        """Take one step of Adam against the gradient of a loss."""
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        self._drawn = []  # by the policy before


class MovingAverage:
    """The exponential moving average of all rewards before the present ones.

    Args:
        momentum: Weight of the old average.

    Raises:
        ValueError: The momentum is outside of [0, 1).
    """

    def __init__(self, momentum: float) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"baseline_momentum must lie in [0, 1), got {momentum}.")
        self._momentum = momentum
        self._average: float | None = None

    def advantages(self, rewards: Tensor) -> Tensor:
        """Return by how much each reward is better; the first ones are compared with their own mean."""
        if self._average is None:
            self._average = float(rewards.mean())
        found = rewards - self._average
        for reward in rewards.tolist():
            self._average = self._momentum * self._average + (1 - self._momentum) * reward
        return found
