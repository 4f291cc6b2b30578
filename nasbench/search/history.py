"""History: what one search did, as arrays; many of them in one HDF5 file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import HistoryFileError
from nasbench.system.files import replacing
from nasbench.tables.hdf5 import attributes, create, open_file, plain_dataset, set_attributes
from nasbench.tables.hdf5_values import read

FORMAT = "nasbench histories"
VERSION = 2
"""Version 1 holds searches on one worker for validation accuracy alone; they are written as such still."""


@dataclass(frozen=True, eq=False)
class History:
    """The evaluations of one search, in order; n is their number.

    A search is repeated from its header alone: versions, digest of the benchmark, algorithm and arguments, both seeds,
    budget, rules.
    """

    header: dict[str, Any]
    architectures: NDArray[np.uint8]
    """Shape (n, decisions)."""
    schedules: NDArray[np.int32]
    """Shape (n,): the schedule that each evaluation trained with, in epochs."""
    epochs: NDArray[np.int32]
    """Shape (n,): the epoch that was looked at."""
    runs: NDArray[np.int32]
    """Shape (n,): which recorded run was seen; -1 is the mean over runs."""
    validation_accuracy: NDArray[np.float64]
    """Shape (n,): what the searcher was told, a fraction."""
    test_accuracy: NDArray[np.float64]
    """Shape (n,): of the same run, never told; nan where the benchmark has none."""
    cost: NDArray[np.float64]
    """Shape (n,): what was charged, in the unit of the budget."""
    seconds: NDArray[np.float64]
    """Shape (n,): simulated training seconds; 0 where a repeat was free."""
    trainings: NDArray[np.int32] = None  # type: ignore[assignment]  # as on one worker, see __post_init__
    """Shape (n,): the number of the training that each evaluation began or went on with; -1 is one of its own."""
    workers: NDArray[np.int32] = None  # type: ignore[assignment]
    """Shape (n,): which worker trained it, from 0."""
    starts: NDArray[np.float64] = None  # type: ignore[assignment]
    """Shape (n,): when its training started, in seconds of the simulated clock."""
    values: NDArray[np.float64] = None  # type: ignore[assignment]
    """Shape (n, k): what was observed of objectives and constrained metrics, as ``header["values"]`` names them, in
    their own units; validation accuracy alone where the search had no others."""

    def __post_init__(self) -> None:
        """Fill in what a search on one worker, for validation accuracy alone, does not say."""
        for name in _MORE:
            if getattr(self, name) is None:
                object.__setattr__(self, name, _on_one_worker(self, name))

    @property
    def ends(self) -> NDArray[np.float64]:
        """When each evaluation ended, in seconds of the simulated clock, shape (n,); never falling."""
        return self.starts + self.seconds

    @property
    def spent(self) -> NDArray[np.float64]:
        """How much of the budget was spent when each evaluation had ended, in the unit of the budget, shape (n,)."""
        on_clock = self.header.get("budget", {}).get("unit") == "seconds"
        return self.ends if on_clock else np.cumsum(self.cost)

    def __len__(self) -> int:
        return len(self.architectures)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History) or self.header != other.header:
            return False
        return all(_equal(getattr(self, name), getattr(other, name)) for name in _ARRAYS)

    __hash__ = None  # type: ignore[assignment]  # compared by content, so not hashable

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write this one history; see :func:`save_histories`."""
        save_histories(path, [self])

    @staticmethod
    def load(path: str | os.PathLike[str]) -> History:
        """Read a file that holds one history.

        Raises:
            HistoryFileError: As :func:`load_histories`, or the file holds several.
        """
        histories = load_histories(path)
        if len(histories) != 1:
            raise HistoryFileError(f"{path}: holds {len(histories)} histories, not one; read it with load_histories().")
        return histories[0]


_MORE = ("trainings", "workers", "starts", "values")
_ARRAYS = tuple(field.name for field in fields(History))[1:]
_ALWAYS = tuple(name for name in _ARRAYS if name not in _MORE)
_TYPES = {
    "lengths": np.int64,
    "headers": np.uint8,
    "architectures": np.uint8,
    "schedules": np.int32,
    "epochs": np.int32,
    "runs": np.int32,
    "trainings": np.int32,
    "workers": np.int32,
} | dict.fromkeys(("validation_accuracy", "test_accuracy", "cost", "seconds", "starts", "values"), np.float64)
_TWO_DIMENSIONS = ("architectures", "values")


def _on_one_worker(history: History, name: str) -> NDArray[Any]:
    """Return an array of a search on one worker for validation accuracy alone, each trial a training of its own."""
    n = len(history)
    if name == "trainings":
        return np.full(n, -1, np.int32)
    if name == "workers":
        return np.zeros(n, np.int32)
    if name == "starts":
        return np.concatenate([np.zeros(1), np.cumsum(history.seconds)])[:n]
    return history.validation_accuracy[:, None]


def save_histories(path: str | os.PathLike[str], histories: Iterable[History]) -> None:
    """Write histories of one search space to one HDF5 file, atomically; the same ones give the same bytes.

    The arrays are laid end to end; ``lengths`` says where each history ends, ``headers`` is a JSON list as bytes. What
    every history has as on one worker, for validation accuracy alone, is left out.

    Raises:
        HistoryFileError: There are none, or they are of different search spaces, or of different numbers of objectives.
    """
    histories = list(histories)
    if not histories or len({(h.architectures.shape[1], h.values.shape[1]) for h in histories}) != 1:
        raise HistoryFileError(
            f"{os.fspath(path)}: expected one or more histories of one search space and one number of objectives, "
            f"found {len(histories)}; nothing was written."
        )
    more = [name for name in _MORE if not all(_equal(getattr(h, name), _on_one_worker(h, name)) for h in histories)]
    headers = json.dumps([history.header for history in histories], sort_keys=True).encode()
    columns = {
        "lengths": np.array([len(history) for history in histories], np.int64),
        "headers": np.frombuffer(headers, np.uint8),
        **{name: np.concatenate([getattr(h, name) for h in histories]) for name in (*_ALWAYS, *more)},
    }
    with replacing(path) as temporary, create(temporary) as file:
        set_attributes(file, {"format": FORMAT, "version": VERSION if more else 1})
        for name, values in columns.items():
            # Level 1: histories are written once a comparison and read a few times.
            file.create_dataset(name, data=values, compression="gzip", compression_opts=1, shuffle=True)


def load_histories(path: str | os.PathLike[str]) -> list[History]:
    """Read all histories of a file, in the order in which they were saved.

    Raises:
        HistoryFileError: The file is missing, damaged, or no file of histories, or of a newer version.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise HistoryFileError(f"{name}: no such file.")
    try:
        with open_file(name) as file:
            stated = attributes(file)
            found = stated.get("format"), stated.get("version")
            if found[0] != FORMAT or type(found[1]) is not int or not 1 <= found[1] <= VERSION:
                raise HistoryFileError(
                    f"{name}: expected {FORMAT!r} of version {VERSION} or older, found {found[0]!r} of version "
                    f"{found[1]!r}."
                )
            there = [column for column in _TYPES if column not in _MORE or column in file]
            columns = {column: _values(file, column) for column in there}
    except HistoryFileError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise HistoryFileError(f"{name}: no readable file of histories: {error}.") from None
    lengths = columns["lengths"].tolist()
    if not lengths or min(lengths) < 0:
        raise HistoryFileError(f"{name}: expected one or more lengths, none negative, found {lengths[:9]}.")
    arrays = [column for column in _ARRAYS if column in columns]
    for column in arrays:
        n = len(columns[column])
        if n != sum(lengths):
            raise HistoryFileError(f"{name}: {column}: expected {sum(lengths)} values, the sum of lengths, found {n}.")
    headers = _headers(columns["headers"].tobytes())
    if headers is None or len(headers) != len(lengths):
        raise HistoryFileError(f"{name}: headers: expected a JSON list of {len(lengths)} objects.")
    parts = {column: np.split(columns[column], np.cumsum(lengths)[:-1]) for column in arrays}
    return [History(header, **{column: part[i] for column, part in parts.items()}) for i, header in enumerate(headers)]


def _equal(first: NDArray[Any], second: NDArray[Any]) -> bool:
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


def _values(file: Any, column: str) -> NDArray[Any]:
    """Read one column; its form is looked at first, because a damaged one may claim any size."""
    node = plain_dataset(file, column)
    dimensions = 2 if column in _TWO_DIMENSIONS else 1
    if node is None or node.dtype != _TYPES[column] or len(node.shape) != dimensions:
        raise HistoryFileError(
            f"{file.filename}: {column}: expected {np.dtype(_TYPES[column])} values in {dimensions} dimension(s), "
            "stored in the file itself."
        )
    return read(node)


def _headers(text: bytes) -> list[dict[str, Any]] | None:
    try:
        headers = json.loads(text)
    except ValueError:
        return None
    sound = isinstance(headers, list) and all(isinstance(header, dict) for header in headers)
    return headers if sound else None
