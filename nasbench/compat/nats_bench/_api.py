"""The API that both search spaces share, over one table."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from nasbench.compat.nats_bench._answers import SEARCHED, Plan, remap_dataset_set_names
from nasbench.compat.nats_bench._architecture import chosen
from nasbench.compat.nats_bench._details import Details
from nasbench.compat.nats_bench._training import check_epoch
from nasbench.compat.nats_bench._trainings import NotInTableError


class NASBenchMetaAPI(Details):
    """The methods of the original over one table; see docs/legacy_nats.md for what differs.

    The object owns its random numbers, holds no open file, and can be pickled (by path), shared by threads and carried
    through fork.

    Args:
        file_path_or_dict: A ``.h5`` table, an official ``-simple`` folder or ``.pickle.pbz2`` file (converted once,
            into the user's cache), or the name of a table in the cache. None looks in the cache of ``nasbench fetch``,
            then in ``TORCH_HOME``.
        fast_mode: Kept as an attribute; a table is always read as it is needed.
        verbose: Whether to print what was opened.
        seed: Seed of the random choice of seeds and of :meth:`random`, which are then those of the original after
            ``random.seed(seed)``. By default each object has random numbers of its own, which are the same again where
            a script calls ``random.seed`` first; the random numbers of the process are left alone.

    Raises:
        ValueError: There is nothing at the path, it is a table of something else, or a dictionary was given.
        TableFileError: The table is not sound.
        ConversionError: An official file is damaged.
        FetchError: The cache cannot be written.
    """

    def get_more_info(
        self,
        index: Any,
        dataset: str,
        iepoch: int | None = None,
        hp: str | int = "12",
        is_random: bool | int = True,
    ) -> dict[str, Any]:
        """Return losses, accuracies in percent, and seconds of an architecture on all sets of a data set.

        Args:
            index: Anything that :meth:`query_index_by_arch` takes.
            dataset: ``cifar10-valid`` (trained on 25,000 images), ``cifar10`` (on 50,000), ``cifar100`` or
                ``ImageNet16-120``.
            iepoch: From 0; the last by default.
            hp: The schedule.
            is_random: True for one seed drawn at random, False for the mean over all, or a seed.

        Raises:
            ValueError: The architecture is unknown or not in the table; the epoch or the seed does not exist.
            KeyError: There is no such schedule or data set.
        """
        row = self._row(self.query_index_by_arch(index))
        if iepoch is not None:
            iepoch = operator.index(iepoch)
        try:
            plan = self._plans[dataset, hp, iepoch]
        except (KeyError, TypeError):
            plan = self._plan(dataset, str(hp), iepoch)
            self._plans[dataset, hp, iepoch] = plan
        seeds = plan.trainings.seeds(row)
        if not seeds:
            raise NotInTableError(f"{dataset!r}: architecture {index} was not trained on it with hp {hp}.")
        return plan.info(row, chosen(seeds, is_random, self._random))

    def simulate_train_eval(
        self, arch: Any, dataset: str, iepoch: int | None = None, hp: str | int = "12", account_time: bool = True
    ) -> tuple[float, float | None, float, float]:
        """Train and validate once, in simulation, with a random seed.

        Args:
            arch: Anything that :meth:`query_index_by_arch` takes.
            dataset: ``cifar10`` (answered from ``cifar10-valid``), ``cifar100`` or ``ImageNet16-120``.
            iepoch: From 0; the last by default.
            hp: The schedule.
            account_time: Whether the cost is added to :attr:`used_time`.

        Returns:
            Validation accuracy in percent, latency in seconds, cost in seconds (training up to the epoch and one
            validation), and :attr:`used_time`. Where the source did not validate after this epoch, the accuracy is that
            on validation and test images together (``valtest``).

        Raises:
            ValueError: The data set is none of these; the architecture is unknown or not in the table; or there is no
                such epoch, or no time of it.
            KeyError: There is no such schedule.
        """
        index = self.query_index_by_arch(arch)
        if dataset not in SEARCHED:
            raise ValueError(f"Invalid dataset name : {dataset} vs {SEARCHED}")
        trained_on = "cifar10-valid" if dataset == "cifar10" else dataset
        info = self.get_more_info(index, trained_on, iepoch, hp)
        if "valid-accuracy" in info:
            accuracy, validation = info["valid-accuracy"], info["valid-per-time"]
        elif "valtest-accuracy" in info:
            accuracy = info["valtest-accuracy"]
            # The original asks again, with another random seed; times are the same for all.
            validation = self.get_more_info(index, trained_on, None, hp).get("valid-per-time")
        else:
            raise ValueError(f"architecture {index}: no validation on {dataset} with hp {hp}, iepoch {iepoch}.")
        training = info["train-all-time"]
        if training is None or validation is None:
            raise ValueError(f"architecture {index}: the source has no time of its training on {trained_on}, hp {hp}.")
        cost = training + validation
        if account_time:
            self._used_time += cost
        return accuracy, self.get_latency(index, dataset, hp), cost, self._used_time

    def find_best(
        self,
        dataset: str,
        metric_on_set: str,
        flop_max: float | None = None,
        param_max: float | None = None,
        hp: str | int = "12",
        enforce_all: bool | None = None,
    ) -> tuple[int, float | None]:
        """Return index and accuracy, percent, of the architecture with the best mean at the end of a schedule.

        Args:
            dataset: As for :meth:`get_more_info`; ``cifar10`` with ``valid`` means ``cifar10-valid``.
            metric_on_set: ``valid``, ``test``, ``train``, ``x-valid``, ``x-test`` or ``ori-test``.
            flop_max: Millions of multiply-accumulates, at most.
            param_max: Millions of parameters, at most.
            hp: The schedule.
            enforce_all: True to refuse a table that does not have all architectures.

        Returns:
            The lowest index of the best; -1 and None where none is small enough.

        Raises:
            KeyError: There is no such data set or schedule.
            ValueError: There is no such set, or architectures are missing.
        """
        indexes = self._archive.indexes
        if enforce_all and len(indexes) < len(self):
            raise ValueError(f"{self._archive.path} has {len(indexes)} of {len(self)} architectures.")
        dataset, name = remap_dataset_set_names(dataset, metric_on_set)
        trainings = self._archive.trainings(dataset, str(hp))
        point = trainings.point("x-valid" if name == "valid" else name, trainings.schedule - 1)
        if point is None:
            known = ", ".join(("train", *trainings.sets))
            raise ValueError(f"{name}@{trainings.schedule - 1}: no such set of {dataset}: it has {known}.")
        rows = np.asarray(self._archive.rows)[indexes]
        means = point.means[rows]
        small = np.isfinite(means)
        for limit, cost in ((flop_max, "flops"), (param_max, "parameters")):
            if limit is not None:
                small &= ~(trainings.costs(cost)[rows] / 1e6 > limit)
        if not small.any():
            return -1, None
        best = int(np.argmax(np.where(small, means, -1)))
        return int(indexes[best]), float(means[best])

    def _plan(self, dataset: str, hp: str, iepoch: int | None) -> Plan:
        trainings = self._archive.trainings(dataset, hp)
        epoch = trainings.schedule - 1
        if iepoch is not None:
            check_epoch(iepoch, trainings.schedule)
            epoch = iepoch
        return Plan(trainings, epoch)
