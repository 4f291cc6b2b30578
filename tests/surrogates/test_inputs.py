"""Inputs beside the architecture: looked up by what it is, never the labels themselves, and paid for."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr
from sklearn.base import clone

from nasbench import load
from nasbench.cli import main
from nasbench.errors import NotRecordedError
from nasbench.spaces.nb201 import NB201
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, write
from surrogates.encodings import GraphFeatures
from surrogates.encodings.inputs import Extra, InputError, WithInputs, read
from surrogates.evaluation.harness import EvaluationError, Protocol, evaluate, make, protocol_of
from surrogates.models.default import default, stacked

SPACE = NB201()
TWELVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "nb201" / "accuracy_12epoch.csv.gz"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """300 cells with figures of the embedded table, an early epoch, a short schedule, and columns without epochs."""
    whole = load("nasbench201")
    architectures = whole.architectures[:300]
    truth = whole.column("validation_accuracy")[:300]
    rng = np.random.default_rng(0)

    def accuracy(epochs, noise):
        values = np.clip(truth[:, None, None] + noise * rng.normal(size=(300, len(epochs), 2)), 0, 1)
        return Column(np.rint(values * 25_000).astype(np.uint16), "images", epochs, 25_000)

    def seconds(epochs):
        each = np.arange(1.0, 301)[:, None, None] * np.array(epochs)[:, None]
        return Column(np.repeat(each, 2, axis=2), "seconds", epochs)

    schedules = {
        12: {"validation_accuracy": accuracy((12,), 0.003), "training_time": seconds((12,))},
        200: {
            "validation_accuracy": accuracy((1, 200), 0.001),
            "test_accuracy": accuracy((1, 200), 0.001),
            "training_time": seconds((1, 200)),
        },
    }
    noisy = truth + 0.002 * rng.normal(size=300)
    columns = {
        "score": Column(noisy, "not stated"),
        "gaps": Column(np.where(np.arange(300) == 7, np.nan, noisy), "not stated"),
    }
    path = tmp_path_factory.mktemp("inputs") / "some.h5"
    content = TableContent(
        "nb201", architectures, {"cifar10": DatasetContent(columns, schedules)}, dict.fromkeys(SOURCE_FIELDS, ""), {}
    )
    write(path, content)
    return load(path)


def test_values_are_found_by_what_the_architecture_is(table):
    values = np.random.default_rng(1).normal(size=300)
    order = np.random.default_rng(2).permutation(300)
    extra = Extra.of(SPACE, "score", table.architectures[order], values[order])
    encoding = WithInputs("nb201", [extra]).fit(table.architectures[:1])
    found = clone(encoding).fit(table.architectures).transform(table.architectures)
    assert spearmanr(found[:, -1], values).statistic == pytest.approx(1)
    assert [found[:, -1].mean(), found[:, -1].std()] == pytest.approx([0, 1], abs=0.02)
    np.testing.assert_array_equal(found[:, :-1], GraphFeatures("nb201").fit_transform(table.architectures))
    assert list(encoding.groups_)[-1] == "inputs"
    assert encoding.columns()[-1] == [found.shape[1] - 1]


def test_an_architecture_without_a_value_is_named(table):
    extra = Extra.of(SPACE, "score", table.architectures[:100], np.arange(100.0))
    model = stacked("nb201", ["ridge"], inputs=[extra]).fit(table.architectures[:50], np.arange(50.0))
    with pytest.raises(
        InputError, match=re.escape(f"score has no value for {SPACE.format((*table.architectures[100],))}")
    ):
        model.predict(table.architectures[90:101])
    with pytest.raises(InputError, match="nor for 9 more: a predictor needs it of every architecture"):
        model.predict(table.architectures[100:110])
    holes = Extra.of(SPACE, "score", table.architectures[:100], np.where(np.arange(100) == 3, np.nan, 1.0))
    with pytest.raises(InputError, match=re.escape(SPACE.format((*table.architectures[3],)))):
        stacked("nb201", ["ridge"], inputs=[holes]).fit(table.architectures[:50], np.arange(50.0))


def test_an_input_that_tells_something_is_used(table):
    labels = np.random.default_rng(3).normal(size=300)  # nothing but the input knows them
    extra = Extra.of(SPACE, "score", table.architectures, labels + 0.1 * np.random.default_rng(4).normal(size=300))
    for members in (["ridge"], ["gaussian_process"], ["boosted_trees"]):
        model = stacked("nb201", members, inputs=[extra], random_state=0).fit(table.architectures[:150], labels[:150])
        assert spearmanr(model.predict(table.architectures[150:]), labels[150:]).statistic > 0.8


def test_values_that_make_no_input_are_refused(table):
    for values, message in (
        (np.arange(299.0), "expected 300 values"),
        (np.where(np.arange(300) == 3, np.inf, 1.0), "1 are infinite"),
    ):
        with pytest.raises(InputError, match=message):
            Extra.of(SPACE, "score", table.architectures, values)
    with pytest.raises(InputError, match=re.escape(f"{SPACE.format((*table.architectures[5],))} comes twice")):
        Extra.of(SPACE, "score", table.architectures[[5, 6, 5]], np.arange(3.0))
    with pytest.raises(InputError, match="nb101 takes no inputs"):
        default("nb101", inputs=[Extra.of(SPACE, "score", table.architectures, np.arange(300.0))])


def test_columns_schedules_and_epochs_are_named(table):
    score = read(table, "score=3.5", "validation_accuracy")
    assert (score.name, score.seconds) == ("score", 3.5)
    assert math.isnan(read(table, "score", "validation_accuracy").seconds)
    order = np.argsort(SPACE.identity_many(table.architectures))
    for text, schedule, epoch in (
        ("validation_accuracy@12", 12, 12),
        ("validation_accuracy@200/1", 200, 1),
    ):
        extra = read(table, text, "validation_accuracy")
        values = table.column("validation_accuracy", schedule=schedule, epoch=epoch)
        np.testing.assert_array_equal(extra.values, values[order])
        # Two runs of 1 to 300 seconds an epoch.
        assert extra.seconds == pytest.approx(2 * 150.5 * epoch)
    assert read(table, "validation_accuracy@12=7", "validation_accuracy").seconds == 7


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("validation_accuracy", InputError, "it comes with the trainings of validation_accuracy itself"),
        ("validation_accuracy@200", InputError, "it comes with the trainings"),
        ("validation_accuracy@200/200=1", InputError, "it comes with the trainings"),
        ("training_time", InputError, "it comes with the trainings"),
        ("test_accuracy@200/1", InputError, "no search may see it"),
        ("score@12", InputError, "has no schedules: write 'score' alone"),
        ("score=cheap", InputError, r"write NAME\[@SCHEDULE"),
        ("scores", NotRecordedError, "score"),
        ("validation_accuracy@50", NotRecordedError, "schedules 12 and 200"),
    ],
)
def test_what_gives_the_labels_away_or_is_not_there_is_refused(table, text, error, message):
    with pytest.raises(error, match=message):
        read(table, text, "validation_accuracy")


def test_the_labels_by_another_name_are_refused(table, tmp_path):
    path = tmp_path / "twice.h5"
    labels = np.round(100 * table.column("validation_accuracy"), 6)
    accuracy = Column(np.rint(labels * 250).astype(np.uint16)[:, None, None], "images", (200,), 25_000)
    content = DatasetContent({"copy": Column(np.rint(labels * 250), "")}, {200: {"validation_accuracy": accuracy}})
    write(path, TableContent("nb201", table.architectures, {"cifar10": content}, dict.fromkeys(SOURCE_FIELDS, ""), {}))
    with pytest.raises(InputError, match="the labels by another name"):
        read(load(path), "copy", "validation_accuracy")


def test_what_labels_and_inputs_cost(table):
    protocol = Protocol(
        "validation_accuracy", (40,), splits=2, tested=100, inputs=("score=3", "validation_accuracy@12")
    )
    found = evaluate(table, ["ridge"], protocol)
    assert found["inputs"] == {"score": 3, "validation_accuracy@12": pytest.approx(2 * 12 * 150.5)}
    without, given = (found["results"][name]["40"]["mean"] for name in ("ridge", "ridge, inputs"))
    assert without["input_seconds"] == 0
    # All that are labelled, and all that are predicted.
    assert given["input_seconds"] == pytest.approx((40 + 100) * (3 + 2 * 12 * 150.5))
    assert given["label_seconds"] == without["label_seconds"]
    assert 40 * 2 * 200 < without["label_seconds"] < 40 * 2 * 200 * 300
    assert given["kendall"] > without["kendall"] + 0.05
    # Without inputs nothing has changed.
    alone = evaluate(table, ["ridge"], protocol._replace(inputs=()))["results"]
    assert list(alone) == ["ridge"]
    assert alone["ridge"]["40"]["mean"]["kendall"] == without["kendall"]


def test_the_command_with_inputs(table, tmp_path, capsys):
    words = ["evaluate-surrogates", "ridge", "--table", table.path, "--sizes", "40", "--splits", "2"]
    assert main([*words, "--input", "score", "--out", str(tmp_path / "out")]) == 0
    shown = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "gain in tau" in shown
    assert re.search(r"not stated \+0\.\d{3}", shown)
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert found["inputs"] == {"score": None}
    assert found["protocol"]["inputs"] == ["score"]
    for text, message in (
        ("gaps", f"gaps has no value for {SPACE.format((*table.architectures[7],))}"),
        ("validation_accuracy", "it comes with the trainings"),
        ("nothing", "metric"),
    ):
        assert main([*words, "--input", text, "--out", str(tmp_path / "no")]) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_metric_that_is_not_there_is_told(table, tmp_path, capsys):
    words = ["evaluate-surrogates", "ridge", "--table", table.path, "--metric", "F1", "--out", str(tmp_path / "no")]
    assert main(words) == 1
    assert "'F1'" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_table_without_accuracies_is_told(table, tmp_path, capsys):
    path = tmp_path / "scores.h5"
    seconds = Column(np.ones((300, 1, 1)), "seconds", (200,))
    content = DatasetContent({}, {200: {"training_time": seconds}})
    write(path, TableContent("nb201", table.architectures, {"cifar10": content}, dict.fromkeys(SOURCE_FIELDS, ""), {}))
    assert main(["evaluate-surrogates", "ridge", "--table", str(path)]) == 1
    assert "has neither validation_accuracy nor test_accuracy: name a metric" in capsys.readouterr().err


@pytest.mark.skipif(not TWELVE.exists(), reason="the accuracies after 12 epochs are not here")
def test_twelve_epochs_help():
    """On splits that nobody looked at; that the column is the validation one is told by its best (formats, D)."""
    table = load("nasbench201")
    with gzip.open(TWELVE, "rt") as file:
        rows = list(csv.DictReader(file))
    values = np.array([float(row["cifar10-val"]) / 100 for row in rows])
    assert int(values.argmax()) == 13714
    extra = Extra.of(SPACE, "12 epochs", np.array([SPACE.parse(row["cellstr"]) for row in rows], np.uint8), values)
    labels, order = table.column("validation_accuracy"), np.random.default_rng(99).permutation(len(table))
    few, others = table.architectures[order[:60]], table.architectures[order[60:3000]]
    taus = []
    for given in ((), (extra,)):
        model = make("ridge", "nb201", 0, 60, given).fit(few, labels[order[:60]])
        taus.append(kendalltau(model.predict(others), labels[order[60:3000]]).statistic)
    assert taus[1] > taus[0] + 0.01


def test_what_publications_do_has_no_inputs(table):
    assert protocol_of(table).inputs == ()
    with pytest.raises(EvaluationError, match="unknown model"):
        make("inputs", "nb201", 0, 10)
