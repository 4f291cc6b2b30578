"""The examples of docs/extending.md do what they say, each by itself: they are what people start from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _pages import install, python_blocks, save_files

from nasbench import load, registry
from nasbench.errors import InvalidArchitectureError, UnknownNameError
from nasbench.tables import write
from nasbench.testing import MakeModel, SpaceContract, SurrogateContract
from nasbench.training.campaign.campaign import Job, run_campaign
from nasbench.training.campaign.journal import Journal
from nasbench.training.campaign.pack import pack
from nasbench.training.images import Images, Split
from nasbench.training.images.base import collect
from nasbench.training.networks import build
from nasbench.training.recipes import recipe_for
from surrogates.models.default import default, stacked

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
BLOCKS = [block for block in python_blocks(PAGE) if not block.startswith("# test_")]
MODULES = ("tiny_space", "widths_learning", "nearest")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block[:25])
def test_a_block_brings_its_own_imports(block: str, tmp_path: Path) -> None:
    save_files(PAGE, tmp_path)
    install(PAGE, tmp_path)
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The files of the page, and its entry points."""
    folder = tmp_path_factory.mktemp("site")
    save_files(PAGE, folder)
    install(PAGE, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def widths(installed: None) -> Any:
    return registry.find("spaces", "widths")()


def noise(side: int) -> Images:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 3, side, side), dtype=np.uint8))
    split = Split(pixels, torch.arange(64) % 10)
    return collect("noise", {"train": split, "validation": split}, classes=10)


class TestWidths(SpaceContract):
    @pytest.fixture
    def space(self, widths: Any) -> Any:
        return widths

    @pytest.mark.parametrize(
        "text", ["16:8:33", "16:8:40", "16:8:0", "16:8:-8", "16:8", "16:8:32:8", "08:16:24", " 8:16:24"]
    )
    def test_refuses_widths_that_it_has_not(self, space: Any, text: str) -> None:
        with pytest.raises(InvalidArchitectureError, match="expected 8:16:32"):
            space.parse(text)
        assert space.parse("16:8:32") == (1, 0, 3)


class TestPredictsWidths(SurrogateContract):
    @pytest.fixture
    def space(self, widths: Any) -> Any:
        return widths

    @pytest.fixture
    def make_model(self) -> MakeModel:
        return lambda space, seed: stacked(space.name, ["ridge", "nearest"], random_state=seed)


def test_its_features_are_what_its_class_names(widths: Any) -> None:
    choices = np.array([[0, 1, 3]], np.uint8)
    model = default("widths", random_state=0)
    names = model.encoding.fit(choices).get_feature_names_out().tolist()
    assert names == ["log width 1", "log width 2", "log width 3", "log parameters", "log flops"]
    parameters = 27 * 8 + 9 * 8 * 16 + 9 * 16 * 32 + 2 * (8 + 16 + 32) + 32 * 10 + 10
    expected = np.log([8, 16, 32, parameters, 1024 * (27 * 8 + 9 * 8 * 16 + 9 * 16 * 32) + 320])
    np.testing.assert_allclose(model.encoding.transform(choices)[0], expected)


@pytest.mark.parametrize(("side", "flops"), [(8, False), (32, True)])
def test_its_trainings_become_a_table(widths: Any, tmp_path: Path, side: int, flops: bool) -> None:
    """By its own recipe; flops are known of images of 32 x 32 pixels."""
    recipe, journal = recipe_for("widths"), Journal(tmp_path / "trainings.db")
    assert (recipe.name, recipe.batch) == ("widths", 64)
    job = Job(widths, noise(side), recipe, 1, "cpu")
    assert run_campaign(job, [(0, 1, 0), (1, 0, 2)], journal, seeds=[0], workers=1) == []
    write(tmp_path / "widths.h5", pack(journal))
    table = load(tmp_path / "widths.h5")
    assert (table.space, len(table)) == (widths, 2)
    assert table.query("8:16:8").parameters == 27 * 8 + 2 * 9 * 8 * 16 + 2 * 32 + 80 + 10
    assert table.query("8:16:8").flops == (1024 * (27 * 8 + 2 * 9 * 8 * 16) + 80 if flops else None)


@pytest.mark.parametrize("names", ["nowhere:NETWORKS", "tiny_space:NETWORKS", "tiny_space"])
def test_a_name_of_nothing_is_told(widths: Any, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setattr(type(widths), "networks", names)
    with pytest.raises(UnknownNameError, match=f"networks of widths: '{names}' cannot be imported"):
        build(widths, "8:8:8")
    monkeypatch.setattr(type(widths), "networks", "")
    with pytest.raises(UnknownNameError, match=r"nobody says how to train networks of the search space widths.*docs/"):
        build(widths, "8:8:8")
