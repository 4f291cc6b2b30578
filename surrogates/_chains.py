"""Features of networks that are chains: NAS-Bench-Macro's layers, and the widths of NATS-Bench's size space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.nats_sss import CHANNELS, NatsSSS
from nasbench.spaces.nb_macro import NBMacro
from surrogates._cells201 import Groups

_STAGES = ((0, 1), (2, 3, 4), (5, 6, 7))
_KERNEL, _EXPANSION = np.array([0, 3, 5]), np.array([0, 3, 6])


def macro(choices: NDArray[np.uint8]) -> Groups:
    """Return the features of NAS-Bench-Macro, shape (n, 8): layers in their canonical places, and sums over stages."""
    space = NBMacro()
    layers = space.canonical_many(choices)
    hot = np.concatenate([layers == 1, layers == 2], axis=1)
    columns: dict[str, NDArray[np.generic]] = {}
    for i, stage in enumerate(_STAGES, start=1):
        part = layers[:, stage]
        columns[f"blocks of stage {i}"] = (part > 0).sum(axis=1)
        columns[f"large blocks of stage {i}"] = (part == 2).sum(axis=1)
        columns[f"receptive field of stage {i}"] = np.maximum(_KERNEL[part] - 1, 0).sum(axis=1)
        columns[f"expansion of stage {i}"] = _EXPANSION[part].sum(axis=1)
    columns["blocks"] = (layers > 0).sum(axis=1)
    columns["large blocks"] = (layers == 2).sum(axis=1)
    costs = {"log parameters": space.parameters_many(layers), "log flops": space.flops_many(layers)}
    names = [f"layer {i + 1} is {name}" for name in ("MB3_K3", "MB6_K5") for i in range(8)]
    return {
        "layers": (names, hot.astype(np.float64)),
        "shape": (list(columns), np.stack(list(columns.values()), axis=1).astype(np.float64)),
        "costs": (list(costs), np.log(np.stack(list(costs.values()), axis=1))),
    }


def sizes(choices: NDArray[np.uint8]) -> Groups:
    """Return the features of NATS-Bench's size space, shape (n, 5): widths, their ratios, and costs."""
    space = NatsSSS()
    widths = np.log(np.array(CHANNELS, np.float64))[choices]
    costs = {"log parameters": space.parameters_many(choices), "log flops": space.flops_many(choices)}
    pairs = [(i, j) for j in range(5) for i in range(j)]
    summary = {"narrowest": widths.min(axis=1), "widest": widths.max(axis=1), "mean": widths.mean(axis=1)}
    return {
        "widths": ([f"log width {i + 1}" for i in range(5)], widths),
        "ratios": (
            [f"log width {j + 1} / width {i + 1}" for i, j in pairs],
            np.stack([widths[:, j] - widths[:, i] for i, j in pairs], axis=1),
        ),
        "shape": (list(summary), np.stack(list(summary.values()), axis=1)),
        "costs": (list(costs), np.log(np.stack(list(costs.values()), axis=1))),
    }
