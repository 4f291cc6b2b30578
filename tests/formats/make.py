"""Write the files of this folder with the code of today: ``python tests/formats/make.py FOLDER``.

A file stays as it was written, with the code of its time (histories_1.h5 and table_1.h5: before trials in time); a new
format gets a new file beside it. What the files hold stands in test_formats.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from baselines.random_search import RandomSearch
from nasbench import Budget, load, run
from nasbench.search.history import save_histories
from nasbench.spaces.nb201 import NB201
from nasbench.tables import Column, DatasetContent, TableContent, write


def main(folder: Path) -> None:
    table = load("nasbench201")
    histories = [run(RandomSearch(table.space, seed=[7, r]), table, Budget(3), seed=[7, r, 1]) for r in range(2)]
    save_histories(folder / "histories_1.h5", histories)
    space = NB201()
    counts = np.array([[[6000, 6100]], [[7000, 65535]], [[8123, 8001]]], np.uint16)
    validation = Column(counts, "images", (50,), 10_000, "40,000 images", "the other 10,000")
    seconds = Column(np.array([[[10.5]], [[20.25]], [[30.0]]]), "seconds", (50,))
    schedules = {50: {"validation_accuracy": validation, "training_time": seconds}}
    about = dict.fromkeys(("name", "address", "licence", "citation", "sha256", "elsewhere"), "made for a test")
    rows = space.decode([0, 284, 15_624])
    write(folder / "table_1.h5", TableContent("nb201", rows, {"cifar10": DatasetContent({}, schedules)}, about, {}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
