"""NATS-Bench: the real samples value by value, the package nats_bench, and files that are not as they should be."""

from __future__ import annotations

import bz2
import hashlib
import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _nats_synthetic import (
    CLASSES,
    EPOCHS,
    IMAGES,
    Figures,
    columns_of,
    forget,
    meta,
    official_seeds,
    pack,
    texts,
    write_folder,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench import tables
from nasbench.sources.nats.nats_bench import convert
from nasbench.tables import TableContent
from nasbench.tables.table import Table

DATA = Path(__file__).parents[2] / "../shared/data"
SAMPLES = (0, 11, 284)

# The names of the module's documentation, written down again: raw data set and split, group, metric, suffix.
NAMES = {
    ("cifar10-valid", "train"): ("cifar10", "train", "_25k"),
    ("cifar10-valid", "x-valid"): ("cifar10", "validation", ""),
    ("cifar10-valid", "ori-test"): ("cifar10", "test", "_25k"),
    ("cifar10", "train"): ("cifar10", "train", ""),
    ("cifar10", "ori-test"): ("cifar10", "test", ""),
    **{
        (dataset, split): (dataset, metric, "")
        for dataset in ("cifar100", "ImageNet16-120")
        for split, metric in (
            ("train", "train"),
            ("x-valid", "validation"),
            ("x-test", "test"),
            ("ori-test", "valtest"),
        )
    },
}
TIMES = {"cifar10-valid": "", "cifar10": "_50k", "cifar100": "", "ImageNet16-120": ""}


class Official(pickle.Unpickler):
    """The three globals of the real files, as what they are."""

    def find_class(self, module: str, name: str) -> Any:
        return {"OrderedDict": OrderedDict, "dtype": np.dtype, "scalar": np.float64(0).__reduce__()[0]}[name]


def samples(space: str) -> Path:
    folder = DATA / f"nats_{space}"
    if not folder.is_dir():
        pytest.skip(f"the real samples are not at hand: no ../shared/data/nats_{space}")
    return folder


@pytest.fixture(scope="module", params=["tss", "sss"])
def real(request: pytest.FixtureRequest) -> tuple[str, list[dict[str, Any]], TableContent]:
    """Name of the space, raw results of the samples, and what we make of them."""
    folder = samples(request.param)
    raw = [
        Official(io.BytesIO(bz2.decompress((folder / f"{index:06d}.pickle.pbz2").read_bytes()))).load()
        for index in SAMPLES
    ]
    return request.param, raw, convert(folder)


def check_every_value(content: TableContent, raw: list[dict[str, Any]], seeds: dict[str, list[int]]) -> None:
    """Compare each raw value with the table's, and see that the table has no others."""
    recorded: dict[tuple[str, int, str], int] = {}

    def compare(group: str, schedule: int, name: str, row: int, raw_epoch: int, seed: int, value: float) -> None:
        column = content.datasets[group].schedules[schedule][name]
        stored = column.values[row, column.epochs.index(raw_epoch + 1), seeds[str(schedule)].index(seed)]
        if column.images is None:
            assert stored == np.float32(value)
        else:
            assert abs(stored - value / 100 * column.images) < 1e-4
        recorded[group, schedule, name] = recorded.get((group, schedule, name), 0) + 1

    for row, states in enumerate(raw):
        for hp, state in states.items():
            for (dataset, seed), trial in state["all_results"].items():
                curves = {("train", e, "accuracy"): v for e, v in trial["train_acc1es"].items()}
                curves |= {("train", e, "top5_accuracy"): v for e, v in (trial["train_acc5es"] or {}).items()}
                curves |= {("train", e, "loss"): v for e, v in trial["train_losses"].items()}
                for key, quantity in (("eval_acc1es", "accuracy"), ("eval_losses", "loss")):
                    for where, value in trial[key].items():
                        split, epoch = where.split("@")
                        curves[split, int(epoch), quantity] = value
                for (split, epoch, quantity), value in curves.items():
                    group, metric, suffix = NAMES[dataset, split]
                    compare(group, int(hp), f"{metric}_{quantity}{suffix}", row, epoch, seed, value)
    for group, found in content.datasets.items():
        for schedule, columns in found.schedules.items():
            for name, column in columns.items():
                if column.unit != "seconds":
                    missing = tables.missing_value(column.values.dtype)
                    present = np.isfinite(column.values) if column.images is None else column.values != missing
                    assert present.sum() == recorded[group, schedule, name], (group, schedule, name)


def test_every_accuracy_and_loss_of_the_samples(real):
    _, raw, content = real
    check_every_value(content, raw, content.report["seeds of the runs"])


def test_every_time_and_cost_of_the_samples(real):
    _, raw, content = real
    for row, states in enumerate(raw):
        for hp, state in states.items():
            for (dataset, _), trial in state["all_results"].items():
                group, suffix = NAMES[dataset, "train"][0], TIMES[dataset]
                columns, schedule = content.datasets[group].columns, content.datasets[group].schedules[int(hp)]
                time = schedule[f"training_time{suffix}"]
                assert {*trial["train_times"].values()} == {time.values[row].item()}  # stored once
                assert time.per_epoch
                assert time.epochs == tuple(range(1, int(hp) + 1))
                for where, seconds in trial["eval_times"].items():
                    _, metric, of = NAMES[dataset, where.split("@")[0]]
                    assert columns[f"{metric}_time{of}"].values[row] == seconds
                assert [columns[f"latency{suffix}"].values[row]] == trial["latency"]
                assert columns["parameters"].values[row] == round(trial["params"] * 1e6)
                assert columns["flops"].values[row] == round(trial["flop"] * 1e6)
    assert content.report["architectures whose parameter count differs from the formula"] == {}
    assert content.report["architectures whose flops differ from the formula"] == {}


def test_images_and_splits_of_the_samples(real):
    _, _, content = real
    for (dataset, split), (group, metric, suffix) in NAMES.items():
        for columns in content.datasets[group].schedules.values():
            column = columns[f"{metric}_accuracy{suffix}"]
            assert column.images == IMAGES[dataset, split]
            trained, evaluated = column.trained_on, column.evaluated_on
            assert {"cifar10-valid": "25,000", "ImageNet16-120": "151,700"}.get(dataset, "50,000") in trained
            assert split in evaluated or split == "train"
    assert [*content.datasets] == ["cifar10", "cifar100", "ImageNet16-120"]


def test_epochs_where_the_samples_have_a_metric(real):
    """The table of which metric exists at which epoch (facts B.4)."""
    space, _, content = real
    last_only = {"cifar10": {"test_accuracy_25k"}, "cifar100": {"validation_accuracy", "test_accuracy"}}
    last_only["ImageNet16-120"] = last_only["cifar100"]
    for group, found in content.datasets.items():
        for schedule, columns in found.schedules.items():
            for name, column in columns.items():
                last = (space, schedule) == ("tss", 200) and name.replace("loss", "accuracy") in last_only[group]
                assert column.epochs == ((200,) if last else tuple(range(1, schedule + 1))), (group, schedule, name)
    expected = {"12": [111, 777], "200": [777, 888, 999]} if space == "tss" else {"1": [777], "90": [777]}
    assert content.report["seeds of the runs"].items() >= expected.items()


def test_published_cost_of_one_evaluation(tmp_path):
    """facts B.6: training of 12 epochs and one validation of architecture 0, in seconds."""
    tables.write(tmp_path / "tss.h5", convert(samples("tss")))
    published = {"cifar10": 89.2020952247438, "cifar100": 173.81602782294863, "ImageNet16-120": 526.1169853222713}
    for dataset, seconds in published.items():
        table = Table(tmp_path / "tss.h5", dataset)
        found = table.query(0, schedule=12).training_time + table.column("validation_time")[0]
        assert found == pytest.approx(seconds, rel=1e-14)
    table = Table(tmp_path / "tss.h5")
    assert table.query(0).training_time == pytest.approx(1444.2185997962952, rel=1e-14)
    first = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert (table.query(first).parameters, table.query(first).flops) == (129_306, 15_647_370)


@pytest.mark.parametrize("space", ["tss", "sss"])
def test_answers_of_the_package_nats_bench(space, tmp_path):
    """Every data set, schedule and seed of architecture 11, at some epochs."""
    package = pytest.importorskip("nats_bench", reason="the peer nats-bench is not installed")
    api = package.create(str(samples(space)), space, fast_mode=True, verbose=False)
    tables.write(tmp_path / "table.h5", convert(samples(space)))
    compared = 0
    for dataset in CLASSES:
        table = Table(tmp_path / "table.h5", NAMES[dataset, "train"][0])
        row = table.row(api.arch(11))
        splits = {"train": "train", "valid": "x-valid", "test": "x-test", "valtest": "ori-test"}
        if dataset in ("cifar10-valid", "cifar10"):
            splits["test"] = "ori-test"
        for hp, epochs in EPOCHS[space].items():
            seeds = table.report["seeds of the runs"][str(epochs)]
            for epoch in {0, epochs // 2, max(0, epochs - 2), epochs - 1}:
                for seed in official_seeds(space, hp, dataset):
                    where = {"schedule": epochs, "epoch": epoch + 1, "run": seeds.index(seed)}
                    for key, value in api.get_more_info(11, dataset, iepoch=epoch, hp=hp, is_random=seed).items():
                        kind, _, quantity = key.partition("-")
                        if quantity:
                            check_answer(table, row, dataset, splits[kind], quantity, value, where)
                            compared += 1
    assert compared > 500


def check_answer(
    table: Table, row: int, dataset: str, split: str, quantity: str, value: float, where: dict[str, int]
) -> None:
    _, metric, suffix = NAMES[dataset, split]
    if quantity in ("accuracy", "loss"):
        found = table.column(f"{metric}_{quantity}{suffix}", **where)[row]
        assert found * (100 if quantity == "accuracy" else 1) == pytest.approx(value, rel=1e-7, abs=1e-7)
    elif metric == "train":
        total = table.column(f"training_time{TIMES[dataset]}", **where)[row]
        assert (total if quantity == "all-time" else total / where["epoch"]) == pytest.approx(value, rel=1e-12)
    else:
        each = table.column(f"{metric}_time{suffix}")[row]
        assert each * (where["epoch"] if quantity == "all-time" else 1) == pytest.approx(value, rel=1e-12)


# From here on files with random figures, written as the authors write theirs.


@given(st.sampled_from(sorted(set(IMAGES.values()))), st.floats(0, 1), st.integers(0, 2**32 - 1))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_a_count_survives_the_rounding_of_the_source(images, mean, seed):
    """Percentages of batches in single precision, averaged in double precision, stay far from half an image."""
    rng = np.random.default_rng(seed)
    sizes = np.array([min(256, images - start) for start in range(0, images, 256)])
    correct = rng.binomial(sizes, mean)
    batches = np.float32(correct) * np.float32(100.0 / sizes)
    average = float(sum(float(p) * int(n) for p, n in zip(batches, sizes, strict=True)) / images)
    assert abs(average / 100 * images - correct.sum()) < 5e-5


def test_counts_and_gaps(folder, drawn):
    """Every drawn count comes back; the run that an architecture lacks is missing, and no other."""
    states, counts = drawn
    content = convert(folder)
    check_every_value(content, [*states.values()], content.report["seeds of the runs"])
    schedule = content.datasets["cifar10"].schedules[12]
    for name, split in (("validation_accuracy", "x-valid"), ("test_accuracy_25k", "ori-test")):
        values = schedule[name].values
        assert (values[0, :, 0] == tables.missing_value(values.dtype)).all()
        for row, index in enumerate(states):
            for run, seed in enumerate((777, 888, 999)):
                if (row, run) != (0, 0):
                    expected = [*counts[index]["12", "cifar10-valid", seed, split].values()]
                    assert values[row, :, run].tolist() == expected
    assert np.isnan(content.datasets["ImageNet16-120"].schedules[12]["train_loss"].values[0, :, 2]).all()
    runs = content.report["runs"]
    assert runs["cifar10-valid, schedule 12"] == {
        "architectures with 0 runs": 0,
        "architectures with 2 runs": 1,
        "architectures with 3 runs": 1,
    }
    assert runs["cifar10, schedule 12"] == {"architectures with 0 runs": 0, "architectures with 3 runs": 2}


def test_a_table_of_what_is_there(folder, tmp_path):
    """Two of 32,768: the table holds these, and its report says so."""
    content = convert(folder)
    tables.write(tmp_path / "table.h5", content)
    table = Table(tmp_path / "table.h5")
    assert [table.space.format(a) for a in table] == [texts("sss")[5], texts("sss")[40]]
    assert table.report["architectures"] == 2
    assert table.report["architectures of the search space"] == 32_768
    assert table.report["first missing indexes"] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    first_run = {name: table.column(name, schedule=12, run=0)[0] for name in ("validation_accuracy", "test_accuracy")}
    assert np.isnan(first_run["validation_accuracy"])
    assert 0 <= first_run["test_accuracy"] <= 1
    assert table.query(5, schedule=12, epoch=3).training_time == pytest.approx(3 * 5.1)
    listing = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())
    )
    assert table.source["sha256"].split()[-1] == hashlib.sha256(listing.encode()).hexdigest()


def test_names_without_zeros_in_front(folder, tmp_path):
    """As nats_bench also reads them; the order is that of the indexes."""
    for path in folder.iterdir():
        (tmp_path / path.name.lstrip("0")).write_bytes(path.read_bytes())
    assert {path.name for path in tmp_path.iterdir()} == {"meta.pickle.pbz2", "5.pickle.pbz2", "40.pickle.pbz2"}
    assert columns_of(convert(tmp_path)) == columns_of(convert(folder))


def test_processes_do_not_change_the_result(folder, tmp_path):
    for processes in (1, 2):
        tables.write(tmp_path / f"{processes}.h5", convert(folder, processes=processes))
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()


def test_the_single_file_holds_the_same(folder, drawn, tmp_path):
    states, _ = drawn
    everything = meta("sss") | {"arch2infos": dict(reversed(states.items())), "evaluated_indexes": {*states}}
    path = pack(tmp_path / "NATS-sss.pickle.pbz2", everything)
    seen: list[tuple[int, int]] = []
    content = convert(path, progress=lambda *at: seen.append(at))
    assert columns_of(content) == columns_of(convert(folder))
    assert seen == [(1, 32_768), (2, 32_768)]  # how many come is known at the end only
    assert content.source["sha256"] == f"NATS-sss.pickle.pbz2 {hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_other_seeds_and_epochs_that_come_later_find_room(tmp_path):
    """The first architecture has the fewest runs and epochs; no value moves when the others come."""
    states = {index: Figures(index).states("tss", index) for index in (3, 7)}
    for dataset in CLASSES:
        forget(states[3], "200", dataset, 888)
    for key in ("eval_acc1es", "eval_losses"):
        states[7]["200"]["all_results"]["cifar100", 999][key]["x-test@99"] = 50.0
    content = convert(write_folder(tmp_path / "tss", "tss", states))
    assert content.report["seeds of the runs"] == {"12": [111, 777], "200": [777, 888, 999]}
    assert content.datasets["cifar100"].schedules[200]["test_accuracy"].epochs == (100, 200)
    check_every_value(content, [*states.values()], content.report["seeds of the runs"])


def test_times_that_differ_stay_apart(tmp_path):
    """Between epochs, runs and schedules: nothing is averaged, and nothing that was measured is dropped."""
    states = {1: Figures().states("tss", 1, seconds=2.0), 2: Figures().states("tss", 2, seconds=3.0)}
    results = states[1]["200"]["all_results"]
    results["cifar10-valid", 888]["train_times"] = OrderedDict((e, 2.0 + e) for e in range(200))
    results["cifar10-valid", 888]["latency"] = [1.0, 2.0, 6.0]
    results["cifar10-valid", 777]["eval_times"]["x-valid@7"] = 9.0
    content = convert(write_folder(tmp_path / "tss", "tss", states)).datasets["cifar10"]
    time = content.schedules[200]["training_time"].values
    assert time.shape == (2, 200, 3)
    np.testing.assert_allclose(time[0, :, 1], np.cumsum(2.0 + np.arange(200)), rtol=1e-14)
    np.testing.assert_allclose(time[0, :, [0, 2]], [2.0 * np.arange(1, 201)] * 2, rtol=1e-14)
    np.testing.assert_allclose(time[1], np.repeat(3.0 * np.arange(1, 201)[:, None], 3, axis=1), rtol=1e-14)
    assert content.schedules[200]["training_time_50k"].per_epoch
    assert content.schedules[200]["training_time_50k"].values.tolist() == [[[2.0]], [[3.0]]]
    assert content.schedules[200]["latency"].values[:, 0].tolist() == [[0.02, 3.0, 0.02], [0.03] * 3]
    assert content.schedules[12]["latency"].values[:, 0].tolist() == [[0.02], [0.03]]
    assert content.columns["latency_50k"].values.tolist() == [0.02, 0.03]
    evaluation = content.schedules[200]["validation_time"].values
    assert evaluation[0, 7].tolist() == [9.0, 0.05, 0.05]
    assert evaluation[1, 7].tolist() == [0.075] * 3
    assert content.columns["test_time"].values.tolist() == [0.02, 0.03]


def test_what_the_report_counts(tmp_path):
    states = {1: Figures().states("tss", 1), 2: Figures().states("tss", 2)}
    results = states[2]["200"]["all_results"]
    results["cifar10", 777]["params"] = np.float64(0.5)
    results["cifar100", 888]["flop"] = 1.5
    results["cifar100", 888]["train_losses"] |= {17: float("nan"), 18: -1e300}
    for index, accuracies in ((1, (92.0, 93.0, 94.0)), (2, (10.0, 10.01, 9.99))):
        for seed, accuracy in zip((777, 888, 999), accuracies, strict=True):
            states[index]["200"]["all_results"]["cifar10", seed]["eval_acc1es"]["ori-test@199"] = accuracy
    content = convert(write_folder(tmp_path / "tss", "tss", states))
    losses = content.datasets["cifar100"].schedules[200]["train_loss"].values
    assert losses[1, 18, 1] == -np.inf
    assert np.argwhere(np.isnan(losses)).tolist() == [[1, 17, 1]]
    report = content.report
    assert report["architectures whose parameter count differs from the formula"] == {
        "cifar10, schedule 200, seed 777": 1
    }
    assert report["architectures whose flops differ from the formula"] == {"cifar100, schedule 200, seed 888": 1}
    assert report["losses that are not finite"] == 2
    best = report["cifar10"]["test_accuracy"]
    assert best["runs at or below chance"] == 2
    assert (best["best mean"], best["architecture"]) == (pytest.approx(0.93), texts("tss")[1])
