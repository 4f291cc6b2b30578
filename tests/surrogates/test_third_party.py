"""A search space of somebody else's distribution, from the command line: without graph features, by its choices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nasbench import registry
from nasbench.cli import main
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, write
from surrogates.benchmark import saved
from surrogates.encodings import GraphFeatures, OneHot, encoding_of
from surrogates.models.default import default

MODULE = """
from nasbench import SearchSpace


class Widths(SearchSpace):
    name = "widths"
    choices = (4, 4, 4, 4, 2)

    def parse(self, text):
        return self.check(tuple(int(choice) for choice in text.split(":")))

    def format(self, architecture):
        return ":".join(map(str, self.check(architecture)))
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All 512 architectures of a space that an entry point names, each accuracy a sum over decisions."""
    info = tmp_path / "somebodys_space-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-space\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nasbench.spaces]\nwidths = somebodys_space:Widths\n")
    (tmp_path / "somebodys_space.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    space = registry.find("spaces", "widths")()
    architectures = space.decode(np.arange(space.size))
    accuracy = 0.5 + architectures @ np.array([0.03, 0.02, 0.01, 0.005, 0.1])
    runs = np.random.default_rng(0).normal(accuracy[:, None], 0.002, (space.size, 2))
    counts = Column(np.rint(runs * 10_000).astype(np.uint16)[:, None], "images", (10,), 10_000)
    columns = {"score": Column(accuracy, "score")}
    seconds = Column(np.full((space.size, 1, 1), 60.0), "seconds", (10,))
    content = DatasetContent(columns, {10: {"validation_accuracy": counts, "training_time": seconds}})
    source = dict.fromkeys(SOURCE_FIELDS, "made for a test")
    write(tmp_path / "widths.h5", TableContent("widths", architectures, {"cifar10": content}, source, {}))
    return tmp_path / "widths.h5"


def test_its_encoding_is_its_choices() -> None:
    assert isinstance(encoding_of("widths"), OneHot)
    assert isinstance(encoding_of("conv5"), GraphFeatures)


def test_predictors_learn_it(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate-surrogates", "default", "ridge", "--table", str(table), "--sizes", "60", "--splits", "2"]
    assert main([*words, "--input", "score=1", "--out", str(tmp_path / "evaluation")]) == 0
    results = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())["results"]
    assert set(results) == {"default", "ridge", "default, inputs", "ridge, inputs"}
    assert all(result["60"]["mean"]["kendall"] > 0.8 for result in results.values())


def test_a_surrogate_of_it_is_fitted_saved_and_searched(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "surrogate"
    assert main(["fit", "--table", str(table), "--train-size", "80", "--seeds", "1", "--out", str(out)]) == 0
    surrogate = saved.load(out).surrogate
    best = np.array([[3, 3, 3, 3, 1]], np.uint8)
    assert surrogate.predict(best).accuracies[0, 0] == pytest.approx(0.5 + 0.195 + 0.1, abs=0.03)
    words = ["compare", "random_search", "--table", f"surrogate:{out}", "--budget", "20", "--runs", "2"]
    assert main([*words, "--processes", "1", "--out", str(tmp_path / "comparison")]) == 0
    capsys.readouterr()
    assert main(["query", "3:3:3:3:1", "--table", f"surrogate:{out}"]) == 0
    assert "origin: predicted" in capsys.readouterr().out


def test_the_default_of_it_is_a_process_and_trees(table: Path) -> None:
    space = registry.find("spaces", "widths")()
    choices = space.sample_many(60, np.random.default_rng(0))
    model = default("widths", random_state=0).fit(choices, choices @ np.arange(1.0, 6.0))
    assert model.n_features_in_ == 5
    assert model._features(choices[:1].astype(float)).shape == (1, 18)  # 4 + 4 + 4 + 4 + 2
