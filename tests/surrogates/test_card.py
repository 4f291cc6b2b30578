"""What the card of a surrogate says of it as a benchmark, held to searches and tables that are counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from _curve_table import write_curves

import nasbench
from nasbench import registry
from nasbench.analysis import judged
from nasbench.cli import main
from surrogates.benchmark import card, saved
from surrogates.benchmark.fitting import fit
from surrogates.benchmark.surrogate import Fitted


@pytest.fixture(scope="module")
def table() -> nasbench.Table:
    return nasbench.load("nasbench201")


@pytest.fixture(scope="module")
def fitted(table: nasbench.Table) -> Fitted:
    return fit(table, model="gaussian_process", train_size=500, seeds=1)


def test_searches_are_compared_with_the_table(fitted: Fitted, table: nasbench.Table, tmp_path: Path):
    searches = fitted.score_card["searches"]
    for observe in ("run", "mean"):
        for place in ("surrogate", "table"):
            assert set(searches[observe][place]) == {"random_search", "regularized_evolution", "local_search"}
    means = searches["mean"]["table"]
    # Random search that sees means: the best of 500 draws, by the law of the best of n.
    value = np.sort(table.column("validation_accuracy"))
    chance = np.diff(np.concatenate([[0], (np.arange(1, len(value) + 1) / len(value)) ** 500]))
    mean, error = means["random_search"]
    assert abs(mean - (value[-1] - chance @ value)) < 4 * error
    assert means["local_search"][0] < means["regularized_evolution"][0] < mean
    on_surrogate = searches["mean"]["surrogate"]
    assert on_surrogate["local_search"][0] < on_surrogate["random_search"][0]
    saved.save(tmp_path / "s", fitted, table)
    stored = json.loads((tmp_path / "s" / "surrogate.json").read_text())["score_card"]
    assert stored["searches"] == searches
    assert stored["levels"] == fitted.score_card["levels"]


def test_the_spread_of_runs_is_that_of_architectures_that_are_no_labels(fitted: Fitted, table: nasbench.Table):
    levels = fitted.score_card["levels"]
    assert len(levels) == 5  # the poorest fiftieth are 341 cells that answer one class, all alike
    runs = np.stack([table.column("validation_accuracy", run=run) for run in range(3)], axis=1)
    held_out = np.setdiff1d(np.arange(len(table)), fitted.rows)
    means = np.nanmean(runs[held_out], axis=1)
    top = runs[held_out][(means >= levels[-1]["from"]) & (means <= levels[-1]["to"])]
    assert len(top) == pytest.approx(0.02 * len(held_out), rel=0.05)
    two_or_three = [row[np.isfinite(row)] for row in top]
    squares = sum(((row - row.mean()) ** 2).sum() for row in two_or_three)
    expected = np.sqrt(squares / sum(len(row) - 1 for row in two_or_three))
    assert levels[-1]["table"] == pytest.approx(expected)
    for part in levels[1:]:  # of the poorest there are few labels
        assert part["surrogate"] == pytest.approx(part["table"], rel=0.4)


def test_incumbents_are_judged_by_the_runs_that_a_search_did_not_see(table: nasbench.Table):
    history = card.search_history(table, "random_search", "run", 3, 200)
    at = int(history.validation_accuracy.argmax())
    architecture = tuple(history.architectures[at].tolist())
    seen = {
        int(run) for row, run in zip(history.architectures, history.runs, strict=True) if tuple(row) == architecture
    }
    unseen = [
        table.query(architecture, run=run).validation_accuracy for run in table.runs(architecture) if run not in seen
    ]
    other = card.search_history(table, "local_search", "run", 3, 200)
    found = [card.regrets(table, name, "run", [3], evaluations=200)[0] for name in ("random_search", "local_search")]
    difference = found[1] - found[0]  # whatever the optimum is
    assert difference == pytest.approx(np.mean(unseen) - judged(other, table)[-1])


@pytest.mark.parametrize("name", card.SEARCHES)
def test_searches_that_are_compared_exist(name: str):
    assert registry.find("searchers", name)


def test_a_table_of_some_architectures_says_why_nothing_was_compared(tmp_path: Path, capsys):
    path = write_curves(tmp_path / "curves.h5")
    options = ["--model", "ridge", "--train-size", "100", "--seeds", "1", "--out", str(tmp_path / "s")]
    assert main(["fit", "--table", str(path), *options]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "searches were not compared: the table does not have all architectures of its space" in printed
    assert "runs lie apart, pp, means between" in printed
    stored = json.loads((tmp_path / "s" / "surrogate.json").read_text())["score_card"]
    assert stored["searches"] == {"why_not": "the table does not have all architectures of its space"}


def test_a_table_of_single_runs_says_nothing_of_their_spread(tmp_path: Path):
    table = nasbench.load(write_curves(tmp_path / "one.h5", runs=1))
    assert fit(table, model="ridge", train_size=100, seeds=1).score_card["levels"] == []


def test_the_command_prints_both_columns(capsys, tmp_path: Path):
    options = ["--model", "gaussian_process", "--train-size", "150", "--seeds", "1", "--out", str(tmp_path / "s")]
    assert main(["fit", "--table", "nasbench201", *options]) == 0
    printed = capsys.readouterr().out
    stored = json.loads((tmp_path / "s" / "surrogate.json").read_text())["score_card"]["searches"]
    for observe, title in (("run", "single runs"), ("mean", "means")):
        for name in card.SEARCHES:
            line = next(row for row in printed.splitlines() if f"seeing {title}: {name}" in row)
            for place in ("surrogate", "table"):
                assert f"{100 * stored[observe][place][name][0]:.3f} ±" in line
