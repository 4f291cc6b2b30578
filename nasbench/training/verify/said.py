"""What a benchmark says of the architectures that are verified, and whether it was measured in the same setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from nasbench.analysis import Floats, run_spread
from nasbench.errors import NotRecordedError
from nasbench.tables.table import Table
from nasbench.training.campaign.entries import Entry
from nasbench.training.campaign.jobs import Job
from nasbench.types import Architecture, Benchmark

SPLITS = {"validation_accuracy": "validation", "test_accuracy": "test"}


class Said(NamedTuple):
    """What a benchmark says of n architectures at the end of one schedule."""

    schedule: int
    means: Floats
    """Shape (n,)."""
    runs: Floats
    """Shape (n, runs); no runs where the benchmark is no table."""
    deviations: Floats
    """Standard deviations of a single run, shape (n,); nan where nobody knows."""
    freedom: list[int]
    """Behind each deviation."""
    measured: str
    """Trained on what and measured on what, or what predicts."""


def metric_of(benchmark: Benchmark, architectures: Sequence[Architecture]) -> str:
    """Return the accuracy to verify: validation accuracy, or test accuracy where nothing is said of that."""
    try:
        if np.isfinite(benchmark.means(architectures, "validation_accuracy")).any():
            return "validation_accuracy"
    except NotRecordedError:
        pass
    return "test_accuracy"


def said_of(benchmark: Benchmark, architectures: Sequence[Architecture], metric: str, epochs: int) -> Said:
    """Return what a benchmark says, on the schedule of so many epochs if it has that, else on its longest.

    Args:
        benchmark: What is verified.
        architectures: Those that it is asked for.
        metric: An accuracy that it knows.
        epochs: Length of the schedule.
    """
    longest = benchmark.fidelities[-1].schedule
    if not isinstance(benchmark, Table):
        means = benchmark.means(architectures, metric)
        nothing = np.full(len(means), np.nan)
        return Said(longest, means, np.empty((len(means), 0)), nothing, [0] * len(means), benchmark.source["name"])
    columns = benchmark.describe()
    schedule = epochs if f"{metric}@{epochs}" in columns else longest
    info = columns[f"{metric}@{schedule}"]
    rows = benchmark.rows(architectures)
    runs = np.stack([benchmark.column(metric, schedule=schedule, run=run) for run in range(info.shape[-1])], axis=1)
    spread = run_spread(runs)
    return Said(
        schedule,
        benchmark.column(metric, schedule=schedule)[rows],
        runs[rows],
        spread.deviation[rows],
        spread.freedom[rows].tolist(),
        f"trained on {info.trained_on}; measured on {info.evaluated_on}",
    )


def differs_from(benchmark: Benchmark, metric: str, job: Job, entries: Sequence[Sequence[Entry]]) -> str:
    """Say why the benchmark's runs and ours are not of one setting, or return nothing.

    Args:
        benchmark: What is verified.
        metric: The accuracy that is compared.
        job: What was trained here, and how.
        entries: Our trainings of each architecture.
    """
    if not isinstance(benchmark, Table):
        return f"{benchmark.name} has no recorded runs"
    info = benchmark.describe().get(f"{metric}@{job.epochs}")
    if info is None:
        there = ", ".join(str(schedule) for schedule in sorted({f.schedule for f in benchmark.fidelities}))
        return f"{benchmark.name} has no schedule of {job.epochs} epochs, but of {there}"
    images = own_images(benchmark)
    if images is not None:
        if images != job.images.digest:
            return f"{benchmark.name} was measured on other images"
        own = benchmark.report.get("recipe") == job.recipe.name
        return "" if own else f"{benchmark.name} was trained by another recipe"
    if benchmark.dataset != "cifar10":
        return f"the images of {benchmark.name} are not those of CIFAR-10"
    trained_on = len(job.images.splits["train"].labels)
    evaluated = {entry.training.images[SPLITS[metric]] for found in entries for entry in found}
    if job.images.side != 32 or info.trained_images != trained_on:
        return f"{benchmark.name} was trained on {info.trained_on}, here on {trained_on:,} of {job.images.side} pixels"
    if evaluated - {info.images}:
        return f"{benchmark.name} was measured on {info.evaluated_on}, here on {max(evaluated):,} images"
    return ""


def own_images(benchmark: Benchmark) -> str | None:
    """Return the digest of the images of a table of trainings by this code, which says exactly what it used."""
    images = benchmark.report.get("images") if isinstance(benchmark, Table) else None
    return str(images["digest"]) if isinstance(images, dict) and "digest" in images else None
