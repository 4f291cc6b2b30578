"""Drop-in for ``nas_201_api`` 2.1, the package before ``nats_bench``: ``from nas_201_api import NASBench201API``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nasbench.compat.nats_bench.api_topology import NATStopology
from nasbench.compat.nats_bench.api_utils import ArchResults, ResultsCount

__all__ = ["NAS_BENCH_201_API_VERSION", "ArchResults", "NASBench201API", "ResultsCount"]

NAS_BENCH_201_API_VERSION = "v2.1"


class NASBench201API(NATStopology):
    """NAS-Bench-201 over a table: the methods of the newer API under the older signatures.

    Args:
        file_path_or_dict: A ``.h5`` table, ``NAS-Bench-201-v1_1-096897.pth`` or a NATS-Bench folder (converted once,
            into the user's cache), or the name of a table in the cache. None looks in the cache of ``nasbench fetch``,
            then in ``TORCH_HOME``.
        verbose: Whether to print what was opened.
        seed: Seed of the object's random numbers, which are those of the original after ``random.seed(seed)``.

    Raises:
        ValueError: As for :class:`NATStopology`.
        TableFileError: The table is not sound.
        ConversionError: An official file is damaged.
        FetchError: The cache cannot be written.
    """

    _ABOUT = ("NAS-Bench-201-v1_1-096897", "nasbench201_v1_1", "topology", "nb201", 200)

    def __init__(
        self,
        file_path_or_dict: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        verbose: bool = True,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(file_path_or_dict, False, verbose, seed=seed)

    def simulate_train_eval(  # type: ignore[override]
        self, arch: Any, dataset: str, hp: str | int = "12", account_time: bool = True
    ) -> tuple[float, float | None, float, float]:
        """Do what :meth:`NATStopology.simulate_train_eval` does, at the end of a schedule."""
        return super().simulate_train_eval(arch, dataset, None, hp, account_time)

    def find_best(  # type: ignore[override]
        self,
        dataset: str,
        metric_on_set: str,
        FLOP_max: float | None = None,  # noqa: N803
        Param_max: float | None = None,  # noqa: N803
        hp: str | int = "12",
    ) -> tuple[int, float | None]:
        """Do what :meth:`NATStopology.find_best` does, under the older names of the limits."""
        return super().find_best(dataset, metric_on_set, FLOP_max, Param_max, hp)
