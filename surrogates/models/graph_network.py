"""Graph network: messages along the edges of a cell, both ways.

The direction of edges is kept, as information flows one way and gradients the other (Ning, Zheng, Zhao, Wang & Yang,
"A Generic Graph-based Neural Architecture Encoding Scheme for Predictor-based NAS", ECCV 2020; Hwang, Kim & Shin,
"FlowerFormer", CVPR 2024). What a vertex hears passes a gate that depends on what it is, as in the first of these.
Networks are small and many: the mean of sixteen is ahead of any one by more than layers, width or epochs bring.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor
from torch.nn.functional import layer_norm, silu, softplus

from nasbench import registry
from nasbench.spaces import SearchSpace
from nasbench.spaces.nb101 import EDGES, NB101
from surrogates.encodings import EncodingError, GraphFeatures
from surrogates.encodings.cells101 import COUNTS
from surrogates.encodings.flows101 import Cells
from surrogates.models.encoded import checked
from surrogates.models.ranked import Floats, RankedRegressor, State, positive, shaped
from surrogates.models.torch_threads import one_thread

_LAYERS, _WIDTH = 3, 32
_BLOCK = 1024
_LEARNING_RATE, _WEIGHT_DECAY, _WARM_UP = 5e-3, 1e-2, 20
_DROPOUT = 0.1
_AVERAGE = 0.99
"""Decay of the running mean of the parameters, which is what predicts."""


class GraphNetwork(RankedRegressor):
    """The mean of several small graph networks over choices.

    Vertices know what they are, how wide, their degrees, their distance to both ends and how many paths lead there. In
    each of three layers they add what their sources and their targets say on average, as far as a gate of their own
    lets it in. What input, output, all vertices together and the largest of them have become goes, with the graph
    features of the whole cell, through three dense layers. The loss is the squared error of the ranks plus the
    logistic loss of each pair in a batch (Burges et al., "Learning to Rank using Gradient Descent", ICML 2005). The
    standard deviation is that between the networks: how far they agree.

    Args:
        space: nb101.
        epochs: Passes over the labels.
        members: Networks.
        batch: Cells of a step.
        random_state: Of parameters, batches and dropout.

    Raises:
        EncodingError: On fitting, the space is another one.
        InvalidArchitectureError: On fitting or predicting, a row is no architecture of the space.
    """

    def __init__(
        self,
        space: str = "nb101",
        *,
        epochs: int = 30,
        members: int = 4,
        batch: int = 16,
        random_state: int | None = None,
    ) -> None:
        self.space = space
        self.epochs = epochs
        self.members = members
        self.batch = batch
        self.random_state = random_state

    def _fit_ranks(self, X: Floats, z: Floats) -> None:
        space: SearchSpace = registry.find("spaces", self.space)()
        if not isinstance(space, NB101):
            raise EncodingError(f"GraphNetwork is for nb101, not for {self.space!r}: use BoostedTrees over OneHot.")
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        features = _wide(self.space, checked(space, X))
        self._center, self._scale = features.mean(axis=0), features.std(axis=0) + 1e-3
        with one_thread():
            rows = [np.arange(len(z))] * self.members
            self._parameters = _trained(self._graphs(X), z, rows, self.epochs, self.batch, self._seed)

    def _state(self) -> State:
        weights = {name: pair[0].detach().numpy() for name, pair in self._parameters.items()}
        biases = {name: pair[1].detach().numpy() for name, pair in self._parameters.items()}
        return {"center": self._center, "scale": self._scale, "weights": weights, "biases": biases}

    def _restore(self, state: State) -> None:
        features = _wide(self.space, NB101().cells[:1])
        n = features.shape[1]
        self._center, self._scale = shaped(state["center"], n), positive(state["scale"], n)
        self._parameters = {
            name: (
                torch.tensor(shaped(state["weights"][name], self.members, a, b), dtype=torch.float32),
                torch.tensor(shaped(state["biases"][name], self.members, 1, b), dtype=torch.float32),
            )
            for name, (a, b, _) in _sizes(self._graphs(NB101().cells[:1].astype(np.float64))).items()
        }

    def _predict_ranks(self, X: Floats) -> tuple[Floats, Floats]:
        with one_thread():
            each = _predicted(self._parameters, self._graphs(X))
        return each.mean(axis=0), np.sqrt(each.var(axis=0) + 1e-6)

    def _predict_held_out(self, X: Floats, z: Floats, folds: Sequence[NDArray[np.intp]]) -> tuple[Floats, Floats]:
        """Fit one network for each fold, all at once: it is off a little more than the mean of several."""
        graphs = self._graphs(X)
        rows = [np.setdiff1d(np.arange(len(z)), fold) for fold in folds]
        with one_thread():
            each = _predicted(_trained(graphs, z, rows, self.epochs, self.batch, self._seed + 1), graphs)
        mean = np.empty(len(z))
        for own, fold in zip(each, folds, strict=True):
            mean[fold] = own[fold]
        return mean, self._predict_ranks(X)[1]

    def _graphs(self, X: Floats) -> _Graphs:
        choices = checked(NB101(), X)
        wide = np.clip((_wide(self.space, choices) - self._center) / self._scale, -4, 4)
        return _Graphs(*_vertices(choices), torch.tensor(wide, dtype=torch.float32))


class _Graphs(NamedTuple):
    """Many cells: what the vertices are told, all of type float32."""

    sources: Tensor
    """Shape (n, 7, 7): the share of each source, by vertex."""
    targets: Tensor
    """The share of each target."""
    vertices: Tensor
    """Features of the vertices, shape (n, 7, features)."""
    there: Tensor
    """One for a vertex, zero for none, shape (n, 7, 1)."""
    cells: Tensor
    """Features of the cells, standardised, shape (n, features)."""

    def some(self, rows: Tensor | slice) -> _Graphs:
        return _Graphs(*[part[rows] for part in self])


def _wide(space: str, choices: NDArray[np.uint8]) -> Floats:
    encoding = GraphFeatures(space).fit(choices)
    groups = zip(encoding.groups_, encoding.columns(), strict=True)
    return encoding.transform(choices)[:, [i for name, columns in groups if name not in COUNTS for i in columns]]


def _vertices(choices: NDArray[np.uint8]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    edges, labels = NB101().pruned_many(choices)
    n, size = labels.shape[1], len(labels)
    feeds = np.zeros((n, size, size))  # by target and source
    targets, sources = np.tril_indices(size, -1)
    feeds[:, targets, sources] = edges.T
    fed = feeds.transpose(0, 2, 1)
    kinds = labels.T[:, :, None] == np.arange(1, 6)
    there = (labels.T > 0)[:, :, None]
    (paths_in, depth_in), (paths_out, depth_out) = _from(feeds, range(size)), _from(fed, range(size - 1, -1, -1))
    told = [feeds.sum(2) / 2, fed.sum(2) / 2, np.log1p(paths_in), np.log1p(paths_out), depth_in / 3, depth_out / 3]
    told += [feeds[:, :, 0], fed[:, :, size - 1]]
    width = Cells({edge: column.astype(np.float64) for edge, column in zip(EDGES, edges, strict=True)}, labels).width.T
    told += [width, np.log2(np.maximum(width, 1 / 8)) / 2]
    vertices = np.concatenate([kinds, np.stack(told, axis=2)], axis=2) * there
    shares = [part / np.maximum(part.sum(axis=2, keepdims=True), 1) for part in (feeds, fed)]
    tensors = [torch.tensor(part, dtype=torch.float32) for part in (*shares, vertices, there)]
    return tensors[0], tensors[1], tensors[2], tensors[3]


def _from(feeds: Floats, order: range) -> tuple[Floats, Floats]:
    """Return the number of paths from the first vertex of this order to each, and the length of the longest."""
    n = len(feeds)
    paths, depth = np.zeros((n, len(order))), np.full((n, len(order)), -9.0)
    paths[:, order[0]], depth[:, order[0]] = 1, 0
    for vertex in order[1:]:
        paths[:, vertex] = (feeds[:, vertex] * paths).sum(axis=1)
        depth[:, vertex] = np.where(feeds[:, vertex] > 0, depth + 1, -9).max(axis=1)
    return paths, np.maximum(depth, 0)


Parameters = Mapping[str, tuple[Tensor, Tensor]]
"""Weights and biases of each dense layer, of all networks: shapes (networks, in, out) and (networks, 1, out)."""


def _sizes(graphs: _Graphs) -> dict[str, tuple[int, int, float]]:
    """Return the numbers of inputs and outputs of each dense layer, and the gain of its first weights."""
    sizes = {"vertices": (graphs.vertices.shape[-1], _WIDTH, 1.0)}
    for i in range(_LAYERS):
        parts = ("own", "sources", "targets", "gate of sources", "gate of targets")
        sizes |= {f"{part} {i}": (_WIDTH, _WIDTH, 1.0) for part in parts}
        sizes[f"next {i}"] = (_WIDTH, _WIDTH, 0.5)
    return sizes | {
        "ends": (4 * _WIDTH, _WIDTH, 1.0),
        "cells": (graphs.cells.shape[-1], _WIDTH, 1.0),
        "hidden": (_WIDTH, _WIDTH, 1.0),
        "last": (_WIDTH, 1, 0.5),
    }


def _initial(networks: int, graphs: _Graphs, generator: torch.Generator) -> Parameters:
    return {
        name: (
            torch.randn(networks, a, b, generator=generator) * (gain / math.sqrt(a)),
            torch.zeros(networks, 1, b),
        )
        for name, (a, b, gain) in _sizes(graphs).items()
    }


def _forward(parameters: Parameters, graphs: _Graphs, generator: torch.Generator | None = None) -> Tensor:
    """Return predictions, shape (networks, n), with dropout if there is a generator; graphs are (networks, n, ...)."""

    def dense(name: str, values: Tensor) -> Tensor:
        weights, bias = parameters[name]
        flat = torch.baddbmm(bias, values.reshape(len(values), -1, values.shape[-1]), weights)
        return flat.reshape(*values.shape[:-1], -1)

    def dropped(values: Tensor) -> Tensor:
        if generator is None:
            return values
        return values * (torch.rand(values.shape, generator=generator) > _DROPOUT) / (1 - _DROPOUT)

    # 1.5: means of several vertices vary less than one.
    sources, targets = 1.5 * graphs.sources, 1.5 * graphs.targets
    at = dense("vertices", graphs.vertices)
    for i in range(_LAYERS):
        said = layer_norm(at, (_WIDTH,))
        total = dense(f"own {i}", said)
        for name, shares in (("sources", sources), ("targets", targets)):
            # Twice: gates are half open at first.
            total = total + 2 * torch.sigmoid(dense(f"gate of {name} {i}", said)) * (
                shares @ dense(f"{name} {i}", said)
            )
        at = at + dense(f"next {i}", silu(total))
    at = layer_norm(at, (_WIDTH,)) * graphs.there
    ends = torch.cat([at.sum(2) / 5, at[:, :, 0], at[:, :, -1], at.amax(2)], dim=-1)
    hidden = silu(dense("ends", dropped(ends)) + dense("cells", dropped(graphs.cells)))
    hidden = hidden + silu(dense("hidden", hidden))
    return dense("last", hidden)[..., 0]


def _loss(found: Tensor, z: Tensor) -> Tensor:
    """Return the sum over networks."""
    pairs = (found[:, :, None] - found[:, None, :]) * (z[:, :, None] - z[:, None, :]).sign()
    ordered = softplus(-2 * pairs) * (z[:, :, None] != z[:, None, :])
    return ((found - z) ** 2).mean(1).sum() + ordered.mean((1, 2)).sum()


def _trained(
    graphs: _Graphs, z: Floats, rows: Sequence[NDArray[np.intp]], epochs: int, batch: int, seed: int
) -> Parameters:
    """Train a network on each of these sets of rows, all at once, and return their mean over the last steps."""
    generator = torch.Generator().manual_seed(seed)
    parameters = _initial(len(rows), graphs, generator)
    flat = [tensor.requires_grad_() for pair in parameters.values() for tensor in pair]
    average = [tensor.detach().clone() for tensor in flat]
    optimizer = torch.optim.AdamW(flat, lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, fused=True)
    sets, labels = [torch.tensor(part) for part in rows], torch.tensor(z, dtype=torch.float32)
    shortest = min(len(part) for part in rows)
    size = min(batch, shortest)
    step, steps = 0, epochs * (shortest // size)
    for _ in range(epochs):
        order = torch.stack([part[torch.randperm(len(part), generator=generator)[:shortest]] for part in sets])
        for start in range(0, shortest - size + 1, size):
            some = order[:, start : start + size]
            rate = _LEARNING_RATE * min(1, (step + 1) / _WARM_UP) * (1 + math.cos(math.pi * step / steps)) / 2
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            _loss(_forward(parameters, graphs.some(some), generator), labels[some]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
            with torch.no_grad():
                torch._foreach_lerp_(average, [t.detach() for t in flat], 1 - min(_AVERAGE, step / (step + 10)))
    pairs = iter(average)
    return {name: (weights, next(pairs)) for name, weights in zip(parameters, pairs, strict=False)}


@torch.no_grad()
def _predicted(parameters: Parameters, graphs: _Graphs) -> Floats:
    networks = len(parameters["last"][0])
    blocks = []
    for start in range(0, len(graphs.cells), _BLOCK):
        some = graphs.some(slice(start, start + _BLOCK))
        blocks.append(_forward(parameters, _Graphs(*[part.expand(networks, *part.shape) for part in some])).numpy())
    return np.concatenate(blocks, axis=1).astype(np.float64)
