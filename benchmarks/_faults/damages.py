"""Damages: flipped, cut, zeroed and written-over bytes; a file is refused or says what it said before."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from _faults import samples
from _faults.processes import start

KINDS = ("bits flipped", "cut", "zeroed", "written over")
BATCH = 125
LIMIT = 120
"""Seconds for one reading; the system ends one that takes longer, which counts as a crash."""


class Subject(NamedTuple):
    """A kind of file: how it is written, and everything that is read from it."""

    title: str
    share: float
    file: str
    """What is damaged, below the folder."""
    make: Callable[[Path], Any]
    read: Callable[[Path], samples.Values]


def _surrogate(folder: Path) -> Any:
    from surrogates.benchmark.fitting import fit
    from surrogates.benchmark.saved import save

    table = samples.small_table()
    save(folder / "s", fit(table, model="ridge", train_size=60, seeds=1), table)


def subjects() -> list[Subject]:
    """Return what is damaged, with its share of all damages."""

    def rows(folder: Path) -> samples.Values:
        return samples.table_values(folder / "t.h5", few=True)

    def all_values(folder: Path) -> samples.Values:
        return samples.table_values(folder / "t.h5")

    def copied(folder: Path) -> Any:
        shutil.copy(samples.small_table().file.path, folder / "t.h5")

    return [
        Subject("table, columns", 0.3, "t.h5", lambda folder: samples.table(folder / "t.h5"), all_values),
        Subject("table, single rows", 0.2, "t.h5", lambda folder: samples.table(folder / "t.h5"), rows),
        Subject("table with learning curves", 0.1, "t.h5", copied, all_values),
        Subject(
            "histories",
            0.15,
            "h.h5",
            lambda folder: samples.histories(folder / "h.h5"),
            lambda folder: samples.history_values(folder / "h.h5"),
        ),
        Subject("surrogate, arrays.h5", 0.05, "s/arrays.h5", _surrogate, lambda f: samples.surrogate_values(f / "s")),
        Subject(
            "surrogate, surrogate.json",
            0.05,
            "s/surrogate.json",
            _surrogate,
            lambda f: samples.surrogate_values(f / "s"),
        ),
        Subject(
            "journal",
            0.1,
            "j.db",
            lambda folder: samples.journal(folder / "j.db"),
            lambda folder: samples.journal_values(folder / "j.db"),
        ),
        Subject(
            "checkpoint",
            0.05,
            "c.pt",
            lambda folder: samples.checkpoint(folder / "c.pt"),
            lambda folder: samples.checkpoint_values(folder / "c.pt"),
        ),
    ]


def damaged(sound: bytes, title: str, number: int) -> tuple[str, bytes]:
    """Return damage number ``number`` of a file, the same ones in every run."""
    drawn = random.Random(f"{title} {number}")
    image = bytearray(sound)
    kind = KINDS[number % len(KINDS)]
    place = drawn.randrange(len(image))
    if kind == "cut":
        del image[place:]
        return kind, bytes(image)
    while bytes(image) == sound:
        place = drawn.randrange(len(image))
        length = min(drawn.choice([1, 4, 16, 64, 512, 4096]), len(image) - place)
        if kind == "bits flipped":
            for _ in range(drawn.choice([1, 1, 1, 2, 8])):
                image[drawn.randrange(len(image))] ^= 1 << drawn.randrange(8)
        elif kind == "zeroed":
            image[place : place + length] = bytes(length)
        else:
            image[place : place + length] = drawn.randbytes(length)
    return kind, bytes(image)


def measure(folder: Path, number: int, workers: int, *, quick: bool = False) -> dict[str, Any]:
    """Make ``number`` damages; return by subject how many were refused, unchanged, wrong, crashed, or raised."""
    return {
        subject.title: _damaged(subject, folder, max(round(number * subject.share), len(KINDS)), workers)
        for subject in subjects()
    }


def _damaged(subject: Subject, folder: Path, count: int, workers: int) -> dict[str, Any]:
    place = folder / "damages" / subject.title.replace(" ", "-").replace(",", "")
    shutil.rmtree(place, ignore_errors=True)
    (place / "sound").mkdir(parents=True)
    _in_a_process(lambda: subject.make(place / "sound"), place)
    batches = [range(first, min(first + BATCH, count)) for first in range(0, count, BATCH)]
    lanes = [start(lambda lane=lane: _lane(subject, place, batches[lane::workers]), "lane") for lane in range(workers)]
    for lane in lanes:
        assert os.waitpid(lane, 0)[1] == 0, f"{place}: not all damages were tried"
    lines = [line for batch in batches for line in _results(subject, place / f"{batch.start}.log")]
    outcomes = Counter(line[1] for line in lines)
    shutil.rmtree(place)
    return {
        "damages": len(lines),
        **{name: outcomes[name] for name in ("refused", "unchanged", "wrong", "crashed", "raised")},
        "examples": [line for line in lines if line[1] in ("wrong", "crashed", "raised")][:20],
    }


def _in_a_process(make: Callable[[], Any], place: Path) -> None:
    def work() -> int:
        make()
        return 0

    process = start(work, "make")
    assert os.waitpid(process, 0)[1] == 0, f"{place}: cannot be made"


def _lane(subject: Subject, place: Path, batches: list[range]) -> int:
    for batch in batches:
        _survive(subject, place, batch)
    return 0


def _survive(subject: Subject, place: Path, batch: range) -> None:
    """Try a batch of damages in a process; where that dies, note whose damage killed it and go on with the next."""
    log = place / f"{batch.start}.log"
    log.touch()
    first = batch.start
    while first < batch.stop:
        process = start(lambda first=first: _try(subject, place, range(first, batch.stop), log), "damages")
        status = os.waitpid(process, 0)[1]
        if status == 0:
            return
        last = log.read_text().splitlines()[-1]  # without one, not even the sound file can be read: an IndexError
        first = int(last.split("\t")[0]) + 1
        with log.open("a") as file:
            file.write(f"crashed\texit status {os.waitstatus_to_exitcode(status)}\n")


def _results(subject: Subject, log: Path) -> list[list[str]]:
    """Return for each damage: what was done, the outcome, and what was said of it."""
    found = []
    for line in log.read_text().splitlines():
        number, outcome, *said = line.split("\t")
        found.append([f"{KINDS[int(number) % len(KINDS)]}, number {number}", outcome, *said])
    return found


def _try(subject: Subject, place: Path, numbers: range, log: Path) -> int:
    from nasbench.errors import NasbenchError

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    sound = (place / "sound" / subject.file).read_bytes()
    expected = subject.read(place / "sound")
    mine = place / f"try-{numbers.start}"
    shutil.copytree(place / "sound", mine)
    with log.open("a") as file:
        for number in numbers:
            (mine / subject.file).write_bytes(damaged(sound, subject.title, number)[1])
            for rest in mine.glob("*.db-*"):
                rest.unlink()
            file.write(f"{number}\t")
            file.flush()
            signal.alarm(LIMIT)
            try:
                outcome = "unchanged" if subject.read(mine) == expected else "wrong"
                told = ""
            except NasbenchError as error:
                outcome, told = "refused", ""
                if "\n" in str(error):
                    outcome, told = "raised", f"more than one line: {error}"
            except BaseException as error:
                outcome, told = "raised", f"{type(error).__name__}: {error}"
            signal.alarm(0)
            file.write(f"{outcome}\t{' '.join(told.split())[:300]}\n")
            file.flush()
    shutil.rmtree(mine)
    return 0


def block(found: dict[str, Any]) -> str:
    """Return the table of the page."""
    names = ("damages", "refused", "unchanged", "wrong", "crashed", "raised")
    lines = [
        "| file | damages | refused | the same values | wrong values | crashes | other exceptions |",
        "|---|" + "---|" * 6,
    ]
    for title, counts in found.items():
        lines.append(f"| {title} | {' | '.join(f'{counts[name]:,}' for name in names)} |")
    sums = [sum(counts[name] for counts in found.values()) for name in names]
    lines.append(f"| all | {' | '.join(f'{n:,}' for n in sums)} |")
    return "\n".join(lines)


def bad(found: dict[str, Any]) -> int:
    """Return how many damages were answered wrongly, crashed or raised what is not ours."""
    return sum(counts[name] for counts in found.values() for name in ("wrong", "crashed", "raised"))
