from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from _plain_tfrecord import field, framed, payloads, trainings

from nasbench import tables
from nasbench.errors import ConversionError
from nasbench.metrics import Metric
from nasbench.sources.nasbench101.converter import convert
from nasbench.tables.table import Table

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
FILE = DATA / "ec_nas" / "energy_4V9E.tfrecord"
needs_sample = pytest.mark.skipif(not DATA.is_dir(), reason="the samples ../shared/data are not here")

FIELDS = {
    2: "training_time",
    3: "train_accuracy",
    4: "validation_accuracy",
    5: "test_accuracy",
    6: "energy",
    7: "co2",
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = tmp_path_factory.mktemp("ec_nas") / "table.h5"
    tables.write(path, convert(FILE))
    return Table(path)


@needs_sample
def test_every_value_is_that_of_the_file(table: Table) -> None:
    raw = trainings(FILE.read_bytes())
    hashes = sorted({training["hash"] for training in raw})
    assert (len(raw), len(table)) == (1092, 91)
    seen: dict[tuple[str, int], int] = {}
    for training in raw:
        schedule, row = training["epochs"], hashes.index(training["hash"])
        run = seen[training["hash"], schedule] = seen.get((training["hash"], schedule), -1) + 1
        assert table.column("parameters")[row] == training["parameters"]
        for epoch, values in zip((1, schedule), training["evaluations"][1:], strict=True):
            assert values[1] == epoch
            for number, metric in FIELDS.items():
                found = table.column(metric, schedule=schedule, epoch=epoch, run=run)[row]
                exact = np.float32(found) if metric.endswith("accuracy") else found
                assert exact == values[number], (training["hash"], schedule, epoch, run, metric)
    assert set(seen.values()) == {2}
    assert len(seen) == 91 * 4


@needs_sample
def test_units_epochs_and_source(table: Table) -> None:
    described = table.describe()
    for schedule in (4, 12, 36, 108):
        for metric, unit in (("energy", "kWh"), ("co2", "g"), ("training_time", "seconds")):
            info = described[f"{metric}@{schedule}"]
            assert (info.unit, info.epochs, info.shape) == (unit, (1, schedule), (91, 2, 3))
        # Decimal fractions need double precision; the seconds come from a single-precision variable.
        assert described[f"energy@{schedule}"].dtype == np.float64
        assert described[f"training_time@{schedule}"].dtype == np.float32
    assert table.source["name"] == "EC-NAS, energy_4V9E.tfrecord"
    assert "EC-NAS-Bench" in table.source["address"]
    assert "MIT" in table.source["licence"]


@needs_sample
def test_energy_is_an_objective_of_each_training(table: Table) -> None:
    """What a search hears is the energy of the run that it saw, not known before; its unit is the source's."""
    assert table.metric("energy") == Metric("energy", "kWh", "lower")
    assert table.metric("co2") == Metric("co2", "g", "lower")
    assert [table.known(name) for name in ("energy", "co2", "parameters")] == [False, False, True]
    raw = trainings(FILE.read_bytes())
    hashes = sorted({training["hash"] for training in raw})
    for schedule in (4, 12, 36, 108):
        used = [t["evaluations"][2] for t in raw if t["hash"] == hashes[7] and t["epochs"] == schedule]
        for run, values in enumerate(used):
            where = {"schedule": schedule, "epoch": schedule, "run": run}
            assert table.value(table.at_row(7), "energy", **where) == values[6]
            assert table.query(table.at_row(7), **where).training_time == values[2]


@needs_sample
def test_report(table: Table) -> None:
    raw = trainings(FILE.read_bytes())
    assert table.report["records"] == 1092
    assert table.report["records whose parameter count differs from the formula"]["number"] == 0
    found = table.report["cifar10"]["schedule 108"]
    assert [found[f"architectures with {k} runs"] for k in range(4)] == [0, 0, 0, 91]
    used: dict[str, float] = {}
    for training in raw:
        if training["epochs"] == 108:
            used[training["hash"]] = used.get(training["hash"], 0) + training["evaluations"][2][6] / 3
    best = min(used, key=used.__getitem__)
    assert found["energy"] == {"at": best, "optimum of the means": pytest.approx(used[best])}


@needs_sample
def test_nasbench101_and_ec_nas_do_not_mix(tmp_path: Path) -> None:
    first = payloads(FILE.read_bytes())[0]
    second = payloads((DATA / "nb101_tfrecord" / "synth_full.tfrecord").read_bytes())[0]
    path = tmp_path / "mixed.tfrecord"
    for records in ((first, second), (second, first)):
        path.write_bytes(b"".join(map(framed, records)))
        with pytest.raises(ConversionError, match=r"record 1 at byte \d+: it has (no )?energy"):
            convert(path)


# Files with other epochs, and files of means, made here byte by byte. EC-NAS's own script, generate_dataset_energy.py,
# takes the mean of three single-precision numbers of NAS-Bench-101 in double precision, at all three evaluations.

CELLS = [  # hashes that the authors of NAS-Bench-101 published, or that take a minute by hand
    (
        "00005c142e6f48ac74fdcf73e3439874",
        "0100110001000000010010000010000001000000010000000",
        "input,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output",
    ),
    ("043721b9c7fe8c5fad811d47d83132ec", "0100", "input,output"),
]
NAMES = ("train_accuracy", "validation_accuracy", "test_accuracy")


def single(count: int) -> float:
    return float(np.float32(count) / np.float32(9984))


def mean(counts: Sequence[int]) -> float:
    return float(np.mean([single(count) for count in counts]))


def made(cell: int, epochs: Sequence[float], accuracies: Sequence[Sequence[float]], *, seconds: float = 10.0) -> bytes:
    """A record of three evaluations; the energy is a hundredth of the seconds, the mass of CO2 three times them."""
    evaluations = [
        b"".join(
            field(number, float(value))
            for number, value in enumerate(
                (epoch, seconds * epoch, *found, seconds * epoch / 100, seconds * epoch * 3), 1
            )
        )
        for epoch, found in zip(epochs, accuracies, strict=True)
    ]
    message = b"".join(field(1, evaluation) for evaluation in evaluations) + field(2, 8_555_530)
    name, adjacency, operations = CELLS[cell]
    return json.dumps([name, int(epochs[-1]), adjacency, operations, base64.encodebytes(message).decode()]).encode()


def file_of(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(map(framed, records)))
    return path


def counted(first: int) -> list[list[float]]:
    """Accuracies of the three evaluations: chance, then these counts and the two above, then a thousand more."""
    return [[single(998)] * 3] + [[single(first + more + i) for i in range(3)] for more in (0, 1000)]


@pytest.mark.parametrize(
    "epochs", [(0, 2, 4), (0, 2, 12), (0, 1, 36), (0, 107, 108), (0, 1, 2), (0, 13, 200), (0, 1, 10**6)]
)
def test_any_epochs_are_read_from_the_file(tmp_path: Path, epochs: tuple[int, int, int]) -> None:
    path = file_of(
        tmp_path / "energy_4V9E_4epochs.tfrecord",
        *(made(cell, epochs, counted(5000 + 10 * cell), seconds=7.0 + cell) for cell in (1, 0)),
    )
    tables.write(tmp_path / "table.h5", convert(path))
    table = Table(tmp_path / "table.h5")
    _, middle, last = epochs
    assert [(at.schedule, at.epoch) for at in table.fidelities] == [(last, middle), (last, last)]
    for row in range(2):
        for epoch, more in ((middle, 0), (last, 1000)):
            answer = table.query(table.at_row(row), schedule=last, epoch=epoch)
            for i, metric in enumerate(NAMES):
                assert (
                    table.column(metric, schedule=last, epoch=epoch, run=0)[row] == (5000 + 10 * row + more + i) / 9984
                )
            assert answer.training_time == (7 + row) * epoch
            assert table.column("energy", schedule=last, epoch=epoch, run=0)[row] == (7 + row) * epoch / 100
            assert table.column("co2", schedule=last, epoch=epoch, run=0)[row] == (7 + row) * epoch * 3


def test_one_schedule_with_several_middle_epochs_holds_them_all(tmp_path: Path) -> None:
    path = file_of(
        tmp_path / "file.tfrecord",
        made(0, (0, 2, 12), counted(3000)),
        made(1, (0, 6, 12), counted(4000)),
        made(0, (0, 1, 12), counted(5000)),
        made(1, (0, 2, 4), counted(6000)),
    )
    content = convert(path)
    twelve = content.datasets["cifar10"].schedules[12]["train_accuracy"]
    none = 65535
    assert twelve.epochs == (1, 2, 6, 12)
    assert twelve.values.tolist() == [
        [[none, 5000], [3000, none], [none, none], [4000, 6000]],
        [[none, none], [none, none], [4000, none], [5000, none]],
    ]
    four = content.datasets["cifar10"].schedules[4]
    assert four["validation_accuracy"].values.tolist() == [[[none, none], [none, none]], [[6001, none], [7001, none]]]
    np.testing.assert_array_equal(four["energy"].values[1], [[0.2, np.nan], [0.4, np.nan]])


def test_no_more_pairs_of_epochs_than_any_file_has(tmp_path: Path) -> None:
    records = [made(0, (0, n, n + 1), counted(3000)) for n in range(1, 17)]
    assert len(convert(file_of(tmp_path / "file.tfrecord", *records)).datasets["cifar10"].schedules) == 16
    records.append(made(0, (0, 1, 30), counted(3000)))
    with pytest.raises(ConversionError, match=r"record 16 at byte \d+: its schedule has 30 epochs .*; 16 other pairs"):
        convert(file_of(tmp_path / "file.tfrecord", *records))


@pytest.mark.parametrize(
    "epochs", [(0, 0, 4), (0, 4, 4), (0, 5, 4), (1, 2, 4), (0, 1.5, 4), (0, math.nan, 4), (0, -1, 4), (0, 1, 10**9)]
)
def test_epochs_out_of_order_are_refused(tmp_path: Path, epochs: tuple[float, float, float]) -> None:
    with pytest.raises(ConversionError, match=r"record 0 at byte 0: its evaluations are at epochs"):
        convert(file_of(tmp_path / "file.tfrecord", made(0, epochs, counted(3000))))


def means(counts: Sequence[Sequence[int]]) -> list[list[float]]:
    """The same accuracies at all evaluations, as the script of EC-NAS gives them."""
    return [[mean(three) for three in counts]] * 3


REPEATED = [  # train, validation and test counts of three repeats
    [(9984, 9984, 9984), (9001, 9002, 9004), (8999, 9000, 8998)],
    [(5000, 5001, 5001), (4000, 4000, 4001), (996, 997, 999)],
]


def test_means_over_three_repeats_are_stored_exactly_and_said_to_be_means(tmp_path: Path) -> None:
    path = file_of(
        tmp_path / "energy_4V9E_linscale.tfrecord",
        *(made(cell, (0, 2, n), means(REPEATED[cell])) for n in (4, 12) for cell in (0, 1)),
    )
    tables.write(tmp_path / "table.h5", convert(path))
    table = Table(tmp_path / "table.h5")
    described = table.describe()
    for n in (4, 12):
        for i, metric in enumerate(NAMES):
            info = described[f"{metric}@{n}"]
            # What stands at epoch 2 is the accuracy at the end: nothing was measured there.
            assert (info.images, info.epochs, info.shape) == (29_952, (n,), (2, 1, 1))
            assert info.evaluated_on.endswith("; the mean over 3 repeats, counted over 3 x 9,984 images")
            found = table.column(metric, schedule=n, epoch=n, run=0).tolist()
            assert found == [float(Fraction(sum(REPEATED[row][i]), 29_952)) for row in (0, 1)]
        assert described[f"energy@{n}"].epochs == (2, n)
        assert table.column("energy", schedule=n, epoch=2, run=0).tolist() == [0.2, 0.2]
        assert table.query(table.at_row(0), schedule=n, epoch=n).training_time == 10 * n
    # Sums that are no multiple of three: 9001 + 9002 + 9004, and all of the other cell; each at two evaluations.
    said = {key: value for key, value in table.report.items() if key.startswith("accuracies are means over 3 repeats")}
    assert [*said.values()] == [f"{2 * 2 * (1 + 3)} of {4 * 6}"]
    found = table.report["cifar10"]["schedule 12"]
    assert (found["architectures with 1 runs"], found["validation_accuracy"]["at"]) == (2, CELLS[0][0])
    assert found["validation_accuracy"]["optimum of the means"] == pytest.approx(27_007 / 29_952, rel=1e-15)
    assert found["test_accuracy"]["runs at chance level"] == 1


def test_means_that_were_measured_in_the_middle_stay_there(tmp_path: Path) -> None:
    early, late = means(REPEATED[1])[0], means(REPEATED[0])[0]
    content = convert(file_of(tmp_path / "file.tfrecord", made(0, (0, 1, 4), [early, early, late])))
    column = content.datasets["cifar10"].schedules[4]["test_accuracy"]
    assert (column.epochs, column.images) == ((1, 4), 29_952)
    assert column.values.tolist() == [[[996 + 997 + 999], [8999 + 9000 + 8998]]]


def test_counts_before_the_first_fraction_are_taken_threefold_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nasbench.sources.readers.tfrecord._CHUNK", 1)  # a block for each record
    records = [made(0, (0, 1, n), counted(3000)) for n in (4, 12)]
    records.insert(1, made(0, (0, 1, 5), means(REPEATED[0])))
    schedules = convert(file_of(tmp_path / "file.tfrecord", *records)).datasets["cifar10"].schedules
    for n in (4, 12):
        assert schedules[n]["train_accuracy"].values.tolist() == [[[9000], [12000]]]
    assert schedules[5]["validation_accuracy"].values.tolist() == [[[27007]]]


def test_a_second_mean_of_one_training_is_refused(tmp_path: Path) -> None:
    records = [made(0, (0, 1, 4), counted(3000)), made(0, (0, 1, 4), means(REPEATED[0]))]
    with pytest.raises(
        ConversionError, match=r"record 1 is a second mean over the trainings of cell 00005c14.* 4 epochs"
    ):
        convert(file_of(tmp_path / "file.tfrecord", *records))


def test_what_is_neither_a_count_nor_a_mean_is_refused(tmp_path: Path) -> None:
    exact = counted(3000)
    for off, number in ((1e-4, 1), (7e-8, 1), (1e-9, 0), (-1e-9, 0)):
        # A billionth beside a count is no count; it may be a mean only where others are.
        wrong = [exact[0], exact[1], [exact[2][0], single(5000) + off, exact[2][2]]]
        records = [made(1, (0, 1, 4), exact), made(0, (0, 1, 4), wrong)]
        with pytest.raises(ConversionError, match=r"record 1 at byte \d+: validation_accuracy of the last .* no whole"):
            convert(file_of(tmp_path / "file.tfrecord", *records))
        records.append(made(0, (0, 1, 12), means(REPEATED[0])))
        if number == 0:
            content = convert(file_of(tmp_path / "file.tfrecord", *records))
            last = content.datasets["cifar10"].schedules[4]["validation_accuracy"].values[:, -1, 0]
            assert last.tolist() == [15_000, 3 * 4001]
        else:
            with pytest.raises(ConversionError, match=r"record 1 at byte"):
                convert(file_of(tmp_path / "file.tfrecord", *records))
