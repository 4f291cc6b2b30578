"""What a saved surrogate says of itself in ``surrogate.json``, and how the files of its folder are opened."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from nasbench.errors import NasbenchError
from nasbench.system.files import canonical_json
from nasbench.system.text import printable
from nasbench.types import Fidelity
from surrogates.benchmark.surrogate import ACCURACIES, About

FORMAT, VERSION = "nasbench surrogate", 2
"""Version 1 had trees as XGBoost's own JSON, which nobody else can check: it is read no more."""
MANIFEST, ARRAYS = "surrogate.json", "arrays.h5"
LARGEST = {MANIFEST: 2**24, ARRAYS: 2**30}
"""Bytes of a file, at most."""
MOST_NUMBERS = 2**32
"""Bytes of all arrays, at most, inflated."""
MOST_LABELS = 2**15
"""Every surrogate has Gaussian processes, whose matrices have as many rows and columns: of 8 GiB then."""


class SurrogateFolderError(NasbenchError, ValueError):
    """A folder is no saved surrogate, was altered, is of a newer version, or is about another table."""


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a folder says of itself, each field of the type that it must have."""
    content = content_of(folder, MANIFEST)
    try:
        manifest = json.loads(content, parse_constant=_no_number)
        digest = digest_of(manifest) if isinstance(manifest, dict) else ""  # of a text that is no UTF-8 there is none
    except (ValueError, RecursionError) as error:
        raise SurrogateFolderError(
            f"{folder}: no saved surrogate: cannot read {MANIFEST}: {error}. "
            "Expected a folder that `nasbench fit` wrote."
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or type(manifest.get("version")) is not int:
        raise SurrogateFolderError(f"{folder}: {MANIFEST} is not that of a surrogate: expected the format {FORMAT!r}.")
    if manifest["version"] < VERSION:
        raise SurrogateFolderError(
            f"{folder}: format version {manifest['version']}, whose trees are read no more: "
            "make it again with `nasbench fit`."
        )
    if manifest["version"] > VERSION:
        raise SurrogateFolderError(
            f"{folder}: format version {manifest['version']}, but this installation reads up to {VERSION}. "
            "Upgrade with `pip install --upgrade nasbench-suite`."
        )
    if manifest.get("digest") != digest:
        raise SurrogateFolderError(f"{folder}: {MANIFEST} was altered: its digest is another. Copy the folder again.")
    files, table = manifest.get("files"), manifest.get("table")
    if not isinstance(files, dict) or {*files} != {ARRAYS}:
        raise SurrogateFolderError(f"{folder}: {MANIFEST} lists no files of a surrogate: expected {ARRAYS} alone.")
    if not isinstance(table, dict) or {*table} != {"name", "dataset", "digest", "source"}:
        raise SurrogateFolderError(f"{folder}: {MANIFEST} does not say of which table it is.")
    if not isinstance(table["source"], dict) or not all(
        isinstance(text, str) for text in (*table["source"].values(), *(table[name] for name in _TEXTS))
    ):
        raise SurrogateFolderError(f"{folder}: {MANIFEST} does not say of which table it is, in texts.")
    if not isinstance(manifest.get("about"), dict) or not isinstance(manifest.get("score_card"), dict):
        raise SurrogateFolderError(f"{folder}: {MANIFEST} does not say what it is about, or how good.")
    for texts, names in ((table, _TEXTS), (table["source"], tuple(table["source"]))):
        texts.update({name: printable(texts[name]) for name in names})
    return manifest


_TEXTS = ("name", "dataset", "digest")
"""What is said of a table, beside its source."""


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def content_of(folder: Path, name: str) -> bytes:
    """Return what a file of a folder holds; of plain files alone, since reading a pipe or a device may never end.

    Raises:
        SurrogateFolderError: It is not there, is no plain file, too large, or cannot be read.
    """
    path, largest = folder / name, LARGEST[name]
    flags = [getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")]
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise SurrogateFolderError(
                f"{folder}: {name} is no plain file, but a link, a pipe, a folder or a device: it was not opened."
            )
        with open(os.open(path, os.O_RDONLY | sum(flags)), "rb") as file:
            opened = os.fstat(file.fileno())
            if not os.path.samestat(found, opened) or opened.st_size > largest:
                raise SurrogateFolderError(f"{folder}: {name} is larger than {largest:,} bytes, or was just replaced.")
            return file.read(opened.st_size)
    except OSError as error:
        start = "no saved surrogate: " if name == MANIFEST else ""
        raise SurrogateFolderError(
            f"{folder}: {start}{name} cannot be read: {error.strerror}. Expected a folder that `nasbench fit` wrote."
        ) from None


def about_of(stated: dict[str, Any]) -> About:
    """Return what a manifest states, checked.

    Raises:
        ValueError, KeyError, TypeError: It is no such statement.
    """
    texts = [stated[name] for name in ("space", "metric", "model")]
    if not all(isinstance(text, str) and len(text) <= 1000 for text in texts):
        raise ValueError("its space, metric and model must be texts.")
    columns = tuple((name, _fidelity(*fidelity)) for name, fidelity in stated["columns"])
    if not columns or any(name not in ACCURACIES for name, _ in columns):
        raise ValueError("its columns are no accuracies.")
    times = tuple(_fidelity(*fidelity) for fidelity in stated["times"])
    if len({*columns}) < len(columns) or len({*times}) < len(times) or columns[0][0] != stated["metric"]:
        raise ValueError("its columns are not different, or its metric is not the first of them.")
    if not 2 <= _whole(stated["labels"]) <= MOST_LABELS or not _whole(stated["seed"]) < 2**32:
        raise ValueError(f"expected from 2 to {MOST_LABELS:,} labels, and a seed of 32 bits.")
    costs = tuple(name for name in ("parameters", "flops") if name in stated["costs"])
    space, metric, model = texts
    return About(space, metric, model, stated["labels"], stated["seed"], columns, times, costs)


def _fidelity(schedule: Any, epoch: Any) -> Fidelity:
    return Fidelity(_whole(schedule), _whole(epoch))


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"expected a whole number, not negative, found {value!r}.")
    return value


def digest_of(manifest: dict[str, Any]) -> str:
    """Return the digest of all that a manifest says but the digest itself."""
    stated = {name: value for name, value in manifest.items() if name != "digest"}
    return hashlib.sha256(canonical_json(json.loads(json.dumps(stated)))).hexdigest()
