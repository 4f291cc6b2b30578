"""``live:...``: one text that says all of a live benchmark, read strictly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from _small import digits
from hypothesis import given
from hypothesis import strategies as st

from nasbench import load
from nasbench.errors import CampaignError, ImagesError, NasbenchError, TrainingError, UnknownNameError
from nasbench.training.images import Images, cifar10
from nasbench.training.images.base import collect
from nasbench.training.opening import LiveSettings

_paths = st.text(st.characters(codec="ascii", min_codepoint=32, exclude_characters=","), min_size=1, max_size=9)


@given(
    st.builds(
        LiveSettings,
        space=st.sampled_from(["conv5", "nb201"]),
        epochs=st.integers(0, 999_999),
        seeds=st.integers(0, 9),
        subset=st.sampled_from([0, 1]),
        side=st.sampled_from([16, 32]),
        data=st.just("") | _paths.map(os.path.abspath),
        journal=_paths.map(os.path.abspath),
        device=st.sampled_from(["cpu", "cuda:1", "auto"]),
    )
)
def test_a_text_says_all_of_it(settings: LiveSettings):
    assert str(settings).startswith("live:")
    assert LiveSettings.parse(str(settings).removeprefix("live:")) == settings


def test_what_is_not_said_is_the_default_and_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    found = LiveSettings.parse("conv5:data=images,epochs=3")
    journal = str(tmp_path / "trainings.db")
    assert found == LiveSettings("conv5", 3, data=str(tmp_path / "images"), journal=journal)
    assert (found.seeds, found.subset, found.side, found.device) == (1, 0, 32, "cpu")


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", CampaignError, "names no search space"),
        ("conv5", CampaignError, "how many epochs"),
        ("conv5:", CampaignError, "how many epochs"),
        ("conv5:seeds=2", CampaignError, "how many epochs"),
        ("conv5:epoch=3", UnknownNameError, "Did you mean 'epochs'"),
        ("conv5:epochs=3,space=nb201", UnknownNameError, "unknown setting of a live benchmark 'space'"),
        ("conv5:epochs=3,epochs=4", CampaignError, "epochs is given twice"),
        ("conv5:epochs=three", CampaignError, "epochs is 'three'; expected a whole number"),
        ("conv5:epochs=-3", CampaignError, "expected a whole number"),
        ("conv5:epochs=3,subset=yes", CampaignError, "subset is 'yes'; expected 0 or 1"),
        ("conv5:epochs=3,data=/a,b", CampaignError, "'b' is no NAME=VALUE"),
        ("conv5:epochs=3,data=", CampaignError, "paths must have no comma"),
        ("conv5:epochs=3,,seeds=1", CampaignError, "'' is no NAME=VALUE"),
        ("conv6:epochs=3", UnknownNameError, "Did you mean 'conv5'"),
        ("conv5:epochs=3,data=nowhere", ImagesError, "data_batch_1.bin: no such file"),
        ("conv5:epochs=3,side=16,data=nowhere", ImagesError, "give --subset too"),
        ("conv5:epochs=3,subset=1,side=8,data=nowhere", ImagesError, "not 8"),
    ],
)
def test_what_is_wrong_is_said(text: str, kind: type[NasbenchError], message: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=message):
        load(f"live:{text}")
    assert list(tmp_path.iterdir()) == []


def test_a_working_folder_with_a_comma_cannot_be_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a,b").mkdir()
    monkeypatch.chdir(tmp_path / "a,b")
    with pytest.raises(CampaignError, match="must have no comma"):
        load("live:conv5:epochs=3")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Images:
    images = digits(256)
    monkeypatch.setattr(cifar10, "images", lambda splits, data: images)
    return images


def test_it_opens_by_its_own_locator(small: Images, tmp_path: Path):
    first = load(f"live:conv5:epochs=2,seeds=2,journal={tmp_path / 'j.db'}")
    assert first.dataset == "cifar10"
    again = load(first.locator, first.dataset)
    assert (again.locator, again.digest, again.name) == (first.locator, first.digest, first.name)
    assert first.locator == f"live:conv5:epochs=2,seeds=2,subset=0,side=32,journal={tmp_path / 'j.db'},device=cpu"
    with pytest.raises(UnknownNameError, match="no image dataset 'cifar100'"):
        load(first.locator, "cifar100")
    with pytest.raises(TrainingError, match="no device 'tpu'"):
        load(f"live:conv5:epochs=2,device=tpu,journal={tmp_path / 'j.db'}")


def test_without_validation_images_nothing_can_be_searched(small: Images, tmp_path: Path, monkeypatch):
    splits = {name: small.splits[name] for name in ("train", "test")}
    monkeypatch.setattr(cifar10, "images", lambda splits_, data: collect("none", splits, classes=10))
    with pytest.raises(CampaignError, match="no validation images"):
        load(f"live:nb_macro:epochs=2,journal={tmp_path / 'j.db'}")


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "random_search", "--table", "live:conv5", "--epochs", "1"),
        ("verify", "comparison"),
        ("train-table", "conv5", "--sample", "1", "--epochs", "1"),
        ("fetch", "cifar10"),
    ],
    ids=lambda words: words[0],
)
def test_without_pytorch_each_command_says_what_to_install(words: tuple[str, ...], tmp_path: Path):
    code = f"import sys; sys.modules['torch'] = None\nfrom nasbench.cli import main\nsys.exit(main({list(words)}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "PyTorch, which is not installed: pip install 'nasbench-suite[train]'" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
