"""What a campaign costs beside its trainings: ``python benchmarks/campaign_overhead.py``.

Stand-ins for trainings sleep half a second each and answer with curves of 200 epochs. The overhead of one is what its
worker's time has beyond the sleep: the way to the worker and back, and the journal, synced each time. It is taken from
the first results on: a worker is started once a campaign, not once a training.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from nasbench.spaces.conv5 import Conv5
from nasbench.training.campaign.campaign import Job, Task, run_campaign, sample
from nasbench.training.campaign.journal import Journal
from nasbench.training.images import Split
from nasbench.training.images.base import collect
from nasbench.training.loop.train import Training
from nasbench.training.recipes import RECIPES

TRAININGS, WORKERS, SLEEP, EPOCHS = 40, 2, 0.5, 200
TRAINING, TARGET = 10.0, 0.02


def sleep(job: Job, task: Task) -> Training:
    time.sleep(SLEEP)
    epochs = np.arange(1, EPOCHS + 1)
    counts = {"train": 100 * epochs, "validation": 10 * epochs, "test": 10 * epochs}
    images = {"train": 25_000, "validation": 25_000, "test": 10_000}
    return Training(tuple(epochs.tolist()), counts, images, epochs / 7, epochs / 70, "cpu", None)


def main() -> None:
    from benchmarks import campaign_overhead  # workers import it by this name

    pixels = torch.zeros((50_000, 3, 32, 32), dtype=torch.uint8)
    images = collect(
        "50,000 black images", {"train": Split(pixels, torch.zeros(50_000, dtype=torch.int64))}, classes=10
    )
    job = Job(Conv5(), images, RECIPES["conv5"], EPOCHS, "cpu")
    times: list[float] = []
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run_campaign(
            job,
            sample(job.space, TRAININGS, 0),
            Journal(Path(folder) / "journal.db"),
            workers=WORKERS,
            progress=lambda done, total: times.append(time.perf_counter()),
            train_one=campaign_overhead.sleep,
        )
    # times[0] is before anything; the first result of each worker includes its start.
    overhead = (times[-1] - times[WORKERS]) * WORKERS / (TRAININGS - WORKERS) - SLEEP
    print(f"from the call to the first result: {times[1] - start:.2f} s, {SLEEP} s of them training")
    print(f"overhead of one training: {overhead * 1000:.1f} ms")
    print(f"of a training of {TRAINING:.0f} s: {overhead / TRAINING:.2%} (target: at most {TARGET:.0%})")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
