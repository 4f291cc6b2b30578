"""Weights as safetensors, and networks as ONNX: files that hold numbers and graphs, and run nothing when they are read.

Both are written whole or not at all.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nasbench.errors import MissingPackageError, TrainingError, WeightsFileError
from nasbench.system.files import canonical_json, replacing
from nasbench.training.networks.base import Network

_KEY = "nasbench"
"""The entry of a file's metadata that says whose weights these are."""
_OPSET = 18
"""The version of ONNX's operators that PyTorch's exporter writes without a conversion."""


def save_weights(network: Network, path: str | os.PathLike[str]) -> None:
    """Write the parameters and running statistics of a network, with its space, architecture and classes.

    Args:
        network: What :func:`nasbench.training.networks.build` returned, on any device.
        path: A file, which is replaced; ``.safetensors`` is the usual ending.

    Raises:
        MissingPackageError: safetensors is not installed.
        OSError: The file cannot be written.
    """
    with _package("safetensors", "train"):
        from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    # One entry: safetensors writes several in any order, and the same network should give the same bytes.
    data = save(tensors, metadata={_KEY: canonical_json(_identity(network)).decode()})
    with replacing(path) as temporary:
        Path(temporary).write_bytes(data)


def load_weights(network: Network, path: str | os.PathLike[str]) -> None:
    """Read into a network what :func:`save_weights` wrote of one of the same architecture; all of it or nothing.

    Args:
        network: What :func:`nasbench.training.networks.build` returned, on any device.
        path: The file.

    Raises:
        MissingPackageError: safetensors is not installed.
        WeightsFileError: The file is not there, no whole safetensors file, not written by :func:`save_weights`, of
            another architecture or number of classes, or its tensors are not those of the network.
    """
    with _package("safetensors", "train"):
        from safetensors import SafetensorError, safe_open

    try:
        with safe_open(Path(path), framework="pt") as file:
            found = _described((file.metadata() or {}).get(_KEY))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except OSError as error:
        raise WeightsFileError(f"cannot read the weights {path}: {error.strerror or error}.") from None
    except SafetensorError as error:
        raise WeightsFileError(f"{path} is no whole safetensors file: {error}.") from None
    if found is None:
        raise WeightsFileError(f"{path} was not written by save_weights: it does not say whose weights these are.")
    for key, expected in _identity(network).items():
        if found.get(key) != expected:
            raise WeightsFileError(
                f"{path} holds weights of another network: {key} is {found.get(key)!r}, expected {expected!r}."
            )
    own = network.state_dict()
    for name in sorted(own.keys() | tensors.keys()):
        there, needed = (f"{t[name].dtype} {tuple(t[name].shape)}" if name in t else "nothing" for t in (tensors, own))
        if there != needed:
            raise WeightsFileError(f"{path} does not fit the network: {name} is {there}, expected {needed}.")
    network.load_state_dict(tensors)


def export_onnx(network: Network, path: str | os.PathLike[str], side: int | None = None) -> None:
    """Write a network with its weights as one ONNX file, in evaluation mode; the network is left as it is.

    Its input is ``images``, normalised, float32 of shape (n, 3, side, side) with any n; its output is ``logits``, shape
    (n, classes).

    Args:
        network: What :func:`nasbench.training.networks.build` returned.
        path: A file, which is replaced; ``.onnx`` is the usual ending.
        side: Of the images, in pixels; None: what the network was built for.

    Raises:
        MissingPackageError: onnx or onnxscript is not installed.
        TrainingError: The network takes no images of this side.
        OSError: The file cannot be written.
    """
    # PyTorch's exporter uses both, and would say in other words that one is missing.
    with _package("onnx", "onnx"):
        import onnx  # noqa: F401
    with _package("onnxscript", "onnx"):
        import onnxscript  # noqa: F401

    side = network.side if side is None else side
    device = next(network.parameters()).device
    with _evaluating(network):
        try:
            images = torch.zeros(2, 3, side, side, device=device)  # a batch of 1 would be taken for a constant
            with torch.no_grad():
                network(images)
        except (RuntimeError, TypeError) as error:
            raise TrainingError(
                f"this network of {network.space} takes no images of side {side!r}: {error}".rstrip(".") + "."
            ) from None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch about itself
            program = torch.onnx.export(
                network,
                (images,),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("n")},),
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    assert program is not None
    with replacing(path) as temporary:
        program.save(temporary)


def _identity(network: Network) -> dict[str, Any]:
    return {"space": network.space, "architecture": network.architecture, "classes": network.classes}


def _described(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def _package(name: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name:
            raise
        raise MissingPackageError(
            f"this needs {name}, which is not installed: pip install 'nasbench-suite[{extra}]'."
        ) from error
