"""The network of a NAS-Bench-101 cell: its convolutions, and what they cost.

google-research/nasbench, nasbench/lib/model_builder.py: a stem, then three stacks of three cells; each stack but the
first begins with a 2 x 2 maximum pool and twice the channels; then the mean over the image and a dense layer.
Functions take many pruned cells, as arrays of :mod:`nasbench.spaces.graph`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nasbench.spaces import graph

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = ((128, 128, 32, 3), (128, 256, 16, 1), (256, 256, 16, 2), (256, 512, 8, 1), (512, 512, 8, 2))
"""Channels in, channels out, side of the image, how many cells like this."""

_STEM, _DENSE = 27 * 128, 512 * 10
_WEIGHTS = np.array([0, 9, 1, 0, 0, 0])
"""Weights of an operation for each pair of channels, by label: 3x3 and 1x1 convolution; the others have none."""


def parameters(edges: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the numbers of trainable parameters, shape (n,); only the dense layer has a bias."""
    total = np.full(labels.shape[1], _STEM + 2 * 128 + _DENSE + 10, np.int64)
    for c_in, c_out, _, repeats in CELLS:
        weights, normalised = convolutions(edges, labels, c_in, c_out)
        total += repeats * (weights + 2 * normalised)
    return total


def multiply_accumulates(edges: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return those of the convolutions and the dense layer for one image of 32 x 32 pixels, shape (n,)."""
    total = np.full(labels.shape[1], 32 * 32 * _STEM + _DENSE, np.int64)
    for c_in, c_out, side, repeats in CELLS:
        total += repeats * side * side * convolutions(edges, labels, c_in, c_out)[0]
    return total


def convolutions(
    edges: NDArray[np.uint8], labels: NDArray[np.uint8], c_in: int, c_out: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the weights, and the channels out, of all convolutions of a cell; each (n,).

    Every edge from the input is a 1x1 convolution.
    """
    last = len(labels) - 1
    edge = dict(zip(graph.edges(len(labels)), edges.astype(np.int64), strict=True))
    weights, outputs = edge[0, last] * c_in * c_out, edge[0, last] * c_out
    for vertex, width in enumerate(channels(edge, c_out), start=1):
        size = _WEIGHTS[labels[vertex]]
        weights += (edge[0, vertex] * c_in + size * width) * width
        outputs += (edge[0, vertex] + (size > 0)) * width
    return weights, outputs


def channels(edge: dict[tuple[int, int], NDArray[np.int64]], c_out: int) -> list[NDArray[np.int64]]:
    """Return the channels of the interior vertices, each (n,) (``compute_vertex_channels``).

    Vertices that feed the output share its channels, the first ones taking one more where that leaves a remainder; the
    others have as many as the widest that they feed.
    """
    last = max(target for _, target in edge)
    feeds = [edge[vertex, last] for vertex in range(1, last)]
    share, rest = np.divmod(c_out, np.maximum(np.sum(feeds, axis=0), 1))
    rank = np.cumsum(feeds, axis=0)
    result = [feed * (share + (place <= rest)) for feed, place in zip(feeds, rank, strict=True)]
    for x in range(last - 2, 0, -1):
        widest = np.maximum.reduce([edge[x, y] * result[y - 1] for y in range(x + 1, last)])
        result[x - 1] = np.where(feeds[x - 1], result[x - 1], widest)
    return result
