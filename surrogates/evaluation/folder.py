"""The folder of an evaluation: what it is of, each fit as it ends, and the result.

``manifest.json`` says what every number depends on, and what was asked for; ``parts/`` has a file for each model,
number of labels and split. A part depends on nothing but the manifest, so that an evaluation that was stopped goes on,
and ends with the same bytes in ``evaluation.json``. Seconds are no part of these: they are in ``timings.json``.
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nasbench import __version__
from nasbench.system.files import canonical_json, write_json
from nasbench.tables.table import Table
from surrogates.evaluation.protocol import EvaluationError, Protocol

FORMAT, VERSION = "nasbench evaluation of surrogates", 1
_RESULTS = ("evaluation.json", "evaluation.png", "timings.json")
_SECONDS = ("fit_seconds", "predict_seconds")

Part = dict[str, Any]
"""``scores`` and ``seconds``, numbers by name, and ``points``, lists of numbers by name; of most splits empty."""


class EvaluationFolder:
    """Where an evaluation is kept.

    Args:
        path: The folder; it is made.
        table: What is evaluated on.
        models: The names of all that is evaluated.
        protocol: How.
        force: Delete an evaluation that is there, and start over.

    Raises:
        EvaluationError: There is another evaluation, or something that is none; the message says what differs.
        OSError: It cannot be written.
    """

    def __init__(
        self, path: Path, table: Table, models: Sequence[str], protocol: Protocol, *, force: bool = False
    ) -> None:
        self.path = path
        stated = {**protocol._asdict(), "inputs": list(protocol.inputs)}
        asked = {"models": list(models), "sizes": list(stated.pop("sizes")), "splits": stated.pop("splits")}
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "name": table.name,
            "table": {"dataset": table.dataset, "digest": table.digest},
            "protocol": stated,
            "versions": _versions(),
            "asked": asked,
        }
        if path.exists() and not path.is_dir():
            raise EvaluationError(f"{path}: is a file, expected a folder. Choose another --out.")
        if force:
            self._delete()
        else:
            self._check(manifest)
        write_json(path / "manifest.json", manifest)

    def part(self, model: str, size: int, split: int) -> Part | None:
        """Return a part that is finished; None where it is not, or its file is damaged."""
        try:
            found = json.loads(self._place(model, size, split).read_bytes())
            if found["sha256"] != _sha256(found["part"]):
                return None
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return dict(_numbers(found["part"]))

    def keep(self, model: str, size: int, split: int, part: Part) -> None:
        """Write a part, whole or not at all."""
        content = plain(part)
        write_json(self._place(model, size, split), {"part": content, "sha256": _sha256(content)})

    def write(self, found: dict[str, Any]) -> None:
        """Write the result: what does not depend on the machine's speed, and the seconds apart from it."""
        results = found["results"]
        without = {
            model: {size: {key: value for key, value in one.items() if key != "seconds"} for size, one in sizes.items()}
            for model, sizes in results.items()
        }
        seconds = {model: {size: one["seconds"] for size, one in sizes.items()} for model, sizes in results.items()}
        write_json(self.path / "timings.json", plain(seconds))
        write_json(self.path / "evaluation.json", plain({**found, "results": without}))

    def _place(self, model: str, size: int, split: int) -> Path:
        return self.path / "parts" / f"{model.replace(', ', '-')}-{size}-{split}.json"

    def _check(self, manifest: dict[str, Any]) -> None:
        path = self.path / "manifest.json"
        if not path.exists():
            # What a write that was killed has left is hidden.
            if self.path.exists() and any(not entry.name.startswith(".") for entry in self.path.iterdir()):
                raise EvaluationError(
                    f"{self.path}: something is already there that is not known as an evaluation. Choose another "
                    "--out, or replace the evaluation in it with --force."
                )
            return
        there = _read(path)
        for name in ("table", "protocol", "versions"):
            for key in {**there[name], **manifest[name]}:
                found, expected = there[name].get(key), manifest[name].get(key)
                if found != expected:
                    raise EvaluationError(
                        f"{self.path}: an evaluation of {key} {found!r}, not {expected!r}. Choose another --out, or "
                        "start over with --force."
                    )
        asked, before = manifest["asked"], there["asked"]
        lost = [f"{name} {value}" for name in ("models", "sizes") for value in before[name] if value not in asked[name]]
        if lost or before["splits"] > asked["splits"]:
            raise EvaluationError(
                f"{self.path}: an evaluation of more: {', '.join(lost) or str(before['splits']) + ' splits'}. Ask for "
                "all of it and what you add, choose another --out, or start over with --force."
            )

    def _delete(self) -> None:
        """Delete what an evaluation writes, and nothing else."""
        shutil.rmtree(self.path / "parts", ignore_errors=True)
        for name in ("manifest.json", *_RESULTS):
            (self.path / name).unlink(missing_ok=True)


def plain(value: Any) -> Any:
    """Return what JSON can hold: None in place of numbers that do not exist."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _numbers(value: Any) -> Any:
    """Return what :func:`plain` was given."""
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return math.nan if value is None else value


def _sha256(content: Any) -> str:
    return hashlib.sha256(canonical_json(content)).hexdigest()


def _read(path: Path) -> dict[str, Any]:
    kinds = {"table": dict, "protocol": dict, "versions": dict, "asked": dict}
    asked = {"models": list, "sizes": list, "splits": int}
    try:
        found = json.loads(path.read_bytes())
        known = (found["format"], found["version"]) == (FORMAT, VERSION)
        sound = all(isinstance(found[name], kind) for name, kind in kinds.items()) and all(
            isinstance(found["asked"][name], kind) for name, kind in asked.items()
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        known = sound = False
    if known and sound:
        return dict(found)
    raise EvaluationError(f"{path}: is no manifest of an evaluation. Choose another --out, or start over with --force.")


def _versions() -> dict[str, str]:
    """Return what the last bits of a number may depend on."""
    found = {"nasbench": __version__, "python": platform.python_version()}
    for name in ("numpy", "scipy", "scikit-learn", "xgboost", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # torch may not be there
            continue
    return found
