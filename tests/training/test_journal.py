"""The journal: one row a training, whoever writes, however often; and what is no journal is refused, untouched."""

from __future__ import annotations

import multiprocessing
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _campaigns import SPACE, job, result

from nasbench.errors import JournalError
from nasbench.training.campaign.campaign import Task, sample
from nasbench.training.campaign.journal import VERSION, Journal, Setting

JOB = job()
SETTING = Setting.of(JOB.space, JOB.recipe, JOB.images, JOB.epochs)
ONE, OTHER = sample(SPACE, 2, 0)


def add(journal: Journal, architecture: Any = ONE, seed: int = 0, **other: Any) -> bool:
    training = other.pop("training", result(Task(architecture, seed)))
    recipe = JOB.recipe._replace(**other)
    return journal.add(SPACE, architecture, recipe, JOB.images, epochs=JOB.epochs, seed=seed, training=training)


def test_what_is_kept_comes_back_exactly(tmp_path: Path):
    journal = Journal(tmp_path / "journal.db")
    seconds = np.array([0.1, 1 / 3])
    training = result(Task(ONE, 3))._replace(training_seconds=seconds, diverged=2)
    assert add(journal, seed=3, training=training)
    entry = pickle.loads(pickle.dumps(journal)).find(SETTING, SPACE.identity(ONE), 3)
    assert entry.architecture == SPACE.format(ONE)
    assert (entry.training.epochs, entry.training.images, entry.training.diverged) == ((1, 2), training.images, 2)
    assert {k: v.tolist() for k, v in entry.training.correct.items()} == {
        k: v.tolist() for k, v in training.correct.items()
    }
    assert entry.training.training_seconds.tolist() == [0.1, 1 / 3]
    assert {"torch", "numpy", "python", "nasbench", "machine"} <= set(entry.made_with)
    assert journal.settings() == [SETTING]
    assert journal.about(SETTING).splits == {"train": 256, "validation": 300, "test": 297}


def test_the_first_stays(tmp_path: Path):
    journal = Journal(tmp_path / "journal.db")
    assert add(journal)
    assert not add(journal, training=result(Task(ONE, 7)))
    assert add(journal, seed=1)
    assert add(journal, OTHER)
    assert journal.trained(SETTING) == {(SPACE.identity(ONE), 0), (SPACE.identity(ONE), 1), (SPACE.identity(OTHER), 0)}
    kept = journal.find(SETTING, SPACE.identity(ONE), 0)
    assert kept.training.correct["validation"].tolist() == [2, 4]


def _write(path: str, seeds: list[int]) -> None:
    for seed in seeds:
        add(Journal(path), seed=seed)


def test_several_processes_write_at_once(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "journal.db"
    processes = [context.Process(target=_write, args=(str(path), [*range(20 * i, 20 * i + 30)])) for i in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [entry.seed for entry in Journal(path).entries(SETTING)] == [*range(70)]


def test_reading_is_no_write(tmp_path: Path):
    journal = Journal(tmp_path / "new" / "journal.db")
    assert journal.trained(SETTING) == set()
    assert journal.settings() == []
    assert not (tmp_path / "new").exists()
    add(journal)
    before = journal.path.read_bytes(), journal.path.stat().st_mtime_ns
    assert len(list(journal.entries(SETTING))) == 1
    assert (journal.path.read_bytes(), journal.path.stat().st_mtime_ns) == before


def _sqlite(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("kind", ["text", "other database", "truncated", "folder"])
def test_what_is_no_journal_is_refused_and_left_alone(tmp_path: Path, kind: str):
    path = tmp_path / "journal.db"
    if kind == "text":
        path.write_text("my thesis " * 1000)
    elif kind == "other database":
        _sqlite(path, "CREATE TABLE mine (x)")
    elif kind == "truncated":
        add(Journal(path))
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.mkdir()
    before = path.read_bytes() if path.is_file() else b""
    for use in (lambda: add(Journal(path)), lambda: list(Journal(path).entries(SETTING))):
        with pytest.raises(JournalError, match=r"journal\.db"):
            use()
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_newer_version_is_refused(tmp_path: Path):
    journal = Journal(tmp_path / "journal.db")
    add(journal)
    _sqlite(journal.path, f"PRAGMA user_version = {VERSION + 1}")
    for use in (lambda: add(journal), lambda: journal.settings()):
        with pytest.raises(JournalError, match=f"version {VERSION + 1}.*Upgrade"):
            use()


def test_another_recipe_of_the_same_name_is_refused(tmp_path: Path):
    journal = Journal(tmp_path / "journal.db")
    add(journal)
    with pytest.raises(JournalError, match="differs in learning_rate, nesterov"):
        add(journal, seed=1, learning_rate=0.2, nesterov=False)
    assert len(journal.trained(SETTING)) == 1
