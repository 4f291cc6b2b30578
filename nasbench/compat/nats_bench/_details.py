"""All that a table has of one architecture, as the API of NATS-Bench returns and prints it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nasbench.compat.nats_bench._answers import information_lines
from nasbench.compat.nats_bench._architecture import ArchResults
from nasbench.compat.nats_bench._files import mean
from nasbench.compat.nats_bench._opened import OpenedTable
from nasbench.compat.nats_bench._training import ResultsCount
from nasbench.compat.nats_bench._trainings import DATASETS


class _Infos(Mapping[int, Mapping[str, ArchResults]]):
    """``arch2infos_dict``: by index and hp, made when they are asked for."""

    def __init__(self, api: Details) -> None:
        self._api = api

    def __getitem__(self, index: int) -> dict[str, ArchResults]:
        if index not in self._api.evaluated_indexes:
            raise KeyError(index)
        return {hp: self._api.query_meta_info_by_index(index, hp) for hp in self._api.avaliable_hps}

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._api.evaluated_indexes))

    def __len__(self) -> int:
        return len(self._api.evaluated_indexes)


class Details(OpenedTable):
    """The methods of the original that return trainings, costs and configurations of an architecture."""

    @property
    def arch2infos_dict(self) -> Mapping[int, Mapping[str, ArchResults]]:
        """Everything, by index and hp; made when it is asked for."""
        return _Infos(self)

    def query_meta_info_by_index(self, arch_index: int, hp: str | int = "12") -> ArchResults:
        """Return all trainings of an architecture with one schedule.

        Raises:
            ValueError: The index is out of range or not in the table, or there is no such schedule.
            TypeError: The index is no number.
        """
        index, hp = self._checked(arch_index, hp)
        return ArchResults._of(self._archive, index, hp, self._random)

    def query_by_index(self, arch_index: int, dataname: str | None = None, hp: str | int = "12") -> Any:
        """Return all trainings of an architecture, or those on one data set by seed.

        Args:
            arch_index: The official index of the architecture.
            dataname: The data set; all by default.
            hp: The schedule.

        Raises:
            ValueError: As for :meth:`query_meta_info_by_index`, or there is no such data set.
            TypeError: The index is no number.
        """
        results = self.query_meta_info_by_index(arch_index, hp)
        if dataname is None:
            return results
        if dataname not in results.get_dataset_names():
            raise ValueError(f"invalid dataset-name : {dataname} vs. {results.get_dataset_names()}")
        return results.query(dataname)

    def get_cost_info(self, index: int, dataset: str, hp: str | int = "12") -> dict[str, Any]:
        """Return means: millions of ``flops`` (multiply-accumulates) and ``params``, seconds of all else.

        Args:
            index: The official index of an architecture.
            dataset: ``cifar10-valid``, ``cifar10``, ``cifar100`` or ``ImageNet16-120``.
            hp: The schedule.

        Raises:
            ValueError: The index is out of range or not in the table, or there is no such schedule.
            KeyError: There is no such data set.
            TypeError: The index is no number.
        """
        index, hp = self._checked(index, hp)
        self._archive.trainings(dataset, hp)
        return ArchResults._of(self._archive, index, hp, self._random, (dataset,)).get_compute_costs(dataset)

    def get_latency(self, index: int, dataset: str, hp: str | int = "12") -> float | None:
        """Return the mean seconds of a forward pass; None where they were not measured.

        Args:
            index: The official index of an architecture.
            dataset: ``cifar10-valid``, ``cifar10``, ``cifar100`` or ``ImageNet16-120``.
            hp: The schedule.

        Raises:
            ValueError: The index is out of range or not in the table, or there is no such schedule.
            KeyError: There is no such data set.
            TypeError: The index is no number.
        """
        index, hp = self._checked(index, hp)
        trainings, row = self._archive.trainings(dataset, hp), self._archive.row(index)
        measured = [seconds for run in trainings.runs(row) if (seconds := trainings.latency(row, run)) is not None]
        return mean(measured) if measured else None

    def get_net_config(self, index: int, dataset: str) -> dict[str, Any]:
        """Return how the network of an architecture is built.

        Raises:
            ValueError: The index is out of range or not in the table.
            KeyError: There is no such data set.
            TypeError: The index is no number.
        """
        results = self.query_meta_info_by_index(index, self.avaliable_hps[0])
        training: ResultsCount = next(iter(results.query(dataset).values()))
        return training.get_config(None)

    def get_net_param(self, index: Any, dataset: str, seed: int | None, hp: str | int = "12") -> Any:
        """Return the trained weights of a seed, or of all by seed: None, since tables have no weights.

        Args:
            index: Anything that :meth:`query_index_by_arch` takes.
            dataset: ``cifar10-valid``, ``cifar10``, ``cifar100`` or ``ImageNet16-120``.
            seed: The seed of a training, or None for all.
            hp: The schedule.

        Raises:
            ValueError: There is no such architecture, schedule or training.
            KeyError: There is no such data set.
        """
        return self.query_meta_info_by_index(self.query_index_by_arch(index), hp).get_net_param(dataset, seed)

    def clear_params(self, index: int, hp: str | int | None = None) -> None:
        """Drop trained weights; tables have none.

        Raises:
            ValueError: There is no such schedule.
        """
        if index not in self.evaluated_indexes:
            warnings.warn(f"The {index}-th architecture is not in the table, no need to clear params.", stacklevel=2)
        elif hp is not None:
            self._checked(index, hp)

    def statistics(self, dataset: str, hp: str | int) -> dict[int, int]:
        """Return how many architectures have how many trainings on a data set with a schedule.

        Raises:
            ValueError: There is no such data set.
            KeyError: There is no such schedule.
        """
        if dataset not in DATASETS:
            raise ValueError(f"{dataset} not in {list(DATASETS)}")
        numbers, counts = np.unique(self._archive.trainings(dataset, str(hp)).number_of_runs(), return_counts=True)
        return {n: found for n, found in zip(numbers.tolist(), counts.tolist(), strict=True) if n}

    def query_info_str_by_arch(self, arch: Any, hp: str | int = "12") -> str:
        """Return what there is to know of an architecture, for people.

        Raises:
            ValueError: The architecture is unknown or not in the table, or there is no such schedule.
        """
        index = self.query_index_by_arch(arch)
        return "\n".join(self._lines(self.query_meta_info_by_index(index, hp), f"arch-index={index}"))

    def query_by_arch(self, arch: Any, hp: str | int) -> str:
        """Do what :meth:`query_info_str_by_arch` does."""
        return self.query_info_str_by_arch(arch, hp)

    def show(self, index: int = -1) -> None:
        """Print everything of an architecture, or of all in the table.

        Raises:
            ValueError: The index is out of range or not in the table.
        """
        if index >= 0:
            self._show(index)
            return
        print(self)
        for i, each in enumerate(sorted(self.evaluated_indexes)):
            print(f"\n{'-' * 10} The ({i:5d}/{len(self.evaluated_indexes):5d}) {each:06d}-th architecture! {'-' * 10}")
            print(f"arch : {self.arch(each)}")
            self._show(each)

    def _show(self, index: int) -> None:
        for hp in self.avaliable_hps:
            print(f"{'>' * 40} {int(hp):03d} epochs {'>' * 40}")
            print("\n".join(self._lines(self.query_meta_info_by_index(index, hp), None)))
        print(f"{'<' * 40}{'-' * 12}{'<' * 40}")

    def _lines(self, results: ArchResults, extra_info: Any) -> list[str]:
        return information_lines(results, extra_info, test_of_25k=self._search_space_name == "size")
