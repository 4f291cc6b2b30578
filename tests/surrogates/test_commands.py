"""``surrogate:FOLDER`` wherever a table stands: info, export, cite and query by an index, on the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from _curve_table import write_curves

import nasbench
from nasbench.cli import main
from nasbench.spaces.nb201 import NB201
from surrogates.benchmark import saved
from surrogates.benchmark.fitting import fit


@pytest.fixture(scope="module")
def macro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("macro")
    table = nasbench.load(write_curves(folder / "curves.h5"))
    saved.save(folder / "s", fit(table, model="ridge", train_size=60, seeds=1), table)
    return folder / "s"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells") / "s"
    table = nasbench.load("nasbench201")
    saved.save(folder, fit(table, model="ridge", train_size=60, seeds=1), table)
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def call(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_info_says_what_is_predicted_and_how_well(run, macro: Path) -> None:
    status, out, _ = run("info", f"surrogate:{macro}")
    assert status == 0
    manifest = saved.load(macro).manifest
    assert "predicted, 6,561 combinations of nb_macro" in out
    assert "schedule 10: 3 epochs, 1 to 10" in out
    assert "metrics: test_accuracy, validation_accuracy, training_time" in out
    assert "learnt: validation_accuracy, by the model ridge, from 60 labels" in out
    assert f"table: curves (cifar10), digest {manifest['table']['digest']}" in out or "table: curves, digest" in out
    assert f"Kendall tau: {manifest['score_card']['mean']['kendall']:.3f}, on 340 architectures" in out
    assert f"mean absolute error: {100 * manifest['score_card']['mean']['mae']:.3f} percentage points" in out
    assert f"digest: {manifest['digest']}" in out


def test_cite_names_the_source_of_the_table(run, cells: Path) -> None:
    status, out, _ = run("cite", f"surrogate:{cells}")
    assert status == 0
    table = nasbench.load("nasbench201")
    assert table.source["citation"] in out
    assert f"table digest {table.digest}" in out
    assert f"surrogate s (surrogate of {table.name}), digest {saved.load(cells).manifest['digest']}." in out
    assert table.source["citation"] in run("cite", "nasbench201")[1]


def test_an_index_is_the_official_one(run, cells: Path) -> None:
    for index in (0, 284, 15_624):
        status, out, _ = run("query", index, "--table", f"surrogate:{cells}")
        assert status == 0
        text = NB201().format(tuple(NB201().architectures[index].tolist()))
        assert f"architecture: {text} (index {index})\n" in out
        assert "origin: predicted" in out
        assert run("query", text, "--table", f"surrogate:{cells}")[1] == out
        assert run("query", index)[1].startswith(f"architecture: {text} (index {index})\n")
    status, _, err = run("query", 15_625, "--table", f"surrogate:{cells}")
    assert (status, err.count("\n")) == (1, 1)
    assert "index 15625 is outside of" in err


def test_an_index_says_nothing_where_there_is_no_official_order(run, macro: Path) -> None:
    status, _, err = run("query", 5, "--table", f"surrogate:{macro}")
    assert (status, err.count("\n")) == (1, 1)
    assert "an index says nothing in nb_macro" in err
    out = run("query", "0,1,2,0,1,2,0,1", "--table", f"surrogate:{macro}")[1]
    assert out.startswith("architecture: 01201201\n")


def test_export_has_every_architecture_and_says_that_it_predicts(run, macro: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.csv"
    assert run("export", f"surrogate:{macro}", "--out", out)[0] == 0
    with out.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == 6561
    assert [*rows[0]] == [
        "code",
        "architecture",
        "origin",
        "parameters [parameters]",
        "predicted validation_accuracy@10/10 [fraction]",
        "predicted test_accuracy@10/10 [fraction]",
        "predicted training_time@10/10 [seconds]",
    ]
    assert {row["origin"] for row in rows} == {"predicted"}
    benchmark = nasbench.load(f"surrogate:{macro}")
    for row in rows[::500]:
        answer = benchmark.query(row["architecture"])
        assert float(row["predicted test_accuracy@10/10 [fraction]"]) == answer.test_accuracy
        assert float(row["predicted training_time@10/10 [seconds]"]) == answer.training_time
        assert int(row["parameters [parameters]"]) == answer.parameters
    before = out.read_bytes()
    status, _, err = run("export", f"surrogate:{macro}", "--out", out, "--every-epoch")
    assert (status, out.read_bytes()) == (1, before)
    assert "--force" in err
    assert run("export", f"surrogate:{macro}", "--out", out, "--every-epoch", "--force")[0] == 0
    header = out.read_text().partition("\n")[0]
    for epoch in (1, 5, 10):
        assert f"predicted validation_accuracy@10/{epoch} [fraction]" in header


def test_export_to_parquet(run, cells: Path, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas", reason="Parquet needs pandas")
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    out = tmp_path / "s.parquet"
    assert run("export", f"surrogate:{cells}", "--out", out)[0] == 0
    frame = pd.read_parquet(out)
    assert frame.index.name == "index"
    assert len(frame) == 15_625
    assert frame["architecture"][284] == NB201().format(tuple(NB201().architectures[284].tolist()))
    values = frame["predicted validation_accuracy@200/200"]
    means = nasbench.load(f"surrogate:{cells}").means(NB201().architectures)
    np.testing.assert_array_equal(values, means)
    assert frame.attrs["origin"] == "predicted"
    assert frame.attrs["surrogate"] == saved.load(cells).manifest["digest"]
    assert frame.attrs["units"]["predicted validation_accuracy@200/200"] == "fraction"


def test_what_cannot_be_exported_is_refused_in_a_line(run, macro: Path, tmp_path: Path, monkeypatch) -> None:
    def refused(*words: object) -> str:
        status, _, err = run("export", f"surrogate:{macro}", "--out", tmp_path / "s.csv", *words)
        assert (status, err.count("\n")) == (1, 1)
        assert not [*tmp_path.iterdir()]
        return err

    assert "its runs are drawn" in refused("--every-run")
    monkeypatch.setattr("surrogates.benchmark.export.LARGEST", 6560)
    assert "nb_macro has too many architectures to predict them all: 6,561 combinations, and 6,560" in refused()


def test_a_table_is_described_exported_and_cited_as_before(run, tmp_path: Path) -> None:
    path = write_curves(tmp_path / "curves.h5")
    assert "400 architectures of nb_macro" in run("info", path)[1]
    assert "made for a test" in run("cite", path)[1]
    assert run("export", path, "--out", tmp_path / "t.csv")[0] == 0
    header = (tmp_path / "t.csv").read_text().partition("\n")[0]
    assert "predicted" not in header
