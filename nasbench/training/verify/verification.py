"""verify(): architectures trained for real, several seeds each, beside what a benchmark says of them.

Where a table recorded runs of the same schedule, by the same recipe, on the same images, ours must look like one more
of them: Student's two-sample t with the table's own run-to-run deviation, pooled over architectures of similar accuracy
(:func:`nasbench.analysis.run_spread`), two-sided, adjusted after Holm (1979) for the architectures that are tested. Its
null hypothesis is one distribution for the table's runs and ours, so that on average one verification in twenty finds a
difference where there is none. Where the setting is another, or the benchmark predicts, there is no such verdict: only
how well the orders agree, Kendall's tau.

Nothing here writes to a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nasbench.errors import CampaignError, TrainingError
from nasbench.training.campaign import campaign
from nasbench.training.campaign.campaign import Failure, Job, TrainOne, run_campaign
from nasbench.training.campaign.journal import Journal, made_with
from nasbench.training.images import Images
from nasbench.training.recipes import recipe_for
from nasbench.training.verify.candidates import Finalists
from nasbench.training.verify.judgement import TEST, judge, kendall, numbers, present
from nasbench.training.verify.said import SPLITS, differs_from, metric_of, own_images, said_of
from nasbench.training.verify.trained import entries_of, measured, trained

FORMAT = "nasbench verification"


def verify(
    candidates: Finalists,
    images: Images,
    journal: Journal,
    *,
    epochs: int,
    seeds: int = 3,
    device: str = "cpu",
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    train_one: TrainOne = campaign.train_one,
) -> dict[str, Any]:
    """Train each architecture with each seed, unless the journal has it, and set the results beside the benchmark's.

    The recipe is that of the benchmark of the search space. Accuracies are fractions: of the benchmark, means over runs
    at the end of its schedule of so many epochs, or of its longest; of ours, of the last epoch, or of the best where
    the recipe says that the benchmark reports that. Both are validation accuracies; test accuracies where the benchmark
    has no other.

    Args:
        candidates: The architectures, and the benchmark.
        images: What to train and evaluate on.
        journal: Where trainings are kept.
        epochs: Length of the schedule.
        seeds: From 0 to below this number.
        device: As for :func:`nasbench.training.campaign.campaign.run_campaign`.
        workers: As for :func:`nasbench.training.campaign.campaign.run_campaign`.
        progress: Called with the numbers of finished and of all trainings.
        train_one: What trains.

    Returns:
        What ``verification.json`` holds.

    Raises:
        CampaignError: epochs, seeds or workers are not positive, or there is no architecture.
        TrainingError: The images have no split of the kind that the benchmark measured on.
        UnknownNameError: There is no recipe for the search space.
        JournalError: The journal is none, or holds other trainings by a recipe of this name.
    """
    if epochs < 1 or seeds < 1:
        raise CampaignError(f"expected at least 1 epoch and 1 seed, not {epochs} and {seeds}.")
    benchmark, architectures, chosen = candidates
    recipe = recipe_for(benchmark.space)
    metric = metric_of(benchmark, architectures)
    split = SPLITS[metric]
    if split not in images.splits:
        raise TrainingError(
            f"{benchmark.name} has {metric}, but {images.name} have no split {split}: choose other images (--subset)."
        )
    job = Job(benchmark.space, images, recipe, epochs, device)
    failures = run_campaign(
        job,
        architectures,
        journal,
        seeds=range(seeds),
        workers=workers,
        progress=progress,
        train_one=train_one,
    )
    best = recipe.reports == "best epoch" and own_images(benchmark) is None and benchmark.origin != "trained"
    entries = [entries_of(job, architecture, journal, seeds) for architecture in architectures]
    said = said_of(benchmark, architectures, metric, epochs)
    differs = differs_from(benchmark, metric, job, entries)
    rows = [
        {
            "architecture": benchmark.space.format(architecture),
            "benchmark": numbers(mean=mean, deviation=deviation) | {"runs": present(runs)},
            "trained": trained(found, split, best),
        }
        for architecture, found, mean, runs, deviation in zip(
            architectures, entries, said.means, said.runs, said.deviations, strict=True
        )
    ]
    if not differs:
        judge(rows, said)
    return {
        "format": FORMAT,
        "version": 1,
        "benchmark": {
            "name": benchmark.name,
            "locator": benchmark.locator,
            "digest": benchmark.digest,
            "origin": benchmark.origin,
            "source": benchmark.source["name"],
            "schedule": said.schedule,
            "measured": said.measured,
        },
        "chosen": chosen,
        "metric": metric,
        "trained": {
            "recipe": recipe._asdict(),
            "epochs": epochs,
            "seeds": list(range(seeds)),
            "measured": measured(job, split, best, entries),
            "images": {"name": images.name, "digest": images.digest},
            "devices": sorted({entry.training.device for found in entries for entry in found}),
            "made_with": made_with(),
        },
        "test": None if differs else TEST,
        "why_no_test": differs or None,
        "kendall": kendall(rows),
        "architectures": rows,
        "failures": [failure._asdict() for failure in failures],
    }


def failures_of(verification: dict[str, Any]) -> list[Failure]:
    """Return the trainings that came to nothing."""
    return [Failure(**failure) for failure in verification["failures"]]
