"""A surrogate as a folder of safe files: all numbers in ``arrays.h5``, the rest in ``surrogate.json``.

``surrogate.json`` has the SHA-256 of the other file, and a digest of itself, so that what was altered is noticed; it is
no signature. Reading runs nothing of what is read: the manifest names one of our models, which is built as for a fit,
and takes its numbers from the arrays, each of which is checked. What was read must be what such a model would write,
and predict numbers.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nasbench import __version__, registry
from nasbench.errors import MissingPackageError, NasbenchError
from nasbench.system.files import remove_left_over, temporary_path, write_json
from nasbench.tables.hdf5 import create, open_bytes, read_arrays
from nasbench.tables.table import Table
from surrogates.benchmark.manifest import (
    ARRAYS,
    FORMAT,
    LARGEST,
    MANIFEST,
    MOST_LABELS,
    MOST_NUMBERS,
    VERSION,
    SurrogateFolderError,
    about_of,
    content_of,
    digest_of,
    read_manifest,
)
from surrogates.benchmark.surrogate import About, Fitted, Surrogate
from surrogates.evaluation.harness import plain
from surrogates.models.ranked import State

__all__ = ["Saved", "SurrogateFolderError", "check_free", "load", "save"]

_ASKED = 8
"""Architectures that are predicted once, to see that numbers come out."""


class Saved(NamedTuple):
    """What a folder holds."""

    surrogate: Surrogate
    manifest: dict[str, Any]
    """``table`` (name, digest, dataset, source), ``score_card``, ``made_with``, ``digest`` and what it is about."""
    rows: NDArray[np.int64]
    """The rows of its table that it was fitted to."""


def save(folder: str | os.PathLike[str], fitted: Fitted, table: Table, *, force: bool = False) -> str:
    """Write a folder, whole or not at all; return its digest.

    Args:
        folder: Where; its parents are made.
        fitted: What to write.
        table: What it was fitted to.
        force: Take the place of a surrogate that is there.

    Raises:
        SurrogateFolderError: As for :func:`check_free`, or it learnt from more labels than are read again.
        OSError: It cannot be written.
    """
    target = Path(folder).resolve()
    check_free(target, table, force=force)
    if fitted.surrogate.about.labels > MOST_LABELS:
        raise SurrogateFolderError(f"{folder}: a surrogate has at most {MOST_LABELS:,} labels: take fewer.")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(temporary_path(target))
    temporary.mkdir()
    try:
        digest = _write(temporary / "new", fitted, table)
        _put(temporary / "new", target, temporary / "old")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    # Only now: a process that was killed while it replaced a surrogate left the old one in such a folder.
    remove_left_over(target.parent, folders=True)
    return digest


def _put(new: Path, target: Path, old: Path) -> None:
    """Rename a folder; what is in its place, unless it is empty, is kept until that has worked."""
    replaced = target.exists() and any(target.iterdir())
    if replaced:
        os.replace(target, old)
    try:
        os.replace(new, target)
    except OSError:
        if replaced:
            os.replace(old, target)
        raise


def check_free(folder: str | os.PathLike[str], table: Table, *, force: bool = False) -> None:
    """Make sure that a surrogate of a table can be saved there: before it is fitted.

    Raises:
        SurrogateFolderError: There is something of that name already; or, with ``force``, something else than a
            surrogate.
    """
    target = Path(folder)
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not (target / MANIFEST).is_file() or any(
        entry.suffix not in (".json", ".h5") or not entry.is_file() for entry in target.iterdir()
    ):
        raise SurrogateFolderError(f"{folder}: something is already there that is no surrogate. Choose another --out.")
    if not force:
        raise SurrogateFolderError(
            f"{folder}: {_of_other_table(target, table)}already there. "
            "Choose another --out, or replace it with --force."
        )


def _of_other_table(folder: Path, table: Table) -> str:
    try:
        other = read_manifest(folder)["table"]["digest"] != table.digest
    except NasbenchError:
        return "a damaged or older surrogate is "
    return "a surrogate of another table is " if other else "a surrogate of this table is "


def _write(folder: Path, fitted: Fitted, table: Table) -> str:
    folder.mkdir()
    arrays: dict[str, NDArray[Any]] = {"rows": np.asarray(fitted.rows, np.int64)}
    arrays |= {f"state/{name}": array for name, array in _leaves(fitted.surrogate.state())}
    with create(folder / ARRAYS) as file:
        for name, array in arrays.items():
            options = {"compression": "gzip", "shuffle": True, "fletcher32": True} if array.ndim and array.size else {}
            file.create_dataset(name, data=array, **options)
    if (
        sum(array.nbytes for array in arrays.values()) > MOST_NUMBERS
        or (folder / ARRAYS).stat().st_size > LARGEST[ARRAYS]
    ):
        raise SurrogateFolderError("this surrogate has more numbers than are read again: take fewer labels.")
    about = fitted.surrogate.about
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "about": about._asdict(),
        "table": {"name": table.name, "dataset": table.dataset, "digest": table.digest, "source": table.source},
        "score_card": plain(fitted.score_card),
        "made_with": {
            "nasbench": __version__,
            **{name: version(name) for name in ("numpy", "scikit-learn", "xgboost")},
        },
        "files": {ARRAYS: hashlib.sha256((folder / ARRAYS).read_bytes()).hexdigest()},
    }
    manifest["digest"] = digest_of(manifest)
    write_json(folder / MANIFEST, manifest)
    return str(manifest["digest"])


def load(folder: str | os.PathLike[str], table: Table | None = None) -> Saved:
    """Read a folder, verified.

    Args:
        folder: What :func:`save` wrote.
        table: The table that it must be of, if that matters.

    Raises:
        SurrogateFolderError: It is no such folder, was altered, is of a newer version, or of another table.
        MissingPackageError: The model needs a package that is not installed.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    content = content_of(path, ARRAYS)
    if hashlib.sha256(content).hexdigest() != manifest["files"][ARRAYS]:
        raise SurrogateFolderError(f"{folder}: {ARRAYS} was altered: its SHA-256 is another. Copy the folder again.")
    if table is not None and manifest["table"]["digest"] != table.digest:
        raise SurrogateFolderError(
            f"{folder}: a surrogate of the table {manifest['table']['name']} with digest "
            f"{manifest['table']['digest'][:16]}…, not of {table.name} with {table.digest[:16]}…: fit one of it."
        )
    try:
        surrogate, rows = _restored(about_of(manifest["about"]), content)
    except MissingPackageError:
        raise
    except Exception as error:  # whatever a library says of numbers that make no model
        raise SurrogateFolderError(
            f"{folder}: its files do not make the model that it names: {type(error).__name__}: {error}. "
            "Make it again with `nasbench fit`."
        ) from None
    return Saved(surrogate, manifest, rows)


def _restored(about: About, content: bytes) -> tuple[Surrogate, NDArray[np.int64]]:
    """Return the surrogate that arrays make, and its rows.

    Raises:
        Exception: They make none; whatever the first to notice raises.
    """
    surrogate = Surrogate(about)
    with open_bytes(content) as file:
        arrays = read_arrays(file, largest=MOST_NUMBERS)
    rows = arrays.pop("rows")
    if rows.dtype != np.int64 or rows.shape != (about.labels,) or (rows < 0).any() or len({*rows.tolist()}) < len(rows):
        raise ValueError(f"rows must be {about.labels} different numbers of rows.")
    surrogate.restore(_nested(arrays))
    again = {f"state/{name}": array for name, array in _leaves(surrogate.state())}
    for name in sorted({*arrays} ^ {*again}):
        raise ValueError(f"{name} is {'not of this model' if name in arrays else 'missing'}.")
    for name, array in again.items():
        found = arrays[name]
        if found.dtype != array.dtype or found.shape != array.shape or found.tobytes() != array.tobytes():
            raise ValueError(f"{name} is {found.dtype} of shape {found.shape}, and not what this model would write.")
    some = registry.find("spaces", about.space)().sample_many(_ASKED, np.random.default_rng(0))
    with np.errstate(all="ignore"):
        predicted = surrogate.predict(some)
    if not all(np.isfinite(values).all() for values in predicted):
        raise ValueError("it predicts what is no number.")
    return surrogate, rows


def _leaves(state: State, prefix: str = "") -> Iterator[tuple[str, NDArray[Any]]]:
    for name, value in state.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", np.asarray(value)


def _nested(arrays: dict[str, NDArray[Any]]) -> State:
    state: State = {}
    for path, array in arrays.items():
        *groups, last = path.removeprefix("state/").split("/")
        place = state
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = array
    return state
