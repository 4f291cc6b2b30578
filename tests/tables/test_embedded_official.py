"""The embedded table against the authors' own archive NATS-tss-v1_0-3ffb9-simple: another file, by another way."""

from __future__ import annotations

import bz2
import pickle
from pathlib import Path
from typing import Any

import pytest

from nasbench import load

SAMPLES = Path(__file__).parents[2] / "../shared/data/nats_tss"
GLOBALS = ("collections.OrderedDict", "numpy.dtype", "numpy.core.multiarray.scalar")

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the official samples ../shared/data/nats_tss are not here"
)


class Official(pickle.Unpickler):
    """Needs these three globals, and gets no others."""

    def find_class(self, module: str, name: str) -> Any:
        assert f"{module}.{name}" in GLOBALS, f"{module}.{name}"
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def trials(index: int, dataset: str) -> list[dict[str, Any]]:
    """The trainings with the 200-epoch schedule, by seed."""
    with bz2.open(SAMPLES / f"{index:06d}.pickle.pbz2") as file:
        results = Official(file).load()["200"]["all_results"]
    return [results[key] for key in sorted(results) if key[0] == dataset]


@pytest.mark.parametrize(
    ("dataset", "official", "images"),
    [
        ("cifar10", "cifar10-valid", 25_000),
        ("cifar100", "cifar100", 5_000),
        ("ImageNet16-120", "ImageNet16-120", 3_000),
    ],
)
@pytest.mark.parametrize("index", [0, 11, 284])
def test_index_runs_times_and_costs_are_those_of_the_archive(
    index: int, dataset: str, official: str, images: int
) -> None:
    table, found = load("nasbench201", dataset), trials(index, official)
    # Runs 0, 1 and 2 are the seeds 777, 888 and 999.
    assert [trial["seed"].lstrip("0") for trial in found] == ["777", "888", "999"]
    assert list(table.runs(index)) == [0, 1, 2]
    for run, trial in enumerate(found):
        metrics = table.query(index, run=run)
        assert metrics.validation_accuracy == round(trial["eval_acc1es"]["x-valid@199"] / 100 * images) / images
        assert metrics.training_time == pytest.approx(sum(trial["train_times"].values()), rel=1e-12)
        assert metrics.latency == trial["latency"][0]
        assert metrics.parameters == round(trial["params"] * 1e6)
        assert metrics.flops == round(trial["flop"] * 1e6)
        assert table.space.format(tuple(table.architectures[index].tolist())) == trial["arch_config"]["arch_str"]


def test_validation_is_not_test_and_25000_is_not_50000() -> None:
    """Trainings cifar10-valid and cifar10, images x-valid and ori-test: the table has the first of each."""
    (valid, *_), (whole, *_) = trials(0, "cifar10-valid"), trials(0, "cifar10")
    told = load("nasbench201").query(0, run=0).validation_accuracy
    others = [valid["eval_acc1es"]["ori-test@199"], whole["eval_acc1es"]["ori-test@199"]]
    assert told == pytest.approx(valid["eval_acc1es"]["x-valid@199"] / 100, abs=1e-9)
    assert all(abs(told - other / 100) > 1e-3 for other in others)
