"""Trainings travel: from a journal to a table and back without a loss, and from several tables into one."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _campaigns import SPACE, black, job, result

from nasbench import load
from nasbench.errors import CampaignError, JournalError, TableFileError
from nasbench.tables import Column, DatasetContent, TableContent, read_content, write
from nasbench.tables.data import NASBENCH201
from nasbench.training.campaign import journal
from nasbench.training.campaign.campaign import Task, sample
from nasbench.training.campaign.entries import About, Setting
from nasbench.training.campaign.journal import Journal
from nasbench.training.campaign.pack import pack
from nasbench.training.campaign.resume import merge, read_trainings, take_over
from nasbench.training.images import Images, Split
from nasbench.training.images.base import collect
from nasbench.training.recipes import RECIPES, Recipe

JOB = job()
SETTING = Setting.of(JOB.space, JOB.recipe, JOB.images, JOB.epochs)
ABOUT = About.of(JOB.recipe, JOB.images)
ARCHITECTURES = sample(SPACE, 6, 0)
CONV5 = "conv5_16px_4epochs"
"""Comes with the package; packed by release 0.1.0."""


def add(kept: Journal, architecture: Any, seed: int = 0, epochs: int = 2, **changes: Any) -> None:
    recipe, images = changes.pop("recipe", JOB.recipe), changes.pop("images", JOB.images)
    training = result(Task(architecture, seed), epochs)._replace(**changes)
    kept.add(SPACE, architecture, recipe, images, epochs=epochs, seed=seed, training=training)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def various(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """Trainings of several machines and versions, two schedules, some missing, some diverged, with any seconds."""
    kept = Journal(tmp_path / "various.db")
    drawn = np.random.default_rng(0)
    for i, architecture in enumerate(ARCHITECTURES):
        versions = {"torch": f"2.{i % 2}", "machine": f"machine {i % 3}"} | ({"cuda": "13"} if i == 4 else {})
        monkeypatch.setattr(journal, "made_with", lambda versions=versions: versions)
        for seed in (11, 3, 2**40):
            if (i, seed) != (0, 3):
                seconds = drawn.random(2).cumsum()
                add(
                    kept,
                    architecture,
                    seed,
                    correct=result(Task(architecture, seed % 100)).correct,
                    training_seconds=seconds,
                    evaluation_seconds=seconds / 7,
                    device="NVIDIA H100" if i == 4 else "cpu",
                    diverged=(None, 1, 2)[i % 3] if seed == 3 else None,
                )
    add(kept, ARCHITECTURES[1], 3, epochs=4)
    return kept


def everything(kept: Journal) -> list[str]:
    return [repr(entry._replace(origin="")) for setting in kept.settings() for entry in kept.entries(setting)]


def test_from_a_journal_to_a_table_and_back_gives_the_same_bytes(tmp_path: Path, various: Journal):
    first, second = tmp_path / "first.h5", tmp_path / "second.h5"
    write(first, pack(various, dataset="black"))
    table, again = read_trainings(first), Journal(tmp_path / "again.db")
    assert (table.dataset, table.seeds, table.digest) == ("black", [3, 11, 2**40], load(first).digest)
    assert [take_over(table, setting, ABOUT, again) for setting in table.settings] == [17, 1]
    assert everything(again) == everything(various)
    assert [again.about(setting) for setting in again.settings()] == [
        various.about(setting) for setting in various.settings()
    ]
    assert {entry.origin for entry in again.entries(SETTING)} == {f"first.h5 {table.digest}"}
    write(second, pack(again, dataset="black"))
    assert sha256(second) == sha256(first)
    assert [take_over(table, setting, ABOUT, again) for setting in table.settings] == [0, 0], "twice is once"


def test_the_table_names_every_training(tmp_path: Path, various: Journal):
    write(tmp_path / "t.h5", pack(various, [SETTING]))
    table = load(tmp_path / "t.h5")
    stored = {name: table.file.read(table.describe()[f"{name}@2"], 2) for name in ("setup", "diverged", "finished")}
    for i, architecture in enumerate(ARCHITECTURES):
        row = table.row(architecture)
        for run, seed in enumerate((3, 11, 2**40)):
            entry = various.find(SETTING, SPACE.identity(architecture), seed)
            if entry is None:
                assert (i, seed) == (0, 3)
                assert [values[row, run] for values in stored.values()] == [255, 255, 2**32 - 1]
                continue
            setup = table.report["setups"][stored["setup"][row, run]]
            assert setup == {"device": entry.training.device, "made with": entry.made_with}
            assert stored["diverged"][row, run] == (entry.training.diverged or 0)
            assert np.datetime64(int(stored["finished"][row, run]), "s") == np.datetime64(entry.finished[:19])
    assert table.report["recipe constants"]["learning_rate"] == JOB.recipe.learning_rate
    assert "origin" not in table.report


def test_a_table_of_release_0_1_0_is_a_start_too(tmp_path: Path):
    table = load(CONV5)
    read = read_trainings(table.path)
    [setting] = read.settings
    images = table.report["images"]
    assert setting == ("conv5", "conv5", images["digest"], 4)
    assert (read.dataset, read.seeds) == ("cifar10", [0, 1])
    kept = Journal(tmp_path / "journal.db")
    assert take_over(read, setting, read.trainings.about, kept) == 602
    for entry in list(kept.entries(setting))[::50]:
        for epoch in range(1, 5):
            answer = table.query(entry.architecture, epoch=epoch, run=entry.seed)
            for split in ("train", "validation", "test"):
                rate = entry.training.correct[split][epoch - 1] / entry.training.images[split]
                assert getattr(answer, f"{split}_accuracy") == rate
            assert entry.training.training_seconds[epoch - 1] == answer.training_time
        assert entry.made_with["torch"] == table.report["made with"]["torch"][0]
        assert (entry.training.device, entry.finished) == ("cpu", table.report["last finished"])
    old, new = read_content(table.path), pack(kept, dataset="cifar10")
    assert np.array_equal(old.architectures, new.architectures)
    for metric, column in old.datasets["cifar10"].schedules[4].items():
        assert np.array_equal(new.datasets["cifar10"].schedules[4][metric].values, column.values)
    assert {key: new.report[key] for key in ("images", "recipe in words", "trainings", "made with", "devices")} == {
        key: old.report[key] for key in ("images", "recipe in words", "trainings", "made with", "devices")
    }


def other_images() -> Images:
    splits = black().splits
    train = Split(splits["train"].pixels + 1, splits["train"].labels)
    return collect("grey images", {**splits, "train": train}, classes=10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": "nb201"}, "search space conv5; asked for nb201"),
        ({"recipe": "nb201"}, "recipe conv5; asked for nb201"),
        ({"images": other_images()}, r"images d3f0cdfa \(black images, 8 pixels\); asked for images .* \(grey images"),
        ({"epochs": 3}, "trainings of 2 epochs; asked for 3"),
        ({"constants": JOB.recipe._replace(momentum=0.8)}, "recipe conv5 with momentum 0.9; asked for momentum 0.8"),
    ],
)
def test_a_table_of_another_setting_is_no_start(tmp_path: Path, change: dict[str, Any], message: str):
    kept = Journal(tmp_path / "a.db")
    add(kept, ARCHITECTURES[0])
    write(tmp_path / "a.h5", pack(kept))
    recipe: Recipe = change.get("constants", RECIPES[change.get("recipe", "conv5")])
    images = change.get("images", JOB.images)
    setting = Setting(change.get("space", "conv5"), recipe.name, images.digest, change.get("epochs", 2))
    with pytest.raises(CampaignError, match=rf"a\.h5: a campaign cannot go on from it: {message}") as caught:
        take_over(read_trainings(tmp_path / "a.h5"), setting, About.of(recipe, images), Journal(tmp_path / "new.db"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new.db").exists()


def test_a_table_that_contradicts_the_journal_is_no_start(tmp_path: Path):
    theirs, ours = Journal(tmp_path / "theirs.db"), Journal(tmp_path / "ours.db")
    for architecture in ARCHITECTURES:
        add(theirs, architecture)
    write(tmp_path / "theirs.h5", pack(theirs))
    add(ours, ARCHITECTURES[3], training_seconds=np.array([5.0, 6.0]))
    add(ours, ARCHITECTURES[4], correct=result(Task(ARCHITECTURES[4], 1)).correct)
    before = everything(ours)
    text = SPACE.format(ARCHITECTURES[4])
    with pytest.raises(
        JournalError,
        match=rf"ours\.db: has another training of {text}, seed 0, than theirs\.h5 [0-9a-f]{{64}}: 3 and 2 correct "
        "images of validation after epoch 1",
    ):
        take_over(read_trainings(tmp_path / "theirs.h5"), SETTING, ABOUT, ours)
    assert everything(ours) == before, "all or nothing"


def damaged(content: TableContent, what: str) -> TableContent:
    report: dict[str, Any] = dict(content.report)
    dataset = content.datasets["images"]
    columns = dict(dataset.schedules[2])
    if what == "no recipe":
        del report["recipe"]
    elif what == "no digest":
        report["images"] = {"name": "mine"}
    elif what == "too few seeds":
        report["seeds, by run"] = [0]
    elif what == "no setups":
        report["setups"] = []
    elif what == "report is of other types":
        report |= {"images": [], "seeds, by run": 3}
    elif what == "other constants":
        report["recipe constants"] = {**report["recipe constants"], "momentum": 0.5}
    elif what == "no train accuracy":
        del columns["train_accuracy"]
    elif what == "other trainings":
        values = columns["test_accuracy"].values.copy()
        values[0, 0, 0] = np.iinfo(values.dtype).max
        columns["test_accuracy"] = columns["test_accuracy"]._replace(values=values)
    return content._replace(report=report, datasets={"images": DatasetContent(dataset.columns, {2: columns})})


@pytest.mark.parametrize(
    "what",
    [
        "no recipe",
        "no digest",
        "too few seeds",
        "no setups",
        "report is of other types",
        "other constants",
        "no train accuracy",
        "other trainings",
    ],
)
def test_a_table_that_does_not_say_enough_is_refused(tmp_path: Path, what: str):
    kept = Journal(tmp_path / "a.db")
    for seed in (0, 1):
        add(kept, ARCHITECTURES[0], seed)
    write(tmp_path / "a.h5", damaged(pack(kept), what))
    with pytest.raises(CampaignError, match=r"a\.h5: (no table of trainings|was trained by another recipe)") as caught:
        read_trainings(tmp_path / "a.h5")
    assert "\n" not in str(caught.value)


def test_what_is_no_table_of_trainings_is_refused(tmp_path: Path):
    with pytest.raises(CampaignError, match="no table of trainings"):
        read_trainings(NASBENCH201)
    with pytest.raises(TableFileError, match="no such file"):
        read_trainings(tmp_path / "absent.h5")
    kept = Journal(tmp_path / "a.db")
    add(kept, ARCHITECTURES[0])
    write(tmp_path / "a.h5", pack(kept))
    image = bytearray((tmp_path / "a.h5").read_bytes())
    image[len(image) // 2] ^= 1
    (tmp_path / "a.h5").write_bytes(image)
    with pytest.raises(TableFileError):
        read_trainings(tmp_path / "a.h5")


# Merging.


def table(folder: Path, name: str, *trainings: tuple[int, int], **changes: Any) -> Path:
    """Write a table of trainings, given by number of the architecture and seed."""
    kept = Journal(folder / f"{name}.db")
    for number, seed in trainings:
        add(kept, ARCHITECTURES[number], seed, **changes)
    write(folder / f"{name}.h5", pack(kept, dataset=changes.get("dataset", "black")))
    return folder / f"{name}.h5"


def test_what_two_machines_trained_is_what_one_would_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = type("Clock", (), {"now": lambda zone: datetime(2026, 1, 1, tzinfo=zone)})
    monkeypatch.setattr(journal, "datetime", clock)
    trainings = [(number, seed) for number in range(6) for seed in (0, 5)]
    parts = [table(tmp_path, "a", *trainings[:7]), table(tmp_path, "b", *trainings[5:9])]
    parts.append(table(tmp_path, "c", *trainings[9:]))
    whole = table(tmp_path, "whole", *trainings)
    merged = merge(parts)
    assert (merged.trainings, merged.both) == (12, 2)
    write(tmp_path / "merged.h5", merged.content)
    assert sha256(tmp_path / "merged.h5") == sha256(whole)


def test_of_equal_counts_the_first_seconds_are_kept(tmp_path: Path):
    slow = table(tmp_path, "slow", (0, 0), (1, 0), training_seconds=np.array([50.0, 60.0]), device="old")
    fast = table(tmp_path, "fast", (1, 0), (2, 0))
    for order, seconds in (((slow, fast), [60, 60, 0.2]), ((fast, slow), [60, 0.2, 0.2])):
        merged = merge(order)
        assert (merged.trainings, merged.both) == (3, 1)
        write(tmp_path / "merged.h5", merged.content, force=True)
        found = load(tmp_path / "merged.h5")
        assert [found.query(a).training_time for a in ARCHITECTURES[:3]] == seconds
        assert found.report["devices"] == {"old": seconds.count(60), "cpu": 3 - seconds.count(60)}


def test_a_training_that_differs_is_named(tmp_path: Path):
    one = table(tmp_path, "one", (0, 3), (1, 3), (1, 7))
    correct = result(Task(ARCHITECTURES[1], 7)).correct | {"test": np.array([1, 2])}
    other = table(tmp_path, "other", (1, 7), correct=correct)
    text = SPACE.format(ARCHITECTURES[1])
    with pytest.raises(
        CampaignError,
        match=rf"other\.h5: differs from .*one\.h5 in the training of {text}, seed 7 \(run 0 there\), 2 epochs: "
        r"\d+ and 1 correct images of test after epoch 1",
    ):
        merge([one, other])


def test_tables_of_different_settings_are_not_merged(tmp_path: Path):
    one = table(tmp_path, "one", (0, 0))
    kept = Journal(tmp_path / "longer.db")
    add(kept, ARCHITECTURES[1])
    add(kept, ARCHITECTURES[1], epochs=4)
    write(tmp_path / "longer.h5", pack(kept, dataset="black"))
    others = {
        "images": table(tmp_path, "images", (1, 0), images=other_images()),
        "momentum 0.8": table(tmp_path, "recipe", (1, 0), recipe=JOB.recipe._replace(momentum=0.8)),
        "schedules of 2, 4 epochs": tmp_path / "longer.h5",
    }
    for words, other in others.items():
        for order in ((one, other), (other, one)):
            with pytest.raises(CampaignError, match=f"cannot be merged with.*{words}") as caught:
                merge(order)
            assert "\n" not in str(caught.value)
    with pytest.raises(CampaignError, match="at least two"):
        merge([one])


def test_an_attached_column_does_not_stand_in_the_way(tmp_path: Path):
    path = table(tmp_path, "one", (0, 0), (1, 0))
    content = read_content(path)
    black = content.datasets["black"]
    columns = {**black.columns, "naswot": Column(np.array([1.0, 2.0], np.float32), "score")}
    path = tmp_path / "attached.h5"
    write(path, content._replace(datasets={"black": DatasetContent(columns, black.schedules)}))
    assert len(read_trainings(path).trainings.entries[2]) == 2
