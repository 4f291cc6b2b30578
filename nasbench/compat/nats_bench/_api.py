"""The API that both search spaces share, over one table."""

from __future__ import annotations

import operator
import os
import random
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import count
from typing import Any, ClassVar

import numpy as np

from nasbench.compat.nats_bench._answers import SEARCHED, Plan, information_lines, remap_dataset_set_names
from nasbench.compat.nats_bench._architecture import ArchResults, chosen
from nasbench.compat.nats_bench._archive import Archive
from nasbench.compat.nats_bench._files import find_table, mean, time_string
from nasbench.compat.nats_bench._training import ResultsCount, check_epoch
from nasbench.compat.nats_bench._trainings import DATASETS, NotInTableError


class _Infos(Mapping[int, Mapping[str, ArchResults]]):
    """``arch2infos_dict``: by index and hp, made when they are asked for."""

    def __init__(self, api: NASBenchMetaAPI) -> None:
        self._api = api

    def __getitem__(self, index: int) -> dict[str, ArchResults]:
        if index not in self._api.evaluated_indexes:
            raise KeyError(index)
        return {hp: self._api.query_meta_info_by_index(index, hp) for hp in self._api.avaliable_hps}

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._api.evaluated_indexes))

    def __len__(self) -> int:
        return len(self._api.evaluated_indexes)


class NASBenchMetaAPI:
    """The methods of the original over one table; see docs/legacy_nats.md for what differs.

    The object owns its random numbers, holds no open file, and can be pickled (by path), shared by threads and carried
    through fork.

    Args:
        file_path_or_dict: A ``.h5`` table, an official ``-simple`` folder or ``.pickle.pbz2`` file (converted once,
            into the user's cache), or the name of a table in the cache. None looks in the cache of ``nasbench fetch``,
            then in ``TORCH_HOME``.
        fast_mode: Kept as an attribute; a table is always read as it is needed.
        verbose: Whether to print what was opened.
        seed: Of the random choice of seeds and of :meth:`random`: as after ``random.seed(seed)`` in the original. None
            for a stream of its own, the same again where a script calls ``random.seed`` first; the random numbers of
            the process are left alone.

    Raises:
        ValueError: There is nothing at the path, it is a table of something else, or a dictionary was given.
        TableFileError: The table is not sound.
        ConversionError: An official file is damaged.
        FetchError: The cache cannot be written.
    """

    # Name of the official archive, of its table in the cache, of the search space here and in tables; longest schedule.
    _ABOUT: ClassVar[tuple[str, str, str, str, int]]

    def __init__(
        self,
        file_path_or_dict: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        fast_mode: bool = False,
        verbose: bool = True,
        *,
        seed: int | None = None,
    ) -> None:
        base, cached_name, self._search_space_name, _, self._full_train_epochs = self._ABOUT
        path = find_table(file_path_or_dict, base, cached_name)
        self._archive = self._open(path)
        given = path if file_path_or_dict is None else os.fspath(file_path_or_dict)  # type: ignore[arg-type]
        self.filename = os.path.basename(given)
        self.verbose = verbose
        self._archive_dir: str | None = given if fast_mode else None
        self._fast_mode = fast_mode
        self._used_time: float = 0
        self._random = random.Random(_unseeded() if seed is None else seed)
        self._plans: dict[Any, Plan] = {}
        if verbose:
            print(f"{time_string()} Opened {self!r}")

    def _open(self, path: str) -> Archive:
        archive = Archive(path)
        if archive.space.name != self._ABOUT[3]:
            raise ValueError(
                f"{path}: a table of {archive.space.name}, but the search space {self._search_space_name} was asked "
                "for: 'tss' or 'topology' is nb201, 'sss' or 'size' is nats_sss."
            )
        return archive

    def __getstate__(self) -> dict[str, Any]:
        kept = {name for name in vars(self) if name.startswith("_")} | {"filename", "verbose"}
        return {name: value for name, value in vars(self).items() if name in kept} | {"_plans": {}}

    @cached_property
    def meta_archs(self) -> list[str]:
        """The texts of all architectures of the search space, in the official order."""
        return self._archive.texts

    @cached_property
    def archstr2index(self) -> dict[str, int]:
        """The official index of each text."""
        return {text: index for index, text in enumerate(self.meta_archs)}

    @cached_property
    def evaluated_indexes(self) -> set[int]:
        """The official indexes of what is in the table."""
        return set(self._archive.indexes.tolist())

    @property
    def arch2infos_dict(self) -> Mapping[int, Mapping[str, ArchResults]]:
        """Everything, by index and hp; made when it is asked for."""
        return _Infos(self)

    def __len__(self) -> int:
        return self._archive.space.size

    def __getitem__(self, index: int) -> str:
        return self.meta_archs[index]

    def __repr__(self) -> str:
        found = f"{len(self._archive.indexes)}/{len(self)}"
        return f"{type(self).__name__}({found} architectures, fast_mode={self.fast_mode}, file={self.filename})"

    @property
    def avaliable_hps(self) -> list[str]:
        """The schedules, named by their epochs; the original spells it so."""
        return self._archive.hps

    @property
    def used_time(self) -> float:
        """Seconds that :meth:`simulate_train_eval` has charged."""
        return self._used_time

    @property
    def search_space_name(self) -> str:
        """``topology`` or ``size``."""
        return self._search_space_name

    @property
    def fast_mode(self) -> bool:
        """What was given."""
        return self._fast_mode

    @property
    def archive_dir(self) -> str | None:
        """The path that was given, in fast mode."""
        return self._archive_dir

    @property
    def full_train_epochs(self) -> int:
        """Epochs of the longest schedule."""
        return self._full_train_epochs

    def reset_time(self) -> None:
        """Forget what was charged."""
        self._used_time = 0

    def reset_archive_dir(self, archive_dir: str | None) -> None:
        """Change the attribute; the table stays the same."""
        self._archive_dir = archive_dir

    def reset_fast_mode(self, fast_mode: bool) -> None:
        """Change the attribute."""
        self._fast_mode = fast_mode

    def reload(self, archive_root: str | None = None, index: int | None = None) -> None:
        """Open the table again, or the one of another path; nothing needs to be loaded in advance.

        Raises:
            ValueError: There is nothing at the path, or it is a table of something else; an architecture that was
                asked for is not in it.
        """
        base, cached_name = self._ABOUT[:2]
        path = self._archive.path if archive_root is None else find_table(archive_root, base, cached_name)
        self._archive = self._open(path)
        self._plans = {}
        vars(self).pop("evaluated_indexes", None)
        if index is not None:
            self._row(index)

    def random(self) -> int:
        """Return the index of an architecture of the search space, drawn uniformly."""
        return self._random.randint(0, len(self) - 1)

    def arch(self, index: int) -> str:
        """Return the text of an architecture.

        Raises:
            ValueError: The index is out of range.
        """
        if 0 <= index < len(self):
            return self.meta_archs[index]
        raise ValueError(f"invalid index : {index} vs. {len(self)}.")

    def query_index_by_arch(self, arch: Any) -> int:
        """Return the official index of an index, a text, or an object with ``tostr()``; -1 for anything else.

        Raises:
            ValueError: The index is out of range.
        """
        if isinstance(arch, int):
            if 0 <= arch < len(self):
                return arch
            raise ValueError(f"Invalid architecture index {arch} vs [0, {len(self)}].")
        if isinstance(arch, str):
            return self.archstr2index.get(arch, -1)
        if hasattr(arch, "tostr"):
            return self.archstr2index.get(arch.tostr(), -1)
        return -1

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

    def _plan(self, dataset: str, hp: str, iepoch: int | None) -> Plan:
        trainings = self._archive.trainings(dataset, hp)
        epoch = trainings.schedule - 1
        if iepoch is not None:
            check_epoch(iepoch, trainings.schedule)
            epoch = iepoch
        return Plan(trainings, epoch)

    def _row(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise ValueError(f"invalid index of {index}")
        return self._archive.row(index)

    def _checked(self, index: int, hp: str | int) -> tuple[int, str]:
        """Return an index that is in the table, and the name of a schedule."""
        index, hp = operator.index(index), str(hp)
        self._row(index)
        if hp not in self.avaliable_hps:
            raise ValueError(
                f"The {index}-th architecture only has hyper-parameters of {self.avaliable_hps} instead of {hp}."
            )
        return index, hp


_created = count()


def _unseeded() -> str:
    """Return a seed that follows from the random numbers of the process, and differs from one object to the next.

    Old scripts call ``random.seed`` and expect the same results again.
    """
    return f"{next(_created)} {random.getstate()}"
