from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from nasbench.errors import ConversionError, InvalidArchitectureError
from nasbench.spaces.nb201 import NB201
from nasbench.tables import Column, TableContent, TableFile, read_content, write
from nasbench.tables.attach import Attachment, attach, check_name
from nasbench.tables.data import NASBENCH201
from nasbench.tables.table import Table

SPACE = NB201()
ALL = SPACE.architectures
SOURCE = {
    "name": "meter",
    "address": "https://example.org/meter",
    "licence": "meter: CC0",
    "citation": "A. Meter, 2026.",
    "sha256": "meter.csv 00ff",
    "elsewhere": "Watts were not recorded.",
}


def attachment(architectures: ArrayLike, values: ArrayLike, dataset: str = "cifar10", **changed: Any) -> Attachment:
    column = Column(np.asarray(values, np.float64), "joules")
    whole = Attachment("nb201", np.asarray(architectures, np.uint8), {dataset: {"joules": column}}, SOURCE, {})
    return whole._replace(**changed)


@pytest.fixture(scope="module")
def table() -> TableFile:
    return TableFile(NASBENCH201)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("attach") / "table.h5"


def test_content_that_is_read_and_written_again_has_the_same_digest(table: TableFile, tmp_path: Path) -> None:
    write(tmp_path / "again.h5", read_content(NASBENCH201))
    assert TableFile(tmp_path / "again.h5").digest == table.digest


def test_content_keeps_epochs_runs_and_identities(tmp_path: Path) -> None:
    counts = np.arange(3 * 4 * 2, dtype=np.uint16).reshape(3, 4, 2)
    column = Column(counts, "images", (1, 2, 5, 9), 100, "some images", "other images")
    content = read_content(NASBENCH201)
    content = content._replace(
        architectures=ALL[:3],
        identities=SPACE.codes(ALL[:3]),
        datasets={"z": content.datasets["cifar10"]._replace(columns={}, schedules={9: {"test_accuracy": column}})},
    )
    write(tmp_path / "small.h5", content)
    found = read_content(tmp_path / "small.h5")
    same = found.datasets["z"].schedules[9]["test_accuracy"]
    assert same._replace(values=counts) == column._replace(values=counts)
    assert (same.values == counts).all()
    assert same.values.dtype == counts.dtype
    assert found.identities is not None
    assert found.identities.tolist() == SPACE.codes(ALL[:3]).tolist()
    write(tmp_path / "again.h5", found)
    assert TableFile(tmp_path / "again.h5").digest == TableFile(tmp_path / "small.h5").digest


def test_values_go_to_their_architectures_and_nothing_else_changes(table: TableFile, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).permutation(len(ALL))[:1000]
    path = tmp_path / "more.h5"
    write(path, attach(table, attachment(ALL[rows], rows / 7)))
    more = Table(path)
    expected = np.full(len(ALL), np.nan)
    expected[rows] = rows / 7
    np.testing.assert_array_equal(more.column("joules"), expected)
    assert more.describe()["joules"].unit == "joules"
    assert more.query(5) == Table(NASBENCH201).query(5)
    with h5py.File(NASBENCH201) as old, h5py.File(path) as new:
        names: list[str] = []
        old.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
        assert len(names) == 16
        for name in names:
            np.testing.assert_array_equal(new[name][()], old[name][()])
        found: list[str] = []
        new.visititems(lambda name, node: found.append(name) if isinstance(node, h5py.Dataset) else None)
        assert set(found) - set(names) == {"cifar10/joules"}


@settings(derandomize=True, max_examples=20, deadline=None)
@given(st.lists(st.integers(0, len(ALL) - 1), min_size=1, max_size=30, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_an_attachment_does_not_matter(
    table: TableFile, scratch: Path, rows: list[int], order: Any
) -> None:
    digests = set()
    for _ in range(2):
        write(scratch, attach(table, attachment(ALL[rows], np.sqrt(rows))), force=True)
        digests.add(TableFile(scratch).digest)
        order.shuffle(rows)
    assert len(digests) == 1


def test_report_and_source_say_whose_the_figures_are(table: TableFile, tmp_path: Path) -> None:
    content = attach(table, attachment(ALL[:4], [1.0, np.nan, 2.0, 3.0]))
    report = content.report["attached 1"]
    assert report["name"] == "meter"
    assert report["metrics"] == {"cifar10": "joules"}
    assert report["architectures of the source"] == 4
    assert report["architectures of the source left out, for the table lacks them"] == 0
    assert report["architectures of the table without these metrics"] == 15625 - 4
    assert report["missing values, by metric"] == {"cifar10": {"joules": 15625 - 3}}
    for field, text in SOURCE.items():
        assert content.source[field].startswith(table.source[field])
        assert content.source[field].endswith(text)
    assert content.source["sha256"].splitlines()[-1] == "meter.csv 00ff"
    write(tmp_path / "one.h5", content)
    other = attachment(ALL[:4], [1.0] * 4, "cifar100", report={"sensor": 3})
    twice = attach(TableFile(tmp_path / "one.h5"), other)
    assert twice.report["attached 1"] == report
    assert twice.report["attached 2"]["sensor"] == 3
    assert twice.report["architectures"] == 15625


def partial(tmp_path: Path) -> TableFile:
    whole = read_content(NASBENCH201)
    cifar10 = whole.datasets["cifar10"]
    columns = {name: column._replace(values=column.values[:10]) for name, column in cifar10.columns.items()}
    schedules = {200: {n: c._replace(values=c.values[:10]) for n, c in cifar10.schedules[200].items()}}
    datasets = {"cifar10": cifar10._replace(columns=columns, schedules=schedules)}
    write(tmp_path / "ten.h5", TableContent("nb201", ALL[:10], datasets, whole.source, {}), force=True)
    return TableFile(tmp_path / "ten.h5")


def test_what_the_table_lacks_is_left_out_and_told(tmp_path: Path) -> None:
    given = attachment(ALL, np.arange(15625))
    given = given._replace(datasets={**given.datasets, "cifar100": given.datasets["cifar10"]})
    content = attach(partial(tmp_path), given)
    report = content.report["attached 1"]
    assert content.datasets["cifar10"].columns["joules"].values.tolist() == [*range(10)]
    assert list(content.datasets) == ["cifar10"]
    assert report["image datasets left out, for the table lacks them"] == "cifar100"
    assert report["architectures of the source left out, for the table lacks them"] == 15615
    assert report["missing values, by metric"] == {"cifar10": {}}


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"none of the 1 architectures of meter is in .*ten\.h5"):
        attach(partial(tmp_path), attachment(ALL[10:11], [1.0]))
    with pytest.raises(ConversionError, match=r"none of the 0 architectures"):
        attach(partial(tmp_path), attachment(ALL[:0], []))
    with pytest.raises(ConversionError, match=r"meter has metrics on svhn, but .*ten\.h5 is of cifar10"):
        attach(partial(tmp_path), attachment(ALL[:1], [1.0], "svhn"))


@pytest.mark.parametrize("metric", ["parameters", "flops", "latency", "validation_accuracy", "training_time"])
def test_no_metric_is_replaced(table: TableFile, metric: str) -> None:
    column = Column(np.array([1.0]), "seconds")
    with pytest.raises(ConversionError, match=rf"meter brings .*'{metric}'.* nasbench201.h5 \(cifar10\) has already"):
        attach(table, attachment(ALL[:1], [1.0], datasets={"cifar10": {metric: column}}))


def schedule(values: ArrayLike, epochs: tuple[int, ...], **changed: Any) -> Column:
    """A column of counts out of ten, shape (n, epochs, runs)."""
    return Column(np.asarray(values, np.uint8), "images", epochs, 10, "some", "others")._replace(**changed)


def test_a_whole_schedule_is_joined_with_its_epochs_and_runs(table: TableFile, tmp_path: Path) -> None:
    accuracy = schedule([[[1, 2], [3, 4]], [[5, 6], [7, 255]]], (1, 3))
    seconds = Column(np.array([[[2.5]], [[1.5]]]), "seconds", (3,))
    given = attachment(
        ALL[[7, 3]], [1.0, 2.0], schedules={"cifar10": {3: {"test_accuracy": accuracy, "training_time": seconds}}}
    )
    content = attach(table, given)
    write(tmp_path / "more.h5", content)
    more = Table(tmp_path / "more.h5")
    assert [tuple(fidelity) for fidelity in more.fidelities] == [(3, 1), (3, 3), (200, 200)]
    found = [
        [more.column("test_accuracy", schedule=3, epoch=e, run=r)[[7, 3]].tolist() for r in (0, 1)] for e in (1, 3)
    ]
    assert found[0] == [[0.1, 0.5], [0.2, 0.6]]
    assert found[1][0] == [0.3, 0.7]
    assert found[1][1][0] == 0.4
    assert np.isnan(found[1][1][1])
    assert more.query(3, schedule=3).training_time == 1.5
    assert (more.runs(3, schedule=3, epoch=3), more.runs(0, schedule=3)) == ((0,), ())
    report = content.report["attached 1"]
    assert report["metrics"] == {"cifar10": "joules, test_accuracy@3, training_time@3"}
    missing = report["missing values, by metric"]["cifar10"]
    assert missing == {"joules": 15623, "test_accuracy@3": 4 * 15625 - 7, "training_time@3": 15623}
    # What was there is there, bit for bit.
    assert more.info("validation_accuracy").digests == Table(NASBENCH201).info("validation_accuracy").digests


def test_schedules_alone_are_enough_and_those_of_other_datasets_left_out(tmp_path: Path) -> None:
    short = {2: {"test_accuracy": schedule([[[1]]], (2,))}}
    given = attachment(ALL[:1], [1.0], datasets={}, schedules={"svhn": short, "cifar10": short})
    content = attach(partial(tmp_path), given)
    assert [*content.datasets["cifar10"].schedules] == [200, 2]
    assert content.report["attached 1"]["image datasets left out, for the table lacks them"] == "svhn"
    with pytest.raises(ConversionError, match=r"meter has metrics on svhn, but .*ten\.h5 is of cifar10"):
        attach(partial(tmp_path), given._replace(schedules={"svhn": short}))


def test_no_schedule_is_replaced_and_no_metric_means_two_things(table: TableFile) -> None:
    for schedules, message in (
        (
            {200: {"test_accuracy": schedule([[[1]]], (200,))}},
            r"meter brings the schedule of 200 epochs, which .* already",
        ),
        (
            {2: {"latency": Column(np.ones((1, 1, 1)), "seconds", (2,))}},
            r"meter brings the metric 'latency' of schedule 2",
        ),
        (
            {2: {"joules": Column(np.ones((1, 1, 1)), "joules", (2,))}},
            r"meter brings the metric 'joules' of schedule 2",
        ),
    ):
        with pytest.raises(ConversionError, match=message):
            attach(table, attachment(ALL[:1], [1.0], schedules={"cifar10": schedules}))


def test_what_is_said_already_is_not_said_again(table: TableFile, tmp_path: Path) -> None:
    write(tmp_path / "one.h5", attach(table, attachment(ALL[:1], [1.0])))
    again = attachment(ALL[:1], [1.0], "cifar100", source={**SOURCE, "licence": "CC0"})
    twice, once = attach(TableFile(tmp_path / "one.h5"), again).source, TableFile(tmp_path / "one.h5").source
    assert {field for field in SOURCE if twice[field] != once[field]} == {"licence"}
    assert twice["licence"].endswith("meter: CC0; CC0")


@pytest.mark.parametrize("name", ["test_accuracy", "latency", "epoch", "run", "index", "architecture"])
def test_names_with_a_fixed_meaning_are_refused(name: str) -> None:
    with pytest.raises(ConversionError, match=rf"here: '{name}' has a fixed meaning"):
        check_name(name, "here")


@pytest.mark.parametrize("name", ["", "200", "a/b", "..", ".", "a b", "a@200", "é", "a\n", "x" * 101, "-a"])
def test_names_that_no_file_could_hold_are_refused(name: str) -> None:
    with pytest.raises(ConversionError, match=r"here: .* is no name for a metric"):
        check_name(name, "here")


@pytest.mark.parametrize("name", ["edgegpu_latency", "1080ti_1", "cifar10-test", "_", "a.b+c"])
def test_other_names_are_free(name: str) -> None:
    check_name(name, "here")


def test_other_refusals(table: TableFile) -> None:
    with pytest.raises(ConversionError, match=r"meter is of search space nats_sss, .*nasbench201\.h5 of nb201"):
        attach(table, attachment(ALL[:1], [1.0], space="nats_sss"))
    with pytest.raises(ConversionError, match=r"an architecture twice: \|avg_pool_3x3~0\|\+\|nor_conv_1x1~0\|skip"):
        attach(table, attachment(ALL[[0, 1, 0]], [1.0, 2.0, 3.0]))
    with pytest.raises(InvalidArchitectureError):
        attach(table, attachment([[5] * 6], [1.0]))
