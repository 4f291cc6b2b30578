"""Adam in numpy: Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Adam:
    """Steps against a gradient, in place.

    Args:
        parameters: Of any shape; they change with each step.
        rate: Step size.
        beta1: Decay of the first moment.
        beta2: Decay of the second moment.
        epsilon: Added to the root of the second moment.
    """

    def __init__(self, parameters: NDArray[Any], *, rate: float, beta1: float, beta2: float, epsilon: float) -> None:
        self._parameters = parameters
        self._rate, self._beta1, self._beta2, self._epsilon = rate, beta1, beta2, epsilon
        self._first, self._second, self._work = np.zeros((3, *parameters.shape), parameters.dtype)
        self._steps = 0

    def step(self, gradient: NDArray[Any]) -> None:
        """Take one step; the gradient is used up."""
        # The moments lack their factors (1 - beta), which the scales have: two passes over the arrays less.
        self._steps += 1
        first, second, work = self._first, self._second, self._work
        first *= self._beta1
        first += gradient
        gradient *= gradient
        second *= self._beta2
        second += gradient
        np.sqrt(second, out=work)
        work *= math.sqrt((1 - self._beta2) / (1 - self._beta2**self._steps))
        work += self._epsilon
        np.divide(first, work, out=work)
        work *= self._rate * (1 - self._beta1) / (1 - self._beta1**self._steps)
        self._parameters -= work
