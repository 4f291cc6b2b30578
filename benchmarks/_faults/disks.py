"""Commands whose files may not grow beyond a size: each write fails in turn, as on a full disk."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any

from _faults import samples
from _faults.kills import half_written, left_behind
from _faults.processes import limit_files, run


def commands(shared: Path) -> dict[str, tuple[list[str], str]]:
    """Return by title: the arguments, and what is written, which is there before where the command may replace it."""
    small = ["--table", "conv5_16px_4epochs"]
    search = ["random_search", "local_search", "--runs", "6", "--budget", "20", "--processes", "1", "--out", "c"]
    return {
        "convert": (["convert", "nas-bench-macro", str(shared / "sample.json"), "--out", "m.h5", "--force"], "m.h5"),
        "attach": (
            ["attach", str(shared / "t.h5"), "columns", str(shared / "c.csv"), "--out", "a.h5", "--force"],
            "a.h5",
        ),
        "export .csv": (["export", "conv5_16px_4epochs", "--out", "x.csv", "--force"], "x.csv"),
        "export .parquet": (["export", "conv5_16px_4epochs", "--out", "x.parquet", "--force"], "x.parquet"),
        "fit": (
            ["fit", *small, *["--train-size", "60", "--seeds", "1", "--model", "ridge", "--out", "f", "--force"]],
            "f",
        ),
        "compare": (["compare", *search], "c"),
        "evaluate-surrogates": (
            ["evaluate-surrogates", *small, *["ridge", "--sizes", "20", "--splits", "2", "--out", "e"]],
            "e",
        ),
    }


def measure(folder: Path, number: int, workers: int, *, quick: bool = False) -> dict[str, Any]:
    """Run commands with ``number`` limits; return by command how many, and what was wrong."""
    place = folder / "disks"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    samples.raw_macro(place, 300)
    samples.table(place / "t.h5")
    rows = "".join(f"{row},{row / 7}\n" for row in range(40))
    (place / "c.csv").write_text(f"row,energy [joules]\n{rows}")
    chosen = commands(place)
    found = {
        title: _limited(title, *command, place, max(number // len(chosen), 2)) for title, command in chosen.items()
    }
    shutil.rmtree(place)
    return found


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _limited(title: str, arguments: list[str], out: str, place: Path, count: int) -> dict[str, Any]:
    reference = place / "reference"
    shutil.rmtree(reference, ignore_errors=True)
    reference.mkdir()

    def work(folder: Path, limit: int | None) -> int:
        from nasbench.cli import main

        os.chdir(folder)
        if limit is not None:
            limit_files(limit)
        return main(arguments)

    whole = run(lambda: work(reference, None))
    assert whole.status == 0, whole.said
    problems: list[str] = []
    limits = _limits(title, [len(content) for content in _files(reference).values()], count)
    for limit in limits:
        folder = place / "limited"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if "--force" in arguments:
            (shutil.copytree if (reference / out).is_dir() else shutil.copy)(reference / out, folder / out)
        before = _files(folder)
        ended = run(lambda folder=folder, limit=limit: work(folder, limit))
        lines = [line for line in ended.said.splitlines() if line.startswith("nasbench: ")]
        at = f"at {limit} bytes"
        if ended.status != 1 or len(lines) != 1 or "Traceback" in ended.said:
            problems.append(f"raw {at}: status {ended.status}, {ended.said[-400:]}")
        elif out not in lines[0]:
            problems.append(f"unnamed {at}: {lines[0]}")
        problems += [f"half-written {at}: {line}" for line in half_written(folder)]
        problems += [f"left behind {at}: {line}" for line in left_behind(folder)]
        if any(_files(folder).get(name) != content for name, content in before.items()):
            problems.append(f"touched {at}: the old file is another")
    shutil.rmtree(reference)
    return {"limits": len(limits), "smallest": limits[0], "largest": limits[-1], "problems": problems}


def _limits(title: str, sizes: list[int], count: int) -> list[int]:
    """Return sizes below that of the largest file: the ends of every file, then drawn ones."""
    drawn, largest = random.Random(title), max(sizes)
    chosen = list(dict.fromkeys([0, largest - 1, 1, *(size - 1 for size in sizes if size)]))[:count]
    while len(chosen) < count:
        chosen.append(drawn.randrange(largest))
    return sorted(chosen)


def block(found: dict[str, Any]) -> str:
    """Return the table of the page."""
    words = ("half-written", "touched", "raw", "unnamed", "left behind")
    lines = [
        "| command | limits | half-written | old file touched | raw errors | file not named | left behind |",
        "|---|" + "---|" * 6,
    ]
    for name, one in found.items():
        counts = [sum(line.startswith(word) for line in one["problems"]) for word in words]
        lines.append(f"| {name} | {' | '.join(map(str, [one['limits'], *counts]))} |")
    return "\n".join(lines)


def bad(found: dict[str, Any]) -> int:
    """Return how often something was wrong on a full disk."""
    return sum(len(one["problems"]) for one in found.values())
