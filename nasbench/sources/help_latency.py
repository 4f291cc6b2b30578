"""HELP, ``latency_ms_help.npz``: latencies of NAS-Bench-201's networks on 27 devices.

Lee, Lee, Chong & Hwang, "HELP: Hardware-Adaptive Efficient Latency Prediction for NAS via Meta-Learning", NeurIPS 2021,
https://github.com/HayeonLee/HELP. The NPZ file holds, by device, the numbers of its data/nasbench201/latency: one an
architecture in the official order, milliseconds in single precision. A number behind the name of a GPU is the size of
the batch.

The networks take images of 32 x 32 pixels. Those of eyeriss, fpga, pixel3 and raspi4 are HW-NAS-Bench's of CIFAR-10;
of how many classes the others were measured with, the source says nothing, and its own search pairs all of them with
accuracies on CIFAR-100. So they are attached to the image dataset that is open, one of these two.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from nasbench.errors import ConversionError, unknown_name
from nasbench.sources.hw_nas import SOURCE as HW_NAS_BENCH
from nasbench.sources.readers.npz_arrays import Npz
from nasbench.sources.readers.raw_file import opened
from nasbench.spaces.nb201 import NB201
from nasbench.system.files import checked_path
from nasbench.tables import Column, TableFile
from nasbench.tables.attach import Attachment

DEVICES = (
    *(f"{gpu}_{batch}" for gpu in ("1080ti", "2080ti", "titan_rtx", "titanx", "titanxp") for batch in (1, 32, 256)),
    *("gold_6226", "gold_6240", "silver_4114", "silver_4210r"),
    *("essential_ph_1", "pixel2", "pixel3", "samsung_a50", "samsung_s7", "raspi4", "eyeriss", "fpga"),
)
"""GPUs with their sizes of batches, CPUs, telephones and other small devices, as the source names them."""
_DATASETS = ("cifar10", "cifar100")
_SOURCE = {
    "name": "HELP, latencies of NAS-Bench-201",
    "address": "https://github.com/HayeonLee/HELP",
    "licence": f"HELP: MIT; {HW_NAS_BENCH['licence']}",
    "citation": "H. Lee, S. Lee, S. Chong and S. J. Hwang. HELP: Hardware-Adaptive Efficient Latency Prediction for "
    "NAS via Meta-Learning. Advances in Neural Information Processing Systems (NeurIPS), 2021.\n"
    f"{HW_NAS_BENCH['citation']}",
    "elsewhere": "",
}


def read(source: str | os.PathLike[str], table: TableFile) -> Attachment:
    """Read the latencies of devices as metrics ``latency_DEVICE``, on the table's image dataset.

    Args:
        source: The NPZ file.
        table: The table that this is for, opened at the image dataset that the latencies are joined with.

    Raises:
        ConversionError: The table is not of NAS-Bench-201, or its image dataset has images of another size; the file is
            missing, damaged, or not of this form; a device is none of the source's; a latency is no positive number.
    """
    path, space = Path(checked_path(source)), NB201()
    if table.space != space.name:
        raise ConversionError(
            f"{path}: HELP's latencies are of NAS-Bench-201 (search space {space.name}); {table.path} is of "
            f"{table.space}."
        )
    if table.dataset not in _DATASETS:
        raise ConversionError(
            f"{path}: HELP's latencies are of images of 32 x 32 pixels: those of {' and '.join(_DATASETS)}, not of "
            f"{table.dataset}. Choose one of them with --dataset."
        )
    columns = {}
    with opened(path) as (file, digest):
        npz = Npz(file, path)
        for device in npz.names:
            if device not in DEVICES:
                raise ConversionError(f"{path}: {unknown_name('device of HELP', device[:100], DEVICES)}")
            values = npz.floats(device, (space.size,))
            wrong = np.flatnonzero(values <= 0)
            if len(wrong):
                found = f"{path}, {device}, row {wrong[0]}: {values[wrong[0]]}"
                raise ConversionError(f"{found}, expected a positive number of milliseconds, or nan.")
            columns[f"latency_{device}"] = Column(values, "milliseconds")
    if not columns:
        raise ConversionError(f"{path}: holds no latencies: expected an array for each device.")
    report = {"reader": "help-latency, version 1", "devices": len(columns)}
    described = {**_SOURCE, "sha256": f"{path.name} {digest}"}
    return Attachment(space.name, space.architectures, {table.dataset: columns}, described, report)
