"""Neural networks: an ensemble of small multilayer perceptrons, trained at once.

Lakshminarayanan, Pritzel & Blundell, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles",
NeurIPS 2017: networks that differ in their first parameters and in the order of the labels, whose spread is the
deviation. The loss, the sizes and the training are our own choice, on NAS-Bench-201 and NAS-Bench-Macro
(docs/surrogates.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor
from torch.nn.functional import silu

from surrogates.models.ranked import Floats, RankedRegressor, State, positive, shaped
from surrogates.models.torch_threads import one_thread

_BATCH, _BLOCK = 32, 4096
_WARM_UP = 20
_FARTHEST = 4.0
"""Standard deviations from the mean at which features are cut off: beyond them a network would only guess."""


class NeuralNetworks(RankedRegressor):
    """The mean of several small networks of two hidden layers, over standardised features.

    The loss is the squared error of the ranks; AdamW (Loshchilov & Hutter, "Decoupled Weight Decay Regularization",
    ICLR 2019) follows a cosine from the learning rate to zero. The standard deviation is that between the networks: how
    far they agree, not how far they are off.

    Args:
        members: Networks.
        width: Neurons of each hidden layer.
        epochs: Passes over the labels.
        learning_rate: Of AdamW, at its largest.
        weight_decay: Of AdamW.
        random_state: Of parameters and batches.
    """

    def __init__(
        self,
        *,
        members: int = 8,
        width: int = 16,
        epochs: int = 150,
        learning_rate: float = 5e-3,
        weight_decay: float = 1e-2,
        random_state: int | None = None,
    ) -> None:
        self.members = members
        self.width = width
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self._center, self._scale = X.mean(axis=0), X.std(axis=0) + 1e-3
        with one_thread():
            self._parameters = self._trained(X, z, [np.arange(len(z))] * self.members, self._seed)

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        with one_thread():
            each = _predicted(self._parameters, self._standardised(X))
        return _mean_and_deviation(each)

    def _predict_held_out(self, X: Floats, z: Floats, folds: Sequence[NDArray[np.intp]]) -> tuple[Floats, Floats]:
        """Predict each row by an ensemble that was fitted without its fold; those of all folds are trained at once.

        By whole ensembles: networks that have seen a label agree on it, so that their spread says nothing of others.
        """
        rows = [np.setdiff1d(np.arange(len(z)), fold) for fold in folds for _ in range(self.members)]
        with one_thread():
            each = _predicted(self._trained(X, z, rows, self._seed + 1), self._standardised(X))
        mean, deviation = np.empty((2, len(z)))
        for i, fold in enumerate(folds):
            own = each[i * self.members : (i + 1) * self.members, fold]
            mean[fold], deviation[fold] = _mean_and_deviation(own)
        return mean, deviation

    def _standardised(self, X: Floats) -> Tensor:
        # In double precision a prediction does not depend on the rows around it.
        return torch.tensor(np.clip((X - self._center) / self._scale, -_FARTHEST, _FARTHEST), dtype=torch.float64)

    def _trained(self, X: Floats, z: Floats, rows: Sequence[NDArray[np.intp]], seed: int) -> Parameters:
        """Train a network on each of these sets of rows, all at once."""
        generator = torch.Generator().manual_seed(seed)
        features, labels = self._standardised(X).float(), torch.tensor(z, dtype=torch.float32)
        parameters = _initial(len(rows), (X.shape[1], self.width, self.width, 1), generator)
        optimizer = torch.optim.AdamW(parameters.values(), weight_decay=self.weight_decay, fused=True)
        sets, shortest = [torch.tensor(part) for part in rows], min(len(part) for part in rows)
        size = min(_BATCH, shortest)
        step, steps = 0, self.epochs * (shortest // size)
        for _ in range(self.epochs):
            order = torch.stack([part[torch.randperm(len(part), generator=generator)[:shortest]] for part in sets])
            for start in range(0, shortest - size + 1, size):
                batch = order[:, start : start + size]
                cosine = (1 + math.cos(math.pi * step / steps)) / 2
                optimizer.param_groups[0]["lr"] = self.learning_rate * min(1, (step + 1) / _WARM_UP) * cosine
                optimizer.zero_grad()
                found = _forward(parameters, features[batch])
                ((found - labels[batch]) ** 2).mean(dim=1).sum().backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                step += 1
        return {name: tensor.detach().double() for name, tensor in parameters.items()}

    def _state(self) -> State:
        parameters = {name: tensor.numpy() for name, tensor in self._parameters.items()}
        return {"center": self._center, "scale": self._scale, "parameters": parameters}

    def _restore(self, state: State) -> None:
        n, width = self.n_features_in_, self.width
        self._center, self._scale = shaped(state["center"], n), positive(state["scale"], n)
        self._parameters = {}
        for i, (inside, out) in enumerate(pairwise((n, width, width, 1))):
            for name, rows in ((f"weights {i}", inside), (f"bias {i}", 1)):
                self._parameters[name] = torch.tensor(shaped(state["parameters"][name], self.members, rows, out))


def _mean_and_deviation(each: Floats) -> tuple[Floats, Floats]:
    return each.mean(axis=0), np.sqrt(each.var(axis=0) + 1e-6)


Parameters = Mapping[str, Tensor]
"""``weights i``, shape (networks, in, out), and ``bias i``, shape (networks, 1, out), of layers 0, 1 and 2."""


def _initial(networks: int, sizes: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
    found = {}
    for i, (inside, out) in enumerate(pairwise(sizes)):
        weights = torch.randn(networks, inside, out, generator=generator) / math.sqrt(inside)
        found[f"weights {i}"] = weights.requires_grad_()
        found[f"bias {i}"] = torch.zeros(networks, 1, out).requires_grad_()
    return found


def _forward(parameters: Parameters, values: Tensor) -> Tensor:
    """Return predictions, shape (networks, n), of features of shape (networks, n, features)."""
    for i in range(3):
        values = torch.baddbmm(parameters[f"bias {i}"], values, parameters[f"weights {i}"])
        values = silu(values) if i < 2 else values
    return values[..., 0]


@torch.no_grad()
def _predicted(parameters: Parameters, features: Tensor) -> Floats:
    networks = len(parameters["bias 0"])
    blocks = [
        _forward(parameters, block.expand(networks, *block.shape)).numpy() for block in torch.split(features, _BLOCK)
    ]
    return np.concatenate(blocks, axis=1)
