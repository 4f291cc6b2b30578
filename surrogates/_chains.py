"""Features of networks that are chains: NAS-Bench-Macro's layers, and the widths of NATS-Bench's size space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.nats_sss import CHANNELS, NatsSSS
from nasbench.spaces.nb_macro import NBMacro
from surrogates._cells201 import Groups

_STAGES = ((0, 1), (2, 3, 4), (5, 6, 7))
_KERNEL = np.array([0, 3, 5])


def macro(choices: NDArray[np.uint8]) -> Groups:
    """Return the features of NAS-Bench-Macro, shape (n, 8).

    Blocks are counted by stage; the first layer of a stage, which halves the image, is looked at by itself. Layers are
    in the order that :meth:`NBMacro.canonical_many` gives them, so that all texts of a network are the same.
    """
    space = NBMacro()
    layers = space.canonical_many(choices).astype(np.float64)
    stages = [layers[:, stage] for stage in _STAGES]
    counts = {
        **{f"blocks of stage {i}": (stage > 0).sum(axis=1) for i, stage in enumerate(stages, 1)},
        **{f"large blocks of stage {i}": (stage == 2).sum(axis=1) for i, stage in enumerate(stages, 1)},
        "blocks": (layers > 0).sum(axis=1),
        "large blocks": (layers == 2).sum(axis=1),
        **{f"block where stage {i} begins": stage[:, 0] > 0 for i, stage in enumerate(stages, 1)},
    }
    first = {f"size of the block where stage {i} begins": stage[:, 0] for i, stage in enumerate(stages, 1)}
    costs = {
        "log parameters": np.log(space.parameters_many(choices)),
        "log flops": np.log(space.flops_many(choices)),
    }
    each = {f"size of layer {i + 1}": layers[:, i] for i in range(8)}
    again = {f"{name}, again": values for name, values in counts.items()}
    return {"stages": _group({**counts, **first}), "layers": _group({**again, **each, **costs})}


def _group(columns: Mapping[str, NDArray[Any]]) -> tuple[list[str], NDArray[np.float64]]:
    return list(columns), np.stack(list(columns.values()), axis=1).astype(np.float64)


def sizes(choices: NDArray[np.uint8]) -> Groups:
    """Return the features of NATS-Bench's size space, shape (n, 5): widths, their ratios, and costs."""
    space = NatsSSS()
    widths = np.log(np.array(CHANNELS, np.float64))[choices]
    costs = {
        "log parameters": np.log(space.parameters_many(choices)),
        "log flops": np.log(space.flops_many(choices)),
    }
    summary = {"narrowest": widths.min(axis=1), "widest": widths.max(axis=1), "mean": widths.mean(axis=1)}
    each = {f"log width {i + 1}": widths[:, i] for i in range(5)}
    ratios = {f"log width {j + 1} / width {i + 1}": widths[:, j] - widths[:, i] for j in range(5) for i in range(j)}
    return {"widths": _group(each), "ratios": _group(ratios), "shape": _group({**summary, **costs})}
