"""A training that was cut goes on at its last checkpoint, to the same bytes; a finished one leaves none behind."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from pathlib import Path

import _campaigns
import pytest
import torch
from _campaigns import SCRATCH, SPACE, job
from _small import digits

from nasbench.errors import CheckpointError
from nasbench.training.campaign.campaign import Job, Task, checkpoints_of, run_campaign, train_one
from nasbench.training.campaign.jobs import checkpoint_of, left_over
from nasbench.training.campaign.journal import Journal, Setting
from nasbench.training.live import LiveBenchmark
from nasbench.training.loop import checkpoint
from nasbench.training.loop.train import Training
from nasbench.training.verify.candidates import named
from nasbench.training.verify.verification import verify

JOB = job(4)._replace(images=digits(256))
SETTING = Setting.of(JOB.space, JOB.recipe, JOB.images, JOB.epochs)
CHEAP = SPACE.parse("-".join(["1s2relu"] * 5))
IDENTITY = SPACE.identity(CHEAP)


def counts(training: Training) -> dict[str, list[int]]:
    return {split: values.tolist() for split, values in training.correct.items()}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "traces"
    folder.mkdir()
    monkeypatch.setenv(SCRATCH, str(folder))
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
def test_after_its_worker_was_killed_a_training_goes_on(tmp_path: Path, scratch: Path):
    journal = Journal(tmp_path / "journal.db")
    failures = run_campaign(
        JOB, [CHEAP], journal, seeds=[0, 1], workers=2, train_one=_campaigns.dies_once_after_epoch_2
    )
    assert failures == []
    for seed in (0, 1):
        assert (scratch / f"died at seed {seed}").exists()
        entry = journal.find(SETTING, IDENTITY, seed)
        assert counts(entry.training) == counts(train_one(JOB, Task(CHEAP, seed)))
    epochs = Counter(path.name.partition(",")[0] for path in scratch.iterdir() if "epoch" in path.name)
    expected = {f"{IDENTITY}-{seed} epoch {epoch}" for seed in (0, 1) for epoch in range(1, 5)}
    assert epochs == dict.fromkeys(expected, 1), "no epoch twice"
    assert not checkpoints_of(journal).exists(), "and nothing is left"


class Killed(BaseException):
    """What no ``except Exception`` catches."""


def cut(job: Job, task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until the checkpoint of the second epoch is written."""
    saved = checkpoint.save

    def save(path: Path, identity: dict[str, str], progress: checkpoint.Progress) -> None:
        saved(path, identity, progress)
        if len(progress.training_seconds) == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", save)
        with pytest.raises(Killed):
            train_one(job, task)


@pytest.fixture
def unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A campaign beside whose journal there is the checkpoint of one training, after two of four epochs."""
    job = JOB._replace(checkpoints=checkpoints_of(Journal(tmp_path / "journal.db")))
    cut(job, Task(CHEAP, 0), monkeypatch)
    assert left_over(job) == {(IDENTITY, 0)}
    return job


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that this process trains from now on."""
    done: list[int] = []
    saved = checkpoint.save

    def save(path: Path, identity: dict[str, str], progress: checkpoint.Progress) -> None:
        done.append(len(progress.training_seconds))
        saved(path, identity, progress)

    monkeypatch.setattr(checkpoint, "save", save)
    return done


def test_a_campaign_that_is_started_again_goes_on(tmp_path: Path, unfinished: Job):
    journal = Journal(tmp_path / "journal.db")
    kept = checkpoint_of(unfinished, IDENTITY, 0).read_bytes()
    other = checkpoint_of(unfinished._replace(epochs=9), IDENTITY, 0)
    other.write_bytes(kept)  # of another campaign with the same journal: left alone
    assert run_campaign(JOB, [CHEAP], journal, workers=1) == []
    assert counts(journal.find(SETTING, IDENTITY, 0).training) == counts(train_one(JOB, Task(CHEAP, 0)))
    assert [path.name for path in unfinished.checkpoints.iterdir()] == [other.name]


def test_of_a_finished_training_no_checkpoint_stays(tmp_path: Path, unfinished: Job):
    """A campaign that was killed between keeping and forgetting."""
    journal, task = Journal(tmp_path / "journal.db"), Task(CHEAP, 0)
    training = train_one(JOB, task)
    journal.add(SPACE, CHEAP, JOB.recipe, JOB.images, epochs=4, seed=0, training=training)
    assert run_campaign(JOB, [CHEAP], journal, workers=1) == []
    assert not unfinished.checkpoints.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "of another device", "of another training"])
def test_a_checkpoint_of_no_use_is_thrown_away(unfinished: Job, epochs: list[int], damage: str):
    path = checkpoint_of(unfinished, IDENTITY, 0)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "flipped":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "of another device":
        identity = {"device": "NVIDIA H100"}
        path.unlink()
        checkpoint.save(path, identity, checkpoint.Progress({}, {}, 1, {}, [], [], None))
        epochs.clear()
    else:
        train_one(unfinished, Task(CHEAP, 1))
        checkpoint_of(unfinished, IDENTITY, 1).rename(path)
        epochs.clear()
    assert counts(train_one(unfinished, Task(CHEAP, 0))) == counts(train_one(JOB, Task(CHEAP, 0)))
    assert epochs == [1, 2, 3, 4]


def test_a_sound_checkpoint_is_used(unfinished: Job, epochs: list[int]):
    train_one(unfinished, Task(CHEAP, 0))
    assert epochs == [3, 4]


def test_a_checkpoint_that_cannot_be_read_is_no_reason_to_remove_it(unfinished: Job):
    path = checkpoint_of(unfinished, IDENTITY, 0)
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match="cannot be read"):
        train_one(unfinished, Task(CHEAP, 0))
    assert path.is_dir()


def test_a_live_benchmark_goes_on_too(tmp_path: Path, unfinished: Job, epochs: list[int]):
    live = LiveBenchmark("conv5", JOB.images, recipe="conv5", epochs=4, journal=tmp_path / "journal.db")
    assert live.query(CHEAP).validation_accuracy == train_one(JOB, Task(CHEAP, 0)).correct["validation"][-1] / 300
    assert epochs == [3, 4]
    assert not unfinished.checkpoints.exists()


def test_verify_goes_on_too(tmp_path: Path, unfinished: Job):
    """Its worker is a process of its own: the time of the first epochs, which only the checkpoint knows, tells."""
    path = checkpoint_of(unfinished, IDENTITY, 0)
    body = path.read_bytes()[len(checkpoint._MAGIC) + checkpoint._DIGEST :]
    saved = torch.load(io.BytesIO(body), weights_only=True)
    identity, progress = saved.pop("identity"), checkpoint.Progress(**saved)
    checkpoint.save(path, identity, progress._replace(training_seconds=[1000.0, 2000.0]))
    live = LiveBenchmark("conv5", JOB.images, recipe="conv5", epochs=4, journal=tmp_path / "other.db")
    found = verify(named(live, [CHEAP]), JOB.images, Journal(tmp_path / "journal.db"), epochs=4, seeds=1, workers=1)
    [row] = found["architectures"]
    assert row["trained"]["training_seconds"][0] > 2000
    assert not unfinished.checkpoints.exists()


def test_a_folder_that_another_process_just_removed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, made = tmp_path / "checkpoints" / "one.checkpoint", []
    makedirs = os.makedirs

    def vanishing(folder: str, exist_ok: bool = False) -> None:
        makedirs(folder, exist_ok=exist_ok)
        made.append(folder)
        if len(made) == 1:
            os.rmdir(folder)

    monkeypatch.setattr(os, "makedirs", vanishing)
    progress = checkpoint.Progress({}, {}, 1, {"test": [1]}, [0.5], [0.1], None)
    checkpoint.save(path, {}, progress)
    assert checkpoint.load(path, {}) == progress
    assert len(made) == 2
