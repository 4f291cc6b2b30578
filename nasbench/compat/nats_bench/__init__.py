"""Drop-in for ``nats_bench`` 1.8 over tables: ``nasbench.compat.nats_bench.install()``, then ``import nats_bench``.

Or run a script as it is: ``python -m nasbench.compat script.py``. docs/legacy_nats.md says what is kept and mended.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from typing import Any

from nasbench.compat.nats_bench import api_size, api_topology, api_utils, genotype_utils
from nasbench.compat.nats_bench.api_size import NATSsize
from nasbench.compat.nats_bench.api_topology import NATStopology
from nasbench.compat.nats_bench.api_utils import ArchResults, ResultsCount, pickle_load, pickle_save
from nasbench.errors import NasbenchError
from nasbench.spaces.nats_sss import CHANNELS
from nasbench.spaces.nb201 import OPERATIONS

__all__ = [
    "ArchResults",
    "NATSsize",
    "NATStopology",
    "ResultsCount",
    "create",
    "install",
    "pickle_load",
    "pickle_save",
    "search_space_info",
    "version",
]

NATS_BENCH_API_VERSIONs = [f"v1.{i}" for i in range(9)]
NATS_BENCH_SSS_NAMEs = ("sss", "size")
NATS_BENCH_TSS_NAMEs = ("tss", "topology")


class AlreadyInstalledError(NasbenchError, ImportError):
    """The real package is here, and a stand-in would hide it."""


def version() -> str:
    """Return the version of the original that this stands in for."""
    return NATS_BENCH_API_VERSIONs[-1]


def create(
    file_path_or_dict: Any, search_space: str, fast_mode: bool = False, verbose: bool = True, *, seed: int | None = None
) -> NATStopology | NATSsize:
    """Open a table of one search space.

    Args:
        file_path_or_dict: As for :class:`NASBenchMetaAPI`: a table, an official folder or file, or None.
        search_space: ``tss`` or ``topology``, ``sss`` or ``size``.
        fast_mode: Kept as an attribute; a table is always read as it is needed.
        verbose: Whether to print what was opened.
        seed: Seed of the object's random numbers, which are those of the original after ``random.seed(seed)``.

    Raises:
        ValueError: The search space is none of these, or as for :class:`NASBenchMetaAPI`.
        TableFileError: The table is not sound.
        ConversionError: An official file is damaged.
        FetchError: The cache cannot be written.
    """
    if search_space in NATS_BENCH_TSS_NAMEs:
        return NATStopology(file_path_or_dict, fast_mode, verbose, seed=seed)
    if search_space in NATS_BENCH_SSS_NAMEs:
        return NATSsize(file_path_or_dict, fast_mode, verbose, seed=seed)
    raise ValueError(f"invalid search space : {search_space}: expected tss, topology, sss or size.")


def search_space_info(main_tag: str, aux_tag: str | None) -> dict[str, Any]:
    """Return what a search space chooses from.

    Args:
        main_tag: ``nats-bench`` or ``nas-bench-201``.
        aux_tag: ``tss`` or ``topology``, ``sss`` or ``size``; None for ``nas-bench-201``.

    Raises:
        ValueError: A tag is none of these.
    """
    cells: Mapping[str, Any] = {"op_names": list(OPERATIONS), "num_nodes": 4}
    if main_tag == "nas-bench-201":
        if aux_tag is not None:
            raise ValueError("For NAS-Bench-201, the auxiliary tag should be None.")
        return dict(cells)
    if main_tag != "nats-bench":
        raise ValueError(f"Unknown main tag: {main_tag}")
    if aux_tag in NATS_BENCH_TSS_NAMEs:
        return dict(cells)
    if aux_tag in NATS_BENCH_SSS_NAMEs:
        return {"candidates": list(CHANNELS), "num_layers": 5}
    raise ValueError(f"Unknown auxiliary tag: {aux_tag}")


def install(*, force: bool = False) -> None:
    """Make ``import nats_bench`` and ``import nas_201_api`` give the stand-ins, in this process.

    Args:
        force: Do so even where a real package is installed.

    Raises:
        AlreadyInstalledError: One of them is installed, or imported already; nothing was changed.
    """
    from nasbench.compat import nas_201_api

    ours = {
        "nats_bench": sys.modules[__name__],
        "nats_bench.api_size": api_size,
        "nats_bench.api_topology": api_topology,
        "nats_bench.api_utils": api_utils,
        "nats_bench.genotype_utils": genotype_utils,
        "nas_201_api": nas_201_api,
        "nas_201_api.api_201": nas_201_api,
        "nas_201_api.api_utils": api_utils,
    }
    for name in ("nats_bench", "nas_201_api"):
        if not force and sys.modules.get(name) is not ours[name] and _is_there(name):
            raise AlreadyInstalledError(
                f"the real {name} is installed here: run pip uninstall {name.replace('_', '-')}, or call "
                "install(force=True) to hide it in this process."
            )
    sys.modules.update(ours)


def _is_there(name: str) -> bool:
    if name in sys.modules:
        return True
    return importlib.util.find_spec(name) is not None
