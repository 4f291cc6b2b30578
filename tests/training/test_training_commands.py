"""The commands that train, on a tenth of CIFAR-10: everything once, and what is said is what was trained."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _campaigns import fails_at_seed_1
from _small import CIFAR10, digits

from nasbench import load
from nasbench.cli import main
from nasbench.sources.named import find
from nasbench.tables.data import NASBENCH201
from nasbench.training.campaign import campaign
from nasbench.training.images import cifar10

real = pytest.mark.skipif(not CIFAR10.exists(), reason="the images of CIFAR-10 are not here")

IMAGES = ("--data", str(CIFAR10), "--subset", "--side", "16")
# All strides 2 and kernels 1: a training of a fraction of a second. Two searchers that ask for the same.
SEARCHERS = """
from nasbench.types import Trial

class Cheap:
    def __init__(self, space, *, seed):
        self.space, self.seed, self.asked = space, seed, 0

    def ask(self):
        self.asked += 1
        activation = "relu" if self.asked == 1 else "silu"
        return Trial(self.space.parse("-".join([f"1s2{activation}"] * 5)))

    def tell(self, trial, validation_accuracy):
        pass

class Same(Cheap):
    pass
"""
CONV5 = find("conv5_16px_4epochs")
RELU, SILU = "-".join(["1s2relu"] * 5), "-".join(["1s2silu"] * 5)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return main(words), *capsys.readouterr()

    return run


def trained(journal: str | Path) -> list[tuple[Any, ...]]:
    """What stands in a journal, and when it was finished: a training that was done twice would be younger."""
    with sqlite3.connect(journal) as connection:
        return connection.execute("SELECT architecture, epochs, seed, finished, training FROM trainings").fetchall()


@real
def test_search_verify_and_make_a_table(run: Run, tmp_path: Path):
    (tmp_path / "cheap.py").write_text(SEARCHERS)
    compare = ("compare", "cheap.py:Cheap", "cheap.py:Same", "--table", "live:conv5", "--epochs", "1", *IMAGES)
    compare += ("--budget", "2", "--runs", "1")
    status, out, err = run(*compare, "--processes", "2", "--out", "first")
    assert (status, err) == (0, "")
    assert "All values were measured here, by training." in " ".join(out.split())
    first = trained("trainings.db")
    assert sorted(row[0] for row in first) == sorted([RELU, SILU]), "two processes, one training each"
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    assert manifest["settings"]["dataset"] == "cifar10"
    assert "tests" not in manifest["settings"]["table"]
    assert manifest["settings"]["table"].startswith("live:conv5:epochs=1,")

    assert run(*compare, "--processes", "1", "--out", "second")[0] == 0
    assert trained("trainings.db") == first, "a second comparison trains nothing"
    summaries = [json.loads((tmp_path / name / "summary.json").read_text()) for name in ("first", "second")]
    assert summaries[0] == summaries[1]

    # The same trainings, as a table: nothing more is trained, and it answers as the journal does.
    (tmp_path / "list.txt").write_text(f"# two\n{RELU}\n\n{SILU}\n")
    words = ("train-table", "conv5", "--architectures", "list.txt", "--epochs", "1", *IMAGES, "--device", "cpu")
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    journal, path = out.splitlines()[-2:]
    assert (journal, path[:26], path[-3:]) == ("trainings.db", "conv5-by-conv5-1epochs-on-", ".h5")
    assert trained("trainings.db") == first
    table = load(tmp_path / path)
    correct = {row[0]: json.loads(row[4])["correct"]["validation"] for row in first}
    for text, counts in correct.items():
        assert table.query(text).validation_accuracy == counts[-1] / 2000
    # Of a sample, only the sample: the other trainings of the journal stay out of its table.
    (tmp_path / "one.txt").write_text(RELU)
    run(*words[:3], "one.txt", *words[4:], "--out", "one.h5")
    assert [load("one.h5").space.format(a) for a in load("one.h5")] == [RELU]

    # Verified, on the same images by the same schedule: the same seeds give the same counts.
    verify = ("verify", "first", "--top", "1", "--seeds", "1", "--epochs", "1", *IMAGES, "--device", "cpu")
    for _ in range(2):
        status, out, err = run(*verify)
        assert (status, err) == (0, "")
        assert "No verdict of consistency" in out
        [again] = trained(tmp_path / "verification" / "journal.db")
        found = json.loads((tmp_path / "verification" / "verification.json").read_text())
        best = max(correct, key=lambda text: correct[text][-1])
        assert again[0] == best == found["architectures"][0]["architecture"]
        assert found["architectures"][0]["trained"]["runs"] == [correct[best][-1] / 2000]
        assert found["benchmark"]["origin"] == "trained"
    assert json.loads(run(*verify, "--json")[1]) == found
    assert run(*verify, "--quiet")[1].splitlines() == [
        f"verification/{name}" for name in ("verification.json", "verification.png", "journal.db")
    ]
    assert len({row[3] for row in trained(tmp_path / "verification" / "journal.db")}) == 1


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "images_for", lambda space, data, tenth, side: digits())


def test_named_architectures_of_a_table(run: Run, small: None):
    """Of nasbench201, whose schedule is another: text, choices and index are read as by `nasbench query`."""
    words = ("verify", "0,0,0,1,0,0", "--epochs", "1", "--seeds", "1", "--device", "cpu", "--out", "v")
    status, _, err = run(*words)
    assert (status, err) == (0, "")
    table = load("nasbench201")
    found = json.loads(Path("v/verification.json").read_text())
    [row] = found["architectures"]
    assert row["architecture"] == table.space.format((0, 0, 0, 1, 0, 0))
    assert row["benchmark"]["mean"] == table.query((0, 0, 0, 1, 0, 0)).validation_accuracy
    assert found["trained"]["recipe"]["name"] == "nb201"
    assert "no schedule of 1 epochs, but of 200" in found["why_no_test"]
    before = trained("v/journal.db")
    assert run("verify", str(table.row((0, 0, 0, 1, 0, 0))), *words[2:])[0] == 0
    assert trained("v/journal.db") == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "--epochs", "3"), "--epochs: only for real training, with --table live:SPACE"),
        (("compare", "--subset", "--data", "x"), "--subset, --data: only for real training"),
        (("compare", "--table", "live:conv5"), "how many epochs?"),
        (("compare", "--table", "live:conv5:epochs=1", "--epochs", "2"), "epochs is given twice"),
        (("verify", "."), "is no manifest of a comparison"),
        (("verify", ".", "more"), "a comparison is verified alone"),
        (("verify", "no such cell"), "'no such cell' is no NAS-Bench-201 cell"),
        (("verify", "5", "--side", "16"), "give --subset too"),
        (("verify", "5", "--device", "tpu"), "there is no device 'tpu' here"),
        (("train-table", "conv5", "--sample", "0", "--epochs", "1"), "a sample of at least 1"),
        (("train-table", "conv5", "--architectures", "gone.txt", "--epochs", "1"), "gone.txt: cannot be read"),
        (
            ("train-table", "conv5", "--sample", "1", "--epochs", "1", "--data", "gone"),
            "data_batch_1.bin: no such file",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(run: Run, words: tuple[str, ...], message: str):
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert err.startswith("nasbench: ")
    assert err.count("\n") == 1
    assert message in err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("verify", "5", "--epochs", "0"), "at least 1 epoch and 1 seed"),
        (("verify", "5", "--epochs", "1", "--workers", "0"), "workers must be at least 1"),
        (("train-table", "conv5", "--sample", "1", "--epochs", "0"), "expected at least 1 epoch, not 0"),
        (("train-table", "conv5", "--sample", "1", "--seeds", "0", "--epochs", "1"), "and one seed"),
    ],
)
def test_numbers_that_are_none_are_refused(run: Run, small: None, words: tuple[str, ...], message: str):
    test_what_is_wrong_is_one_line_and_leaves_nothing(run, words, message)


def test_trainings_that_fail_are_listed_and_the_others_are_not_lost(
    run: Run, small: None, monkeypatch: pytest.MonkeyPatch
):
    fails = partial(campaign.run_campaign, train_one=fails_at_seed_1)
    monkeypatch.setattr(campaign, "run_campaign", fails)
    words = ("train-table", "conv5", "--sample", "2", "--seeds", "2", "--epochs", "2", "--workers", "1")
    status, out, err = run(*words, "--out", "t.h5")
    assert status == 1
    assert err.count("failed: ") == 2
    assert "seed 1: RuntimeError: seed 1 fails" in err
    assert len(load("t.h5")) == 2
    assert out.splitlines()[-1] == "t.h5"


def test_a_campaign_goes_on_from_a_table(run: Run, small: None):
    """As if the second machine had trained all: the same counts, and nothing that the first has is trained again."""
    words = ("train-table", "conv5", "--sample", "2", "--epochs", "1", "--device", "cpu", "--workers", "1")
    assert run(*words, "--journal", "first.db", "--out", "first.h5")[0] == 0
    [before, whole] = trained("first.db"), (*words[:3], "4", *words[4:], "--seeds", "2")
    status, out, err = run(*whole, "--from", "first.h5", "--journal", "second.db", "--out", "second.h5")
    assert (status, err) == (0, "")
    assert out.startswith("2 trainings taken over from first.h5\n")
    assert set(before) <= set(trained("second.db")), "with their times: they were not trained again"
    run(*whole, "--journal", "whole.db", "--out", "whole.h5")
    assert {row[:3] for row in trained("second.db")} == {row[:3] for row in trained("whole.db")}
    second, alone = load("second.h5"), load("whole.h5")
    for run_number in range(2):
        for metric in ("validation_accuracy", "test_accuracy", "train_accuracy"):
            values = [table.column(metric, run=run_number).tolist() for table in (second, alone)]
            assert values[0] == values[1]

    # Without a word of what to train: the table's own architectures, with its own or more seeds.
    status, out, err = run(
        "train-table", "--from", "first.h5", "--journal", "third.db", "--seeds", "2", "--out", "3.h5"
    )
    assert (status, err) == (0, "")
    assert [load("3.h5").space.format(a) for a in load("3.h5")] == [
        load("first.h5").space.format(a) for a in load("first.h5")
    ]
    assert {row[2] for row in trained("third.db")} == {0, 1}
    # What was taken over stays in the table, whatever else is asked for.
    (Path("one.txt")).write_text(RELU)
    run("train-table", "--from", "first.h5", "--architectures", "one.txt", "--journal", "4.db", "--out", "4.h5")
    assert len(load("4.h5")) == 3


def test_what_two_machines_trained_is_merged(run: Run, small: None):
    words = ("train-table", "conv5", "--epochs", "1", "--device", "cpu", "--workers", "1", "--sample", "2")
    for name, more in (("a", ("--seed", "1")), ("b", ("--seed", "1", "--seeds", "2"))):
        assert run(*words, *more, "--journal", f"{name}.db", "--out", f"{name}.h5")[0] == 0
    status, out, err = run("merge", "a.h5", "b.h5", "--out", "c.h5")
    assert (status, err) == (0, "")
    assert "2 trainings were in several tables, with equal counts; seconds are those of the first." in out
    assert out.endswith("4 trainings of 2 tables\nc.h5\n")
    seconds = [load(name).column("training_time", run=0).tolist() for name in ("a.h5", "c.h5")]
    assert seconds[0] == seconds[1]
    before = Path("c.h5").read_bytes()
    for more, message in ((("a.h5", "b.h5"), "c.h5 exists"), (("a.h5", "gone.h5", "--force"), "gone.h5: no such file")):
        status, out, err = run("merge", *more, "--out", "c.h5")
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert message in err
        assert Path("c.h5").read_bytes() == before
    assert run("merge", "b.h5", "a.h5", "--out", "c.h5", "--force")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "of which space should trainings be? Give SPACE"),
        (("conv5", "--sample", "1"), "of how many epochs should trainings be? Give --epochs"),
        (("conv5", "--epochs", "1"), "what should be trained? Give --sample N"),
        (("--from", "gone.h5"), "gone.h5: no such file"),
        (("--from", str(NASBENCH201)), "no table of trainings by this package"),
        (("nb201", "--epochs", "4", "--sample", "1", "--from", CONV5), "search space conv5; asked for nb201"),
        (("--epochs", "3", "--from", CONV5), "images d0a61917"),
    ],
)
def test_no_start_is_one_line_and_leaves_nothing(run: Run, small: None, words: tuple[str, ...], message: str):
    test_what_is_wrong_is_one_line_and_leaves_nothing(run, ("train-table", *words), message)
