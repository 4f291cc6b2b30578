"""What ``nats_bench.api_topology`` has: the topology search space, which is NAS-Bench-201."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.compat.nats_bench._answers import information_lines
from nasbench.compat.nats_bench._api import NASBenchMetaAPI
from nasbench.compat.nats_bench._architecture import ArchResults
from nasbench.compat.nats_bench.genotype_utils import topology_str2structure
from nasbench.spaces.nb201 import NB201, OPERATIONS

__all__ = ["ALL_BASE_NAMES", "NATStopology", "print_information", "topology_str2structure"]

ALL_BASE_NAMES = ["NATS-tss-v1_0-3ffb9"]


def print_information(information: ArchResults, extra_info: Any = None, show: bool = False) -> list[str]:
    """Return lines on an architecture, and print them if they are to be shown."""
    lines = information_lines(information, extra_info, test_of_25k=False)
    if show:
        print("\n".join(lines))
    return lines


class NATStopology(NASBenchMetaAPI):
    """NATS-Bench of the topology search space over a table."""

    _ABOUT = (ALL_BASE_NAMES[0], "nats_tss", "topology", "nb201", 200)

    @property
    def is_topology(self) -> bool:
        """True."""
        return True

    @property
    def is_size(self) -> bool:
        """False."""
        return False

    @property
    def full_epochs_in_paper(self) -> int:
        """200."""
        return 200

    def get_unique_str(self, arch: Any) -> str:
        """Return the string that equal topologies share, by the authors' rule: 6,466 different ones.

        Raises:
            ValueError: There is no such architecture.
        """
        index = self.query_index_by_arch(arch)
        if index < 0:
            raise ValueError(f"{arch!r}: no architecture of this search space.")
        space = NB201()
        return space.topology(space.parse(self.arch(index)))

    @staticmethod
    def str2lists(arch_str: str) -> list[Any]:
        """Return, for each node but the first, a tuple of (operation, source).

        Raises:
            ValueError: The text is no cell.
        """
        return topology_str2structure(arch_str).nodes

    @staticmethod
    def str2matrix(arch_str: str, search_space: Sequence[str] = OPERATIONS) -> NDArray[np.float64]:
        """Return a matrix with the index of the operation at (target, source), and 0 elsewhere.

        Raises:
            ValueError: The text is no cell, or has an operation that is not in the search space.
        """
        nodes = topology_str2structure(arch_str).nodes
        matrix = np.zeros((len(nodes) + 1, len(nodes) + 1))
        for target, node in enumerate(nodes, start=1):
            for operation, source in node:
                matrix[target, source] = list(search_space).index(operation)
        return matrix
