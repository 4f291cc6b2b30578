"""Table: rows, columns and queries of a small hand-written file, whose every answer is known."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pytest

from nasbench import Fidelity, load
from nasbench.errors import InvalidArchitectureError, NotRecordedError, TableFileError, UnknownNameError
from nasbench.metrics import better_of
from nasbench.sources.nats.nats_bench import convert
from nasbench.spaces.nb_macro import NBMacro
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, read_content, write
from nasbench.tables.data import NASBENCH201

A, B, C = (0, 1, 2, 3, 4, 0), (4, 4, 4, 4, 4, 4), (1, 0, 0, 0, 0, 1)
MISSING = 65535


@pytest.fixture
def path(tmp_path):
    # architectures x epochs (2, 4) x runs, of 1,000 images; C has no second run, B's first has no epoch 2.
    valid = np.array([[[10, 20], [500, 700]], [[MISSING, 40], [900, 300]], [[5, MISSING], [601, MISSING]]], np.uint16)
    test = np.array([[[450, 650]], [[800, 380]], [[590, MISSING]]], np.uint16)
    short = np.array([[[100]], [[200]], [[300]]], np.uint16)
    time = np.array([[[2.0], [4.0]], [[3.0], [6.0]], [[4.0], [8.0]]])
    content = TableContent(
        "nb201",
        np.array([A, B, C], np.uint8),
        {
            "cifar10": DatasetContent(
                {"parameters": Column(np.array([7, 8, 9], np.uint32), "parameters")},
                {
                    4: {
                        "validation_accuracy": Column(valid, "images", (2, 4), 1000, "train", "valid"),
                        "test_accuracy": Column(test, "images", (4,), 1000, "train", "test"),
                        "training_time": Column(time, "seconds", (2, 4)),
                    },
                    1: {"validation_accuracy": Column(short, "images", (1,), 1000, "train", "valid")},
                },
            ),
            "svhn": DatasetContent({}, {1: {"validation_accuracy": Column(short, "images", (1,), 1000)}}),
        },
        dict.fromkeys(SOURCE_FIELDS, "") | {"elsewhere": "See elsewhere."},
        {},
    )
    write(tmp_path / "small.h5", content)
    return tmp_path / "small.h5"


@pytest.fixture
def table(path):
    return load(path)


def test_the_default_is_the_longest_schedule_its_last_epoch_and_the_mean_over_runs(table):
    metrics = table.query(A)
    assert metrics.validation_accuracy == 0.6
    assert metrics.test_accuracy == 0.55
    assert (metrics.schedule, metrics.epoch, metrics.run) == (4, 4, None)
    assert (metrics.training_time, metrics.parameters) == (4.0, 7)
    assert math.isnan(metrics.train_accuracy)
    assert math.isnan(metrics.latency)
    assert metrics.flops is None


def test_runs_schedules_and_epochs_are_kept_apart(table):
    assert table.query(A, run=1).validation_accuracy == 0.7
    assert table.query(A, epoch=2, run=1).validation_accuracy == 0.02
    assert table.query(A, schedule=1).validation_accuracy == 0.1
    assert table.query(A, epoch=2).training_time == 2.0
    assert math.isnan(table.query(A, epoch=2).test_accuracy)
    assert table.fidelities == (Fidelity(1, 1), Fidelity(4, 2), Fidelity(4, 4))


def test_means_are_over_the_recorded_runs_only(table):
    assert table.query(C).validation_accuracy == 0.601
    assert table.query(B, epoch=2).validation_accuracy == 0.04
    assert table.column("validation_accuracy").tolist() == [0.6, 0.6, 0.601]
    third = table.column("validation_accuracy", run=1)
    assert third[:2].tolist() == [0.7, 0.3]
    assert math.isnan(third[2])


def test_runs_that_are_recorded(table):
    assert [tuple(table.runs(a)) for a in (A, B, C)] == [(0, 1), (0, 1), (0,)]
    assert tuple(table.runs(B, epoch=2)) == (1,)
    assert tuple(table.runs(A, schedule=1)) == (0,)


def test_it_is_the_same_answer_in_every_form_and_each_time(table):
    forms = (A, table.space.format(A), list(A), np.array(A), [np.uint8(choice) for choice in A])
    for form in forms * 3:
        assert table.query(form, run=1).validation_accuracy == 0.7
        assert table.query(form).validation_accuracy == 0.6
        assert tuple(table.runs(form)) == (0, 1)
    for _ in range(2):
        with pytest.raises(InvalidArchitectureError):
            table.query((0, 0, 0, 0, 0, 0))  # of the space, but not in this table


def test_a_large_table_answers_the_same_before_and_after_it_reads_columns(table, monkeypatch):
    monkeypatch.setattr("nasbench.tables.queries._LARGE", 2)
    monkeypatch.setattr("nasbench.tables.queries._WORTH_COLUMNS", 2)
    read = []
    monkeypatch.setattr(table.file, "read", lambda *place, of=table.file.read: read.append(place) or of(*place))
    for asked, (architecture, accuracy, parameters) in enumerate([(A, 0.7, 7), (B, 0.3, 8), (C, None, 9)] * 2):
        if accuracy is None:
            with pytest.raises(NotRecordedError, match=r"has run 0 of \|skip_connect~0\|.*not run 1: it is missing"):
                table.query(architecture, run=1)
        else:
            metrics = table.query(architecture, run=1)
            assert (metrics.validation_accuracy, metrics.parameters) == (accuracy, parameters)
        assert any(info.images for info, *_ in read) == (asked > 1)


def test_what_a_large_table_reads_row_by_row_is_not_remembered(path, table, monkeypatch):
    """So that a file that was replaced is noticed each time."""
    monkeypatch.setattr("nasbench.tables.queries._LARGE", 2)
    for form in (A, [*A]) * 3:
        assert table.query(form).validation_accuracy == 0.6
    write(path, read_content(path)._replace(report={"another": "table"}), force=True)
    for form in (A, [*A]):
        with pytest.raises(TableFileError, match="expected the table that was there when the file was opened"):
            table.query(form)


def test_a_truth_value_is_no_index_though_it_is_equal_to_one():
    table = load("nasbench201")
    for index in (1, np.int64(1)):
        assert table.query(index) == table.query(table.at_row(1))
        assert table.runs(index) == table.runs(table.at_row(1))
    for ask in (table.query, table.runs):
        with pytest.raises(InvalidArchitectureError):
            ask(True)


def test_a_run_that_was_never_made_is_refused(table):
    with pytest.raises(
        NotRecordedError, match=r"has run 0 of \|skip_connect~0\|.*not run 1: it is missing in the source"
    ):
        table.query(C, run=1)
    for run in (2, -1, "0", 0.5):
        with pytest.raises(NotRecordedError, match="has runs 0 and 1 of schedule 4, not run"):
            table.query(A, run=run)


def test_what_is_not_recorded_names_what_is(table):
    with pytest.raises(NotRecordedError, match=r"has schedules 1 and 4, not 12\. See elsewhere\."):
        table.query(A, schedule=12)
    with pytest.raises(NotRecordedError, match="has epochs 2 and 4 of schedule 4, not epoch 3"):
        table.query(A, epoch=3)
    with pytest.raises(NotRecordedError, match="Did you mean 'validation_accuracy'"):
        table.column("valid_accuracy")
    with pytest.raises(NotRecordedError, match="at epoch 4, not at epoch 2"):
        table.column("test_accuracy", epoch=2)


def test_ties_are_told(table):
    short = table.optimum("validation_accuracy", schedule=1)
    assert (short.value, short.architectures) == (0.3, (C,))
    assert table.optimum("test_accuracy") == (0.59, (B, C))
    assert table.optimum("training_time", epoch=2) == (2.0, (A,))  # less is better


def test_curves_have_the_epochs_of_their_metric(table):
    epochs, values = table.curve(A, run=1)
    assert (epochs, values.tolist()) == ((2, 4), [0.02, 0.7])
    assert table.curve(B).values.tolist() == [0.04, 0.6]  # of the recorded runs
    assert table.curve(C, "test_accuracy").epochs == (4,)
    assert table.curve(C, "training_time", run=1).values.tolist() == [4.0, 8.0]  # of all runs
    np.testing.assert_array_equal(table.curve(B, run=0).values, [np.nan, 0.9])


def test_curves_of_what_is_not_recorded_are_refused(table):
    with pytest.raises(NotRecordedError, match="Did you mean 'test_accuracy'"):
        table.curve(A, "tests_accuracy")
    with pytest.raises(NotRecordedError, match=r"unknown metric of schedule 4 .*'parameters'"):
        table.curve(A, "parameters")
    with pytest.raises(NotRecordedError, match="has runs 0 and 1 of schedule 4, not run 2"):
        table.curve(A, run=2)
    with pytest.raises(InvalidArchitectureError, match="not in"):
        table.curve((2,) * 6)


def test_latency_of_each_training_is_answered_with_it(tmp_path):
    """The older files of NAS-Bench-201 measured it in each run."""
    latency = np.array([[[0.25, 0.75]], [[0.5, np.nan]]])
    correct = np.array([[[10, 20]], [[30, 40]]], np.uint16)
    columns = {
        "latency": Column(latency, "seconds", (4,)),
        "validation_accuracy": Column(correct, "images", (4,), 1000),
    }
    source = dict.fromkeys(SOURCE_FIELDS, "")
    group = DatasetContent({}, {4: columns})
    write(tmp_path / "timed.h5", TableContent("nb201", np.array([A, B], np.uint8), {"cifar10": group}, source, {}))
    table = load(tmp_path / "timed.h5")
    assert [table.query(a).latency for a in (A, B)] == [0.5, 0.5]
    assert table.query(A, run=1).latency == 0.75
    assert math.isnan(table.query(B, run=1).latency)


def test_seconds_that_are_the_same_in_each_epoch_are_stored_once(tmp_path):
    correct = np.array([[[10], [20], [30]], [[30], [40], [50]]], np.uint16)
    columns = {
        "training_time": Column(np.array([[[2.5]], [[np.nan]]]), "seconds", (1, 2, 4), per_epoch=True),
        "validation_accuracy": Column(correct, "images", (1, 2, 4), 1000),
    }
    source = dict.fromkeys(SOURCE_FIELDS, "")
    content = TableContent(
        "nb201", np.array([A, B], np.uint8), {"cifar10": DatasetContent({}, {4: columns})}, source, {}
    )
    write(tmp_path / "once.h5", content)
    table = load(tmp_path / "once.h5")
    assert table.verify() == 3
    assert [table.query(A, epoch=epoch).training_time for epoch in (1, 2, 4)] == [2.5, 5.0, 10.0]
    assert table.curve(A, "training_time").values.tolist() == [2.5, 5.0, 10.0]
    assert math.isnan(table.query(B).training_time)
    assert table.column("training_time", epoch=2)[0] == 5.0
    write(tmp_path / "again.h5", read_content(tmp_path / "once.h5"))
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "once.h5").read_bytes()


def test_identities_of_other_architectures_are_found(path):
    sound = read_content(path)
    assert load(path).verify() == 7
    wrong = load(path).space.identity_many(np.array([A, (2,) * 6, C], np.uint8))
    write(path, sound._replace(identities=wrong), force=True)
    with pytest.raises(TableFileError, match="at /identities: row 1 has"):
        load(path).verify()


def test_what_may_not_be_written_names_the_file_that_was_asked_for(path, tmp_path):
    content = read_content(path)
    with pytest.raises(TableFileError, match=r"wrong\.h5: at /identities") as caught:
        write(tmp_path / "wrong.h5", content._replace(identities=np.zeros(2, np.int64)))
    assert ".partial" not in str(caught.value)
    assert not (tmp_path / "wrong.h5").exists()


def test_optimum_is_a_set(path, tmp_path):
    tied = load("nasbench201")
    values = tied.column("flops")
    best = tied.optimum("flops")
    assert best.value == values.min()
    assert len(best.architectures) == (values == values.min()).sum() == 3**6  # no convolution
    assert len(tied.optimum("flops", better="higher").architectures) == 1


def test_architectures_in_any_form(table):
    for form in (
        A,
        list(A),
        np.array(A),
        np.array(A, np.uint8),
        table.space.format(A),
        table.at_row(0),
        table.space.index(A),
    ):
        assert table.row(form) == 0
        assert table.query(form).validation_accuracy == 0.6
    assert list(table) == [A, B, C]
    assert len(table) == 3
    assert A in table
    assert (0,) * 6 not in table
    assert "cell" not in table
    assert table.rows([C, A, C]).tolist() == [2, 0, 2]
    assert table.rows(np.empty((0, 6), np.uint8)).tolist() == []


def test_many_single_look_ups_change_to_an_index_without_changing_an_answer(table):
    for architecture in table.space.sample_many(300, np.random.default_rng(0)).tolist():
        architecture = tuple(architecture)
        if architecture in (A, B, C):
            assert table.row(architecture) == [A, B, C].index(architecture)
        else:
            with pytest.raises(InvalidArchitectureError, match=r"is not in small \(cifar10\)"):
                table.row(architecture)
    assert [table.row(a) for a in (C, B, A)] == [2, 1, 0]


@pytest.mark.parametrize("wrong", [-1, 0, 15625, 1.0, None, True, (0,) * 5, (5,) * 6, "cell", ("a",) * 6, (0.5,) * 6])
def test_what_is_no_architecture_is_refused(table, wrong):
    with pytest.raises(InvalidArchitectureError):
        table.query(wrong)


def test_an_architecture_that_the_table_lacks_is_refused(table):
    with pytest.raises(InvalidArchitectureError, match=r"\|none~0\|.* is not in small"):
        table.query((0,) * 6)
    with pytest.raises(InvalidArchitectureError, match="is not in small"):
        table.rows([A, (0,) * 6])


def test_image_datasets(path):
    assert load(path).datasets == ("cifar10", "svhn")
    assert load(path, "svhn").query(C).validation_accuracy == 0.3
    with pytest.raises(UnknownNameError, match="Did you mean 'cifar10'"):
        load(path, "cifar")


def test_names_and_paths(tmp_path):
    with pytest.raises(UnknownNameError, match=r"Did you mean 'nasbench201'\?.*Or give the path"):
        load("nasbench2o1")
    with pytest.raises(TableFileError, match="no such file"):
        load(tmp_path / "none.h5")


def test_arrays_cannot_be_written(table):
    for array in (table.architectures, table.column("validation_accuracy"), table.column("parameters")):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_query_changes_nothing_and_draws_nothing(table):
    state = np.random.get_state()[1].tolist()
    first = [table.query(a, run=0) for a in (A, B, C)]
    table.query(B, epoch=2)
    assert [table.query(a, run=0) for a in (A, B, C)] == first
    assert np.random.get_state()[1].tolist() == state


def ask(table):
    return [table.query(a, run=0).validation_accuracy for a in (A, B, C)]


def test_pickling_goes_by_path(table):
    table.query(A)
    data = pickle.dumps(table)
    assert len(data) < 500
    assert ask(pickle.loads(data)) == [0.5, 0.9, 0.601]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_processes_read_the_same_file(table, method):
    with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
        assert list(pool.map(ask, [table] * 4)) == [[0.5, 0.9, 0.601]] * 4


def test_threads_share_a_table(path):
    table = load(path)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, [table] * 200)) == [[0.5, 0.9, 0.601]] * 200


# Indexes and rows.

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "nats_tss"


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample files of NATS-Bench are not in ../shared/data/nats_tss")
def test_an_index_is_that_of_the_official_files_whatever_else_is_in_the_table(tmp_path):
    """The sample archives hold architectures 0, 11 and 284."""
    write(tmp_path / "some.h5", convert(SAMPLES))
    some, whole = load(tmp_path / "some.h5"), load("nasbench201")
    assert some.indexes.tolist() == [0, 11, 284]
    for row, index in enumerate((0, 11, 284)):
        assert some.row(index) == row
        assert some.at_row(row) == whole.at_row(index)
        assert some.query(index, run=0).validation_accuracy == whole.query(index, run=0).validation_accuracy
    with pytest.raises(InvalidArchitectureError, match=r"architecture 1, \|.*is not in some .*3 of 15,625"):
        some.query(1)
    for row in (3, -1, True, 0.0):
        with pytest.raises(InvalidArchitectureError, match="is outside of some"):
            some.at_row(row)


def test_an_index_in_a_space_without_an_official_order(tmp_path):
    some = load("conv5_16px_4epochs")
    assert some.indexes is None
    with pytest.raises(
        InvalidArchitectureError, match=r"conv5 has no official order, .*7,962,624 architectures 301 are"
    ):
        some.query(5)
    space = NBMacro()
    everything = space.decode(np.random.default_rng(0).permutation(space.size))
    counts = Column(np.ones((space.size, 1, 1), np.uint16), "images", (1,), 10)
    group = {"a": DatasetContent({}, {1: {"validation_accuracy": counts}})}
    write(tmp_path / "all.h5", TableContent("nb_macro", everything, group, dict.fromkeys(SOURCE_FIELDS, ""), {}))
    complete = load(tmp_path / "all.h5")
    assert complete.row(77) == 77
    assert complete.at_row(77) == tuple(everything[77].tolist())


@pytest.mark.parametrize("runs", [1, 63, 64, 65, 100, 200])
def test_any_number_of_runs(tmp_path, runs):
    rng = np.random.default_rng(runs)
    counts = rng.integers(0, 1000, (3, 1, runs)).astype(np.uint16)
    counts[rng.random(counts.shape) < 0.3] = MISSING
    counts[0] = 7
    group = {"a": DatasetContent({}, {4: {"validation_accuracy": Column(counts, "images", (4,), 1000)}})}
    source = dict.fromkeys(SOURCE_FIELDS, "")
    write(tmp_path / "many.h5", TableContent("nb201", np.array([A, B, C], np.uint8), group, source, {}))
    table = load(tmp_path / "many.h5")
    for row, architecture in enumerate((A, B, C)):
        expected = [run for run in range(runs) if counts[row, 0, run] != MISSING]
        assert list(table.runs(architecture)) == expected
        for run in expected[-2:]:
            assert table.query(architecture, run=run).validation_accuracy == counts[row, 0, run] / 1000
        if expected:
            mean = Fraction(sum(counts[row, 0, expected].tolist()), len(expected) * 1000)
            assert table.query(architecture).validation_accuracy == float(mean)
    assert list(table.runs(A)) == list(range(runs))


# Other metrics.


def test_everything_that_was_attached_can_be_asked_for(path, tmp_path):
    sound = read_content(path)
    old = sound.datasets["cifar10"]
    attached = {
        "pixel3_latency": Column(np.array([3.5, 1.25, np.nan]), "milliseconds"),
        "energy": Column(np.array([3.0, 4.0, 5.0]), "joules"),
        "synflow": Column(np.array([3.0, 4.0, 5.0]), "score"),
        "naswot": Column(np.array([3.0, 4.0, 5.0]), "score", better="higher"),
        "count": Column(np.array([3, 2**16 - 1, 2], np.uint16), "things"),
    }
    more = DatasetContent({**old.columns, **attached}, old.schedules)
    write(tmp_path / "more.h5", sound._replace(datasets={"cifar10": more}))
    table = load(tmp_path / "more.h5")
    values = table.values(A, epoch=2, run=1)
    assert values["pixel3_latency"] == 3.5
    assert values["parameters"] == 7
    assert values["validation_accuracy"] == 0.02
    assert values["training_time"] == 2.0
    assert "test_accuracy" not in values
    assert math.isnan(table.values(C)["pixel3_latency"])
    assert math.isnan(table.values(B)["count"])
    assert table.values(C)["validation_accuracy"] == 0.601
    assert table.info("pixel3_latency").unit == "milliseconds"
    assert table.optimum("pixel3_latency") == (1.25, (B,))
    assert table.optimum("energy") == (3.0, (A,))
    assert table.optimum("naswot") == (5.0, (C,))
    assert table.optimum("count", better="higher") == (3, (A,))
    assert table.optimum("count", better="lower") == (2, (C,))
    with pytest.raises(NotRecordedError, match=r"more synflow \[score\] is better: give better='higher' or better="):
        table.optimum("synflow")
    with pytest.raises(NotRecordedError, match="expected 'higher' or 'lower'"):
        table.optimum("synflow", better="more")
    with pytest.raises(NotRecordedError, match="Did you mean 'energy'"):
        table.optimum("enrgy")
    write(tmp_path / "again.h5", read_content(tmp_path / "more.h5"))
    assert load(tmp_path / "again.h5").info("naswot").better == "higher"


@pytest.mark.parametrize("metric", ["latency", "parameters", "flops", "training_time", "validation_accuracy"])
def test_the_optimum_of_the_embedded_table_is_the_best_in_the_raw_file(metric):
    with h5py.File(NASBENCH201) as file:
        group = file["cifar10"]
        if metric == "validation_accuracy":
            counts = group["200/validation_accuracy"][:, 0].astype(float)
            counts[counts == 65535] = np.nan
            expected = np.nanmax(np.nanmean(counts, axis=1)) / 25_000
        else:
            expected = (group[metric] if metric in group else group[f"200/{metric}"])[()].min()
    assert load("nasbench201").optimum(metric).value == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("metric", "unit", "better"),
    [
        ("validation_accuracy", "images", "higher"),
        ("test_accuracy_full", "images", "higher"),
        ("validation_loss", "cross-entropy", "lower"),
        ("co2", "g", "lower"),
        ("energy", "kWh", "lower"),
        ("anything", "milliseconds", "lower"),
        ("eyeriss_arithmetic_intensity", "ratio", None),
        ("accuracy_time", "", None),
        ("synflow", "score", None),
    ],
)
def test_directions_of_metrics(metric, unit, better):
    if better is None:
        with pytest.raises(NotRecordedError):
            better_of(metric, unit)
        assert better_of(metric, unit, "lower") == "lower"
    else:
        assert better_of(metric, unit) == better
