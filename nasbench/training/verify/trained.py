"""What our own trainings say of the architectures that are verified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nasbench.training.campaign.entries import Entry
from nasbench.training.campaign.jobs import Job
from nasbench.training.campaign.journal import Journal, Setting
from nasbench.training.loop.train import Training
from nasbench.types import Architecture


def entries_of(job: Job, architecture: Architecture, journal: Journal, seeds: int) -> list[Entry]:
    """Return what a journal has of an architecture.

    Args:
        job: What was trained, and how.
        architecture: One of its search space.
        journal: Where trainings are kept.
        seeds: From 0 to below this number.
    """
    setting = Setting.of(job.space, job.recipe, job.images, job.epochs)
    identity = job.space.identity(architecture)
    found = (journal.find(setting, identity, seed) for seed in range(seeds))
    return [entry for entry in found if entry is not None]


def trained(entries: Sequence[Entry], split: str, best: bool) -> dict[str, Any]:
    """Return what ``verification.json`` says of the trainings of one architecture.

    Args:
        entries: The trainings.
        split: What accuracies are measured on.
        best: Whether that of the best epoch counts, not that of the last.
    """
    values = [_accuracy(entry.training, split, best) for entry in entries]
    found: dict[str, Any] = {
        "mean": sum(values) / len(values) if values else None,
        "runs": values,
        "seeds": [entry.seed for entry in entries],
        "diverged": [entry.seed for entry in entries if entry.training.diverged is not None],
        "training_seconds": [float(entry.training.training_seconds[-1]) for entry in entries],
    }
    if split != "test" and all("test" in entry.training.images for entry in entries):
        found["test_accuracy"] = [_accuracy(entry.training, "test", best) for entry in entries]
    return found


def _accuracy(training: Training, split: str, best: bool) -> float:
    """Return the accuracy of a training's last epoch, or of its best on this split."""
    counts = training.correct[split]
    return int(counts.max() if best else counts[-1]) / training.images[split]


def measured(job: Job, split: str, best: bool, entries: Sequence[Sequence[Entry]]) -> str:
    """Say what networks were trained and measured on.

    Args:
        job: What was trained, and how.
        split: What accuracies are measured on.
        best: Whether that of the best epoch counts, not that of the last.
        entries: The trainings of each architecture.
    """
    evaluated = max((entry.training.images[split] for found in entries for entry in found), default=0)
    which = "the best epoch on them" if best else "the last epoch"
    trained_on = len(job.images.splits["train"].labels)
    return f"trained on {trained_on:,} images; measured on {evaluated:,} images, split {split}, {which}"
