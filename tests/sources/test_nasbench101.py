import base64
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _plain_tfrecord import checksum, field, framed, payloads, trainings, varint
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench import tables
from nasbench.errors import ConversionError
from nasbench.sources.nasbench101.converter import convert
from nasbench.sources.readers.tfrecord import crc32c
from nasbench.spaces.nb101 import NB101
from nasbench.tables import TableContent
from nasbench.tables.table import Table

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "nb101_tfrecord"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples ../shared/data are not here")

FIELDS = {2: "training_time", 3: "train_accuracy", 4: "validation_accuracy", 5: "test_accuracy"}

# Hashes and parameter counts that the authors published: a record of the official file, the README's example, issue 23.
OFFICIAL = ("00005c142e6f48ac74fdcf73e3439874", 8_555_530)
OFFICIAL_CELL = (
    "0100110001000000010010000010000001000000010000000",
    "input,conv3x3-bn-relu,maxpool3x3,conv3x3-bn-relu,conv3x3-bn-relu,conv1x1-bn-relu,output",
)
INCEPTION = ("28cfc7874f6d200472e1a9dcd8650aa0", 2_694_282)
INCEPTION_CELL = (
    "0111010000000100000010000100000000100000010000000",
    "input,conv1x1-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,conv3x3-bn-relu,maxpool3x3,output",
)


def single(count: float) -> float:
    """A fraction of 9,984 images as the official files hold it: a quotient in single precision, stored as a double."""
    return float(np.float32(count) / np.float32(9984))


def evaluation(epoch: float, seconds: float, counts: tuple[float, float, float], extra: bytes = b"") -> bytes:
    numbers = (float(epoch), float(seconds), *map(single, counts))
    return b"".join(field(i, value) for i, value in enumerate(numbers, start=1)) + extra


def metrics(schedule: int, count: float = 9000, *, parameters: int = OFFICIAL[1], seconds: float = 8.5) -> bytes:
    evaluations = [
        evaluation(0, 0.5, (998, 998, 998), field(6, b"")),
        evaluation(schedule / 2, seconds / 2, (count - 1, count - 2, count - 3), field(6, b"path")),
        evaluation(schedule, seconds, (count, count + 1, count + 2)),
    ]
    return b"".join(field(1, message) for message in evaluations) + field(2, parameters) + field(3, 99.5)


def record(message: bytes, schedule: Any = 4, name: str = OFFICIAL[0], cell: tuple[str, str] = OFFICIAL_CELL) -> bytes:
    return json.dumps([name, schedule, *cell, base64.b64encode(message).decode()]).encode()


def write(path: Path, *payloads: bytes) -> Path:
    path.write_bytes(b"".join(map(framed, payloads)))
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nasbench101") / "file.tfrecord"


def convert_records(scratch: Path, *payloads: bytes) -> TableContent:
    return convert(write(scratch, *payloads))


@needs_samples
@pytest.mark.parametrize(
    ("name", "schedules"), [("synth_full.tfrecord", [4, 12, 36, 108]), ("synth_only108.tfrecord", [108])]
)
def test_every_value_of_the_samples(name: str, schedules: list[int], tmp_path: Path) -> None:
    raw = trainings((SAMPLES / name).read_bytes())
    path = tmp_path / "table.h5"
    tables.write(path, convert(SAMPLES / name))
    table = Table(path)
    hashes = sorted({training["hash"] for training in raw})
    assert sorted({fidelity.schedule for fidelity in table.fidelities}) == schedules
    assert len(table) == len(hashes) == 6
    seen: dict[tuple[str, int], int] = {}
    compared = 0
    for training in raw:
        schedule, row = training["epochs"], hashes.index(training["hash"])
        run = seen[training["hash"], schedule] = seen.get((training["hash"], schedule), -1) + 1
        assert table.column("parameters")[row] == training["parameters"]
        for epoch, values in zip((schedule // 2, schedule), training["evaluations"][1:], strict=True):
            assert values[1] == epoch
            for number, metric in FIELDS.items():
                found = table.column(metric, schedule=schedule, epoch=epoch, run=run)[row]
                assert np.float32(found) == values[number], (training["hash"], schedule, epoch, run, metric)
                compared += 1
            answer = table.query(tuple(table.architectures[row].tolist()), schedule=schedule, epoch=epoch, run=run)
            assert answer.training_time == values[2]
    assert compared == len(raw) * 8
    assert set(seen.values()) == {2}
    space = NB101()
    assert [str(h) for h in space.hash_many(table.architectures)] == hashes
    given_cells = {t["hash"]: space.from_cell(digits(t["adjacency"]), t["operations"].split(",")) for t in raw}
    assert [tuple(row) for row in table.architectures.tolist()] == [given_cells[name] for name in hashes]


def digits(adjacency: str) -> np.ndarray:
    side = round(len(adjacency) ** 0.5)
    return np.array(list(map(int, adjacency))).reshape(side, side)


@needs_samples
def test_report_of_a_sample() -> None:
    raw = trainings((SAMPLES / "synth_full.tfrecord").read_bytes())
    report = convert(SAMPLES / "synth_full.tfrecord").report
    assert (report["records"], report["architectures"]) == (72, 6)
    assert report["records that repeat another one"] == {"number": 0, "first": []}
    assert report["records whose parameter count differs from the formula"]["number"] == 0
    for schedule in (4, 12, 36, 108):
        found = report["cifar10"][f"schedule {schedule}"]
        assert [found[f"architectures with {k} runs"] for k in range(4)] == [0, 0, 0, 6]
        for number, metric in FIELDS.items():
            runs: dict[str, list[float]] = {}
            for training in raw:
                if training["epochs"] == schedule:
                    runs.setdefault(training["hash"], []).append(training["evaluations"][2][number])
            means = {name: sum(values) / 3 for name, values in runs.items()}
            best = (min if number == 2 else max)(means, key=means.__getitem__)
            assert found[metric]["at"] == best
            assert found[metric]["optimum of the means"] == pytest.approx(means[best], rel=1e-7)


def test_values_splits_and_source(scratch: Path) -> None:
    content = convert_records(scratch, record(metrics(4)), record(metrics(12, 5000), 12))
    columns, schedules = content.datasets["cifar10"]
    assert (content.space, list(content.datasets), list(schedules)) == ("nb101", ["cifar10"], [4, 12])
    assert columns["parameters"].values.tolist() == [OFFICIAL[1]]
    four = schedules[4]
    assert list(four) == ["train_accuracy", "validation_accuracy", "test_accuracy", "training_time"]
    assert four["validation_accuracy"].values[0, :, 0].tolist() == [8998, 9001]
    assert (four["test_accuracy"].images, four["test_accuracy"].epochs) == (9984, (2, 4))
    assert schedules[12]["training_time"].epochs == (6, 12)
    np.testing.assert_array_equal(four["training_time"].values[0], [[4.25], [8.5]])
    assert "batch 5" in four["validation_accuracy"].evaluated_on
    assert "test images" in four["test_accuracy"].evaluated_on
    assert content.source["name"].startswith("file.tfrecord, in the format of NAS-Bench-101, but none of its published")
    assert re.fullmatch(r"file\.tfrecord [0-9a-f]{64}", content.source["sha256"])


def test_single_precision_only_where_nothing_is_lost(scratch: Path) -> None:
    exact = convert_records(scratch, record(metrics(4, seconds=float(np.float32(8.1)))))
    assert exact.datasets["cifar10"].schedules[4]["training_time"].values.dtype == np.float32
    finer = convert_records(scratch, record(metrics(4, seconds=8.1)))
    column = finer.datasets["cifar10"].schedules[4]["training_time"].values
    assert column.dtype == np.float64
    assert column[0, 1, 0] == 8.1


def test_runs_are_numbered_in_file_order_and_missing_ones_masked(scratch: Path) -> None:
    other = {"name": INCEPTION[0], "cell": INCEPTION_CELL}
    content = convert_records(
        scratch,
        record(metrics(4, 3000)),
        record(metrics(4, 2000, parameters=INCEPTION[1]), **other),
        record(metrics(4, 1000)),
        record(metrics(12, 7000), 12),
        record(metrics(4, 2500)),
    )
    schedules = content.datasets["cifar10"].schedules
    assert schedules[4]["train_accuracy"].values[:, 1].tolist() == [[3000, 1000, 2500], [2000, 65535, 65535]]
    assert schedules[12]["train_accuracy"].values[:, 1].tolist() == [[7000, 65535, 65535], [65535] * 3]
    assert np.isnan(schedules[12]["training_time"].values[1]).all()
    found = content.report["cifar10"]
    assert [found["schedule 4"][f"architectures with {k} runs"] for k in range(4)] == [0, 1, 0, 1]
    assert [found["schedule 12"][f"architectures with {k} runs"] for k in range(4)] == [1, 1, 0, 0]


def test_a_repeated_record_is_told_and_not_stored_twice(scratch: Path) -> None:
    runs = [record(metrics(4, count)) for count in (3000, 4000, 5000)]
    content = convert_records(scratch, runs[0], runs[0], runs[1], runs[2], runs[1], record(metrics(12), 12))
    assert content.report["records that repeat another one"] == {"number": 2, "first": [1, 4]}
    values = content.datasets["cifar10"].schedules[4]["train_accuracy"].values
    assert values[:, 1].tolist() == [[3000, 4000, 5000]]


def test_a_checksum_in_common_is_no_repeat(scratch: Path) -> None:
    # Of some hundred thousand trainings that differ in their times alone, some pair shares its checksum by chance.
    rng = np.random.default_rng(0)
    times = rng.uniform(1, 9, (200_000, 2)).tolist()
    head, rest = metrics(4, seconds=9.25).split(field(2, 4.625), 1)
    middle, tail = rest.split(field(2, 9.25), 1)
    start = record(b"")[: -len('"]')]
    data = [start + base64.b64encode(head + field(2, a) + middle + field(2, b) + tail) + b'"]' for a, b in times]
    assert json.loads(data[0])[:2] == [OFFICIAL[0], 4]
    checksums = np.array([crc32c(each) for each in data], np.uint32)
    order = np.argsort(checksums)
    place = int(np.argmax(np.diff(checksums[order].astype(np.int64)) == 0))
    pair = [data[i] for i in order[place : place + 2].tolist()]
    assert checksum(pair[0]) == checksum(pair[1])
    content = convert_records(scratch, *pair, pair[0])
    assert content.report["records that repeat another one"] == {"number": 1, "first": [2]}
    found = content.datasets["cifar10"].schedules[4]["training_time"].values[0, 1]
    assert found.tolist()[:2] == [times[i][1] for i in order[place : place + 2].tolist()]


def test_a_fourth_training_is_refused(scratch: Path) -> None:
    runs = [record(metrics(4, count)) for count in (3000, 4000, 5000, 6000)]
    expected = f"record 4 is a fourth training of cell {OFFICIAL[0]} with 4 epochs"
    with pytest.raises(ConversionError, match=expected):
        convert_records(scratch, runs[0], record(metrics(12), 12), *runs[1:])


def test_what_the_file_claims_of_parameters_is_compared(scratch: Path) -> None:
    content = convert_records(scratch, record(metrics(4)), record(metrics(4, 5000, parameters=2**63)))
    assert content.report["records whose parameter count differs from the formula"] == {"number": 1, "first": [1]}
    assert content.datasets["cifar10"].columns["parameters"].values.tolist() == [OFFICIAL[1]]


def test_values_at_chance_level_are_counted(scratch: Path) -> None:
    content = convert_records(scratch, *(record(metrics(4, count)) for count in (997, 1046, 2000)))
    found = content.report["cifar10"]["schedule 4"]
    # Train accuracies are 997, 1046 and 2000 images, test accuracies two more; 10.5 percent are 1,048.3.
    assert (found["train_accuracy"]["runs at chance level"], found["test_accuracy"]["runs at chance level"]) == (2, 2)


def test_another_form_of_the_same_cell_is_the_same_row(scratch: Path) -> None:
    # The official cell with the vertices 3 and 4, which no edge joins, in the other order.
    swap = [0, 1, 2, 4, 3, 5, 6]
    matrix = digits(OFFICIAL_CELL[0])[np.ix_(swap, swap)]
    names = [OFFICIAL_CELL[1].split(",")[i] for i in swap]
    other = ("".join(map(str, matrix.ravel().tolist())), ",".join(names))
    content = convert_records(scratch, record(metrics(4, 3000)), record(metrics(4, 4000), cell=other))
    assert content.report["cells given in several forms"] == 1
    assert content.datasets["cifar10"].schedules[4]["train_accuracy"].values[:, 1].tolist() == [[3000, 4000]]


def test_base64_in_lines_and_unknown_fields(scratch: Path) -> None:
    message = metrics(4)
    unknown = field(15, 7) + field(16, 1.5) + field(17, b"text") + varint(18 * 8 + 5) + b"four"
    lines = json.dumps([OFFICIAL[0], 4, *OFFICIAL_CELL, base64.encodebytes(unknown + message + unknown).decode()])
    plain, broken = (convert_records(scratch, payload) for payload in (record(message), lines.encode()))
    for metric, column in plain.datasets["cifar10"].schedules[4].items():
        np.testing.assert_array_equal(broken.datasets["cifar10"].schedules[4][metric].values, column.values)


def changed(change: Callable[[list[Any]], None]) -> bytes:
    raw = json.loads(record(metrics(4)))
    change(raw)
    return json.dumps(raw).encode()


def with_metrics(message: bytes) -> bytes:
    return record(message)


def final(seconds: float = 8.5, train: float = 9000 / 9984, epoch: float = 4.0) -> bytes:
    """Metrics of which the last evaluation is as given, without a rounding to single precision."""
    numbers = (epoch, seconds, train, 0.5, 0.5)
    last = b"".join(field(i, float(value)) for i, value in enumerate(numbers, start=1))
    first, second = evaluation(0, 0, (998,) * 3), evaluation(2, 4, (5000,) * 3)
    return record(field(1, first) + field(1, second) + field(1, last) + field(2, 1))


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (changed(lambda raw: raw.__setitem__(0, "0" * 32)), "its hash is '0{32}', that of its cell '00005c14"),
        (changed(lambda raw: raw.__setitem__(0, OFFICIAL[0].upper())), "its hash is '00005C14"),
        (changed(lambda raw: raw.__setitem__(0, "\ud800")), "its hash is"),
        (
            changed(lambda raw: raw.__setitem__(1, 5)),
            r"evaluations are at epochs \(0.0, 2.0, 4.0\), expected 0, .* of its schedule, 5\.",
        ),
        (changed(lambda raw: raw.__setitem__(1, 4.0)), "expected a JSON list of hash"),
        (changed(lambda raw: raw.__setitem__(1, True)), "expected a JSON list of hash"),
        (
            changed(lambda raw: raw.__setitem__(1, 12)),
            r"its evaluations are at epochs \(0.0, 2.0, 4.0\), expected 0, .* of its schedule, 12\.",
        ),
        (changed(lambda raw: raw.__setitem__(2, "01")), "its adjacency matrix is '01', expected"),
        (changed(lambda raw: raw.__setitem__(2, "0120")), "its adjacency matrix is '0120', expected"),
        (changed(lambda raw: raw.__setitem__(2, "")), "its adjacency matrix is '', expected"),
        (changed(lambda raw: raw.__setitem__(2, "\N{FULLWIDTH DIGIT ONE}" * 4)), "its adjacency matrix is"),
        (changed(lambda raw: raw.__setitem__(2, "0" * 49)), ""),
        (changed(lambda raw: raw.__setitem__(2, "1" * 49)), ""),
        (changed(lambda raw: raw.__setitem__(2, "0100")), ""),
        (changed(lambda raw: raw.__setitem__(3, raw[3].replace("maxpool3x3", "maxpool5x5"))), "maxpool5x5"),
        (changed(lambda raw: raw.__setitem__(3, raw[3].replace("output", "input"))), ""),
        (changed(lambda raw: raw.__setitem__(3, "")), ""),
        (changed(lambda raw: raw.__setitem__(4, raw[4][:-2])), "its metrics are no base64 text"),
        (changed(lambda raw: raw.__setitem__(4, "?" + raw[4])), "its metrics are no base64 text"),
        (changed(lambda raw: raw.__setitem__(4, "\u00e9")), "its metrics are no base64 text"),
        (
            changed(lambda raw: raw.__setitem__(4, "")),
            "its metrics are no ModelMetrics .no number of parameters and 0 evaluations",
        ),
        (changed(lambda raw: raw.append("more")), "expected a JSON list of hash"),
        (changed(lambda raw: raw.pop()), "expected a JSON list of hash"),
        (b"", "its payload is no JSON text"),
        (b"\xff\xfe", "its payload is no JSON text"),
        (b"[" * 60_000, "its payload is no JSON text"),
        (b"9" * 5_000, "its payload is no JSON text"),
        (b"{}", "expected a JSON list of hash"),
        (with_metrics(metrics(4)[:-1]), "its metrics are no ModelMetrics"),
        (with_metrics(field(1, b"\x09")), "its metrics are no ModelMetrics"),
        (with_metrics(metrics(4) + field(1, evaluation(4, 9, (1, 2, 3)))), "a number of parameters and 4 evaluations"),
        (final(epoch=3.999), r"its evaluations are at epochs \(0.0, 2.0, 3.999\)"),
        (final(train=0.5001), "train_accuracy of the last evaluation is 0.5001, no whole count of 9984 images"),
        (
            final(train=float(np.nextafter(np.float32(0.5), np.float32(1)))),
            "train_accuracy of the last evaluation is 0.50000005",
        ),
        (final(train=9985 / 9984), "train_accuracy of the last evaluation is 1.0001"),
        (final(train=-1 / 9984), "train_accuracy of the last evaluation is -0.0001"),
        (final(train=float("nan")), "train_accuracy of the last evaluation is nan"),
        (final(train=1e300), "train_accuracy of the last evaluation is 1e[+]300"),
        (final(train=90.14), "train_accuracy of the last evaluation is 90.14"),
        (final(seconds=-1), "training_time of the last evaluation is -1.0, expected a finite number of at least 0"),
        (final(seconds=float("inf")), "training_time of the last evaluation is inf"),
        (with_metrics(metrics(4).replace(field(5, single(9002)), b"").replace(b"\x0a\x2d", b"\x0a\x24")), ""),
    ],
)
def test_bad_records(scratch: Path, payload: bytes, problem: str) -> None:
    good = record(metrics(4, 5000))
    expected = rf"{re.escape(str(scratch))}: record 1 at byte {len(good) + 16}: .*{problem}"
    with pytest.raises(ConversionError, match=expected):
        convert_records(scratch, good, payload)


def test_a_missing_number_is_not_taken_for_zero(scratch: Path) -> None:
    evaluations = [evaluation(0, 0, (998,) * 3), evaluation(2, 4, (5000,) * 3), evaluation(4, 8, (6000,) * 3)]
    without = evaluations[2].replace(field(4, single(6000)), b"")
    message = b"".join(field(1, part) for part in (*evaluations[:2], without)) + field(2, 1)
    with pytest.raises(
        ConversionError,
        match=r"record 0 at byte 0: its metrics are no ModelMetrics .evaluation 2 has no number in field 4",
    ):
        convert_records(scratch, record(message))


def test_cut_off_and_flipped_anywhere(scratch: Path) -> None:
    # The smallest cell, whose hash the enumeration of two vertices gives.
    data = framed(record(metrics(4), name="043721b9c7fe8c5fad811d47d83132ec", cell=("0100", "input,output")))
    scratch.write_bytes(data)
    assert convert(scratch).report["records"] == 1
    for size in range(len(data)):
        scratch.write_bytes(data[:size])
        with pytest.raises(ConversionError, match=re.escape(str(scratch))):
            convert(scratch)
    # A bit of every byte, each in turn; test_tfrecord.py flips all of a smaller file.
    for bit in range(0, 8 * len(data), 7):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        scratch.write_bytes(damaged)
        with pytest.raises(ConversionError, match=r"record 0 at byte 0: the checksum of its (length|payload) is"):
            convert(scratch)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
GOOD = json.loads(record(metrics(4)))


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        JSON.map(lambda value: json.dumps(value).encode()),
        # A sound record with one item replaced by anything.
        st.tuples(st.integers(0, 4), JSON).map(
            lambda change: json.dumps([*GOOD[: change[0]], change[1], *GOOD[change[0] + 1 :]]).encode()
        ),
        # A sound record with other metrics.
        st.binary(max_size=200).map(lambda message: record(message)),
        # Sound metrics with a stretch replaced.
        st.tuples(st.integers(0, 150), st.binary(max_size=8)).map(
            lambda change: record(metrics(4)[: change[0]] + change[1] + metrics(4)[change[0] + len(change[1]) :])
        ),
    )
)
def test_any_payload_is_converted_or_refused(scratch: Path, payload: bytes) -> None:
    """Whatever is accepted holds only counts and finite times; all else is one ConversionError that says where."""
    try:
        content = convert_records(scratch, payload)
    except ConversionError as error:
        found = str(error)
    else:
        found = f"{scratch}: record 0"
        columns = content.datasets["cifar10"].schedules[4]
        assert all(column.values[0, :, 0].max() <= 9984 for column in columns.values() if column.images)
        assert np.isfinite(columns["training_time"].values[0, :, 0]).all()
    assert found.startswith(f"{scratch}: record 0")


@needs_samples
@settings(derandomize=True, max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_only_the_order_within_a_cell_and_schedule_matters(scratch: Path, rng: random.Random) -> None:
    records = payloads((SAMPLES / "synth_full.tfrecord").read_bytes())
    keys = [tuple(json.loads(payload)[:2]) for payload in records]
    shuffled = rng.sample(keys, len(keys))
    queues = {key: [p for k, p in zip(keys, records, strict=True) if k == key] for key in set(keys)}
    content = convert_records(scratch, *(queues[key].pop(0) for key in shuffled))
    expected = convert(SAMPLES / "synth_full.tfrecord")
    np.testing.assert_array_equal(content.architectures, expected.architectures)
    for schedule, columns in expected.datasets["cifar10"].schedules.items():
        for metric, column in columns.items():
            np.testing.assert_array_equal(content.datasets["cifar10"].schedules[schedule][metric].values, column.values)


@needs_samples
def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        tables.write(tmp_path / name, convert(SAMPLES / "synth_full.tfrecord"))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
