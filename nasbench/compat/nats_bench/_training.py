"""``ResultsCount``: one training, its curves by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nasbench.compat.nats_bench._archive import Archive
from nasbench.compat.nats_bench._trainings import ArchivedTrainings, NotInTableError
from nasbench.spaces.nb201 import NB201

_CLASSES = {"cifar10-valid": 10, "cifar10": 10, "cifar100": 100, "ImageNet16-120": 120}
_SSS_CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"


def network(archive: Archive, text: str, dataset: str) -> dict[str, Any]:
    """Return ``arch_config``: how the network of an architecture is built."""
    classes = {"class_num": _CLASSES[dataset]}
    if isinstance(archive.space, NB201):
        return {"channel": 16, "num_cells": 5, "arch_str": text, **classes}
    return {"name": "infer.shape.tiny", "channels": text, "arch_str": text, "genotype": _SSS_CELL, **classes}


class EpochValues(Mapping[Any, float]):
    """One quantity of one training, by epoch, or by ``"set@epoch"``: read from the table when it is asked for."""

    def __init__(
        self, trainings: ArchivedTrainings, quantity: str, row: int, run: int, sets: tuple[str, ...] = ()
    ) -> None:
        self._trainings, self._quantity, self._row, self._run, self._sets = trainings, quantity, row, run, sets

    def __getitem__(self, key: Any) -> float:
        split, epoch = "train", key
        if self._sets:
            split, _, number = str(key).rpartition("@")
            epoch = int(number) if number.isdecimal() and split in self._sets else None
        if type(epoch) is not int or not 0 <= epoch < self._trainings.schedule:
            raise KeyError(key)
        value = self._trainings.value(split, self._quantity, epoch, self._row, self._run)
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[Any]:
        timed = self._quantity == "time"
        for split in self._sets or ("train",):
            epochs = range(self._trainings.schedule) if timed else self._trainings.epochs(split, self._quantity)
            keys = (f"{split}@{epoch}" if self._sets else epoch for epoch in epochs)
            yield from (key for key in keys if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def until(self, key: Any) -> float | None:
        """Return the sum of seconds up to an epoch, without reading those before it."""
        split, _, epoch = str(key).rpartition("@")
        point = self._trainings.clock(split or "train", int(epoch))[1](self._row, self._run)
        return point if point == point else None


class ResultsCount:
    """One training: its curves in percent and seconds, by epoch from 0.

    The arguments are those of the original. The curves of a table are mappings that read when they are asked.
    """

    def __init__(
        self,
        name: str,
        state_dict: Any,
        train_accs: Mapping[int, float],
        train_losses: Mapping[int, float],
        params: float,
        flop: float,
        arch_config: dict[str, Any],
        seed: int | str | None,
        epochs: int | None,
        latency: list[float] | None,
    ) -> None:
        self.name, self.net_state_dict = name, state_dict
        self.train_acc1es, self.train_losses = train_accs, train_losses
        self.train_acc5es: Mapping[int, float] | None = None
        self.train_times: Mapping[int, float] | None = None
        self.arch_config, self.params, self.flop = dict(arch_config), params, flop
        self.seed, self.epochs, self.latency = seed, epochs or 0, latency
        self.eval_names: list[str] = []
        self.eval_acc1es: Mapping[str, float] = {}
        self.eval_times: Mapping[str, float] = {}
        self.eval_losses: Mapping[str, float] = {}

    @classmethod
    def _of(cls, trainings: ArchivedTrainings, text: str, row: int, run: int, archive: Archive) -> ResultsCount:
        def curve(quantity: str, sets: tuple[str, ...] = ()) -> EpochValues:
            return EpochValues(trainings, quantity, row, run, sets)

        sets = tuple(split for split in trainings.sets if any(curve("accuracy", (split,))))
        seconds = trainings.latency(row, run)
        result = cls(
            trainings.dataset,
            None,
            curve("accuracy"),
            curve("loss"),
            trainings.costs("parameters").item(row) / 1e6,
            trainings.costs("flops").item(row) / 1e6,
            network(archive, text, trainings.dataset),
            f"{trainings.all_seeds[run]:04d}",
            trainings.schedule,
            [] if seconds is None else [seconds],
        )
        if trainings.epochs("train", "top5_accuracy"):
            result.train_acc5es = curve("top5_accuracy")
        if trainings.value("train", "time", trainings.schedule - 1, row, run) is not None:
            result.train_times = curve("time")
        result.eval_names = list(sets)
        result.eval_acc1es, result.eval_losses = curve("accuracy", sets), curve("loss", sets)
        timed = tuple(s for s in sets if trainings.value(s, "time", trainings.schedule - 1, row, run) is not None)
        result.eval_times = curve("time", timed) if timed else {}
        return result

    def __repr__(self) -> str:
        sets = f"{len(self.eval_names)} eval-sets: [{', '.join(self.eval_names)}]"
        return (
            f"{type(self).__name__}({self.name}, arch={self.arch_config['arch_str']}, FLOP={self.flop:.2f}M, "
            f"Param={self.params:.3f}MB, seed={self.seed}, {sets})"
        )

    def get_total_epoch(self) -> int:
        """Return how many epochs were trained."""
        return self.epochs

    def get_eval_set(self) -> list[str]:
        """Return the names of what was evaluated on."""
        return list(self.eval_names)

    def get_latency(self) -> float:
        """Return the mean seconds of a forward pass, -1 where it was not measured."""
        return sum(self.latency) / len(self.latency) if self.latency else -1.0

    def judge_valid(self, iepoch: int) -> None:
        """Refuse an epoch that was not trained.

        Raises:
            ValueError: It is not in 0 to the number of epochs minus 1.
        """
        check_epoch(iepoch, self.epochs)

    def get_train(self, iepoch: int | None = None) -> dict[str, Any]:
        """Return ``iepoch``, ``loss``, ``accuracy``, ``cur_time`` and ``all_time`` of training.

        Raises:
            ValueError: The epoch was not trained.
        """
        epoch = self._epoch(iepoch)
        times = self.train_times
        return {
            "iepoch": epoch,
            "loss": self.train_losses[epoch],
            "accuracy": self.train_acc1es[epoch],
            "cur_time": None if times is None else times[epoch],
            "all_time": None if times is None else _until(times, epoch, range(epoch + 1)),
        }

    def get_eval(self, name: str, iepoch: int | None = None) -> dict[str, Any]:
        """Return what :meth:`get_train` returns, of an evaluation; ``valid`` is ``x-valid``.

        Raises:
            ValueError: The epoch was not trained, or nothing was evaluated on this set.
            KeyError: It was not evaluated after this epoch.
        """
        epoch = self._epoch(iepoch)
        name = "x-valid" if name == "valid" else name
        if name not in self.eval_names:
            raise ValueError(f"{name}@{epoch}: no such set of {self.name}: it has {', '.join(self.eval_names)}.")
        key = f"{name}@{epoch}"
        if key not in self.eval_acc1es:
            raise NotInTableError(f"{key}: {self.name} was not evaluated on {name} after that epoch.")
        timed = key in self.eval_times
        keys = [f"{name}@{e}" for e in range(epoch + 1)]
        return {
            "iepoch": epoch,
            "loss": self.eval_losses[key],
            "accuracy": self.eval_acc1es[key],
            "cur_time": self.eval_times[key] if timed else None,
            "all_time": _until(self.eval_times, key, keys) if timed else None,
        }

    def get_times(self) -> dict[str, float | None]:
        """Return the seconds of training and of each set, an epoch (``@epoch``) and in all (``@total``)."""
        times: dict[str, float | None] = {"train": None}
        if self.train_times is not None:
            times["train"] = _until(self.train_times, self.epochs - 1, range(self.epochs))
        for name in self.eval_names:
            key, keys = f"{name}@{self.epochs - 1}", [f"{name}@{epoch}" for epoch in range(self.epochs)]
            times[name] = _until(self.eval_times, key, keys) if key in self.eval_times else None
        found: dict[str, float | None] = {}
        for name, total in times.items():
            found[f"T-{name}@epoch"] = None if total is None else total / self.epochs
            found[f"T-{name}@total"] = total
        return found

    def get_config(self, str2structure: Callable[[str], Any] | None) -> dict[str, Any]:
        """Return how the network is built, its cell as ``str2structure`` makes it of the text."""
        config, classes = self.arch_config, self.arch_config["class_num"]
        if "channels" in config:
            cell = config["genotype"] if str2structure is None else str2structure(config["genotype"])
            return {"name": config["name"], "channels": config["channels"], "genotype": cell, "num_classes": classes}
        text = config["arch_str"]
        cells = {"arch_str": text} if str2structure is None else {"genotype": str2structure(text)}
        return {"name": "infer.tiny", "C": config["channel"], "N": config["num_cells"], **cells, "num_classes": classes}

    def get_net_param(self, clone: bool = False) -> Any:
        """Return the trained weights: None, as in the original's ``-simple`` files; tables have no weights."""
        return self.net_state_dict

    def reset_pseudo_train_times(self, estimated_per_epoch_time: float) -> None:
        """Replace the seconds of training by one number for all epochs."""
        self.train_times = dict.fromkeys(range(self.epochs), estimated_per_epoch_time)

    def reset_pseudo_eval_times(self, eval_name: str, estimated_per_epoch_time: float) -> None:
        """Replace the seconds of one set by one number for all epochs."""
        if eval_name not in self.eval_names:
            raise ValueError(f"{eval_name}: no such set of {self.name}: it has {', '.join(self.eval_names)}.")
        new = {f"{eval_name}@{epoch}": estimated_per_epoch_time for epoch in range(self.epochs)}
        self.eval_times = {**self.eval_times, **new}

    def state_dict(self) -> dict[str, Any]:
        """Return everything as plain dictionaries: what an official file holds of a training."""
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in vars(self).items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take everything from plain dictionaries."""
        vars(self).update(state_dict)

    @staticmethod
    def create_from_state_dict(state_dict: Mapping[str, Any]) -> ResultsCount:
        """Make one of what an official file holds of a training."""
        result = ResultsCount("", None, {}, {}, 0.0, 0.0, {}, None, None, None)
        result.load_state_dict(state_dict)
        return result

    def _epoch(self, iepoch: int | None) -> int:
        if iepoch is None:
            return self.epochs - 1
        check_epoch(iepoch, self.epochs)
        return iepoch


def check_epoch(iepoch: int, epochs: int) -> None:
    """Refuse an epoch that was not trained.

    Raises:
        ValueError: It is outside of 0 to ``epochs - 1``.
        TypeError: It is no number.
    """
    if not 0 <= iepoch < epochs:
        raise ValueError(f"invalid iepoch={iepoch} < {epochs}")


def _until(times: Mapping[Any, float], last: Any, keys: Any) -> float | None:
    return times.until(last) if isinstance(times, EpochValues) else sum(times[key] for key in keys)
