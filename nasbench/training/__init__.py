"""Real training: networks of architectures, trained on real images; ``pip install 'nasbench-suite[train]'``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nasbench.errors import MissingPackageError

if TYPE_CHECKING:
    from nasbench.spaces import SearchSpace
    from nasbench.training.networks.base import Network
    from nasbench.types import Architecture


@contextmanager
def needing_torch(who: str) -> Iterator[None]:
    """Say what to install where PyTorch is missing: imports of what trains stand inside.

    Args:
        who: Subject and verb of the message, such as ``"verify needs"``.

    Raises:
        MissingPackageError: PyTorch is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        raise MissingPackageError(
            f"{who} PyTorch, which is not installed: pip install 'nasbench-suite[train]'."
        ) from error


def network(
    architecture: Architecture | str, space: SearchSpace | str = "nb201", *, classes: int = 10, side: int = 32
) -> Network:
    """Return the official network of an architecture as a PyTorch module; see :func:`nasbench.training.networks.build`.

    Args:
        architecture: A tuple of choices, or its text.
        space: The search space, or its registered name.
        classes: Outputs of the linear layer.
        side: Of the images, in pixels.

    Raises:
        MissingPackageError: PyTorch is not installed.
        InvalidArchitectureError: This is no architecture of the space.
        UnknownNameError: No search space has this name, or none of the networks here is of it.
        TrainingError: The number of classes or the side is not possible.
    """
    with needing_torch("networks need"):
        from nasbench.training.networks import build
    return build(space, architecture, classes=classes, side=side)
