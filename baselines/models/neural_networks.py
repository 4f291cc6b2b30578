"""The predictor of BANANAS: an ensemble of deep, narrow networks, trained side by side in numpy.

White, Neiswanger & Savani, "BANANAS: Bayesian Optimization with Neural Architectures for Neural Architecture Search",
AAAI 2021, section 5 and naszilla's meta_neural_net.py and params.py: five networks of ten layers of 20 ReLU units, mean
absolute error, batches of 32, 150 epochs of Adam with learning rate 0.01 and moments 0.9 and 0.99; Glorot's uniform
initial weights and zero biases, as Keras has them.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from baselines.models.adam import Adam

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_NETWORKS, _LAYERS, _WIDTH = 5, 10, 20
_EPOCHS, _BATCH, _RATE = 150, 32, 0.01
_BETA1, _BETA2, _EPSILON = 0.9, 0.99, 1e-7


class NeuralNetworks:
    """Five networks that differ in initial weights and in the order of their batches.

    They are one stack of arrays, shape (5, ...): a step of all costs little more than a step of one, and no library of
    networks is needed. In single precision, as in Keras.

    Args:
        rng: Random numbers of weights and batches.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def fit(self, features: Floats, labels: Floats) -> NeuralNetworks:
        """Train on features, shape (n, features), and labels of any unit, shape (n,)."""
        inputs, targets = features.astype(np.float32), labels.astype(np.float32)[:, None]
        self._begin(inputs.shape[1])
        for _ in range(_EPOCHS):
            order = self._rng.permuted(np.tile(np.arange(len(inputs)), (_NETWORKS, 1)), axis=1)
            for start in range(0, len(inputs), _BATCH):
                rows = order[:, start : start + _BATCH]
                self._step(inputs[rows], targets[rows])
        return self

    def predict(self, features: Floats) -> tuple[Floats, Floats]:
        """Return the mean and the standard deviation of the five predictions, both of shape (n,)."""
        inputs = np.repeat(features.astype(np.float32)[None], _NETWORKS, axis=0)
        each = self._forward(inputs)[-1][..., 0].astype(np.float64)
        return each.mean(axis=0), each.std(axis=0)

    def _begin(self, features: int) -> None:
        """Draw the weights; all of them, and all gradients, lie in one vector each, for Adam."""
        shapes = list(pairwise([features, *[_WIDTH] * _LAYERS, 1]))
        size = _NETWORKS * sum((fan_in + 1) * fan_out for fan_in, fan_out in shapes)
        everything, self._gradient = np.zeros((2, size), np.float32)
        self._adam = Adam(everything, rate=_RATE, beta1=_BETA1, beta2=_BETA2, epsilon=_EPSILON)
        self._weights, self._biases = _views(everything, shapes)
        self._weight_gradients, self._bias_gradients = _views(self._gradient, shapes)
        for weights, (fan_in, fan_out) in zip(self._weights, shapes, strict=True):
            limit = np.sqrt(6 / (fan_in + fan_out))
            weights[:] = self._rng.uniform(-limit, limit, weights.shape)

    def _forward(self, inputs: Singles) -> list[Singles]:
        """Return what goes into each layer, and last what comes out, shape (networks, n, units)."""
        values = [inputs]
        for layer, (weights, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            out = values[-1] @ weights
            out += bias
            if layer < _LAYERS:
                np.maximum(out, 0, out=out)
            values.append(out)
        return values

    def _step(self, inputs: Singles, targets: Singles) -> None:
        *values, predicted = self._forward(inputs)
        slope = np.sign(predicted - targets) / np.float32(targets.shape[1])  # of the mean absolute error
        for layer in range(_LAYERS, -1, -1):
            np.matmul(values[layer].transpose(0, 2, 1), slope, out=self._weight_gradients[layer])
            np.add.reduce(slope, axis=1, keepdims=True, out=self._bias_gradients[layer])
            if layer:
                slope = slope @ self._weights[layer].transpose(0, 2, 1)
                slope *= values[layer] > 0
        self._adam.step(self._gradient)


def _views(vector: Singles, shapes: list[tuple[int, int]]) -> tuple[list[Singles], list[Singles]]:
    """Cut a vector into weights, shape (networks, in, out), and biases, shape (networks, 1, out), of each layer."""
    weights, biases = [], []
    start = 0
    for fan_in, fan_out in shapes:
        middle = start + _NETWORKS * fan_in * fan_out
        end = middle + _NETWORKS * fan_out
        weights.append(vector[start:middle].reshape(_NETWORKS, fan_in, fan_out))
        biases.append(vector[middle:end].reshape(_NETWORKS, 1, fan_out))
        start = end
    return weights, biases
