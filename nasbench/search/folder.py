"""The folder of a comparison: its manifest, its histories, and parts of runs that are not in them.

``histories/LABEL.h5`` are those of the result. ``parts/LABEL-KEY-START-STOP.h5`` hold the runs from START up to STOP of
an algorithm: not yet in the result, or no longer, because it was asked for without the algorithm, with fewer runs, or
with another state of its file. KEY tells these states apart. What is finished is thus never lost and never mixed up.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from nasbench.errors import ComparisonError, HistoryFileError
from nasbench.search.history import History, load_histories, save_histories
from nasbench.system.files import canonical_json, write_json

FORMAT = "nasbench comparison"
LOCK = ".lock"
PART = 25
"""Runs a part: an interruption costs seconds of work, and starting a part costs little beside it."""
_MAY_CHANGE = {"algorithms", "runs", "nasbench"}
# What a manifest of an early version does not say.
_BEFORE: dict[str, Any] = {"workers": 1, "objectives": [], "constraints": []}
_DRAWN = ("summary.json", "curves.png", "curves.pdf", "fronts.png", "fronts.pdf")
_NAME = re.compile(r"(.+)-([0-9a-f]{12})-([0-9]{6,12})-([0-9]{6,12})\.h5")

Asked = dict[str, Any]
"""The settings as they stand in the manifest."""


class Part(NamedTuple):
    """Finished runs of one algorithm, from ``start`` up to, not including, ``stop``."""

    label: str
    key: str
    start: int
    stop: int

    def path(self, folder: Path) -> Path:
        """Return its file."""
        return folder / "parts" / f"{self.label}-{self.key}-{self.start:06d}-{self.stop:06d}.h5"


def keys(asked: Asked) -> dict[str, str]:
    """Return by label what an algorithm's runs depend on beside the settings: its file and our version, as a digest."""
    return {
        algorithm["algorithm"]: hashlib.sha256(
            canonical_json([algorithm["algorithm"], algorithm["sha256"], asked["nasbench"]])
        ).hexdigest()[:12]
        for algorithm in asked["algorithms"]
    }


def history_file(folder: Path, label: str) -> Path:
    """Return the file with all runs of an algorithm."""
    return folder / "histories" / f"{label}.h5"


def claim(folder: Path, manifest: dict[str, Any], *, force: bool) -> None:
    """Write the manifest, or make sure that the one that is there allows for it.

    Raises:
        ComparisonError: The folder holds another comparison, or something else.
    """
    path, asked = folder / "manifest.json", manifest["settings"]
    if path.exists():
        found = read_manifest(path)["settings"]
        if force:
            _empty(folder)
        elif not _take_over(folder, found, asked):
            return
    elif any(not file.name.endswith(".partial") and file.name != LOCK for file in folder.iterdir()):
        raise ComparisonError(f"{folder}: is neither empty nor a comparison. Choose another --out.")
    write_json(path, manifest)


def missing(folder: Path, asked: Asked) -> dict[Part, None]:
    """Return the parts that are yet to be made, in the order of runs, then of algorithms."""
    there = _parts(folder)
    found = [
        Part(label, key, start, stop)
        for label, key in keys(asked).items()
        if not history_file(folder, label).exists()
        for start, stop in _gaps([part for part in there if part[:2] == (label, key)], asked["runs"])
    ]
    return dict.fromkeys(sorted(found, key=lambda part: part.start))


def finish(folder: Path, asked: Asked) -> None:
    """Put the parts together to histories, and remove those that are in them.

    Raises:
        HistoryFileError: A part is damaged.
    """
    there = _parts(folder)
    for label, key in keys(asked).items():
        own = [part for part in there if part[:2] == (label, key)]
        if not history_file(folder, label).exists():
            save_histories(history_file(folder, label), _joined(folder, own, asked["runs"]))
        for part in own:
            if part.stop <= asked["runs"]:
                part.path(folder).unlink()
    with suppress(OSError):  # not empty, or not there
        (folder / "parts").rmdir()


def read_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        ComparisonError: It is none.
    """
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] == FORMAT and isinstance(manifest["settings"], dict):
            return dict(manifest)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ComparisonError(f"{path}: is no manifest of a comparison. Choose another --out.")


def _take_over(folder: Path, found: Asked, asked: Asked) -> bool:
    """Make a folder ready for other settings, and tell whether they are others."""
    for file in [*folder.glob(".*.partial"), *folder.glob("parts/.*.partial"), *folder.glob("histories/.*.partial")]:
        file.unlink()  # of a process that was killed: we hold the lock
    found = _BEFORE | found
    differing = [name for name in asked if found.get(name) != asked[name]]
    # A comparison that never finished a part, say because its searcher had a fault, leaves nothing to mix up.
    if any(folder.glob("parts/*.h5")) or any(folder.glob("histories/*.h5")):
        refused = [name for name in differing if name not in _MAY_CHANGE]
        if refused:
            raise ComparisonError(
                f"{folder}: holds another comparison, which differs in {', '.join(refused)}. "
                "Choose another --out, or delete it with --force."
            )
        if differing:
            _set_aside(folder, found, asked)
    if differing:
        for name in _DRAWN:
            (folder / name).unlink(missing_ok=True)
    return bool(differing)


def _set_aside(folder: Path, found: Asked, asked: Asked) -> None:
    """Make parts of the histories that are not those that are asked for."""
    try:
        stay = keys(asked).items() if found["runs"] == asked["runs"] else ()
        files = {
            history_file(folder, label): Part(label, key, 0, int(found["runs"])).path(folder)
            for label, key in keys(found).items()
            if (label, key) not in stay and Path(label).name == label
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ComparisonError(f"{folder / 'manifest.json'}: is damaged: {error!r}. Choose another --out.") from None
    (folder / "parts").mkdir(exist_ok=True)
    for file, part in files.items():
        if file.exists():
            os.replace(file, part)


def _empty(folder: Path) -> None:
    """Remove what a comparison leaves, and nothing else."""
    for name in ("histories", "parts"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("manifest.json", *_DRAWN):
        (folder / name).unlink(missing_ok=True)


def _parts(folder: Path) -> list[Part]:
    matches = [_NAME.fullmatch(file.name) for file in sorted(folder.glob("parts/*.h5"))]
    return [Part(match[1], match[2], int(match[3]), int(match[4])) for match in matches if match]


def _gaps(there: list[Part], runs: int) -> Iterator[tuple[int, int]]:
    """Yield the runs that no part holds, at most PART at a time."""
    start = 0
    while start < runs:
        stop = max((part.stop for part in there if part.start <= start < part.stop), default=0)
        if not stop:
            later = (part.start for part in there if part.start > start)
            stop = min(runs, (start // PART + 1) * PART, *later)
            yield start, stop
        start = stop


def _joined(folder: Path, there: list[Part], runs: int) -> list[History]:
    """Return the first runs, of parts that hold them all."""
    whole: list[History] = []
    while len(whole) < runs:
        start = len(whole)
        part = max((part for part in there if part.start <= start < part.stop), key=lambda part: part.stop)
        path = part.path(folder)
        histories = load_histories(path)
        if len(histories) != part.stop - part.start:
            raise HistoryFileError(
                f"{path}: expected {part.stop - part.start} histories, found {len(histories)}. Delete it."
            )
        whole += histories[start - part.start : runs - part.start]
    return whole
