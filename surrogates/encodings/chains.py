"""Features of networks that are chains: NAS-Bench-Macro's layers, the widths of NATS-Bench's size space, and conv5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.spaces.conv5 import ACTIVATIONS, KERNELS, STRIDES, Conv5
from nasbench.spaces.nats_sss import CHANNELS, NatsSSS
from nasbench.spaces.nb_macro import NBMacro
from surrogates.encodings.cells201 import Groups

_STAGES = ((0, 1), (2, 3, 4), (5, 6, 7))


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


def conv5(choices: NDArray[np.uint8]) -> Groups:
    """Return the features of conv5: what its layers see, how large their images stay, and what they are made of.

    Sides, and the multiply-accumulates, are those of images of 32 x 32 pixels; of smaller ones their logarithms differ
    by a constant, but for rounding. Padding, which lets the deepest layers see beyond the image, is not counted off.
    """
    space = Conv5()
    kernels = np.array(KERNELS, np.float64)[choices[:, ::3]]
    strides = np.array(STRIDES, np.float64)[choices[:, 1::3]]
    products = np.cumprod(strides, axis=1)
    before = products / strides
    fields = 1 + np.cumsum((kernels - 1) * before, axis=1)
    halves = np.log2(products)  # of layers: how often its image was halved
    spatial = kernels > 1
    layers = range(1, 1 + kernels.shape[1])
    whole = {
        "log parameters": np.log(space.parameters_many(choices)),
        "log flops": np.log(space.flops_many(choices)),
        "halvings": halves[:, -1],
        "halvings over all layers": halves.sum(axis=1),
        "log receptive field": np.log(fields[:, -1]),
        "halvings up to kernels above 1": np.where(spatial, halves, 0).sum(axis=1),
        "kernels above 1 at half of the side or more": (spatial & (halves <= 1)).sum(axis=1),
        "kernels above 1 at an eighth or less": (spatial & (halves >= 3)).sum(axis=1),
        "kernels of 1 with a stride": (~spatial & (strides == 2)).sum(axis=1),
        **{f"kernels of {size}": (kernels == size).sum(axis=1) for size in KERNELS},
        **{name: (choices[:, 2::3] == i).sum(axis=1) for i, name in enumerate(ACTIVATIONS)},
    }
    grown = {
        **{f"halvings up to layer {i}": halves[:, i - 1] for i in layers},
        **{f"log receptive field of layer {i}": np.log(fields[:, i - 1]) for i in layers},
    }
    each = {f"log kernel of layer {i}": np.log(kernels[:, i - 1]) for i in layers}
    each |= {f"stride of layer {i}": strides[:, i - 1] for i in layers}
    each |= {f"layer {i} is {name}": choices[:, 3 * i - 1] == j for i in layers for j, name in enumerate(ACTIVATIONS)}
    return {"whole": _group(whole), "growth": _group(grown), "layers": _group(each)}
