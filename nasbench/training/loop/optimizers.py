"""The optimizers of the recipes: PyTorch's SGD, and RMSProp as TensorFlow 1 has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import overload

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from nasbench.training.recipes import Recipe


class TensorFlowRMSProp(Optimizer):
    """RMSProp with momentum as ``tf.train.RMSPropOptimizer`` of TensorFlow 1 computes it.

    It differs from PyTorch's in three places: the mean square begins at one, epsilon stands inside the square root,
    and the learning rate is inside the momentum::

        mean_square = decay * mean_square + (1 - decay) * gradient ** 2
        moment = momentum * moment + learning_rate * gradient / sqrt(mean_square + epsilon)
        parameter = parameter - moment

    Args:
        parameters: What is trained.
        lr: Learning rate; may be changed between steps, in ``param_groups``.
        decay: Of the mean square.
        momentum: Of the steps.
        epsilon: NAS-Bench-101 has 1.
        weight_decay: Times the parameter, added to its gradient.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        *,
        decay: float = 0.9,
        momentum: float = 0.9,
        epsilon: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "decay": decay, "momentum": momentum, "epsilon": epsilon, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one step; the closure, where there is one, computes loss and gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)
        return loss

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, float]) -> None:
        state = self.state[parameter]
        if not state:
            state["mean_square"] = torch.ones_like(parameter)
            state["moment"] = torch.zeros_like(parameter)
        mean_square, moment, decay = state["mean_square"], state["moment"], group["decay"]
        gradient = gradient.add(parameter, alpha=group["weight_decay"])
        mean_square.mul_(decay).addcmul_(gradient, gradient, value=1 - decay)
        root = mean_square.add(group["epsilon"]).sqrt_()
        moment.mul_(group["momentum"]).addcdiv_(gradient, root, value=group["lr"])
        parameter.sub_(moment)


def optimizer(recipe: Recipe, parameters: Iterable[Tensor]) -> Optimizer:
    """Return the optimizer of a recipe, whose learning rate is set before each step."""
    if recipe.optimizer == "tensorflow_rmsprop":
        return TensorFlowRMSProp(
            parameters, recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    return SGD(
        parameters,
        recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
