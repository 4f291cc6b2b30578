"""Commands that are killed at random times: no half-written file, nothing left behind, and the same result after."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from _faults import samples, servers
from _faults.processes import gone_after, run, start

Content = dict[str, Any]
TIMES = ("seconds", "time", "finished", "made_with", "finished_at")


class Command(NamedTuple):
    """A command: its arguments, and what must be the same however often it was killed."""

    name: str
    share: float
    arguments: list[str]
    result: Callable[[Path], Content]
    compared: str


def commands(shared: Path) -> list[Command]:
    """Return what is killed; all work in the folder in which they are run."""
    architecture = samples.small_table().space.format(samples.small_table().at_row(0))
    images = ["--data", str(shared / "images"), "--subset", "--side", "16", "--epochs", "1"]
    small = ["--table", "conv5_16px_4epochs"]
    search = [
        "random_search",
        "regularized_evolution",
        "--runs",
        "40",
        "--budget",
        "50",
        "--processes",
        "2",
        "--out",
        "c",
    ]
    models = ["ridge", "extra_trees", "--sizes", "20,40", "--splits", "3", "--out", "e"]
    fit = ["--train-size", "60", "--seeds", "2", "--model", "ridge", "--out", "f", "--force"]
    train = [
        "conv5",
        "--sample",
        "1",
        "--seeds",
        "2",
        "--device",
        "cpu",
        "--workers",
        "2",
        "--journal",
        "t.db",
        "--out",
        "t.h5",
    ]
    convert = ["nas-bench-macro", str(shared / "sample.json"), "--out", "m.h5", "--force"]
    every = "all files, byte by byte"
    return [
        Command("compare", 0.2, ["compare", *search], lambda folder: _bytes(folder / "c"), every),
        Command("convert", 0.2, ["convert", *convert], lambda folder: _bytes(folder, "m.h5"), every),
        Command("fit", 0.2, ["fit", *small, *fit], lambda folder: _bytes(folder / "f"), every),
        Command(
            "evaluate-surrogates",
            0.15,
            ["evaluate-surrogates", *small, *models],
            lambda folder: _bytes(folder / "e", "evaluation.*"),
            "evaluation.json and .png, byte by byte",
        ),
        Command("fetch", 0.15, ["fetch", "sample"], lambda folder: _bytes(folder / "cache" / "tables"), every),
        Command("train-table", 0.05, ["train-table", *train, *images], _trained, "all columns but times"),
        Command(
            "verify",
            0.05,
            [
                "verify",
                architecture,
                *small,
                *images,
                "--seeds",
                "2",
                "--workers",
                "2",
                "--device",
                "cpu",
                "--out",
                "v",
            ],
            lambda folder: _untimed(json.loads((folder / "v" / "verification.json").read_text())),
            "verification.json but times",
        ),
    ]


def _bytes(folder: Path, pattern: str = "*") -> Content:
    import hashlib

    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob(pattern))
        if path.is_file() and path.name not in ("timings.json", "lock", ".lock")
    }


def _trained(folder: Path) -> Content:
    from nasbench import Table

    table = Table(folder / "t.h5")
    return {
        name: table.file.read_all(info).tolist()
        for name, info in table.describe().items()
        if not any(word in name for word in TIMES)
    } | {"architectures": table.architectures.tolist()}


def _untimed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _untimed(item) for name, item in value.items() if not any(word in name for word in TIMES)}
    return [_untimed(item) for item in value] if isinstance(value, list) else value


def half_written(folder: Path) -> list[str]:
    """Return the files below a folder that have their final name but are not whole."""
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = path.name.startswith(".") or any(part.endswith(".partial") for part in path.relative_to(folder).parts)
        if not path.is_file() or hidden or ".partial" in path.name:
            continue
        try:
            _open(path)
        except Exception as error:
            found.append(f"{path.relative_to(folder)}: {type(error).__name__}: {error}")
    return found


def _open(path: Path) -> None:
    from nasbench.tables import TableFile

    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".db":
        samples.journal_values(path)
    elif path.name == "arrays.h5":
        samples.surrogate_values(path.parent)
    elif path.suffix == ".h5" and "c" in path.parts[:-1]:
        samples.history_values(path)
    elif path.suffix == ".h5":
        TableFile(path).verify()
    elif path.suffix == ".png":
        content = path.read_bytes()
        if not content.startswith(b"\x89PNG") or b"IEND" not in content[-16:]:
            raise ValueError("no whole PNG")
    elif path.suffix == ".pdf" and not path.read_bytes().rstrip().endswith(b"%%EOF"):
        raise ValueError("no whole PDF")


def left_behind(folder: Path) -> list[str]:
    """Return temporary files and folders below a folder."""
    found = []
    for place, folders, files in os.walk(folder):  # which does not mind what goes away meanwhile
        found += [os.path.relpath(f"{place}/{name}", folder) for name in (*folders, *files) if ".partial" in name]
    return found


def measure(folder: Path, number: int, workers: int, *, quick: bool = False) -> dict[str, Any]:
    """Make ``number`` kills; return by command how many, and what was wrong after them."""
    place = folder / "kills"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    samples.images(place / "images")
    raw = samples.raw_macro(place)
    server = servers.Serving(servers.sound, raw.read_bytes())
    try:
        return {
            command.name: _killed(command, place, round(number * command.share), server.address, raw)
            for command in commands(place)
            if round(number * command.share)
        }
    finally:
        server.end()
        shutil.rmtree(place)


def _killed(command: Command, place: Path, count: int, address: str, raw: Path) -> dict[str, Any]:
    drawn = random.Random(command.name)

    def work(folder: Path) -> int:
        from nasbench.cli import main

        os.chdir(folder)
        servers.publish(address, raw.read_bytes(), folder / "cache")
        return main(command.arguments)

    reference = place / "reference"
    reference.mkdir()
    whole = run(lambda: work(reference))
    assert whole.status == 0, whole.said
    expected = command.result(reference)
    problems: list[str] = []
    gone, early, writing = [0.0], 0, 0
    for number in range(count):
        folder = place / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        alone = number % 2 == 0
        ended = True
        while ended:  # it was done before it was killed: again, and sooner
            process = start(lambda folder=folder: work(folder), f"{command.name}-{number}")
            if number % 4 < 2:
                time.sleep(drawn.uniform(0.02, whole.seconds * 0.95))
            else:
                _until_written(process, folder, drawn.uniform(0, 0.004))
            (os.kill if alone else os.killpg)(process, signal.SIGKILL)
            ended = os.waitpid(process, 0)[1] != signal.SIGKILL
            early += ended
        writing += bool(left_behind(folder))
        gone.append(gone_after(process, f"{command.name}-{number}"))
        problems += [f"half-written after kill {number}: {line}" for line in half_written(folder)]
        again = run(lambda folder=folder: work(folder))
        if again.status != 0:
            problems.append(f"fails after kill {number}: {again.said[-300:]}")
        elif command.result(folder) != expected:
            problems.append(f"another result after kill {number}")
        problems += [f"left behind after kill {number}: {name}" for name in left_behind(folder)]
    shutil.rmtree(reference)
    return {
        "kills": count,
        "uninterrupted": round(whole.seconds, 1),
        "compared": command.compared,
        "gone": round(max(gone), 2),
        "lived": sum(seconds > 2 for seconds in gone),
        "early": early,
        "writing": writing,
        "problems": problems,
    }


def _until_written(process: int, folder: Path, seconds: float) -> None:
    """Wait until there is a temporary file, or none will be since the process has ended; then some seconds more."""
    while os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and not left_behind(folder):
        time.sleep(0.0002)
    time.sleep(seconds)


def block(found: dict[str, Any]) -> str:
    """Return the table of the page."""
    lines = [
        "| command | kills | while writing | half-written | another result | left behind | workers after 2 s "
        "| last one gone, s | compared |",
        "|---|" + "---|" * 8,
    ]
    for name, one in found.items():
        counts = [
            sum(line.startswith(word) for line in one["problems"]) for word in ("half", ("fails", "another"), "left")
        ]
        cells = [one["kills"], one["writing"], *counts, one["lived"], one["gone"], one["compared"]]
        lines.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def bad(found: dict[str, Any]) -> int:
    """Return how often something was wrong after a kill."""
    return sum(len(one["problems"]) + one["lived"] for one in found.values())
