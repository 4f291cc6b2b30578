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

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from nasbench.analysis import Floats, holm, incumbents
from nasbench.errors import CampaignError, TrainingError
from nasbench.search.compare import read_comparison
from nasbench.training.campaign import campaign
from nasbench.training.campaign.campaign import Failure, Job, TrainOne, run_campaign
from nasbench.training.campaign.journal import Entry, Journal, Setting, made_with
from nasbench.training.images import Images
from nasbench.training.loop.train import Training
from nasbench.training.recipes import recipe_for
from nasbench.training.verify.said import SPLITS, Said, differs_from, metric_of, own_images, said_of
from nasbench.types import Architecture, Benchmark

FORMAT = "nasbench verification"
_LEVEL = 0.05
_TEST = (
    "Student's two-sample t, two-sided, with the run-to-run deviation of the table pooled over the twentieth of its "
    "architectures with the most similar mean; p after Holm; 'lower' and 'higher' are p < 0.05"
)
_PAIRS = 3
"""Fewer architectures have no order that could agree by more than chance."""


class Candidates(NamedTuple):
    """What is verified."""

    benchmark: Benchmark
    architectures: list[Architecture]
    """Distinct, at least one."""
    chosen: str
    """How, in words."""


def best_of(folder: str | os.PathLike[str], top: int, table: str | None = None) -> Candidates:
    """Return the best distinct architectures that the searches of a comparison ended with.

    Those are the final incumbents of all searches, which observed validation accuracy chose; they are ranked by the
    benchmark's mean validation accuracy.

    Args:
        folder: The ``out`` of :func:`nasbench.search.compare.compare`.
        top: How many; fewer if there are not so many.
        table: Where the benchmark is now; by default where the comparison found it.

    Raises:
        CampaignError: top is not positive.
        NasbenchError: As for :func:`nasbench.search.compare.read_comparison`.
    """
    if top < 1:
        raise CampaignError(f"expected at least the top 1, not {top}.")
    benchmark, histories = read_comparison(folder, table)
    every = [history for found in histories.values() for history in found]
    held = np.array([history.architectures[incumbents(history.validation_accuracy)[-1]] for history in every])
    identities, first = np.unique(benchmark.space.identity_many(held), return_index=True)
    means = benchmark.means(held[first])
    best = np.lexsort((identities, -means))[:top]
    architectures = [tuple(choices) for choices in held[first[best]].tolist()]
    return Candidates(
        benchmark,
        architectures,
        f"the best {len(architectures)} of {len(identities)} distinct final incumbents of {len(every):,} searches "
        f"({', '.join(histories)}), ranked by mean validation accuracy of {benchmark.name}",
    )


def named(benchmark: Benchmark, architectures: Sequence[Architecture]) -> Candidates:
    """Return architectures that somebody named; of several forms of one network the first.

    Raises:
        InvalidArchitectureError: One of them is no architecture of the space, or is not in the table.
    """
    distinct: dict[int, Architecture] = {}
    for architecture in architectures:
        distinct.setdefault(benchmark.space.identity(architecture), architecture)
    return Candidates(benchmark, list(distinct.values()), "named one by one")


def verify(
    candidates: Candidates,
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
    recipe = recipe_for(benchmark.space.name)
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
    entries = [_entries(job, architecture, journal, seeds) for architecture in architectures]
    said = said_of(benchmark, architectures, metric, epochs)
    differs = differs_from(benchmark, metric, job, entries)
    rows = [
        {
            "architecture": benchmark.space.format(architecture),
            "benchmark": _numbers(mean=mean, deviation=deviation) | {"runs": _present(runs)},
            "trained": _trained(found, split, best),
        }
        for architecture, found, mean, runs, deviation in zip(
            architectures, entries, said.means, said.runs, said.deviations, strict=True
        )
    ]
    if not differs:
        _judge(rows, said)
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
            "measured": _measured(job, split, best, entries),
            "images": {"name": images.name, "digest": images.digest},
            "devices": sorted({entry.training.device for found in entries for entry in found}),
            "made_with": made_with(),
        },
        "test": None if differs else _TEST,
        "why_no_test": differs or None,
        "kendall": _kendall(rows),
        "architectures": rows,
        "failures": [failure._asdict() for failure in failures],
    }


def failures_of(verification: dict[str, Any]) -> list[Failure]:
    """Return the trainings that came to nothing."""
    return [Failure(**failure) for failure in verification["failures"]]


# What training says.


def _entries(job: Job, architecture: Architecture, journal: Journal, seeds: int) -> list[Entry]:
    setting = Setting.of(job.space, job.recipe, job.images, job.epochs)
    identity = job.space.identity(architecture)
    found = (journal.find(setting, identity, seed) for seed in range(seeds))
    return [entry for entry in found if entry is not None]


def _trained(entries: Sequence[Entry], split: str, best: bool) -> dict[str, Any]:
    values = [_accuracy(entry.training, split, best) for entry in entries]
    trained: dict[str, Any] = {
        "mean": sum(values) / len(values) if values else None,
        "runs": values,
        "seeds": [entry.seed for entry in entries],
        "diverged": [entry.seed for entry in entries if entry.training.diverged is not None],
        "training_seconds": [float(entry.training.training_seconds[-1]) for entry in entries],
    }
    if split != "test" and all("test" in entry.training.images for entry in entries):
        trained["test_accuracy"] = [_accuracy(entry.training, "test", best) for entry in entries]
    return trained


def _accuracy(training: Training, split: str, best: bool) -> float:
    """Return the accuracy of a training's last epoch, or of its best on this split."""
    counts = training.correct[split]
    return int(counts.max() if best else counts[-1]) / training.images[split]


def _measured(job: Job, split: str, best: bool, entries: Sequence[Sequence[Entry]]) -> str:
    evaluated = max((entry.training.images[split] for found in entries for entry in found), default=0)
    which = "the best epoch on them" if best else "the last epoch"
    trained_on = len(job.images.splits["train"].labels)
    return f"trained on {trained_on:,} images; measured on {evaluated:,} images, split {split}, {which}"


# Both together.


def student(difference: float, deviation: float, freedom: int, ours: int, theirs: int) -> tuple[float, float]:
    """Return t and two-sided p of a difference between the means of two samples of one deviation (Student 1908).

    Args:
        difference: Of the means.
        deviation: Standard deviation of one run, above 0.
        freedom: Degrees of freedom behind it, at least 1.
        ours: Size of one sample.
        theirs: Size of the other.
    """
    from scipy.stats import t as law

    t = difference / (deviation * math.sqrt(1 / ours + 1 / theirs))
    return t, 2 * float(law.sf(abs(t), freedom))


def _judge(rows: Sequence[dict[str, Any]], said: Said) -> None:
    """Add difference, t, p and verdict to each architecture, in place."""
    tested = []
    for row, deviation, freedom in zip(rows, said.deviations.tolist(), said.freedom, strict=True):
        ours, theirs = row["trained"]["runs"], row["benchmark"]["runs"]
        if not ours or not theirs or not deviation > 0:
            row["verdict"] = "not tested"
            continue
        difference = row["trained"]["mean"] - row["benchmark"]["mean"]
        t, p = student(difference, deviation, freedom, len(ours), len(theirs))
        row.update(difference=difference, t=t, degrees_of_freedom=freedom, p_value=p)
        tested.append(row)
    for row, p in zip(tested, holm([row["p_value"] for row in tested]), strict=True):
        row["p_value_holm"] = p
        row["verdict"] = "consistent" if p >= _LEVEL else "higher" if row["difference"] > 0 else "lower"


def _kendall(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Compare the two orders, of all architectures that have both means; None for fewer than three."""
    from scipy.stats import kendalltau

    pairs = [(row["benchmark"]["mean"], row["trained"]["mean"]) for row in rows]
    pairs = [pair for pair in pairs if None not in pair]
    if len(pairs) < _PAIRS:
        return None
    said, trained = zip(*pairs, strict=True)
    ties = len(set(said)) < len(said) or len(set(trained)) < len(trained)
    method = "asymptotic" if ties else "exact"
    found = kendalltau(said, trained, method=method)
    return _numbers(tau=found.statistic, p_value=found.pvalue) | {"method": method, "architectures": len(pairs)}


def _numbers(**values: float) -> dict[str, Any]:
    """Return numbers as JSON has them: none for nan."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def _present(runs: Floats) -> list[float]:
    return [float(value) for value in runs[np.isfinite(runs)]]
