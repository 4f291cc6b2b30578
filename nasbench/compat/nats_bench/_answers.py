"""What ``get_more_info`` answers, and the lines that are printed of an architecture: the sets by NATS-Bench's names."""

from __future__ import annotations

from typing import Any

from nasbench.compat.nats_bench._architecture import ArchResults
from nasbench.compat.nats_bench._trainings import ArchivedTrainings, Point

SEARCHED = ("cifar10", "cifar100", "ImageNet16-120")
"""The data sets that a search is simulated on."""
# What get_more_info calls the sets of each data set.
_PREFIXES = {
    "cifar10-valid": {"x-valid": "valid", "ori-test": "test"},
    "cifar10": {"ori-test": "test"},
    "cifar100": {"x-valid": "valid", "x-test": "test", "ori-test": "valtest"},
    "ImageNet16-120": {"x-valid": "valid", "x-test": "test", "ori-test": "valtest"},
}
_COMMENTS = {
    "cifar10-valid": "train: the 25,000 training images that this network was trained on. valid: the other 25,000. "
    "test: the CIFAR-10 test set, of the network trained on 25,000 images.",
    "cifar10": "train: all 50,000 training images, the former validation images among them. test: the CIFAR-10 test "
    "set, of the network trained on 50,000 images.",
}


class Plan:
    """What ``get_more_info`` reads for one data set, schedule and epoch."""

    def __init__(self, trainings: ArchivedTrainings, epoch: int) -> None:
        self.trainings, self.epochs = trainings, epoch + 1
        prefixes = {"train": "train", **_PREFIXES[trainings.dataset]}
        self.points: list[tuple[str, str, str, str, Point]] = []
        for split, prefix in prefixes.items():
            point = trainings.point(split, epoch)
            if point is not None:
                names = [f"{prefix}-{quantity}" for quantity in ("loss", "accuracy", "per-time", "all-time")]
                self.points.append((*names, point))  # type: ignore[arg-type]
        comment = _COMMENTS.get(trainings.dataset)
        self.comment = {} if comment is None else {"comment": comment}

    def info(self, row: int, seed: int | None) -> dict[str, Any]:
        """Return the answer for one seed, or as the mean over all where there is none."""
        runs = self.trainings.runs(row)
        if seed is not None:
            run = runs[self.trainings.seeds(row).index(seed)]
        found: dict[str, Any] = {}
        for loss, accuracy, per_time, all_time, point in self.points:
            figures = point.mean(row, runs) if seed is None else point.figures(row, run)
            if figures is not None:
                total = figures.all_time
                found[loss], found[accuracy] = figures.loss, figures.accuracy
                found[per_time], found[all_time] = None if total is None else total / self.epochs, total
        return {**found, **self.comment}


def information_lines(results: ArchResults, extra_info: Any, *, test_of_25k: bool) -> list[str]:
    """Spell means of losses, accuracies and costs of all data sets.

    Args:
        results: The trainings.
        extra_info: What stands behind ``extra-info``.
        test_of_25k: Whether ``cifar10-valid`` shows its test set: the original shows it for the size space only.
    """
    datasets = results.get_dataset_names()
    lines = [results.arch_str, f"datasets : {datasets}, extra-info : {extra_info}"]
    for dataset in datasets:
        costs = results.get_compute_costs(dataset)
        latency = "None" if costs["latency"] is None else f"{costs['latency'] * 1000:.2f}"
        flops, params = costs["flops"], costs["params"]
        lines.append(f"{dataset:14s} FLOP={flops:6.2f} M, Params={params:.3f} MB, latency={latency} ms.")
        sets = {"train": "train", **{split: prefix for split, prefix in _PREFIXES[dataset].items()}}
        if dataset == "cifar10-valid" and not test_of_25k:
            del sets["ori-test"]
        parts = []
        for split, prefix in sets.items():
            if prefix != "valtest":
                found = results.get_metrics(dataset, split)
                name = "test  :" if dataset == "cifar10" and prefix == "test" else f"{prefix} :"
                parts.append(f"{name} [loss = {found['loss']:.3f} & top1 = {found['accuracy']:.2f}%]")
        lines.append(f"{dataset:14s} {', '.join(parts)}")
    return lines


def remap_dataset_set_names(dataset: str, metric_on_set: str, verbose: bool = False) -> tuple[str, str]:
    """Return data set and set that ``valid`` and ``test`` mean; other names stay as they are.

    Args:
        dataset: What the data set is called in searches.
        metric_on_set: The name of a set.
        verbose: Ignored; the original prints what it changes.
    """
    named = {
        ("cifar10", "valid"): ("cifar10-valid", "x-valid"),
        ("cifar10", "test"): ("cifar10", "ori-test"),
        **{(other, "valid"): (other, "x-valid") for other in SEARCHED[1:]},
        **{(other, "test"): (other, "x-test") for other in SEARCHED[1:]},
    }
    return named.get((dataset, metric_on_set), (dataset, metric_on_set))
