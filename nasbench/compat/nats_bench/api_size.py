"""What ``nats_bench.api_size`` has: the size search space."""

from __future__ import annotations

from typing import Any

from nasbench.compat.nats_bench._answers import information_lines
from nasbench.compat.nats_bench._api import NASBenchMetaAPI
from nasbench.compat.nats_bench._architecture import ArchResults

__all__ = ["ALL_BASE_NAMES", "NATSsize", "print_information"]

ALL_BASE_NAMES = ["NATS-sss-v1_0-50262"]


def print_information(information: ArchResults, extra_info: Any = None, show: bool = False) -> list[str]:
    """Return lines on an architecture, and print them if they are to be shown."""
    lines = information_lines(information, extra_info, test_of_25k=True)
    if show:
        print("\n".join(lines))
    return lines


class NATSsize(NASBenchMetaAPI):
    """NATS-Bench of the size search space over a table."""

    _ABOUT = (ALL_BASE_NAMES[0], "nats_sss", "size", "nats_sss", 90)

    @property
    def is_topology(self) -> bool:
        """False."""
        return False

    @property
    def is_size(self) -> bool:
        """True."""
        return True

    @property
    def full_epochs_in_paper(self) -> int:
        """90."""
        return 90
