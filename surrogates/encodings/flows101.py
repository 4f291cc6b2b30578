"""What flows through NAS-Bench-101 cells: how wide the vertices are, what random walks meet, how signals decorrelate.

Rough models of the network, computed from the cell alone. They say more than counts of paths do: a vertex that adds
many things up takes a small share of each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.nb101 import VERTICES
from nasbench.spaces.nb101.costs import CELLS

Floats = NDArray[np.float64]
Edges = dict[tuple[int, int], Floats]
Named = tuple[list[str], Floats]

_LAST = VERTICES - 1
_CORRELATIONS = ((0.2, 1), (0.2, 3), (0.7, 1), (0.7, 3))
"""How two images correlate before the cells, and how many cells follow each other."""


class Cells:
    """Many pruned cells.

    Args:
        edge: Whether each edge is there, 0 or 1, shape (n,).
        labels: What each vertex is, shape (7, n), as in ``NB101.pruned_many``.
    """

    def __init__(self, edge: Edges, labels: NDArray[np.uint8]) -> None:
        self._edge = edge
        self._n = labels.shape[1]
        self._live = labels > 0
        self._conv3, self._conv1, self._pool = ((labels == i).astype(np.float64) for i in (1, 2, 3))
        self._feeds = np.stack([edge[x, _LAST] if x else np.zeros(self._n) for x in range(_LAST)])
        self.width = self._widths()
        """Channels of vertices as shares of the output's, shape (7, n)."""

    def _widths(self) -> Floats:
        """Return :attr:`width`.

        The rule of ``compute_vertex_channels`` (google-research/nasbench, nasbench/lib/model_builder.py) without its
        remainders: those go to the first vertices, which isomorphic forms number differently.
        """
        width = np.zeros((VERTICES, self._n))
        width[[0, _LAST]] = 1
        share = 1 / np.maximum(self._feeds.sum(axis=0), 1)
        for x in range(_LAST - 1, 0, -1):
            widest = np.max([self._edge[x, y] * width[y] for y in range(x + 1, _LAST)] or [np.zeros(self._n)], axis=0)
            width[x] = np.where(self._feeds[x] > 0, share, widest)
        return width

    def _weights(self, c_in: int, c_out: int) -> tuple[Floats, Floats]:
        """Return the weights, and the channels out, of the convolutions of a cell, as ``nb101.costs`` does."""
        weights, outputs = self._edge[0, _LAST] * c_in * c_out, self._edge[0, _LAST] * c_out
        for v in range(1, _LAST):
            channels = self.width[v] * c_out
            size = 9 * self._conv3[v] + self._conv1[v]
            weights = weights + (self._edge[0, v] * c_in + size * channels) * channels
            outputs = outputs + (self._edge[0, v] + (size > 0)) * channels
        return weights, outputs

    def costs(self) -> tuple[Floats, Floats]:
        """Return parameters and multiply-accumulates: exact where the output's channels divide equally."""
        parameters = np.full(self._n, 27.0 * 128 + 2 * 128 + 512 * 10 + 10)
        flops = np.full(self._n, 32.0 * 32 * 27 * 128 + 512 * 10)
        for c_in, c_out, side, repeats in CELLS:
            weights, outputs = self._weights(c_in, c_out)
            parameters += repeats * (weights + 2 * outputs)
            flops += repeats * side * side * weights
        return parameters, flops

    def widths(self) -> Named:
        """Return how wide the operations of each kind are together, and how many weights they have."""
        w = self.width[1:_LAST]
        feeds, conv3, conv1, pool = self._feeds[1:], self._conv3[1:_LAST], self._conv1[1:_LAST], self._pool[1:_LAST]
        from_input = np.stack([self._edge[0, v] for v in range(1, _LAST)])
        projected = (from_input * w).sum(axis=0) + self._edge[0, _LAST]
        of3, of1 = 9 * (w * w * conv3).sum(axis=0), (w * w * conv1).sum(axis=0)
        columns = {
            "vertices before the output": feeds.sum(axis=0),
            "width of conv3": (w * conv3).sum(axis=0),
            "width of conv1": (w * conv1).sum(axis=0),
            "width of pool": (w * pool).sum(axis=0),
            "log weights": np.log(of3 + of1 + projected + 0.1),
            "log weights of conv3": np.log(of3 + 0.1),
            "log weights of conv1": np.log(of1 + 0.1),
            "log weights of projections": np.log(projected + 0.1),
            "output from conv3": (w * conv3 * feeds).sum(axis=0),
            "output from conv1": (w * conv1 * feeds).sum(axis=0),
            "output from pool": (w * pool * feeds).sum(axis=0),
            "narrowest": np.where(self._live[1:_LAST], w, 2).min(axis=0),
            "widest": w.max(axis=0),
            "width of projections": projected,
            "vertices after the input": from_input.sum(axis=0),
        }
        return list(columns), np.stack(list(columns.values()), axis=1)

    def walks(self) -> Named:
        """Return the mean and the deviation of what random walks meet.

        A walk goes from the output to the input, to each source as likely as it contributes: equally where inputs are
        added, by channels where they are concatenated. Or from the input to the output, to each target equally.
        """
        first = np.ones(self._n)
        kinds: dict[str, Callable[[int, int], Floats]] = {
            "conv3": lambda x, y: self._conv3[y],
            "conv1": lambda x, y: self._conv1[y],
            "pool": lambda x, y: self._pool[y],
            "projections": lambda x, y: first * (x == 0),
            "operations": lambda x, y: (self._live[y] * 1.0) * (y < _LAST),
            "convolutions": lambda x, y: self._conv3[y] + self._conv1[y] + (x == 0),
            "3x3 windows": lambda x, y: self._conv3[y] + self._pool[y],
        }
        columns: dict[str, Floats] = {}
        for name, met in kinds.items():
            for way, walk in (("back", self._back), ("on", self._on)):
                mean, square = walk(met)
                columns[f"mean {name} of walks {way}"] = mean
                columns[f"deviation of {name} of walks {way}"] = np.sqrt(np.maximum(square - mean**2, 0))
        return list(columns), np.stack(list(columns.values()), axis=1)

    def _back(self, met: Callable[[int, int], Floats]) -> tuple[Floats, Floats]:
        mean, square = np.zeros((2, VERTICES, self._n))
        for y in range(1, VERTICES):
            share = np.stack([self._edge[x, y] * (self.width[x] if y == _LAST else 1) for x in range(y)])
            share /= np.maximum(share.sum(axis=0), 1e-9)
            for x in range(y):
                step = met(x, y)
                mean[y] += share[x] * (mean[x] + step)
                square[y] += share[x] * (square[x] + 2 * step * mean[x] + step**2)
        return mean[_LAST], square[_LAST]

    def _on(self, met: Callable[[int, int], Floats]) -> tuple[Floats, Floats]:
        mean, square = np.zeros((2, VERTICES, self._n))
        for x in range(_LAST - 1, -1, -1):
            targets = range(x + 1, VERTICES)
            degree = np.maximum(sum(self._edge[x, y] for y in targets), 1)
            for y in targets:
                step, share = met(x, y), self._edge[x, y] / degree
                mean[x] += share * (mean[y] + step)
                square[x] += share * (square[y] + 2 * step * mean[y] + step**2)
        return mean[0], square[0]

    def signals(self) -> Named:
        """Return the logarithm of one minus the correlation of what two images become.

        After Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli, "Exponential expressivity in deep neural networks through
        transient chaos", NeurIPS 2016: convolutions have random weights and, normalised, a rectifier.
        """
        columns: dict[str, Floats] = {}
        for start, cells in _CORRELATIONS:
            correlation = np.full(self._n, start)
            for _ in range(cells):
                correlation = self._after(correlation)
            columns[f"decorrelation from {start} in {cells}"] = np.log(1 - correlation + 1e-3)
        return list(columns), np.stack(list(columns.values()), axis=1)

    def _after(self, entering: Floats) -> Floats:
        projected = _rectified(entering)
        at = [projected]
        for y in range(1, _LAST):
            sources = np.maximum(sum(self._edge[x, y] for x in range(y)), 1)
            mean = sum(self._edge[x, y] * at[x] for x in range(y)) / sources
            at.append(np.where(self._conv3[y] + self._conv1[y] > 0, _rectified(mean), mean))
        joined = sum(self.width[x] * self._feeds[x] * at[x] for x in range(1, _LAST))
        # The input is added to what is concatenated.
        added = np.where(self._edge[0, _LAST] > 0, (joined + projected) / 2, joined)
        return np.asarray(np.where(self._feeds.sum(axis=0) > 0, added, projected))


def _rectified(c: Floats) -> Floats:
    """Return the correlation of rectified normal variables of correlation c.

    Cho & Saul, "Kernel Methods for Deep Learning", NeurIPS 2009, the arc-cosine kernel of degree one, and the mean
    of a rectified variable, 1 / sqrt(2 pi), taken off.
    """
    c = np.clip(c, -1, 1)
    kernel = (np.sqrt(1 - c * c) + c * (np.pi - np.arccos(c))) / np.pi
    return np.asarray((kernel - 1 / np.pi) / (1 - 1 / np.pi))
