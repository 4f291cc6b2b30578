from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from nasbench.training.loop.optimizers import TensorFlowRMSProp, optimizer
from nasbench.training.recipes import RECIPES


def test_rmsprop_is_the_published_update() -> None:
    """Steps of tf.train.RMSPropOptimizer, written down in numpy, in double precision."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(20, 5)) * 3
    value, mean_square, moment = rng.normal(size=5), np.ones(5), np.zeros(5)
    parameter = torch.tensor(value, requires_grad=True)
    ours = TensorFlowRMSProp([parameter], 0.2)
    for step, gradient in enumerate(gradients):
        rate = 0.2 * math.cos(step / 20)
        mean_square = 0.9 * mean_square + (1 - 0.9) * gradient**2
        moment = 0.9 * moment + rate * gradient / np.sqrt(mean_square + 1.0)
        value = value - moment
        ours.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(gradient)
        ours.step()
        np.testing.assert_allclose(parameter.detach().numpy(), value, rtol=1e-12)


def test_the_mean_square_begins_at_one_and_epsilon_is_inside_the_root() -> None:
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    parameter.grad = torch.ones(1, dtype=torch.float64)
    TensorFlowRMSProp([parameter], 0.2).step()
    assert parameter.item() == pytest.approx(-0.2 / math.sqrt(0.9 + 0.1 + 1.0))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_weight_decay_is_half_the_squared_norm_of_all_parameters_in_the_loss(name: str) -> None:
    recipe = RECIPES[name]
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2)).double()
    inputs = torch.randn(6, 3, 4, 4, dtype=torch.float64)
    results = []
    for in_the_loss in (False, True):
        copy = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2)).double()
        copy.load_state_dict(layers.state_dict())
        ours = optimizer(recipe if not in_the_loss else recipe._replace(weight_decay=0.0), copy.parameters())
        for _ in range(3):
            ours.zero_grad()
            loss = copy(inputs).square().mean()
            if in_the_loss:
                loss = loss + recipe.weight_decay * sum(p.square().sum() / 2 for p in copy.parameters())
            loss.backward()
            ours.step()
        results.append(torch.cat([p.detach().flatten() for p in copy.parameters()]))
    torch.testing.assert_close(*results, rtol=1e-9, atol=1e-12)
    started = torch.cat([p.detach().flatten() for p in layers.parameters()])
    assert not torch.allclose(results[0], started, rtol=1e-6)


def test_the_state_can_be_saved_and_loaded() -> None:
    def fresh() -> tuple[torch.Tensor, TensorFlowRMSProp]:
        parameter = torch.ones(3, requires_grad=True)
        return parameter, TensorFlowRMSProp([parameter], 0.1)

    def step(parameter: torch.Tensor, ours: TensorFlowRMSProp) -> None:
        parameter.grad = parameter.detach() + 1
        ours.step()

    whole = fresh()
    for _ in range(4):
        step(*whole)
    first, second = fresh(), fresh()
    for _ in range(2):
        step(*first)
    second[0].data.copy_(first[0].data)
    second[1].load_state_dict(first[1].state_dict())
    for _ in range(2):
        step(*second)
    assert torch.equal(whole[0], second[0])


def test_a_closure_is_called_with_gradients() -> None:
    parameter = torch.ones(1, requires_grad=True)
    ours = TensorFlowRMSProp([parameter], 0.1)

    def closure() -> float:
        loss = parameter.square().sum()
        loss.backward()
        return loss.item()

    assert ours.step(closure) == 1.0
    assert parameter.item() < 1
