"""What ``nats_bench.api_utils`` has."""

from __future__ import annotations

from nasbench.compat.nats_bench._answers import remap_dataset_set_names
from nasbench.compat.nats_bench._api import NASBenchMetaAPI
from nasbench.compat.nats_bench._architecture import ArchResults
from nasbench.compat.nats_bench._files import (
    PICKLE_EXT,
    get_torch_home,
    mean,
    nats_is_dir,
    nats_is_file,
    pickle_load,
    pickle_save,
    time_string,
)
from nasbench.compat.nats_bench._training import ResultsCount

__all__ = [
    "PICKLE_EXT",
    "ArchResults",
    "NASBenchMetaAPI",
    "ResultsCount",
    "get_torch_home",
    "mean",
    "nats_is_dir",
    "nats_is_file",
    "pickle_load",
    "pickle_save",
    "remap_dataset_set_names",
    "time_string",
]
