"""A verification against scipy, against a table's own runs, and against what must not be said."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import _campaigns
import numpy as np
import pytest
import torch
from _campaigns import SPACE, black
from numpy.typing import ArrayLike
from scipy import stats

from nasbench import load
from nasbench.analysis import run_spread
from nasbench.errors import CampaignError, ComparisonError, TrainingError
from nasbench.search.compare import Algorithm, Settings, compare
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, write
from nasbench.tables.table import Table
from nasbench.training.campaign.campaign import sample
from nasbench.training.campaign.journal import Journal
from nasbench.training.campaign.pack import pack
from nasbench.training.images import Images, Split
from nasbench.training.images.base import collect
from nasbench.training.loop.train import Training
from nasbench.training.recipes import RECIPES, recipe_for
from nasbench.training.verify.candidates import best_of, named
from nasbench.training.verify.judgement import student
from nasbench.training.verify.report import draw, render
from nasbench.training.verify.verification import failures_of, verify
from nasbench.types import Architecture, Budget, Fidelity

RECIPE = RECIPES["conv5"]
SEEDS = 3


def training(validation: int, epochs: int, images: Images, train: int = 7, test: int = 100) -> Training:
    counts = {"train": train, "validation": validation, "test": test}
    n = {name: len(split.labels) for name, split in images.splits.items()}
    seconds = np.arange(1, epochs + 1) / 10
    correct = {name: np.full(epochs, counts[name], np.int64) for name in n}
    return Training(tuple(range(1, epochs + 1)), correct, n, seconds, seconds / 10, "cpu", None)


def fill(journal: Journal, results: dict[Architecture, Sequence[int]], *, epochs: int = 2) -> Journal:
    """Put correct validation images of seeds 0, 1, ... into a journal, of 300."""
    images = black()
    for architecture, counts in results.items():
        for seed, count in enumerate(counts):
            found = training(count, epochs, images)
            journal.add(SPACE, architecture, RECIPE, images, epochs=epochs, seed=seed, training=found)
    return journal


def table_of(folder: Path, results: dict[Architecture, Sequence[int]]) -> Table:
    write(folder / "table.h5", pack(fill(Journal(folder / "theirs.db"), results), dataset="cifar10"))
    return load(folder / "table.h5")


class Predicts:
    """A benchmark that predicts, with as many runs as one likes to draw."""

    name, dataset, locator, digest, origin = "guesses", "cifar10", "surrogate:guesses", "0" * 64, "predicted"
    space, fidelities, source = SPACE, (Fidelity(12, 12),), {"name": "surrogate of something"}

    def __init__(self, values: Sequence[float]) -> None:
        self.values = values

    def means(self, architectures: ArrayLike, metric: str = "validation_accuracy") -> Any:
        return np.array(self.values[: len(np.asarray(architectures))])

    def runs(self, *_: object, **__: object) -> range:
        return range(1000)


# The verdict.


def test_one_architecture_is_the_two_sample_t_test_of_scipy(tmp_path: Path):
    """With one run of ours, the pooled deviation of the textbook is that of the table's runs."""
    [one] = sample(SPACE, 1, 0)
    theirs, ours = [210, 214, 205, 221, 209], [199]
    table = table_of(tmp_path, {one: theirs})
    found = verify(named(table, [one]), black(), fill(Journal(tmp_path / "ours.db"), {one: ours}), epochs=2, seeds=1)
    expected = stats.ttest_ind(np.array(ours) / 300, np.array(theirs) / 300)
    [row] = found["architectures"]
    assert (row["t"], row["p_value"]) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert row["degrees_of_freedom"] == expected.df == 4
    assert row["benchmark"]["mean"] == pytest.approx(np.mean(theirs) / 300)
    assert row["trained"]["mean"] == 199 / 300
    assert row["verdict"] == ("consistent" if expected.pvalue > 0.05 else "lower")
    assert found["kendall"] is None, "one architecture has no order"


def test_the_runs_of_a_real_table_are_consistent_with_one_another():
    """A third run against the other two, of all 8,169 architectures that have three: one in twenty differs."""
    table = load("nasbench201")
    runs = np.stack([table.column("validation_accuracy", run=run) for run in range(3)], axis=1)
    runs = runs[np.isfinite(runs).all(axis=1)]
    assert len(runs) == 8169
    spread = run_spread(runs[:, :2])
    differences = runs[:, 2] - runs[:, :2].mean(axis=1)
    columns = (column.tolist() for column in (differences, spread.deviation, spread.freedom))
    p = np.array([student(*row, 1, 2)[1] for row in zip(*columns, strict=True)])
    assert 0.04 < (p < 0.05).mean() < 0.06
    # The best five were chosen by what they are compared with; what that does is far smaller than the noise.
    best = np.argsort(-runs[:, :2].mean(axis=1))[:5]
    assert -0.0015 < differences[best].mean() < 0
    assert spread.deviation[best].mean() == pytest.approx(0.0019, abs=2e-4)


def test_who_differs_is_told_and_who_does_not(tmp_path: Path):
    architectures = sample(SPACE, 6, 0)
    rng = np.random.default_rng(0)
    theirs = {a: (240 + rng.integers(-3, 4, size=SEEDS)).tolist() for a in architectures}
    ours = {a: list(counts) for a, counts in theirs.items()}
    ours[architectures[1]] = [100, 101, 99]
    ours[architectures[4]] = [298, 299, 297]
    table = table_of(tmp_path, theirs)
    found = verify(named(table, architectures), black(), fill(Journal(tmp_path / "ours.db"), ours), epochs=2)
    verdicts = [row["verdict"] for row in found["architectures"]]
    assert verdicts == ["consistent", "lower", "consistent", "consistent", "higher", "consistent"]
    p = [row["p_value"] for row in found["architectures"]]
    adjusted = [row["p_value_holm"] for row in found["architectures"]]
    # Holm: the k-th smallest times n - k + 1, never falling, at most 1.
    order = sorted(range(6), key=lambda i: p[i])
    largest = 0.0
    for k, i in enumerate(order):
        largest = max(largest, (6 - k) * p[i])
        assert adjusted[i] == pytest.approx(min(largest, 1.0))


def test_runs_of_single_seeds_have_no_spread_to_test_with(tmp_path: Path):
    [one] = sample(SPACE, 1, 0)
    found = verify(
        named(table_of(tmp_path, {one: [200]}), [one]), black(), fill(Journal(tmp_path / "o"), {one: [100]}),
        epochs=2, seeds=1,
    )  # fmt: skip
    [row] = found["architectures"]
    assert row["verdict"] == "not tested"
    assert row["benchmark"]["deviation"] is None
    assert "p_value" not in row
    assert "Not tested:" in printed(found)


# What must not be compared.


def test_another_schedule_gets_no_verdict_but_the_orders(tmp_path: Path):
    architectures = sample(SPACE, 4, 0)
    table = table_of(tmp_path, dict(zip(architectures, ([210, 212], [220, 222], [200, 202], [230, 232]), strict=True)))
    ours = dict(zip(architectures, ([30] * 3, [40] * 3, [50] * 3, [60] * 3), strict=True))
    journal = fill(Journal(tmp_path / "ours.db"), ours, epochs=3)
    found = verify(named(table, architectures), black(), journal, epochs=3)
    assert found["test"] is None
    assert "no schedule of 3 epochs, but of 2" in found["why_no_test"]
    assert not any("verdict" in row or "p_value" in row for row in found["architectures"])
    assert (found["benchmark"]["schedule"], found["trained"]["epochs"]) == (2, 3)
    # Recorded 2, 3, 1, 4; trained 1, 2, 3, 4: two of six pairs disagree. Of all orders of four, those with at most two.
    orders = list(itertools.permutations(range(4)))
    at_most = sum(sum(a > b for a, b in itertools.combinations(order, 2)) <= 2 for order in orders)
    assert found["kendall"]["tau"] == pytest.approx((4 - 2) / 6)
    assert found["kendall"]["p_value"] == pytest.approx(2 * at_most / len(orders))
    assert found["kendall"]["method"] == "exact"
    assert "No verdict of consistency" in printed(found)


def test_two_architectures_have_no_tau(tmp_path: Path):
    two = sample(SPACE, 2, 0)
    table = table_of(tmp_path, {two[0]: [210, 212], two[1]: [220, 222]})
    journal = fill(Journal(tmp_path / "ours.db"), {two[0]: [1], two[1]: [2]}, epochs=3)
    assert verify(named(table, two), black(), journal, epochs=3, seeds=1)["kendall"] is None


def test_other_images_get_no_verdict(tmp_path: Path):
    [one] = sample(SPACE, 1, 0)
    table = table_of(tmp_path, {one: [210, 212]})
    whole = black()
    fewer = {"validation": whole.splits["train"], **{name: whole.splits[name] for name in ("train", "test")}}
    other = collect("black images, others for validation", fewer, classes=10)
    journal = Journal(tmp_path / "ours.db")
    journal.add(SPACE, one, RECIPE, other, epochs=2, seed=0, training=training(100, 2, other))
    found = verify(named(table, [one]), other, journal, epochs=2, seeds=1)
    assert "was measured on other images" in found["why_no_test"]


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_an_official_table_is_not_compared_with_a_subset(tmp_path: Path, dataset: str):
    table, images, recipe = load("nasbench201", dataset), black(), recipe_for("nb201")
    [best] = table.optimum().architectures
    journal = Journal(tmp_path / "ours.db")
    found = training(100, 200, images)
    journal.add(table.space, best, recipe, images, epochs=200, seed=0, training=found)
    why = verify(named(table, [best]), images, journal, epochs=200, seeds=1)["why_no_test"]
    expected = "trained on 25,000 of the CIFAR-10 training images (cifar10-valid), here on 256 of 8 pixels"
    assert expected in why if dataset == "cifar10" else "are not those of CIFAR-10" in why


@pytest.mark.parametrize(("trained_images", "why"), [(10, ""), (11, "was trained on all but a few, here on 10 of 32")])
def test_a_foreign_table_says_by_a_number_what_it_was_trained_on(tmp_path: Path, trained_images: int, why: str):
    [one] = sample(SPACE, 1, 0)
    splits = {
        name: Split(torch.zeros(10, 3, 32, 32, dtype=torch.uint8), torch.arange(10)) for name in ("train", "validation")
    }
    images = collect("ten black images", splits, classes=10)
    counts = np.array([[[4, 6]]], np.uint8)
    column = Column(counts, "images", (2,), 10, "all but a few", "ten others", trained_images=trained_images)
    source = dict.fromkeys(SOURCE_FIELDS, "somebody else")
    there = DatasetContent({}, {2: {"validation_accuracy": column}})
    write(tmp_path / "theirs.h5", TableContent(SPACE.name, np.array([one], np.uint8), {"cifar10": there}, source, {}))
    journal = Journal(tmp_path / "ours.db")
    journal.add(SPACE, one, RECIPE, images, epochs=2, seed=0, training=training(5, 2, images))
    found = verify(named(load(tmp_path / "theirs.h5"), [one]), images, journal, epochs=2, seeds=1)
    assert why in (found["why_no_test"] or "")
    assert found["architectures"][0].get("verdict") == (None if why else "consistent")


def test_what_is_predicted_is_said_to_be_and_gets_no_verdict(tmp_path: Path):
    architectures = sample(SPACE, 3, 0)
    journal = fill(Journal(tmp_path / "ours.db"), {a: [100 + i] for i, a in enumerate(architectures)}, epochs=12)
    candidates = named(Predicts([0.1, 0.5, 0.9]), architectures)
    found = verify(candidates, black(), journal, epochs=12, seeds=1)
    assert found["benchmark"]["origin"] == "predicted"
    assert "no recorded runs" in found["why_no_test"]
    assert [row["benchmark"] for row in found["architectures"]] == [
        {"mean": mean, "deviation": None, "runs": []} for mean in (0.1, 0.5, 0.9)
    ]
    assert found["kendall"]["tau"] == 1
    assert found["kendall"]["p_value"] == pytest.approx(2 / math.factorial(3))
    assert "PREDICTED" in printed(found)


def test_test_images_do_not_stand_in_for_validation_images(tmp_path: Path):
    [one] = sample(SPACE, 1, 0)
    splits = {name: split for name, split in black().splits.items() if name != "validation"}
    images = collect("black images, none for validation", splits, classes=10)
    with pytest.raises(TrainingError, match="no split validation"):
        verify(named(table_of(tmp_path, {one: [210, 212]}), [one]), images, Journal(tmp_path / "ours.db"), epochs=2)


def test_nb_macro_is_compared_in_its_best_epoch_on_test_images(tmp_path: Path):
    """Of a recipe that reports the best epoch; NAS-Bench-Macro has test accuracies only."""

    class Macro(Predicts):
        def means(self, architectures: ArrayLike, metric: str = "validation_accuracy") -> Any:
            return np.array([np.nan if metric == "validation_accuracy" else 0.9])

    from nasbench.spaces.nb_macro import NBMacro

    space, images, recipe = NBMacro(), black(), RECIPES["nb_macro"]
    benchmark = Macro([])
    benchmark.space = space
    rising = training(5, 3, images)
    rising.correct["test"][:] = [100, 250, 200]
    journal = Journal(tmp_path / "ours.db")
    journal.add(space, (0,) * 8, recipe, images, epochs=3, seed=0, training=rising)
    found = verify(named(benchmark, [(0,) * 8]), images, journal, epochs=3, seeds=1)
    assert found["metric"] == "test_accuracy"
    assert found["architectures"][0]["trained"]["mean"] == 250 / 297
    assert "split test, the best epoch on them" in found["trained"]["measured"]


def test_the_table_is_not_touched(tmp_path: Path):
    [one] = sample(SPACE, 1, 0)
    table = table_of(tmp_path, {one: [210, 212]})
    before = hashlib.sha256((tmp_path / "table.h5").read_bytes()).hexdigest()
    journal = fill(Journal(tmp_path / "ours.db"), {one: [200] * SEEDS})
    verify(named(table, [one]), black(), journal, epochs=2)
    assert hashlib.sha256((tmp_path / "table.h5").read_bytes()).hexdigest() == before


# Trainings.


def test_trains_what_the_journal_lacks_and_lists_what_fails(tmp_path: Path):
    architectures = sample(SPACE, 2, 0)
    table = table_of(tmp_path, {a: [210, 212] for a in architectures})
    journal = fill(Journal(tmp_path / "ours.db"), {architectures[0]: [200]})
    steps: list[tuple[int, int]] = []
    found = verify(
        named(table, [*architectures, *architectures]),
        black(),
        journal,
        epochs=2,
        seeds=2,
        workers=1,
        progress=lambda *numbers: steps.append(numbers),
        train_one=_campaigns.fails_at_seed_1,
    )
    assert steps == [(1, 4), (2, 4)]
    read = failures_of(json.loads(json.dumps(found, allow_nan=False)))
    assert [(failure.architecture, failure.seed) for failure in read] == [(SPACE.format(a), 1) for a in architectures]
    assert [row["trained"]["seeds"] for row in found["architectures"]] == [[0], [0]]
    assert found["architectures"][0]["trained"]["runs"] == [200 / 300]


@pytest.mark.parametrize("numbers", [{"epochs": 0}, {"epochs": 2, "seeds": 0}])
def test_refuses_numbers_that_are_none(tmp_path: Path, numbers: dict[str, int]):
    [one] = sample(SPACE, 1, 0)
    with pytest.raises(CampaignError, match="at least 1 epoch and 1 seed"):
        verify(named(Predicts([0.5]), [one]), black(), Journal(tmp_path / "j.db"), **numbers)
    assert not (tmp_path / "j.db").exists()


# Comparisons.


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comparison") / "c"
    algorithms = tuple(map(Algorithm.parse, ("random_search", "local_search")))
    compare(Settings("nasbench201", "cifar10", algorithms, Budget(30), 12, 0), folder)
    return folder


def test_the_best_of_a_comparison_are_the_best_final_incumbents(comparison: Path):
    from nasbench.search.history import load_histories

    table = load("nasbench201")
    held = set()
    for path in (comparison / "histories").iterdir():
        for history in load_histories(path):
            best = max(range(len(history)), key=lambda i: (history.validation_accuracy[i], -i))
            held.add(tuple(history.architectures[best].tolist()))
    ranked = sorted(held, key=lambda a: -table.query(a).validation_accuracy)
    found = best_of(comparison, 4)
    assert found.architectures == ranked[:4]
    assert found.benchmark.digest == table.digest
    assert f"the best 4 of {len(held)} distinct final incumbents of 24 searches" in found.chosen
    assert len(best_of(comparison, 999).architectures) == len(held)


def test_what_is_no_finished_comparison_is_refused(comparison: Path, tmp_path: Path):
    with pytest.raises(CampaignError, match="top 1"):
        best_of(comparison, 0)
    with pytest.raises(ComparisonError, match="no manifest"):
        best_of(tmp_path, 3)
    manifest = json.loads((comparison / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ComparisonError, match="Go on with it: nasbench compare random_search"):
        best_of(tmp_path, 3)
    table = table_of(tmp_path, {sample(SPACE, 1, 0)[0]: [1]})
    with pytest.raises(ComparisonError, match=f"has {table.digest[:16]}"):
        best_of(comparison, 3, str(tmp_path / "table.h5"))
    del manifest["settings"]["algorithms"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ComparisonError, match="lack 'algorithms'"):
        best_of(tmp_path, 3)


# Table and picture.


def printed(found: dict[str, Any], width: int = 80) -> str:
    from rich.console import Console

    text = io.StringIO()
    Console(file=text, width=width).print(render(found))
    return text.getvalue()


@pytest.mark.parametrize("epochs", [2, 3])
def test_table_and_picture_hold_the_figures(tmp_path: Path, epochs: int):
    from PIL import Image

    architectures = sample(SPACE, 3, 0)
    table = table_of(tmp_path, {a: [210 + 20 * i, 213 + 20 * i] for i, a in enumerate(architectures)})
    journal = fill(
        Journal(tmp_path / "o"), {a: [212 + 20 * i, 214] for i, a in enumerate(architectures)}, epochs=epochs
    )
    found = verify(named(table, architectures), black(), journal, epochs=epochs, seeds=2)
    text = printed(found)
    assert max(map(len, text.splitlines())) <= 80
    for row in found["architectures"]:
        for values in (row["benchmark"], row["trained"]):
            assert f"{100 * values['mean']:.2f} ({len(values['runs'])})" in text
    flowing = " ".join(text.split())
    assert "split validation of black images" in flowing
    assert "measured on 300 images, split validation, the last epoch: black images" in flowing
    assert ("Student" in flowing) == (epochs == 2)
    pictures = []
    for name in ("a.png", "b.png"):
        draw(found, tmp_path / name)
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    with Image.open(tmp_path / "a.png") as picture:
        levels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    colours = {tuple(colour) for colour in levels[::3].tolist()}
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours, "blue and vermilion of Okabe & Ito"


@pytest.mark.parametrize("length", [20, 78, 140, 250, 900])
@pytest.mark.parametrize("tested", [True, False])
def test_no_text_of_the_picture_runs_past_its_axis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, tested: bool
):
    from matplotlib.figure import Figure

    rows = [
        {
            "architecture": str(i) * length,
            "benchmark": {"mean": 0.91 + 0.002 * i, "deviation": 0.003, "runs": [0.91]},
            "trained": {"mean": 0.911, "runs": [0.91, 0.912], "seeds": [0, 1], "diverged": []},
        }
        for i in range(1, 6)
    ]
    found = {
        "benchmark": {"name": "a table of a long name, " * 8, "origin": "recorded", "schedule": 200},
        "trained": {"epochs": 200},
        "metric": "validation_accuracy",
        "test": "one" if tested else None,
        "architectures": rows,
    }
    drawn: list[Figure] = []
    savefig = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: (savefig(figure, *a, **k), drawn.append(figure)))
    draw(found, tmp_path / "picture.png")
    [figure] = drawn
    axis = figure.axes[0].get_window_extent()
    labels = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(labels) == 5
    whole = figure.bbox
    for label, row in zip(labels, range(5), strict=True):
        assert axis.x0 < label.x0 < label.x1 < axis.x1
        assert axis.y0 < label.y0 < label.y1 < axis.y1
        marker = figure.axes[0].transData.transform((91, row))[1]
        assert label.y0 > marker
        if row:
            assert label.y1 < figure.axes[0].transData.transform((91, row - 1 + 0.17))[1], "below the row before"
    for text in (figure._suptitle, *figure.legends[0].get_texts(), *(ax.xaxis.label for ax in figure.axes)):
        extent = text.get_window_extent()
        assert whole.x0 <= extent.x0 < extent.x1 <= whole.x1
        assert whole.y0 <= extent.y0 < extent.y1 <= whole.y1


def test_a_run_of_the_table_itself_is_found_inconsistent_as_often_as_the_level_says():
    """The claim of docs/training.md: of NAS-Bench-201's real runs, each held out against the other two."""
    table = load("nasbench201")
    runs = np.stack([table.column("validation_accuracy", run=run) for run in range(3)], axis=1)
    runs = runs[np.isfinite(runs).all(axis=1)]
    assert len(runs) == 8169
    for held_out in range(3):
        others = np.delete(runs, held_out, axis=1)
        spread = run_spread(others)
        difference = runs[:, held_out] - others.mean(axis=1)
        rows = zip(difference, spread.deviation, spread.freedom, strict=True)
        p = np.array([student(d, s, int(n), 1, 2)[1] for d, s, n in rows])
        assert 0.045 < (p < 0.05).mean() < 0.06
        # Winners were chosen by the figures that they are compared with: their next run is lower.
        best = np.argsort(-others.mean(axis=1))[:5]
        assert -0.001 < difference[best].mean() < 0
