"""Search on a surrogate, train what was found: python benchmarks/conv5_case_study.py FOLDER_OF_CIFAR10 [--out FOLDER]

The classic case: five convolutions, of which a search chooses kernels, strides and activations. A surrogate learns from
the embedded table; reinforcement learning and random search spend the same number of evaluations on it; the best
architecture of each, and the conventional design, are trained for real, with seeds that the table does not have. The
table in docs/training.md is what this prints; everything in it is measured here, by this code. Trainings are kept in
FOLDER: the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch

import nasbench
from nasbench.search.compare import Algorithm, Settings, compare
from nasbench.spaces.conv5 import CONVENTIONAL
from nasbench.training.campaign.campaign import Job, run_campaign
from nasbench.training.campaign.journal import Journal, Setting
from nasbench.training.images import cifar10
from nasbench.training.networks import build
from nasbench.training.recipes import RECIPES
from surrogates.benchmark import saved
from surrogates.benchmark.fitting import fit

EVALUATIONS, RUNS, SEEDS = 300, 10, (2, 3, 4)  # the table has the seeds 0 and 1
BLOCK = "<!-- conv5 -->", "<!-- end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of data_batch_1.bin and a test file")
    parser.add_argument("--out", type=Path, default=Path("case_study"))
    options = parser.parse_args()
    table = nasbench.load("conv5_16px_4epochs")
    space, (schedule, _) = table.space, table.fidelities[-1]

    folder = options.out / "surrogate"
    if not folder.exists():
        saved.save(folder, fit(table, train_size=240, seeds=10), table)
    surrogate = nasbench.load(f"surrogate:{folder}")
    chosen = {"conventional design": space.parse(CONVENTIONAL), "best of the table": table.optimum().architectures[0]}
    budget = nasbench.Budget(EVALUATIONS)
    algorithms = tuple(Algorithm.parse(name) for name in ("reinforce", "random_search"))
    settings = Settings(surrogate.locator, surrogate.dataset, algorithms, budget, RUNS, 0)
    for label, histories in compare(settings, options.out / "comparison", workers=2).histories.items():
        best = np.concatenate([h.architectures[[int(h.validation_accuracy.argmax())]] for h in histories])
        # What the middle one of the runs ended with, so that neither the luckiest nor the unluckiest speaks for it.
        order = np.argsort(surrogate.means(best), kind="stable")
        chosen[label] = tuple(best[order[len(order) // 2]].tolist())

    images = cifar10.subset(options.data, side=16)
    job = Job(space, images, RECIPES["conv5"], schedule, "cpu")
    journal = Journal(options.out / "trainings.db")
    run_campaign(job, chosen.values(), journal, seeds=SEEDS, workers=2)
    entries = {(e.identity, e.seed): e for e in journal.entries(Setting.of(space, job.recipe, images, schedule))}

    lines = [
        "| | architecture | predicted | trained: validation | test | parameters | multiply-accumulates | latency, ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, architecture in chosen.items():
        trainings = [entries[space.identity(architecture), seed].training for seed in SEEDS]
        measured = [
            [100 * t.correct[split][-1] / t.images[split] for t in trainings] for split in ("validation", "test")
        ]
        cells = [f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}" for values in measured]
        predicted = 100 * surrogate.means([architecture])[0]
        costs = f"{space.parameters(architecture):,} | {space.flops_many([architecture], side=16)[0]:,}"
        lines.append(
            f"| {name} | `{space.format(architecture)}` | {predicted:.2f} | {' | '.join(cells)} | {costs} | "
            f"{1000 * latency(space, architecture):.3f} |"
        )
    page = Path(__file__).parent.parent / "docs" / "training.md"
    before, rest = page.read_text(encoding="utf-8").split(BLOCK[0])
    page.write_text("\n".join([before + BLOCK[0], *lines, BLOCK[1]]) + rest.split(BLOCK[1], 1)[1], encoding="utf-8")
    print("\n".join(lines))


@torch.inference_mode()
def latency(space: nasbench.SearchSpace, architecture: nasbench.Architecture) -> float:
    """Return the median seconds of a forward pass of one image, on one thread of this CPU, as the network is."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    network = build(space, architecture, side=16).eval()
    image = torch.zeros(1, 3, 16, 16)
    times = []
    for _ in range(300):
        begin = time.perf_counter()
        network(image)
        times.append(time.perf_counter() - begin)
    torch.set_num_threads(threads)
    return statistics.median(times[50:])


if __name__ == "__main__":
    main()
