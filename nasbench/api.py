"""Drop-in for ``from nasbench import api`` of google-research/nasbench, on a table instead of a TFRecord in memory.

Old scripts run as they are: the same names, answers, messages, budget counters, and for the same seed the same draws.
docs/legacy_nasbench.md lists what is kept and what differs. New code is better off with :func:`nasbench.load`.
"""

from __future__ import annotations

import copy
import os
import random
from collections.abc import KeysView
from typing import Any, NoReturn

import numpy as np

from nasbench.errors import NasbenchError
from nasbench.lib.model_spec import ModelSpec
from nasbench.lib.records import METRICS, Records, Statistics
from nasbench.sources.cache import cached
from nasbench.sources.named import find
from nasbench.tables.table import Table

__all__ = ["ModelSpec", "NASBench", "OutOfDomainError", "TrainingUnavailableError"]

# What the authors searched and trained with: nasbench/lib/config.py of the original.
_CONFIG: dict[str, Any] = {
    "module_vertices": 7,
    "max_edges": 9,
    "num_repeats": 3,
    "available_ops": ["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"],
    "stem_filter_size": 128,
    "num_stacks": 3,
    "num_modules_per_stack": 3,
    "batch_size": 256,
    "train_epochs": 108,
    "train_seconds": 4.0 * 60 * 60,
    "learning_rate": 0.1,
    "lr_decay_method": "COSINE_BY_STEP",
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "intermediate_evaluations": ["0.5"],
    "num_labels": 10,
    "data_format": "channels_last",
    "max_attempts": 5,
    "use_tpu": True,
    "tpu_iterations_per_loop": 100,
    "tpu_num_shards": 2,
}


class OutOfDomainError(NasbenchError):
    """The cell, or the number of epochs, is none of those that were trained."""


class TrainingUnavailableError(NasbenchError, NotImplementedError):
    """``evaluate`` was asked to train a network, which other parts of this package do."""


class NASBench:
    """Recorded trainings of NAS-Bench-101, one drawn at random by each query.

    Reading is safe in threads, after ``fork`` and after pickling, which keeps the counters and the state of the random
    numbers. The counters and the random numbers belong to the object: threads that need their own take one by
    ``copy.deepcopy``.

    Args:
        dataset_file: A ``.h5`` table, the name of one that was fetched (``"nasbench101"``), or an official
            ``.tfrecord``, which is converted when it is seen for the first time.
        seed: Of the object's own random numbers, as for ``random.seed``.

    Attributes:
        config: A dictionary; ``module_vertices``, ``max_edges``, ``num_repeats`` and ``available_ops`` are obeyed.
        fixed_statistics: From official hash to ``module_adjacency``, ``module_operations``, ``trainable_parameters``.
        computed_statistics: From official hash to epochs to a list with a dictionary for each recorded training.
        valid_epochs: The schedules of the table: 4, 12, 36 and 108, or only 108.
        history: An empty dictionary, as in the original.
        training_time_spent: Seconds of all trainings that were queried.
        total_epochs_spent: Epochs of all trainings that were queried.

    Raises:
        UnknownNameError: No table has this name, and it is no path.
        TableFileError: The table is missing or not sound, or none of NAS-Bench-101.
        ConversionError: The ``.tfrecord`` file is missing, damaged, or none of NAS-Bench-101.
        FetchError: The table of the ``.tfrecord`` file cannot be written.
    """

    def __init__(self, dataset_file: str | os.PathLike[str], seed: Any = None) -> None:
        name = os.fspath(dataset_file)
        path = cached("nasbench101", name) if name.endswith(".tfrecord") else find(name)
        self._open(os.path.abspath(path))
        # Not the process's own random numbers, which the original seeds.
        self._random = random.Random(seed.item() if isinstance(seed, np.generic) else seed)
        self.config: dict[str, Any] = copy.deepcopy(_CONFIG)
        self.history: dict[str, Any] = {}
        self.reset_budget_counters()

    def _open(self, path: str) -> None:
        self._records = Records(Table(path))
        self.valid_epochs: set[int] = set(self._records.schedules)
        self.fixed_statistics = Statistics(self._records, self._records.fixed)
        self.computed_statistics = Statistics(self._records, self._records.computed)

    def __getstate__(self) -> dict[str, Any]:
        state = vars(self).copy()
        for name in ("_records", "valid_epochs", "fixed_statistics", "computed_statistics"):
            del state[name]  # read from the file again
        return {"path": self._records.table.path, "state": state}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._open(state["path"])
        vars(self).update(state["state"])

    def query(self, model_spec: ModelSpec, epochs: int = 108, stop_halfway: bool = False) -> dict[str, Any]:
        """Return one recorded training of a cell, drawn at random, and charge it to the budget counters.

        The whole training is charged every time: nothing is taken off for a cell that was queried before.

        Args:
            model_spec: The cell, in any of its isomorphic forms.
            epochs: The length of the schedule, one of ``valid_epochs``.
            stop_halfway: Return, and charge, the first half of that schedule only.

        Returns:
            A new dictionary: ``module_adjacency`` and ``module_operations`` in the form in which the source stores the
            cell, ``trainable_parameters``, ``training_time`` in seconds, and ``train_accuracy``,
            ``validation_accuracy`` and ``test_accuracy`` as fractions.

        Raises:
            OutOfDomainError: The number of epochs is none of the schedules, or the cell is outside of the space.
            KeyError: The table lacks the cell, or its trainings of this schedule.
        """
        if epochs not in self.valid_epochs:
            raise OutOfDomainError(f"invalid number of epochs, must be one of {self.valid_epochs}")
        row = self._row(model_spec)
        schedule = int(epochs)
        # All three, in an official file; where the source lacks one, those that it has.
        runs = self._records.runs(row, schedule)[: self.config["num_repeats"]]
        if not runs:
            raise KeyError(f"{self._records.table.name} has no training of this cell with {epochs} epochs.")
        run = runs[self._random.randint(0, len(runs) - 1)]
        result = self._records.result(row, schedule, run, half=stop_halfway)
        self.training_time_spent += result[0]
        self.total_epochs_spent += epochs // 2 if stop_halfway else epochs
        return self._records.fixed(row) | dict(zip(METRICS, result, strict=True))

    def is_valid(self, model_spec: ModelSpec) -> bool:
        """Tell whether the cell is one of the space; nothing is charged."""
        try:
            self._check_spec(model_spec)
        except OutOfDomainError:
            return False
        return True

    def get_budget_counters(self) -> tuple[float, int]:
        """Return the seconds and the epochs of all trainings that were queried."""
        return self.training_time_spent, self.total_epochs_spent

    def reset_budget_counters(self) -> None:
        """Set both counters to zero."""
        self.training_time_spent = 0.0
        self.total_epochs_spent = 0

    def evaluate(self, model_spec: ModelSpec, model_dir: str) -> NoReturn:
        """Refuse: the original trains the network here, with TensorFlow; here other commands do, with PyTorch.

        Raises:
            TrainingUnavailableError: Always.
        """
        raise TrainingUnavailableError(
            f"evaluate() would train this network with TensorFlow and write to {model_dir!r}, which is not done here. "
            "For a recorded training use query() or get_metrics_from_spec(); `nasbench verify` and `nasbench "
            "train-table nb101` train with PyTorch, by the recipe of NAS-Bench-101."
        )

    def hash_iterator(self) -> KeysView[str]:
        """Return the official hashes of all cells, in the order of the table."""
        return self.fixed_statistics.keys()

    def get_metrics_from_hash(self, module_hash: str) -> tuple[dict[str, Any], dict[int, list[dict[str, float]]]]:
        """Return what is recorded of a cell given by its official hash; nothing is charged.

        Returns:
            New dictionaries, as in ``fixed_statistics`` and ``computed_statistics``.

        Raises:
            KeyError: No cell of the table has this hash.
        """
        row = self._records.row_of_hash(module_hash)
        return self._records.fixed(row), self._records.computed(row)

    def get_metrics_from_spec(self, model_spec: ModelSpec) -> tuple[dict[str, Any], dict[int, list[dict[str, float]]]]:
        """Return what is recorded of a cell; nothing is charged.

        Raises:
            OutOfDomainError: The cell is outside of the space.
            KeyError: The table lacks the cell.
        """
        row = self._row(model_spec)
        return self._records.fixed(row), self._records.computed(row)

    def _row(self, model_spec: ModelSpec) -> int:
        self._check_spec(model_spec)
        assert model_spec.matrix is not None
        assert model_spec.ops is not None
        row = self._records.row(model_spec.matrix, model_spec.ops)
        if row < 0:
            raise KeyError(f"{self._hash_spec(model_spec)}: this cell is not in {self._records.table.name}.")
        return row

    def _check_spec(self, model_spec: ModelSpec) -> None:
        matrix, ops = model_spec.matrix, model_spec.ops
        if not model_spec.valid_spec or matrix is None or ops is None:
            raise OutOfDomainError("invalid spec, provided graph is disconnected.")
        vertices, most = len(ops), self.config["module_vertices"]
        if vertices > most:
            raise OutOfDomainError(f"too many vertices, got {vertices} (max vertices = {most})")
        edges, most = sum(map(sum, np.asarray(matrix).tolist())), self.config["max_edges"]
        if edges > most:
            raise OutOfDomainError(f"too many edges, got {int(edges)} (max edges = {most})")
        if ops[0] != "input":
            raise OutOfDomainError("first operation should be 'input'")
        if ops[-1] != "output":
            raise OutOfDomainError("last operation should be 'output'")
        available = self.config["available_ops"]
        for op in ops[1:-1]:
            if op not in available:
                raise OutOfDomainError(f"unsupported op {op} (available ops = {available})")

    def _hash_spec(self, model_spec: ModelSpec) -> str:
        return model_spec.hash_spec(self.config["available_ops"])
