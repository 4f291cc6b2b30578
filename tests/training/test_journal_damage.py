"""A damaged journal is refused or answers as before; one of version 1 is read, and becomes one of version 2."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from _campaigns import SPACE, job, result

from nasbench.errors import FileNameError, JournalError
from nasbench.training.campaign.campaign import Task, sample
from nasbench.training.campaign.journal import VERSION, Journal, Setting

JOB = job()
SETTING = Setting.of(JOB.space, JOB.recipe, JOB.images, JOB.epochs)
PAGE = 4096
OLD = Path(__file__).parent / "data" / "journal_version_1.db.gz"
"""Made by the release 0.1.0: three architectures with two seeds of two epochs, and one of four."""


def add(journal: Journal, architecture: Any, seed: int = 0) -> bool:
    training = result(Task(architecture, seed))
    return journal.add(SPACE, architecture, JOB.recipe, JOB.images, epochs=2, seed=seed, training=training)


def content(path: Path) -> list[Any]:
    """Everything that a journal answers."""
    journal = Journal(path)
    found: list[Any] = []
    for setting in journal.settings():
        found += [setting, journal.about(setting), sorted(journal.trained(setting))]
        found += journal.entries(setting)
        assert repr(journal.find(setting, found[-1].identity, found[-1].seed)) == repr(found[-1])
    return [repr(value) for value in found]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("journal") / "sound.db"
    for architecture in sample(SPACE, 6, 0):
        for seed in range(2):
            add(Journal(path), architecture, seed)
    return path


def damages(sound: bytes, kind: str, number: int) -> list[bytes]:
    drawn = random.Random(kind)
    found = []
    for _ in range(number):
        image = bytearray(sound)
        if kind == "flipped":
            for _ in range(drawn.choice([1, 1, 1, 2, 8])):
                image[drawn.randrange(len(image))] ^= 1 << drawn.randrange(8)
        elif kind == "written over":
            start = drawn.randrange(len(image))
            image[start : start + 16] = drawn.randbytes(len(image[start : start + 16]))
        elif kind == "cut":
            del image[drawn.randrange(len(image)) :]
        elif kind == "zeroed":
            start = drawn.randrange(len(image) // 512) * 512
            length = drawn.choice([512, PAGE])
            image[start : start + length] = bytes(len(image[start : start + length]))
        else:  # one page in the place of another
            a, b = (drawn.randrange(len(image) // PAGE) * PAGE for _ in range(2))
            image[a : a + PAGE] = sound[b : b + PAGE]
        found.append(bytes(image))
    return found


@pytest.mark.parametrize(
    ("kind", "number"),
    [("flipped", 800), ("written over", 200), ("cut", 150), ("zeroed", 150), ("another page", 100)],
)
def test_a_damaged_copy_is_refused_or_answers_as_before(tmp_path: Path, sound: Path, kind: str, number: int):
    expected, refused, messages = content(sound), 0, set()
    [new] = sample(SPACE, 1, 99)
    for i, damaged in enumerate(damages(sound.read_bytes(), kind, number)):
        path = tmp_path / "damaged.db"
        path.write_bytes(damaged)
        try:
            assert content(path) == expected
        except JournalError as error:
            refused += 1
            messages.add(str(error))
            with pytest.raises(JournalError):
                add(Journal(path), new)
            assert path.read_bytes() == damaged, "what is refused is left alone"
        else:
            if i % 10 == 0:
                add(Journal(path), new)
                assert set(expected) - set(content(path)) <= {expected[2]}, "nothing but the set of all trainings"
        for rest in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + rest).unlink(missing_ok=True)
    assert all("\n" not in message and "damaged.db: " in message for message in messages)
    assert refused >= number / 5, "most bytes of a journal hold something"


def _sqlite(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trainings SET training = replace(training, '17', '71')",
        "UPDATE trainings SET seed = 7 WHERE seed = 1 AND identity = (SELECT min(identity) FROM trainings)",
        "UPDATE images SET side = 16",
        "UPDATE recipes SET constants = replace(constants, '0.9', '0.8')",
        "DELETE FROM trainings WHERE seed = 1",
        "DELETE FROM trainings",
        "UPDATE total SET rows = rows + 1",
        "DELETE FROM total",
        "PRAGMA user_version = 1",
        "CREATE TABLE mine (x)",
        "CREATE TRIGGER mine AFTER INSERT ON trainings BEGIN DELETE FROM trainings; END",
    ],
)
def test_what_sqlite_itself_finds_sound_is_still_compared(tmp_path: Path, sound: Path, statement: str):
    path = Path(shutil.copy(sound, tmp_path / "altered.db"))
    _sqlite(path, statement)
    for use in (lambda: content(path), lambda: add(Journal(path), sample(SPACE, 1, 99)[0])):
        with pytest.raises(JournalError, match=r"altered\.db: a damaged journal"):
            use()


def test_a_row_that_is_damaged_later_is_refused_when_it_is_read(tmp_path: Path, sound: Path):
    path = Path(shutil.copy(sound, tmp_path / "later.db"))
    journal = Journal(path)
    assert len(journal.trained(SETTING)) == 12
    _sqlite(path, "UPDATE trainings SET training = replace(training, '17', '71')")
    with pytest.raises(JournalError, match="a row of trainings is not as it was written"):
        list(journal.entries(SETTING))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    return path


def rows(path: Path) -> list[Any]:
    columns = "space, identity, architecture, recipe, epochs, seed, images, training, made_with, finished"
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT {columns} FROM trainings ORDER BY epochs, identity, seed").fetchall()
    finally:
        connection.close()


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def test_a_journal_of_version_1_is_read_as_it_is(old: Path):
    before, written = old.read_bytes(), rows(old)
    journal = Journal(old)
    assert [setting.epochs for setting in journal.settings()] == [2, 4]
    entries = [entry for setting in journal.settings() for entry in journal.entries(setting)]
    assert len(entries) == 7
    for entry, row in zip(entries, written, strict=True):
        training = json.loads(row[7])
        assert (entry.identity, entry.architecture, entry.seed) == (row[1], row[2], row[5])
        assert entry.training.correct["test"].tolist() == training["correct"]["test"]
        assert entry.training.training_seconds.tolist() == training["training_seconds"]
        assert entry.training.diverged == training["diverged"]
        assert (json.dumps(entry.made_with, separators=(",", ":")), entry.finished) == (row[8], row[9])
        assert entry.origin == ""
    assert old.read_bytes() == before


def test_a_journal_of_version_1_that_is_written_becomes_one_of_version_2(old: Path):
    answers, written = content(old), rows(old)
    assert version(old) == 1
    Journal(old).claim(JOB.recipe)
    assert version(old) == VERSION == 2
    assert content(old) == answers
    assert rows(old) == written
    assert add(Journal(old), sample(SPACE, 1, 99)[0])
    assert len(rows(old)) == len(written) + 1


def test_a_journal_of_version_1_that_cannot_be_modernised_stays_as_it_is(old: Path):
    _sqlite(old, "UPDATE trainings SET training = '{' WHERE seed = 1")
    before = rows(old)
    for use in (lambda: Journal(old).claim(JOB.recipe), lambda: content(old)):
        with pytest.raises(JournalError, match="cannot be read"):
            use()
    assert (version(old), rows(old)) == (1, before)


def test_an_empty_file_is_a_cut_journal(tmp_path: Path):
    path = tmp_path / "empty.db"
    path.touch()
    for use in (lambda: Journal(path).settings(), lambda: Journal(path).claim(JOB.recipe)):
        with pytest.raises(JournalError, match=r"empty\.db: is empty"):
            use()
    assert path.read_bytes() == b""


def test_a_path_that_is_no_text_is_refused():
    with pytest.raises(FileNameError, match="no UTF-8"):
        Journal("journal\udcff.db")


def test_a_text_that_is_no_utf8_is_told_in_one_line_as_damage(tmp_path: Path, sound: Path):
    """Python's own error repeats the text, line ends and all, and is of the kind of a full disk."""
    image = sound.read_bytes()
    text = SPACE.format(sample(SPACE, 6, 0)[0]).encode()
    assert text in image
    (tmp_path / "damaged.db").write_bytes(image.replace(text, b"\xff\n\xfe" + text[3:]))
    with pytest.raises(JournalError, match=r"damaged\.db: a damaged journal: a text in it is no UTF-8\.") as refusal:
        content(tmp_path / "damaged.db")
    assert "\n" not in str(refusal.value)
    assert "full" not in str(refusal.value)


def test_what_a_killed_process_left_is_removed_before_a_journal_is_made(tmp_path: Path):
    """It was killed while it made one, before that had its name."""
    code = "import sys; from nasbench.system.files import temporary_path as t; open(t(sys.argv[1]) + sys.argv[2], 'w')"
    for beside in ("", "-wal", "-shm", "-journal"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "t.db"), beside], check=True)
    assert len([*tmp_path.iterdir()]) == 4
    add(Journal(tmp_path / "t.db"), sample(SPACE, 1, 0)[0])
    assert not [*tmp_path.glob(".*")]
