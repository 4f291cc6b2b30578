"""What predictors see of a search space: one description a space, of which the space's class says where it is.

Light to import: a search space of somebody else's may make one in the file of its class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import registry
from nasbench.spaces import SearchSpace

Groups = dict[str, tuple[list[str], NDArray[np.float64]]]
"""Features of n architectures, in groups that belong together: names, and values of shape (n, features)."""


class Features(NamedTuple):
    """What predictors see of the architectures of a search space; :attr:`nasbench.SearchSpace.features` names it."""

    groups: Callable[[NDArray[np.uint8]], Groups]
    """From choices, shape (n, decisions): the same groups and names for any of them, and the same values for those of
    one identity (:meth:`nasbench.SearchSpace.identity_many`). Each group is one kernel of a Gaussian process."""
    counts: tuple[str, ...] = ()
    """Which groups are of counts, most of which are zero: a process has another kernel for them."""
    lengths: tuple[float, ...] = (1.0, 2.0, 4.0)
    """The length scales among which a process chooses; the default is what NAS-Bench-201 and 101 were found to need."""
    weights: Mapping[str, float] = MappingProxyType({"gaussian_process": 1, "boosted_trees": 1})
    """The registered models of the recommended stack, and their weights."""
    default: str = ""
    """``"module:attribute"`` of what makes the recommended model, where it is no such stack: a function of ``labels``,
    how many there are roughly, and ``random_state``."""


def features_of(space: str) -> Features | None:
    """Return what predictors see of the search space of this name; None where they see its choices, one-hot.

    Raises:
        UnknownNameError: There is no such search space, or what its class names is not there.
    """
    known: SearchSpace = registry.find("spaces", space)()
    if not known.features:
        return None
    features: Features = registry.load(known.features, f"features of {space}")
    return features
