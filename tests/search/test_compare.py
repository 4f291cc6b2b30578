"""compare(): the same bytes whatever happens on the way; other settings, foreign folders, broken searchers refused."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench import Budget, NasbenchError, Rules, load, registry, run
from nasbench.cli import main
from nasbench.errors import ComparisonError, HistoryFileError, SearcherError, UnknownNameError
from nasbench.search.compare import Algorithm, Settings, compare
from nasbench.search.history import load_histories
from nasbench.tables import Column, DatasetContent, TableContent, TableFile, write

# A searcher that writes down each time it is made, and stops for ever in run 30, which is in the second part of 25
# runs, until there is a file `go`.
HALTING = '''
from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from nasbench import Trial


@dataclass
class Setting:
    """Needs its module in sys.modules, as annotations are text."""

    step: int


class Halting:
    def __init__(self, space, *, seed, step=1):
        with open("made.log", "a") as log:
            log.write(f"{seed[1]}\\n")
        self.space, self.setting, self.halts = space, Setting(step), seed[1] == 30
        self.rng = np.random.default_rng(seed)

    def ask(self):
        while self.halts and not os.path.exists("go"):
            open("reached", "w").close()
            time.sleep(0.02)
        return Trial(self.space.sample(self.rng))

    def tell(self, trial, validation_accuracy):
        pass
'''
HALTING_COMMAND = [
    *("compare", "halting.py:Halting:step=2", "local_search:initial=3", "--runs", "60", "--budget", "8"),
    *("--seed", "5", "--out", "result"),
]


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what importing searchers from files changes in this process."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in {"halting", "constant", "my_search", "neighbour_of_mine", "logging_search", "broken"} - before:
        sys.modules.pop(name, None)


def settings(*algorithms: str, **changes: Any) -> Settings:
    parsed = tuple(Algorithm.parse(text) for text in algorithms or ("random_search",))
    return Settings("nasbench201", "cifar10", parsed, Budget(5), 3, 0)._replace(**changes)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "nasbench.cli", *words]


def made(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "made.log").read_text().splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The whole result of the command, done at once by one process."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    (folder / "halting.py").write_text(HALTING)
    (folder / "go").touch()
    subprocess.run(command(*HALTING_COMMAND, "--processes", "1"), cwd=folder, check=True, capture_output=True)
    assert sorted(set(made(folder))) == list(range(60))
    return contents(folder / "result")


def test_a_result_is_these_files(uninterrupted: dict[str, bytes]) -> None:
    names = ["curves.pdf", "curves.png", "manifest.json", "summary.json"]
    histories = ["histories/Halting(step=2).h5", "histories/local_search(initial=3).h5"]
    assert sorted(uninterrupted) == [*names[:2], *histories, *names[2:]]


def test_two_workers_leave_the_same_bytes(
    uninterrupted: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("halting.py").write_text(HALTING)
    Path("go").touch()
    assert main([*HALTING_COMMAND, "--processes", "2"]) == 0
    assert contents(tmp_path / "result") == uninterrupted


@pytest.mark.parametrize(("stop", "workers"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGKILL, 2)])
def test_an_interrupted_comparison_goes_on_where_it_was(
    uninterrupted: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stop: signal.Signals,
    workers: int,
) -> None:
    (tmp_path / "halting.py").write_text(HALTING)
    parts = tmp_path / "result" / "parts"
    ours = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # in the background it may be ignored, for heirs too
    process = subprocess.Popen(
        command(*HALTING_COMMAND, "--processes", str(workers)),
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    signal.signal(signal.SIGINT, ours)
    try:
        deadline = time.monotonic() + 60
        while not ((tmp_path / "reached").exists() and any(parts.glob("Halting(step=2)-*-000000-000025.h5"))):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the search never came to run 30"
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, stop)  # as a terminal does: the workers are in the group too
        out, err = process.communicate(timeout=60)
    if stop == signal.SIGINT:
        assert process.returncode == 130
        assert err.strip() == "nasbench: interrupted. The same command goes on where it stopped."
    assert out == ""
    assert not (tmp_path / "result" / "histories").exists()
    before = len(made(tmp_path))

    monkeypatch.chdir(tmp_path)
    (tmp_path / "go").touch()
    progress: list[tuple[int, int]] = []
    parsed = tuple(Algorithm.parse(text) for text in HALTING_COMMAND[1:3])
    compare(
        Settings("nasbench201", "cifar10", parsed, Budget.parse("8"), 60, 5),
        "result",
        progress=lambda *done: progress.append(done),
    )
    # Run 0 is made once more, to see early that it can be.
    again = made(tmp_path)[before:]
    assert again.count(0) == 1
    assert not set(again) & set(range(1, 25)), "finished runs were done again"
    assert set(range(25, 50)) <= set(again)
    done, total = zip(*progress, strict=True)
    assert set(total) == {120}
    assert done[0] >= 25
    assert done[0] % 5 == 0
    assert list(done) == sorted(done)
    assert done[-1] == 120
    # All is there: the command only draws and reports.
    before = len(made(tmp_path))
    assert main([*HALTING_COMMAND, "--processes", "1"]) == 0
    assert made(tmp_path)[before:] == [0]
    assert contents(tmp_path / "result") == uninterrupted


@pytest.fixture
def halted(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The command, with two workers, in the run in which it waits; a group of its own, killed at the end."""
    (tmp_path / "halting.py").write_text(HALTING)
    with subprocess.Popen(
        command(*HALTING_COMMAND, "--processes", "2"), cwd=tmp_path, start_new_session=True, text=True
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not (tmp_path / "reached").exists():
                assert process.poll() is None
                assert time.monotonic() < deadline, "the search never came to run 30"
                time.sleep(0.02)
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_a_second_comparison_in_the_folder_is_told_who_works_there(
    halted: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path / "result")
    for words in (HALTING_COMMAND, [*HALTING_COMMAND, "--seed", "6"]):
        assert main(words) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(
            f"nasbench: {tmp_path / 'result'}: process {halted.pid} on {socket.gethostname()}, since "
        )
        assert err.endswith(" works there. Wait for it, or choose another --out.\n")
        assert err.count("\n") == 1
    after = contents(tmp_path / "result")
    assert {name for name in before if not name.endswith(".partial")} <= after.keys()
    assert after["manifest.json"] == before["manifest.json"]


def test_workers_end_with_a_comparison_that_is_killed_alone(
    halted: subprocess.Popen[str],
    uninterrupted: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And the next one takes over at once: its lock ended with it."""
    halted.kill()  # not the group
    halted.wait()
    deadline = time.monotonic() + 10  # two seconds, and some more on a busy machine
    while alive(halted.pid):
        assert time.monotonic() < deadline, "workers live on"
        time.sleep(0.05)
    assert (tmp_path / "result" / ".lock").exists()
    monkeypatch.chdir(tmp_path)
    Path("go").touch()
    assert main([*HALTING_COMMAND, "--processes", "1"]) == 0
    assert contents(tmp_path / "result") == uninterrupted


def alive(group: int) -> bool:
    """Tell whether a process of this group runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_command_in_the_manifest_repeats_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    monkeypatch.chdir(first)
    words = "compare regularized_evolution:population_size=5,sample_size=2 random_search --dataset cifar100"
    options = "--budget 90000.5s --runs 4 --seed 11 --observe mean --free-repeats --out here --processes 1"
    assert main([*words.split(), *options.split()]) == 0
    manifest = json.loads(Path("here/manifest.json").read_text())
    name, *repeated = shlex.split(manifest["command"])
    assert name == "nasbench"
    monkeypatch.chdir(second)
    assert main(repeated) == 0
    assert contents(second) == contents(first)
    assert len(contents(second)) == 6


def test_the_manifest_says_what_was_asked_with_what(tmp_path: Path) -> None:
    asked = settings("random_search", "reinforce:learning_rate=0.1", rules=Rules("mean", repeats_cost=False))
    compare(asked, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["settings"]["table_digest"] == load("nasbench201").digest
    assert manifest["settings"]["rules"] == {"observe": "mean", "repeats_cost": False}
    assert [a["algorithm"] for a in manifest["settings"]["algorithms"]] == [
        "random_search",
        "reinforce(learning_rate=0.1)",
    ]
    assert set(manifest["made_with"]) == {"python", "numpy", "h5py", "scipy"}
    assert "NAS-Bench-201" in manifest["source"]["citation"]


# What a run depends on.


def test_run_r_depends_on_the_seed_and_r_alone(tmp_path: Path) -> None:
    """Not on how many runs there are, in how many parts, nor on the other algorithms."""
    few = compare(settings("local_search", runs=10, seed=4), tmp_path / "few")
    many = compare(settings("random_search", "local_search", runs=30, seed=4), tmp_path / "many")
    assert many.histories["local_search"][:10] == few.histories["local_search"]
    table = load("nasbench201")
    for r in (0, 9, 29):
        searcher = registry.find("searchers", "local_search")(table.space, seed=[4, r, 0])
        assert many.histories["local_search"][r] == run(searcher, table, Budget(5), seed=[4, r, 1])
    assert few.histories["local_search"][0] != few.histories["local_search"][1]
    other = compare(settings("local_search", seed=5), tmp_path / "other")
    assert other.histories["local_search"][0] != few.histories["local_search"][0]


def test_arguments_reach_the_searcher_and_the_histories(tmp_path: Path) -> None:
    text = "regularized_evolution:population_size=7,sample_size=4"
    comparison = compare(settings(text), tmp_path / "out")
    label = "regularized_evolution(population_size=7,sample_size=4)"
    assert list(comparison.histories) == [label]
    for history in load_histories(tmp_path / "out" / "histories" / f"{label}.h5"):
        assert history.header["arguments"].items() >= {"population_size": 7, "sample_size": 4}.items()


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("random_search", {}),
        ("reinforce:learning_rate=0.1", {"learning_rate": 0.1}),
        ("x:a=1,b=true,c=none,d=-2.5e-3,e=null", {"a": 1, "b": True, "c": "none", "d": -0.0025, "e": None}),
    ],
)
def test_arguments_are_json_or_text(text: str, arguments: dict[str, Any]) -> None:
    found = Algorithm.parse(text).arguments
    assert found == arguments
    assert [type(value) for value in found.values()] == [type(value) for value in arguments.values()]


def test_workers_that_are_used_again_follow_to_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes outlive a comparison, and keep the working folder that they were started in."""
    table = Path(load("nasbench201").path)
    found = []
    for name, architecture in (("one", (0, 0, 0, 0, 0, 1)), ("two", (0, 0, 0, 0, 0, 2))):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        shutil.copy(table, "own.h5")
        Path("constant.py").write_text(
            "class Constant:\n"
            "    def __init__(self, space, *, seed): pass\n"
            f"    def ask(self): return ({architecture}, None)\n"
            "    def tell(self, trial, validation_accuracy): pass\n"
        )
        asked = settings("constant.py:Constant", "random_search", table="own.h5", runs=50)
        found.append(compare(asked, "out", processes=2).histories)
        assert found[-1]["Constant"][49].architectures.tolist() == [list(architecture)] * 5
        assert not Path("out", "parts").exists()
    assert found[0]["random_search"] == found[1]["random_search"]


def test_a_table_that_was_replaced_is_another_table(tmp_path: Path) -> None:
    path = tmp_path / "own.h5"
    shutil.copy(load("nasbench201").path, path)
    first = compare(settings(table=str(path)), tmp_path / "first").histories["random_search"][0]
    file = TableFile(path)
    kept = file.read(file.schedules[200]["validation_accuracy"], 200)
    schedule = {"validation_accuracy": Column(kept[:, None, :1], "images", (200,), 25_000)}
    content = TableContent(
        "nb201", file.architectures(), {"cifar10": DatasetContent({}, {200: schedule})}, file.source, {}
    )
    write(path, content, force=True)
    second = compare(settings(table=str(path)), tmp_path / "second").histories["random_search"][0]
    assert first.header["benchmark"]["digest"] != second.header["benchmark"]["digest"]
    assert second.runs.tolist() == [0] * 5
    with pytest.raises(ComparisonError, match="differs in table_digest"):
        compare(settings(table=str(path)), tmp_path / "first")


# A folder that is there already.


CHANGES = {
    "dataset": {"dataset": "cifar100"},
    "budget": {"budget": Budget(6)},
    "seed": {"seed": 1},
    "rules": {"rules": Rules("mean")},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "out"
    compare(settings(), folder)
    return folder


@pytest.mark.parametrize("what", CHANGES)
def test_other_settings_in_the_same_folder_are_refused(finished: Path, what: str) -> None:
    before = contents(finished)
    with pytest.raises(ComparisonError, match=rf"another comparison, which differs in {what}\. Choose another --out"):
        compare(settings()._replace(**CHANGES[what]), finished)
    assert contents(finished) == before


def test_all_that_stands_against_it_is_told(finished: Path) -> None:
    with pytest.raises(ComparisonError, match=r"differs in budget, seed\."):
        compare(settings(budget=Budget(1), runs=1, seed=3), finished)


def test_force_starts_over(tmp_path: Path) -> None:
    compare(settings(), tmp_path / "old")
    compare(settings("local_search", seed=3), tmp_path / "new")
    (tmp_path / "old" / "histories" / "random_search.h5").write_bytes(b"damaged")
    (tmp_path / "old" / "mine.txt").touch()
    compare(settings("local_search", seed=3), tmp_path / "old", force=True)
    assert contents(tmp_path / "old") == {**contents(tmp_path / "new"), "mine.txt": b""} | {
        "manifest.json": (tmp_path / "old" / "manifest.json").read_bytes()
    }
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").touch()
    with pytest.raises(ComparisonError, match="neither empty nor a comparison"):
        compare(settings(), tmp_path / "thesis", force=True)
    assert (tmp_path / "thesis" / "thesis.tex").exists()


def test_another_table_is_refused(tmp_path: Path) -> None:
    compare(settings(), tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["settings"]["table_digest"] = "0"
    path.write_text(json.dumps(manifest))
    with pytest.raises(ComparisonError, match="differs in table_digest"):
        compare(settings(), tmp_path / "out")


# What is finished is used again.

LOGGING = """
import numpy as np

from nasbench import Trial


class Logging:
    def __init__(self, space, *, seed):
        with open("runs.log", "a") as log:
            log.write(f"{seed[1]}\\n")
        self.space, self.rng = space, np.random.default_rng(seed)

    def ask(self):
        return Trial(self.space.sample(self.rng))

    def tell(self, trial, validation_accuracy):
        pass


class Other(Logging):
    pass
"""


class Again:
    """A folder with a file of searchers that write down which runs they are made for."""

    def __init__(self, folder: Path) -> None:
        self.file, self.log = folder / "logging_search.py", folder / "runs.log"
        self.file.write_text(LOGGING)

    def compare(self, *algorithms: str, out: str = "out", **changes: Any) -> list[int]:
        """Compare; return the runs that were made, but for run 0, which is also made to see that it can be."""
        self.log.write_text("")
        compare(settings(*algorithms, **changes), out)
        return sorted({int(line) for line in self.log.read_text().split()} - {0})

    def fresh(self, *algorithms: str, **changes: Any) -> dict[str, bytes]:
        """The files of the same comparison in a folder of its own, which is named alike."""
        Path("fresh").mkdir(exist_ok=True)
        shutil.rmtree("fresh/out", ignore_errors=True)
        self.compare(*algorithms, out="fresh/out", **changes)
        return contents(Path("fresh/out"))


@pytest.fixture
def again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Again:
    monkeypatch.chdir(tmp_path)
    return Again(tmp_path)


ONE, TWO = "logging_search.py:Logging", "logging_search.py:Other"


def test_more_runs_make_only_those_that_are_missing(again: Again) -> None:
    assert again.compare(ONE, "random_search", runs=30) == [*range(1, 30)]
    assert again.compare(ONE, "random_search", runs=60) == [*range(30, 60)]
    assert contents(Path("out")) == again.fresh(ONE, "random_search", runs=60)


def test_an_algorithm_that_is_added_leaves_the_others_as_they_are(again: Again) -> None:
    again.compare("random_search", ONE, runs=9)
    assert again.compare(ONE, "local_search", "random_search", runs=9) == []
    assert contents(Path("out")) == again.fresh(ONE, "local_search", "random_search", runs=9)


def test_a_corrected_algorithm_is_run_anew_and_alone(again: Again) -> None:
    before = again.compare("random_search", ONE, runs=9)
    old = contents(Path("out"))
    again.file.write_text(LOGGING + "# corrected\n")
    Path("out/histories/random_search.h5").touch()
    assert again.compare("random_search", ONE, runs=9) == before == [*range(1, 9)]
    ours = {name: text for name, text in contents(Path("out")).items() if not name.startswith("parts/")}
    assert ours == again.fresh("random_search", ONE, runs=9)
    # And back: nothing that was finished is lost.
    again.file.write_text(LOGGING)
    assert again.compare("random_search", ONE, runs=9) == []
    assert {name: text for name, text in contents(Path("out")).items() if not name.startswith("parts/")} == old


def test_what_is_no_longer_asked_for_stays_outside_of_the_result(again: Again) -> None:
    again.compare(ONE, "random_search", runs=30)
    assert again.compare("random_search", runs=9) == []
    found = contents(Path("out"))
    aside = {name for name in found if name.startswith("parts/")}
    assert sorted(name.split("-")[0] for name in aside) == ["parts/Logging", "parts/random_search"]
    assert {name: found[name] for name in found if name not in aside} == again.fresh("random_search", runs=9)
    assert [len(load_histories(f"out/{name}")) for name in sorted(aside)] == [30, 30]
    assert again.compare(ONE, "random_search", runs=30) == []
    assert contents(Path("out")) == again.fresh(ONE, "random_search", runs=30)


def test_another_version_runs_everything_anew(again: Again, monkeypatch: pytest.MonkeyPatch) -> None:
    again.compare(ONE)
    monkeypatch.setattr("nasbench.__version__", "99.0")
    assert again.compare(ONE) == [1, 2]
    assert {h.header["nasbench"] for h in load_histories("out/histories/Logging.h5")} == {"99.0"}


def test_runs_that_a_part_holds_already_are_not_made_again(again: Again) -> None:
    """Whatever was interrupted in between: parts of any length fit."""
    again.compare(ONE, runs=30)
    again.compare(ONE, runs=40)
    again.compare(ONE, TWO, runs=12)  # 40 runs of the one are aside now
    os.unlink("out/histories/Logging.h5")  # as if it had been interrupted at its end
    assert again.compare(ONE, runs=45) == [*range(40, 45)]
    found = {name: text for name, text in contents(Path("out")).items() if not name.startswith("parts/Other")}
    assert found == again.fresh(ONE, runs=45)


def test_what_was_drawn_of_other_settings_is_removed(again: Again) -> None:
    again.compare(ONE)
    for name in ("summary.json", "curves.png", "curves.pdf"):
        Path("out", name).touch()
    again.compare(ONE, TWO)
    assert sorted(os.listdir("out")) == ["histories", "manifest.json"]


def test_a_part_of_another_length_is_refused_by_name(again: Again) -> None:
    again.compare(ONE, runs=9)
    again.compare("random_search", runs=9)
    (part,) = Path("out/parts").iterdir()
    part.rename(part.with_name(part.name.replace("000009", "000030")))
    with pytest.raises(HistoryFileError, match=r"-000000-000030\.h5: expected 30 histories, found 9\. Delete it\."):
        again.compare(ONE, runs=9)


@pytest.mark.parametrize("settings_text", ['{"runs": "many"}', '{"runs": 3, "algorithms": 7}', "{}"])
def test_a_manifest_that_says_nothing_is_refused(again: Again, settings_text: str) -> None:
    again.compare(ONE)
    manifest = json.loads(Path("out/manifest.json").read_text())
    manifest["settings"] = {**manifest["settings"], "algorithms": None} | json.loads(settings_text)
    Path("out/manifest.json").write_text(json.dumps(manifest))
    before = contents(Path("out"))
    with pytest.raises(ComparisonError, match=r"manifest\.json: is damaged"):
        again.compare(ONE)
    assert contents(Path("out")) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("thesis.tex", "years of work"),
        ("manifest.json", "{"),
        ("manifest.json", "[]"),
        ("manifest.json", '{"format": "browser extension", "settings": {}}'),
        ("manifest.json", '{"format": "nasbench comparison"}'),
    ],
)
def test_a_foreign_folder_is_refused_and_left_alone(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ComparisonError, match="Choose another --out"):
        compare(settings(), tmp_path)
    assert contents(tmp_path) == {name: text.encode()}


def test_an_empty_folder_is_welcome(tmp_path: Path) -> None:
    compare(settings(), tmp_path)
    assert sorted(contents(tmp_path)) == ["histories/random_search.h5", "manifest.json"]


def test_a_damaged_history_is_named_and_made_again_once_deleted(tmp_path: Path) -> None:
    compare(settings(), tmp_path)
    path = tmp_path / "histories" / "random_search.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HistoryFileError, match=r"histories/random_search\.h5"):
        compare(settings(), tmp_path)
    path.unlink()
    compare(settings(), tmp_path)
    assert path.read_bytes() == whole


# Searchers of the user's own.

MINE = """
import numpy as np

import neighbour_of_mine
from nasbench import Trial


class Mine:
    def __init__(self, space, *, seed, offset: int = 0):
        self.space, self.seed, self.offset = space, seed, offset
        self.rng = np.random.default_rng(seed)

    def ask(self):
        return Trial(self.space.sample(self.rng))

    def tell(self, trial, validation_accuracy):
        pass


class Constant(Mine):
    def ask(self):
        return Trial(neighbour_of_mine.ARCHITECTURE)


class Astray(Mine):
    def ask(self):
        return Trial((9,) * 6)


NUMBER = 7
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with my_search.py."""
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "my_search.py"
    path.write_text(MINE)
    path.with_name("neighbour_of_mine.py").write_text("ARCHITECTURE = (3, 0, 3, 1, 3, 3)\n")
    monkeypatch.chdir(tmp_path)
    return path


@pytest.mark.usefixtures("mine")
def test_a_class_in_a_file_may_import_its_neighbours_and_take_arguments() -> None:
    comparison = compare(settings("mine/my_search.py:Mine:offset=3", "mine/my_search.py:Constant"), "out")
    assert list(comparison.histories) == ["Mine(offset=3)", "Constant"]
    for history in comparison.histories["Mine(offset=3)"]:
        assert history.header["searcher"] == "my_search:Mine"
        assert history.header["arguments"] == {"offset": 3}
    for history in comparison.histories["Constant"]:
        assert history.architectures.tolist() == [[3, 0, 3, 1, 3, 3]] * 5


def test_an_edited_file_is_run_as_it_is_now(mine: Path) -> None:
    """In one process too: what runs is what the manifest has the sha256 of."""
    old = compare(settings("mine/my_search.py:Mine"), "old").histories["Mine"]
    mine.write_text(MINE.replace("return Trial(self.space.sample(self.rng))", "return Trial((0, 0, 0, 0, 1, 2))"))
    new = compare(settings("mine/my_search.py:Mine"), "old").histories["Mine"]
    assert new[0].architectures.tolist() == [[0, 0, 0, 0, 1, 2]] * 5
    assert not np.array_equal(old[0].architectures, new[0].architectures)


def test_a_file_that_changes_during_the_comparison_is_refused(mine: Path) -> None:
    asked = settings("mine/my_search.py:Mine")
    mine.write_text(MINE + "# as a worker finds it that starts late\n")
    with pytest.raises(ComparisonError, match=r"my_search\.py: has changed since the comparison started"):
        compare(asked, "out")
    assert not Path("out").exists()


FAULTY = """
from nasbench import Trial


def average(values):
    return sum(values) / len(values)


class Faulty:
    def __init__(self, space, *, seed, where="tell"):
        if where == "constructor" and seed[1] == 28:
            raise KeyError("bought")
        self.space, self.where, self.run, self.values = space, where, seed[1], []

    def ask(self):
        if self.where == "ask" and self.run == 28:
            return average(self.values[3:])
        if self.where == "trial" and self.run == 28:
            return Trial("text")
        return Trial((0,) * 6)

    def tell(self, trial, validation_accuracy):
        self.values.append(validation_accuracy)
        if self.where == "tell" and self.run == 28 and len(self.values) == 3:
            average([])
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("where", "message", "frames"),
    [
        (
            "ask",
            "run 28 of Faulty(where=ask): Faulty.ask() raised ZeroDivisionError at evaluation 1 (seed [7, 28, 1]): "
            "division by zero",
            ["ask", "average"],
        ),
        (
            "tell",
            "run 28 of Faulty(where=tell): Faulty.tell() raised ZeroDivisionError at evaluation 3 (seed [7, 28, 1]): "
            "division by zero",
            ["tell", "average"],
        ),
        (
            "constructor",
            "run 28 of Faulty(where=constructor): faulty.py:Faulty:where=constructor: cannot be made: "
            "KeyError: 'bought'",
            ["__init__"],
        ),
        (
            "trial",
            "run 28 of Faulty(where=trial): Faulty.ask() returned Trial(architecture='text', fidelity=None, "
            "training=None) at evaluation 1 (seed [7, 28, 1]), which nasbench201 (cifar10) cannot answer: expected "
            "Trial(architecture), with the architecture as a tuple of integers.",
            [],
        ),
    ],
)
def test_a_fault_is_told_with_its_algorithm_run_seed_and_evaluation(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    where: str,
    message: str,
    frames: list[str],
    workers: int,
) -> None:
    """One line; below it what the user wrote, and nothing of what called it."""
    monkeypatch.chdir(tmp_path)
    Path("faulty.py").write_text(FAULTY)
    words = ["compare", f"faulty.py:Faulty:where={where}", "--runs", "30", "--seed", "7", "--budget", "4"]
    assert main([*words, "--processes", str(workers)]) == 1
    out, err = capsys.readouterr()
    first, *rest = err.splitlines()
    assert (out, first) == ("", f"nasbench: {message}")
    files = [line for line in rest if line.startswith("  File ")]
    assert [line.rpartition(" in ")[2] for line in files] == frames
    assert all(f'File "{tmp_path / "faulty.py"}"' in line for line in files)
    assert len(rest) <= 8  # with the marks below each line
    with pytest.raises((SearcherError, ComparisonError)) as caught:
        compare(settings(words[1], runs=30, seed=7, budget=Budget(4)), "comparison", processes=workers)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__, "the frames of workers and of joblib"
    assert getattr(caught.value, "__notes__", []) == ([caught.value.traceback] if frames else [])


def test_a_worker_that_is_killed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("faulty.py").write_text(FAULTY.replace("average([])", "import os; os._exit(3)"))
    with pytest.raises(ComparisonError, match=r"a process was killed, perhaps because memory ran out\. The same"):
        compare(settings("faulty.py:Faulty", runs=60), "out", processes=2)


@pytest.mark.usefixtures("mine")
def test_a_searcher_without_tell_is_refused_before_anything_runs(mine: Path) -> None:
    mine.with_name("broken.py").write_text(
        "class Mute:\n    def __init__(self, space, *, seed): pass\n    ask = tell = 7\n"
    )
    with pytest.raises(SearcherError, match=r"Mute has no method ask\(\)"):
        compare(settings("mine/broken.py:Mute"), "out")
    assert not Path("out").exists()


# Tables of some architectures.


@pytest.mark.parametrize("algorithm", ["random_search", "reinforce", "genetic_algorithm", "local_search"])
def test_a_table_of_some_architectures_says_at_once_what_to_do(tmp_path: Path, algorithm: str) -> None:
    with pytest.raises(ComparisonError) as refusal:
        compare(settings(algorithm, table="conv5_16px_4epochs"), tmp_path / "out")
    message = str(refusal.value)
    assert message.startswith(f"{algorithm} proposes ")
    for words in (
        "which conv5_16px_4epochs (cifar10) does not have. It has 301 of 7,962,624 architectures of conv5.",
        "nasbench fit --table conv5_16px_4epochs --out FOLDER",
        "--table surrogate:FOLDER",
        "--table live:conv5",
    ):
        assert words in message
    assert not (tmp_path / "out").exists()


POOL = """
import numpy as np

import nasbench


class Pool:
    def __init__(self, space, *, seed):
        self.rng = np.random.default_rng(seed)
        self.known = nasbench.load("conv5_16px_4epochs").architectures

    def ask(self):
        return nasbench.Trial(tuple(self.known[self.rng.integers(len(self.known))].tolist()))

    def tell(self, trial, validation_accuracy):
        pass
"""


def test_a_search_among_those_of_a_table_is_not_refused(mine: Path) -> None:
    mine.with_name("broken.py").write_text(POOL)
    found = compare(settings("mine/broken.py:Pool", table="conv5_16px_4epochs"), "out").histories["Pool"]
    assert [len(history) for history in found] == [5, 5, 5]


def test_a_searcher_that_goes_astray_is_named(mine: Path) -> None:
    with pytest.raises(SearcherError, match=r"Astray\.ask\(\) returned Trial\(architecture=\(9, 9"):
        compare(settings("mine/my_search.py:Astray"), "out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def x(:", "broken.py: cannot be imported: invalid syntax"),
        ("import nothing_of_that_name", "broken.py: cannot be imported: No module named 'nothing_of_that_name'"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused(mine: Path, text: str, message: str) -> None:
    mine.with_name("broken.py").write_text(text)
    with pytest.raises(ComparisonError, match=message):
        compare(settings("mine/broken.py:Mine"), "out")
    assert not Path("out").exists()


# Refused before anything is run or written.


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("algorithms", "changes", "kind", "message"),
    [
        (["random_serch"], {}, UnknownNameError, r"unknown searcher 'random_serch'\. Did you mean 'random_search'\?"),
        (["random_search:flavour=1"], {}, ComparisonError, r"random_search:flavour=1: cannot be made: .* 'flavour'"),
        (["regularized_evolution:sample_size=0"], {}, ComparisonError, "must be at least 1, got 10 and 0"),
        (["local_search:initial=many"], {}, ComparisonError, "local_search:initial=many: cannot be made"),
        (["local_search:5"], {}, ComparisonError, "arguments are written NAME=VALUE,NAME=VALUE"),
        (["local_search:a=1,,b=2"], {}, ComparisonError, "arguments are written NAME=VALUE,NAME=VALUE"),
        (["elsewhere/search.py:Mine"], {}, ComparisonError, r"there is no file 'elsewhere/search\.py' in /"),
        (["mine/my_search.py"], {}, ComparisonError, r"write FILE\.py:CLASS, such as"),
        (["mine/my_search.py:my class"], {}, ComparisonError, r"write FILE\.py:CLASS, such as"),
        (["mine/my_search.py:Yours"], {}, ComparisonError, r"mine/my_search\.py: has no class 'Yours'"),
        (["mine/my_search.py:NUMBER"], {}, ComparisonError, "NUMBER: cannot be made"),
        (["mine/my_search.py:Mine:seed=1"], {}, ComparisonError, "Mine:seed=1: cannot be made"),
        (["reinforce", "random_search", "reinforce"], {}, ComparisonError, r"found twice: reinforce\."),
        (["random_search"], {"algorithms": ()}, ComparisonError, "found twice: none at all"),
        (["random_search"], {"runs": 0}, ComparisonError, "runs must be at least 1, not 0"),
        (["random_search"], {"runs": -3}, ComparisonError, "runs must be at least 1, not -3"),
        (["random_search"], {"seed": -1}, ComparisonError, "the seed must not be negative, it is -1"),
        (["random_search"], {"table": "nasbench210"}, UnknownNameError, r"Did you mean 'nasbench201'\?"),
        (["random_search"], {"dataset": "cifar-10"}, UnknownNameError, r"Did you mean 'cifar10'\?"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(
    algorithms: list[str], changes: dict[str, Any], kind: type[NasbenchError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        compare(settings(*algorithms, **changes), "out")
    assert not Path("out").exists()


def test_no_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match="processes must be at least 1, not 0"):
        compare(settings(), tmp_path / "out", processes=0)
