"""``ArchResults``: all trainings of an architecture with one schedule."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from typing import Any

from nasbench.compat.nats_bench._archive import Archive
from nasbench.compat.nats_bench._files import pickle_load
from nasbench.compat.nats_bench._training import ResultsCount
from nasbench.compat.nats_bench._trainings import DATASETS, NotInTableError


class ArchResults:
    """All trainings of an architecture with one schedule.

    Args:
        arch_index: The official index.
        arch_str: The text of the architecture.
    """

    def __init__(self, arch_index: int, arch_str: str) -> None:
        self.arch_index, self.arch_str = arch_index, arch_str
        self.all_results: dict[tuple[str, int], ResultsCount] = {}
        self.dataset_seed: dict[str, list[int]] = {}
        self.clear_net_done = False
        self._random = random.Random()

    @classmethod
    def _of(
        cls, archive: Archive, index: int, hp: str, rng: random.Random, datasets: tuple[str, ...] = DATASETS
    ) -> ArchResults:
        results = cls(index, archive.texts[index])
        results._random, results.clear_net_done = rng, True
        row = archive.row(index)
        for dataset in datasets:
            if archive.has(dataset, hp):
                trainings = archive.trainings(dataset, hp)
                for run, seed in zip(trainings.runs(row), trainings.seeds(row), strict=True):
                    training = ResultsCount._of(trainings, results.arch_str, row, run, archive)
                    results.all_results[dataset, seed] = training
                    results.dataset_seed.setdefault(dataset, []).append(seed)
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(arch-index={self.arch_index}, arch={self.arch_str}, {len(self.all_results)} runs, "
            f"clear={self.clear_net_done})"
        )

    def arch_idx_str(self) -> str:
        """Return the index as the names of official files spell it."""
        return f"{self.arch_index:06d}"

    def get_dataset_names(self) -> list[str]:
        """Return the data sets that it was trained on."""
        return list(self.dataset_seed)

    def get_dataset_seeds(self, dataset: str) -> list[int]:
        """Return the seeds of its trainings on a data set, rising.

        Raises:
            KeyError: It was not trained on this data set.
        """
        return list(self._seeds(dataset))

    def get_total_epoch(self, dataset: str | None = None) -> int:
        """Return how many epochs it was trained.

        Raises:
            KeyError: It was not trained on this data set.
        """
        trainings = self.all_results.values() if dataset is None else self._trainings(dataset)
        return next(iter(trainings)).get_total_epoch()

    def get_latency(self, dataset: str) -> float | None:
        """Return the mean of the measured seconds of a forward pass, None without any.

        Raises:
            KeyError: It was not trained on this data set.
        """
        measured = [latency for result in self._trainings(dataset) if (latency := result.get_latency()) > 0]
        return sum(measured) / len(measured) if measured else None

    def get_compute_costs(self, dataset: str) -> dict[str, Any]:
        """Return means: millions of ``flops`` (multiply-accumulates) and ``params``, seconds of all else.

        Raises:
            KeyError: It was not trained on this data set.
        """
        trainings = self._trainings(dataset)
        costs: dict[str, Any] = {
            "flops": sum(result.flop for result in trainings) / len(trainings),
            "params": sum(result.params for result in trainings) / len(trainings),
            "latency": self.get_latency(dataset),
        }
        times = [result.get_times() for result in trainings]
        for name in times[0]:
            values = [value for each in times if (value := each[name]) is not None]
            costs[name] = sum(values) / len(values) if values else None
        return costs

    def get_metrics(
        self, dataset: str, setname: str, iepoch: int | None = None, is_random: bool | int = False
    ) -> dict[str, Any]:
        """Return ``iepoch``, ``loss``, ``accuracy``, ``cur_time`` and ``all_time`` on one set.

        Args:
            dataset: A data set, in NATS-Bench's names.
            setname: ``train``, ``x-valid`` (or ``valid``), ``x-test`` or ``ori-test``.
            iepoch: From 0; the last by default.
            is_random: True for a seed drawn at random, False for the mean over all, or a seed.

        Raises:
            KeyError: It was not trained on this data set, or not evaluated after this epoch.
            ValueError: The set, the epoch or the seed does not exist.
        """
        trainings = self._trainings(dataset)
        found = [t.get_train(iepoch) if setname == "train" else t.get_eval(setname, iepoch) for t in trainings]
        seeds = self._seeds(dataset)
        seed = chosen(seeds, is_random, self._random)
        if seed is not None:
            return found[seeds.index(seed)]
        columns = {key: [metrics[key] for metrics in found] for key in found[0]}
        return {key: None if None in values else sum(values) / len(values) for key, values in columns.items()}

    def query(self, dataset: str, seed: int | None = None) -> Any:
        """Return the training of a seed, or a dictionary of those of all seeds.

        Raises:
            KeyError: There is no such training.
        """
        if seed is None:
            return {each: self.all_results[dataset, each] for each in self._seeds(dataset)}
        return self._training(dataset, seed)

    def get_net_param(self, dataset: str, seed: int | None = None) -> Any:
        """Return the trained weights of a seed, or of all by seed: None, since tables have no weights.

        Raises:
            KeyError: There is no such data set.
            ValueError: There is no such training.
        """
        if seed is None:
            return {each: self.all_results[dataset, each].get_net_param() for each in self._seeds(dataset)}
        if (dataset, seed) not in self.all_results:
            raise ValueError(f"key={(dataset, seed)} not in {list(self.all_results)}")
        return self.all_results[dataset, seed].get_net_param()

    def clear_params(self) -> None:
        """Drop trained weights; tables have none."""
        for result in self.all_results.values():
            result.net_state_dict = None
        self.clear_net_done = True

    def reset_latency(self, dataset: str, seed: int | None, latency: float) -> None:
        """Replace the seconds of a forward pass, of one seed or of all."""
        for result in self._of_seed(dataset, seed):
            result.latency = [latency]

    def reset_pseudo_train_times(self, dataset: str, seed: int | None, estimated_per_epoch_time: float) -> None:
        """Replace the seconds of training, of one seed or of all."""
        for result in self._of_seed(dataset, seed):
            result.reset_pseudo_train_times(estimated_per_epoch_time)

    def reset_pseudo_eval_times(
        self, dataset: str, seed: int | None, eval_name: str, estimated_per_epoch_time: float
    ) -> None:
        """Replace the seconds of one set, of one seed or of all."""
        for result in self._of_seed(dataset, seed):
            result.reset_pseudo_eval_times(eval_name, estimated_per_epoch_time)

    def debug_test(self) -> None:
        """Print every training and its times."""
        for dataset in self.dataset_seed:
            print(f"---->>>> {dataset}")
            print(f"The latency on {dataset} is {self.get_latency(dataset)} s")
            for result in self._trainings(dataset):
                print(f"  ==>> result = {result}\n  ==>> cost = {result.get_times()}")

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries: what an official file holds of one schedule."""
        plain = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        return {**plain, "all_results": {key: result.state_dict() for key, result in self.all_results.items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take everything from plain dictionaries."""
        vars(self).update(state_dict)
        make = ResultsCount.create_from_state_dict
        self.all_results = {key: make(value) for key, value in state_dict["all_results"].items()}

    @staticmethod
    def create_from_state_dict(state_dict_or_file: Mapping[str, Any] | str | os.PathLike[str]) -> ArchResults:
        """Make one of what an official file holds of one schedule, given itself or as a file.

        Raises:
            ConversionError: The file is damaged, or missing.
            UnsafeFileError: The file asks to run code.
        """
        results = ArchResults(-1, "")
        state = state_dict_or_file
        results.load_state_dict(state if isinstance(state, Mapping) else pickle_load(state))
        return results

    def _seeds(self, dataset: str) -> list[int]:
        try:
            return self.dataset_seed[dataset]
        except KeyError:
            known = ", ".join(self.dataset_seed)
            raise NotInTableError(f"{dataset!r}: no such data set of {self.arch_str}: it has {known}.") from None

    def _trainings(self, dataset: str) -> list[ResultsCount]:
        return [self.all_results[dataset, seed] for seed in self._seeds(dataset)]

    def _training(self, dataset: str, seed: int) -> ResultsCount:
        try:
            return self.all_results[dataset, seed]
        except KeyError:
            raise NotInTableError(f"{(dataset, seed)}: no such training: {list(self.all_results)}.") from None

    def _of_seed(self, dataset: str, seed: int | None) -> list[ResultsCount]:
        return self._trainings(dataset) if seed is None else [self._training(dataset, seed)]


def chosen(seeds: list[int], is_random: bool | int, rng: random.Random) -> int | None:
    """Return the seed that ``is_random`` asks for: one drawn at random, None for the mean over all, or itself.

    Args:
        seeds: Those that there are.
        is_random: True, False or a seed.
        rng: Draws among the seeds.

    Raises:
        ValueError: It is none of the seeds, or neither a truth value nor a whole number.
    """
    if isinstance(is_random, bool):
        return rng.choice(seeds) if is_random else None
    if not isinstance(is_random, int):
        raise ValueError(f"invalid value for is_random: {is_random}")
    if is_random not in seeds:
        raise ValueError(f"can not find random seed ({is_random}) from {seeds}")
    return is_random
