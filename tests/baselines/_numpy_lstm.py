"""The recurrent policy written anew in numpy, in double precision, one architecture and one step at a time.

After Hochreiter & Schmidhuber 1997 with forget gates, in the notation of torch's documentation of LSTM.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def weights_of(policy) -> dict[str, np.ndarray]:
    return {name: tensor.numpy().astype(np.float64) for name, tensor in policy.state_dict().items()}


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def distributions(weights, choices: Sequence[int], architecture: Sequence[int]) -> list[np.ndarray]:
    """The probabilities of each decision's choices, given the choices before it."""
    return [p for p, _ in _steps(weights, choices, architecture)]


def values(weights, choices, architecture) -> np.ndarray:
    """What the critic expects before each choice."""
    return np.array(
        [h @ weights["critic"][:-1] + weights["critic"][-1] for _, h in _steps(weights, choices, architecture)]
    )


def log_probability(weights, choices, architecture) -> float:
    return float(np.log(log_terms(weights, choices, architecture)).sum())


def log_terms(weights, choices, architecture) -> np.ndarray:
    """The probability of each choice."""
    return np.array([p[c] for p, c in zip(distributions(weights, choices, architecture), architecture, strict=True)])


def _steps(weights, choices, architecture):
    """Of each decision the probabilities, and what the last layer puts out."""
    width = max(choices)
    hidden = weights["embeddings"].shape[1]
    layers = sum(name.startswith("lstm.weight_hh") for name in weights)
    h, c = np.zeros((2, layers, hidden))
    token = 0
    found = []
    for decision, chosen in enumerate(architecture):
        x = weights["embeddings"][token]
        for layer in range(layers):
            gates = (
                weights[f"lstm.weight_ih_l{layer}"] @ x
                + weights[f"lstm.bias_ih_l{layer}"]
                + weights[f"lstm.weight_hh_l{layer}"] @ h[layer]
                + weights[f"lstm.bias_hh_l{layer}"]
            )
            i, f, g, o = np.split(gates, 4)
            c[layer] = _sigmoid(f) * c[layer] + _sigmoid(i) * np.tanh(g)
            x = h[layer] = _sigmoid(o) * np.tanh(c[layer])
        logits = (x @ weights["weights"][decision] + weights["biases"][decision, 0])[: choices[decision]]
        e = np.exp(logits - logits.max())
        found.append((e / e.sum(), x.copy()))
        token = 1 + width * decision + chosen
    return found


def numeric_gradient(function, weights, *, name: str, places, step: float = 1e-5) -> np.ndarray:
    """Central differences of a function of the weights, at some places of one of them."""
    found = []
    for place in places:
        sides = []
        for sign in (1, -1):
            moved = {key: value.copy() for key, value in weights.items()}
            moved[name].flat[place] += sign * step
            sides.append(function(moved))
        found.append((sides[0] - sides[1]) / (2 * step))
    return np.array(found)


def check_gradient(policy, before, loss) -> None:
    """Compare what the last backward pass left with differences of a loss, at some places of every parameter."""
    rng = np.random.default_rng(0)
    for name, parameter in policy.named_parameters():
        if parameter.grad is None:
            places = rng.choice(parameter.numel(), min(5, parameter.numel()), replace=False)
            assert not numeric_gradient(loss, before, name=name, places=places).any(), name
            continue
        ours = parameter.grad.numpy().astype(np.float64).ravel()
        largest = np.argsort(-np.abs(ours))[:4]  # where there is something to see
        places = np.unique([*largest, *rng.choice(ours.size, min(4, ours.size), replace=False)])
        theirs = numeric_gradient(loss, before, name=name, places=places)
        np.testing.assert_allclose(ours[places], theirs, rtol=2e-3, atol=2e-4 * np.abs(ours).max() + 1e-9, err_msg=name)
