"""Small sound files of every kind that the project writes, and what they hold."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nasbench import History, Table, load
from nasbench.search.history import load_histories, save_histories
from nasbench.spaces.conv5 import Conv5
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, write

Values = list[Any]


def raw_macro(folder: Path, n: int = 1500) -> Path:
    """Write a file in the format of NAS-Bench-Macro, with random results."""
    rng = np.random.default_rng(0)
    entries = {}
    for choices in list(product("012", repeat=8))[:n]:
        percent = (rng.integers(1000, 10_000, 3) / 100).tolist()
        entries["".join(choices)] = {
            "test_acc": percent,
            "mean_acc": float(np.mean(percent)),
            "std": float(np.std(percent)),
            "params": 387_882,
            "flops": 7_713_280,
        }
    path = folder / "sample.json"
    path.write_text(json.dumps(entries))
    return path


def images(folder: Path) -> Path:
    """Write random images in CIFAR-10's official form: the two files that ``--subset`` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name, n in (("data_batch_1.bin", 10_000), ("test_balanced_2000.bin", 2_000)):
        records = rng.integers(0, 256, (n, 3073), dtype=np.uint8)
        records[:, 0] %= 10
        records.tofile(folder / name)
    return folder


def content(n: int = 40) -> TableContent:
    """Return what a table of NAS-Bench-201's form holds: counts, times and costs of n architectures."""
    rng = np.random.default_rng(1)
    numbers = np.sort(rng.choice(5**6, n, replace=False))
    architectures = (numbers[:, None] // 5 ** np.arange(5, -1, -1) % 5).astype(np.uint8)
    scheduled = {
        "training_time": Column(rng.random((n, 2, 1)), "seconds", (1, 3), trained_on="half"),
        "validation_accuracy": Column(
            rng.integers(0, 10_000, (n, 2, 3)).astype(np.uint16), "images", (1, 3), 10_000, "half", "other half"
        ),
        "test_accuracy": Column(
            rng.integers(0, 10_000, (n, 2, 3)).astype(np.uint16), "images", (1, 3), 10_000, "half", "test"
        ),
    }
    fixed = {"parameters": Column(rng.integers(1, 2**20, n).astype(np.uint32), "parameters")}
    one = DatasetContent(fixed, {3: scheduled})
    source = dict.fromkeys(SOURCE_FIELDS, "made up")
    return TableContent("nb201", architectures, {"a": one, "b": one}, source, {"x": 1}, numbers.astype(np.int64))


def table_values(path: Path, *, few: bool = False) -> Values:
    """Return everything that a table answers: columns of all epochs first, then rows one by one.

    Args:
        path: The file.
        few: Rows only, without a whole column before: what a single query reads.
    """
    found: Values = []
    for dataset in Table(path).datasets:
        table = Table(path, dataset)
        if not few:
            found += [table.architectures.tobytes(), table.source, table.report]
            for name, info in sorted(table.describe().items()):
                values = table.file.read_all(info)
                found.append((name, values.shape, values.dtype, values.tobytes()))
        for fidelity in table.fidelities:
            for row in range(0, len(table), max(len(table) // 5, 1)):
                architecture = table.at_row(row)
                found.append(repr(table.query(architecture, schedule=fidelity.schedule, epoch=fidelity.epoch)))
    return found


def histories(path: Path) -> Path:
    """Write two histories."""
    rng = np.random.default_rng(2)
    made = []
    for n in (60, 9):
        whole = np.arange(n, dtype=np.int32)
        numbers = rng.random((4, n))
        made.append(History({"n": n}, rng.integers(0, 5, (n, 6), dtype=np.uint8), whole, whole, whole, *numbers))
    save_histories(path, made)
    return path


def history_values(path: Path) -> Values:
    """Return everything that a file of histories holds."""
    names = ("architectures", "schedules", "epochs", "runs", "validation_accuracy", "test_accuracy", "cost", "seconds")
    return [(one.header, *(getattr(one, name).tobytes() for name in names)) for one in load_histories(path)]


@cache
def small_table() -> Table:
    """Return the embedded table of 301 architectures."""
    table = load("conv5_16px_4epochs")
    assert isinstance(table, Table)
    return table


def surrogate_values(folder: Path) -> Values:
    """Return what a saved surrogate says of itself and predicts for 50 architectures."""
    from surrogates.benchmark.saved import load as load_surrogate

    saved = load_surrogate(folder)
    some = Conv5().sample_many(50, np.random.default_rng(3))
    predicted = [np.asarray(values).tobytes() for values in saved.surrogate.predict(some)]
    return [json.dumps(saved.manifest, sort_keys=True), saved.rows.tobytes(), *predicted]


def _job() -> Any:
    import torch

    from nasbench.training.campaign.campaign import Job
    from nasbench.training.images import Split
    from nasbench.training.images.base import collect
    from nasbench.training.recipes import RECIPES

    splits = {
        name: Split(torch.zeros((n, 3, 8, 8), dtype=torch.uint8), torch.zeros(n, dtype=torch.int64))
        for name, n in {"train": 256, "validation": 300, "test": 297}.items()
    }
    return Job(Conv5(), collect("black images", splits, classes=10), RECIPES["conv5"], 2, "cpu")


def journal(path: Path) -> Path:
    """Write a journal of twelve trainings."""
    from nasbench.training.campaign.campaign import sample
    from nasbench.training.campaign.journal import Journal
    from nasbench.training.loop.train import Training

    job = _job()
    for number, (architecture, seed) in enumerate(product(sample(job.space, 6, 0), range(2))):
        steps = np.arange(1, 3)
        correct = {"train": steps, "validation": steps * 2 + seed, "test": steps + number}
        sizes = {"train": 256, "validation": 300, "test": 297}
        training = Training((1, 2), correct, sizes, steps * 0.1, steps * 0.01, "cpu", None)
        Journal(path).add(job.space, architecture, job.recipe, job.images, epochs=2, seed=seed, training=training)
    return path


def journal_values(path: Path) -> Values:
    """Return everything that a journal answers."""
    from nasbench.training.campaign.journal import Journal

    found: Values = []
    one = Journal(path)
    for setting in one.settings():
        found += [setting, one.about(setting), sorted(one.trained(setting)), *map(repr, one.entries(setting))]
    return [repr(value) for value in found]


IDENTITY = {"architecture": "one", "seed": "0"}


def checkpoint(path: Path) -> Path:
    """Write a checkpoint of a small network."""
    import torch

    from nasbench.training.loop.checkpoint import Progress, save

    generator = torch.Generator().manual_seed(4)
    network = {"weight": torch.rand((16, 16), generator=generator), "steps": torch.tensor(3)}
    save(path, IDENTITY, Progress(network, {"momentum": [0.9]}, 128, {"train": [10, 20]}, [1.5], [0.5], None))
    return path


def checkpoint_values(path: Path) -> Values:
    """Return everything that a checkpoint holds."""
    from nasbench.training.loop.checkpoint import load as load_checkpoint

    found = load_checkpoint(path, IDENTITY)
    if found is None:
        return [None]
    weights = [(name, value.numpy().tobytes()) for name, value in sorted(found.network.items())]
    return [weights, repr(found._replace(network={}))]


def table(path: Path, n: int = 40) -> Path:
    """Write a table of :func:`content`."""
    write(path, content(n), force=True)
    return path
