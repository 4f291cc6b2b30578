"""Gathering the trainings of NATS-Bench or NAS-Bench-201, architecture by architecture, into the columns of a table.

The runs of a schedule are its seeds, rising, of all architectures and data sets; the report names them. What is lacking
is missing. Seconds are stored once where the source has one value: for all runs, for all epochs of a training, and, of
evaluations and of a forward pass, as a column of the architecture where it is the same in all schedules.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench.sources import Progress
from nasbench.sources.nats.results import Results
from nasbench.sources.nats.space import Space
from nasbench.sources.nats.splits import EVERY_EPOCH, SPLITS, TRAININGS, completed
from nasbench.tables import Column, DatasetContent, TableContent, missing_value

_ROWS = 2**10  # for which a column has room at first
_CLASSES = {"cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}


class _About(NamedTuple):
    """What the columns of one metric say of themselves."""

    unit: str
    trained_on: str
    trained_images: int
    evaluated_on: str = ""
    images: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.images is not None:
            return np.min_scalar_type(self.images + 1)  # the largest value means missing
        return np.dtype(np.float64 if self.unit == "seconds" else np.float32)

    def column(self, values: NDArray[Any], epochs: tuple[int, ...], *, per_epoch: bool = False) -> Column:
        return Column(
            values,
            self.unit,
            epochs,
            self.images,
            self.trained_on,
            self.evaluated_on,
            per_epoch,
            trained_images=self.trained_images,
        )


def _about() -> dict[tuple[str, str], _About]:
    """Describe every column that a training may fill, by group and name."""
    found: dict[tuple[str, str], _About] = {}
    for (dataset, _), split in SPLITS.items():
        on = TRAININGS[dataset]
        splits = on.words, on.images, split.evaluated_on
        counts = _About("images", *splits, split.images)
        losses, seconds = _About("cross-entropy", *splits), _About("seconds", *splits)
        quantities = {"accuracy": counts, "top5_accuracy": counts, "loss": losses, "time": seconds}
        found |= {(on.group, f"{split.metric}_{name}{split.suffix}"): each for name, each in quantities.items()}
    for group, suffix, words, images in TRAININGS.values():
        seconds = _About("seconds", words, images)
        found[group, f"training_time{suffix}"] = found[group, f"latency{suffix}"] = seconds
    return found


_ABOUT = _about()


class _Grid:
    """A column that grows: values by row, epoch and seed; what was never put is missing."""

    def __init__(self, rows: int, dtype: np.dtype[Any]) -> None:
        self.epochs: tuple[int, ...] = ()
        self.seeds: tuple[int, ...] = ()
        self.values: NDArray[Any] = np.empty((rows, 0, 0), dtype)

    def put(self, row: int, epochs: tuple[int, ...], seed: int, values: NDArray[Any]) -> None:
        if row >= len(self.values):
            self._lengthen(2 * row)
        if seed not in self.seeds or not (epochs == self.epochs or set(epochs) <= set(self.epochs)):
            self.widen(epochs, (seed,))
        steps = slice(None) if len(epochs) == len(self.epochs) else np.searchsorted(self.epochs, epochs)
        self.values[row, steps, self.seeds.index(seed)] = values

    def widen(self, epochs: Iterable[int], seeds: Iterable[int]) -> None:
        """Make room for these epochs and seeds too."""
        old = self.epochs, self.seeds
        self.epochs, self.seeds = tuple(sorted({*old[0], *epochs})), tuple(sorted({*old[1], *seeds}))
        if old != (self.epochs, self.seeds):
            shape = len(self.values), len(self.epochs), len(self.seeds)
            wider = np.full(shape, missing_value(self.values.dtype), self.values.dtype)
            steps, runs = np.searchsorted(self.epochs, old[0]), np.searchsorted(self.seeds, old[1])
            wider[:, steps[:, None], runs] = self.values
            self.values = wider

    def order(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order."""
        self._lengthen(max(rows) + 1)
        if list(rows) != [*range(len(self.values))]:
            self.values = self.values[list(rows)]

    def _lengthen(self, rows: int) -> None:
        shape = max(0, rows - len(self.values)), *self.values.shape[1:]
        more = np.full(shape, missing_value(self.values.dtype), self.values.dtype)
        self.values = np.concatenate([self.values, more]) if len(more) else self.values


class _Found:
    """What the report tells, counted while the trainings come in.

    Args:
        costs: Parameters and flops by the formula, of each architecture of the source, by group.
    """

    def __init__(self, costs: Mapping[str, Mapping[str, NDArray[np.int64]]]) -> None:
        self.seeds: defaultdict[int, set[int]] = defaultdict(set)
        self._costs = costs
        self._runs: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._wrong: dict[str, Counter[str]] = {"parameters": Counter(), "flops": Counter()}
        self._not_finite = 0

    def add(self, index: int, results: Results) -> None:
        for (dataset, schedule), runs in Counter((trial.training, trial.schedule) for trial in results.trials).items():
            self._runs[f"{dataset}, schedule {schedule}"][runs] += 1
        self._not_finite += results.infinite_losses
        for trial in results.trials:
            self.seeds[trial.schedule].add(trial.seed)
            costs = self._costs[TRAININGS[trial.training].group]
            for name, claimed in (("parameters", trial.parameters), ("flops", trial.flops)):
                if claimed != costs[name][index]:
                    self._wrong[name][f"{trial.training}, schedule {trial.schedule}, seed {trial.seed}"] += 1

    def summary(self, rows: int) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        counted = {where: dict(sorted(runs.items())) for where, runs in sorted(self._runs.items())}
        return {
            "seeds of the runs": {str(schedule): sorted(seeds) for schedule, seeds in sorted(self.seeds.items())},
            "runs": {
                where: {"architectures with 0 runs": rows - sum(runs.values())}
                | {f"architectures with {k} runs": count for k, count in runs.items()}
                for where, runs in counted.items()
            },
            "architectures whose parameter count differs from the formula": dict(self._wrong["parameters"]),
            "architectures whose flops differ from the formula": dict(self._wrong["flops"]),
            "losses that are not finite": self._not_finite,
        }


def tabulate(
    space: Space,
    all_results: Iterable[tuple[int, Results]],
    expected: int,
    source: Mapping[str, str],
    converter: str,
    progress: Progress,
) -> TableContent:
    """Make a table of the trainings of architectures that come one by one.

    Args:
        space: The search space of the source.
        all_results: Indexes of architectures, in any order, and their trainings.
        expected: How many will come, at most.
        source: As in :class:`nasbench.tables.TableContent`.
        converter: Its name and version, for the report.
        progress: Called after each architecture.
    """
    costs = {
        group: {
            "parameters": space.space.parameters_many(space.architectures, dataset=group),
            "flops": space.space.flops_many(space.architectures, dataset=group),
        }
        for group in _CLASSES
    }
    found = _Found(costs)
    with np.errstate(over="ignore"):  # a loss beyond single precision is infinite, and counted
        indexes, grids = _gather(all_results, expected, found, progress)
    datasets = {
        group: _dataset(
            group,
            {key[1:]: grid for key, grid in grids.items() if key[0] == group},
            {name: values[indexes] for name, values in costs[group].items()},
        )
        for group in _CLASSES
        if any(key[0] == group for key in grids)
    }
    texts = [space.texts[index] for index in indexes]
    report = {
        "converter": converter,
        "architectures": len(indexes),
        "architectures of the search space": len(space.texts),
        "first missing indexes": sorted({*range(len(space.texts))} - {*indexes})[:10],
        **found.summary(len(indexes)),
        **{group: _best(content, _CLASSES[group], texts) for group, content in datasets.items()},
    }
    return TableContent(space.space.name, space.architectures[indexes], datasets, source, report)


def _gather(
    all_results: Iterable[tuple[int, Results]], expected: int, found: _Found, progress: Progress
) -> tuple[list[int], dict[tuple[str, int, str], _Grid]]:
    """Return the indexes that came, rising, and all values: grids by group, schedule and name of the column."""
    grids: dict[tuple[str, int, str], _Grid] = {}
    came: list[int] = []
    for row, (index, results) in enumerate(all_results):
        came.append(index)
        found.add(index, results)
        for trial in results.trials:
            group = TRAININGS[trial.training].group
            for name, (epochs, start) in trial.columns.items():
                key = group, trial.schedule, name
                if key not in grids:
                    grids[key] = _Grid(min(expected, _ROWS), _ABOUT[group, name].dtype)
                grids[key].put(row, epochs, trial.seed, results.values[start : start + len(epochs)])
        progress(row + 1, expected)
    order = sorted(range(len(came)), key=came.__getitem__)
    for (_, schedule, _), grid in grids.items():
        grid.widen((), found.seeds[schedule])
        grid.order(order)
    return sorted(came), grids


def _dataset(
    group: str, grids: Mapping[tuple[int, str], _Grid], costs: Mapping[str, NDArray[np.int64]]
) -> DatasetContent:
    columns = {
        "parameters": Column(costs["parameters"].astype(np.uint32), "parameters"),
        "flops": Column(costs["flops"].astype(np.uint64), "multiply-accumulates"),
    }
    schedules: dict[int, dict[str, Column]] = {schedule: {} for schedule, _ in grids}
    for name in sorted({name for _, name in grids}):
        about = _ABOUT[group, name]
        parts = {schedule: grid for (schedule, other), grid in grids.items() if other == name}
        if about.unit != "seconds":
            for schedule, grid in parts.items():
                schedules[schedule][name] = about.column(grid.values, grid.epochs)
            continue
        seconds = {schedule: _one_if_equal(_of_each_epoch(grid)) for schedule, grid in parts.items()}
        if not any(np.isfinite(values).any() for values in seconds.values()):
            continue
        single = _single(seconds.values())
        if single is not None and not name.startswith("training_time"):
            columns[name] = about.column(_timed(single), ())
            continue
        for schedule, values in seconds.items():
            epochs = (schedule,) if name.startswith("latency") else completed(schedule)
            if name.startswith("training_time") and values.shape[1] == 1:
                schedules[schedule][name] = about.column(_timed(values), epochs, per_epoch=True)
                continue
            each = np.broadcast_to(values, (len(values), len(epochs), values.shape[2]))
            if name.startswith("training_time"):
                each = np.cumsum(each, 1)
            schedules[schedule][name] = about.column(_timed(each), epochs)
    return DatasetContent(columns, schedules)


def _timed(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mark trainings without a time as missing, which was told apart from missing trainings until here."""
    return np.where(np.isfinite(seconds), seconds, np.nan)


def _of_each_epoch(grid: _Grid) -> NDArray[np.float64]:
    """Return seconds, shape (n, epochs, runs), or (n, 1, runs) where they are the same in each epoch."""
    if grid.epochs[0] not in EVERY_EPOCH or len(grid.epochs) == 1:
        return grid.values
    every, each = grid.values[:, :1], grid.values[:, 1:]
    return np.where(np.isnan(each), every, each)


def _one_if_equal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one run for all where every architecture has the same values in all of its runs."""
    low, high = np.fmin.reduce(values, axis=2), np.fmax.reduce(values, axis=2)
    return low[:, :, None] if ((low == high) | np.isnan(low)).all() else values


def _single(parts: Iterable[NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """Return the one value of each architecture over schedules, epochs and runs, shape (n,), or None."""
    flat = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    low, high = np.fmin.reduce(flat, axis=1), np.fmax.reduce(flat, axis=1)
    return low if ((low == high) | np.isnan(low)).all() else None


def _best(content: DatasetContent, classes: int, texts: Sequence[str]) -> dict[str, Any]:
    """Report the best mean of each accuracy at the end of the longest schedule, and what is no better than chance."""
    report = {}
    for name, column in content.schedules[max(content.schedules)].items():
        if column.images is None or "top5" in name:
            continue
        last = column.values[:, -1]
        present = last != missing_value(last.dtype)
        totals, runs = np.where(present, last, 0).sum(axis=1), present.sum(axis=1)
        means = np.divide(totals, runs * column.images, out=np.zeros(len(last)), where=runs > 0)
        at_chance = int((present & (last <= column.images / classes)).sum())
        best = float(means.max()), texts[int(means.argmax())], at_chance
        report[name] = dict(zip(("best mean", "architecture", "runs at or below chance"), best, strict=True))
    return report
