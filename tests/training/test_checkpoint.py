from __future__ import annotations

import errno
import hashlib
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from _small import RECIPE, digits, network, weights
from torch import Tensor, nn

from nasbench.errors import CheckpointError
from nasbench.system import files
from nasbench.training.loop import checkpoint
from nasbench.training.loop.train import train
from nasbench.training.recipes import RECIPES

HERE = Path(__file__).parent
# Trains four epochs; where an epoch is named, the process is killed after it.
SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from _small import RECIPE, RECIPES, digits, network, weights
from nasbench.training.loop.train import train

recipe = {"sgd": RECIPE, "tensorflow_rmsprop": RECIPES["nb101"]._replace(batch=64)}[sys.argv[4]]

def progress(done, total):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

trained = network()
training = train(trained, digits(), recipe, epochs=4, seed=7, checkpoint=Path(sys.argv[2]), progress=progress)
print(weights(trained), {name: counts.tolist() for name, counts in training.correct.items()})
"""
RECIPES_HERE = {"sgd": RECIPE, "tensorflow_rmsprop": RECIPES["nb101"]._replace(batch=64)}


def run(path: Path, kill_after: int, optimizer: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, str(HERE), str(path), str(kill_after), optimizer]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
@pytest.mark.parametrize(("optimizer", "epoch"), [("sgd", 1), ("tensorflow_rmsprop", 3)])
def test_a_training_killed_after_an_epoch_gives_the_same_bytes(tmp_path: Path, optimizer: str, epoch: int) -> None:
    path = tmp_path / "training.checkpoint"
    assert run(path, epoch, optimizer).returncode == -signal.SIGKILL
    resumed = run(path, -1, optimizer)
    undisturbed = network()
    training = train(undisturbed, digits(), RECIPES_HERE[optimizer], epochs=4, seed=7)
    counts = {name: values.tolist() for name, values in training.correct.items()}
    assert resumed.stdout == f"{weights(undisturbed)} {counts}\n", resumed.stderr


class Interrupted(nn.Module):
    """A network during whose training somebody presses a key."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.inner = network()
        self.left = step

    def forward(self, pixels: Tensor) -> Tensor:
        self.left -= self.training
        if self.training and self.left == -1:
            raise KeyboardInterrupt
        return self.inner(pixels)


@pytest.mark.parametrize("step", [0, 20, 38, 75, 113])
def test_a_training_cut_in_the_middle_of_an_epoch_repeats_that_epoch(tmp_path: Path, step: int) -> None:
    whole, cut = Interrupted(-10), Interrupted(step)
    expected = train(whole, digits(), RECIPE, epochs=3, seed=1)
    path = tmp_path / "training.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train(cut, digits(), RECIPE, epochs=3, seed=1, checkpoint=path)
    assert path.exists() == (step >= 38)
    training = train(cut, digits(), RECIPE, epochs=3, seed=1, checkpoint=path)
    assert weights(cut) == weights(whole)
    assert all((training.correct[name] == expected.correct[name]).all() for name in expected.correct)
    assert (training.training_seconds > 0).all()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The checkpoint of a training of two epochs."""
    train(network(), digits(), RECIPE, epochs=2, seed=1, checkpoint=tmp_path / "folder" / "training.checkpoint")
    return tmp_path / "folder" / "training.checkpoint"


def test_a_finished_training_is_not_done_again(path: Path) -> None:
    trained, again = network(), Interrupted(0).inner
    expected = train(trained, digits(), RECIPE, epochs=2, seed=1)
    done: list[Any] = []
    training = train(
        again, digits(), RECIPE, epochs=2, seed=1, checkpoint=path, progress=lambda *numbers: done.append(numbers)
    )
    assert done == []
    assert weights(trained) == weights(again)
    assert (training.correct["test"] == expected.correct["test"]).all()


def test_a_training_that_diverged_stays_so(tmp_path: Path) -> None:
    wild = RECIPE._replace(learning_rate=1e30)
    results = [
        train(network(), digits(), wild, epochs=3, seed=1, checkpoint=tmp_path / "training.checkpoint") for _ in "12"
    ]
    assert results[0].diverged == results[1].diverged == 1
    assert (results[0].correct["test"] == results[1].correct["test"]).all()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"network": network(16, 16)}, "architecture"),
        ({"network": nn.Sequential(network(), nn.ReLU())}, "architecture"),
        ({"recipe": RECIPE._replace(momentum=0.8)}, "recipe"),
        (
            {"images": digits(1000)},
            "images",
        ),
        ({"epochs": 3}, "epochs"),
        ({"seed": 2}, "seed"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(path: Path, change: dict[str, Any], named: str) -> None:
    arguments = {"network": network(), "images": digits(), "recipe": RECIPE, "epochs": 2, "seed": 1, **change}
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"of another training: its {named} is"):
        train(checkpoint=path, **arguments)
    assert path.read_bytes() == before


def test_any_changed_or_missing_byte_is_seen(path: Path) -> None:
    sound = path.read_bytes()
    damaged = [sound[:i] + bytes([sound[i] ^ 1]) + sound[i + 1 :] for i in range(0, len(sound), len(sound) // 40)]
    for content in (b"", sound[:10], sound[:-1], sound + b"x", *damaged):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"is damaged, or no checkpoint of this version\. Remove it"):
            train(network(), digits(), RECIPE, epochs=2, seed=1, checkpoint=path)


class Attack:
    def __reduce__(self) -> Any:
        return os.mkdir, ("attacked",)


def test_nothing_is_executed(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    torch.save({"identity": {}, "network": Attack()}, stream)
    body = stream.getvalue()
    path.write_bytes(checkpoint._MAGIC + hashlib.sha256(body).digest() + body)
    with pytest.raises(CheckpointError, match=r"is no checkpoint \(UnpicklingError\)\. Remove it"):
        train(network(), digits(), RECIPE, epochs=2, seed=1, checkpoint=path)
    assert not (tmp_path / "attacked").exists()


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "training.checkpoint"
    synced = files._sync
    first = {}

    def sync(name: str) -> None:
        if first and name.endswith(".partial"):
            raise OSError(errno.ENOSPC, "No space left on device")
        synced(name)
        if path.exists():
            first["bytes"] = path.read_bytes()

    trained = network()
    monkeypatch.setattr(files, "_sync", sync)
    with pytest.raises(CheckpointError, match="cannot be written: No space left on device"):
        train(trained, digits(), RECIPE, epochs=3, seed=1, checkpoint=path)
    monkeypatch.undo()
    assert path.read_bytes() == first["bytes"]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    whole = network()
    train(whole, digits(), RECIPE, epochs=3, seed=1)
    train(trained, digits(), RECIPE, epochs=3, seed=1, checkpoint=path)
    assert weights(trained) == weights(whole)


def test_a_folder_in_the_place_of_the_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(network(), digits(), RECIPE, epochs=1, seed=0, checkpoint=tmp_path)


class Crowded(Interrupted):
    """A GPU that has room for 20 images, and is interrupted."""

    def forward(self, pixels: Tensor) -> Tensor:
        if len(pixels) > 20:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return super().forward(pixels)


def test_a_training_in_parts_goes_on_in_these_parts(tmp_path: Path) -> None:
    whole, cut = Crowded(-10), Crowded(100)
    train(whole, digits(), RECIPE, epochs=2, seed=1)
    with pytest.raises(KeyboardInterrupt):
        train(cut, digits(), RECIPE, epochs=2, seed=1, checkpoint=tmp_path / "training.checkpoint")
    train(cut, digits(), RECIPE, epochs=2, seed=1, checkpoint=tmp_path / "training.checkpoint")
    assert weights(whole) == weights(cut)
