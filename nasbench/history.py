"""History: what one search did, as arrays; many of them in one HDF5 file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench._files import replacing
from nasbench._hdf5 import attributes, create, open_file, plain_dataset, set_attributes
from nasbench._hdf5_values import read
from nasbench.errors import HistoryFileError

FORMAT = "nasbench histories"
VERSION = 1


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

    def __len__(self) -> int:
        return len(self.architectures)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History) or self.header != other.header:
            return False
        pairs = ((getattr(self, name), getattr(other, name)) for name in _ARRAYS)
        return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)

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


_ARRAYS = tuple(field.name for field in fields(History))[1:]
_TYPES = {
    "lengths": np.int64,
    "headers": np.uint8,
    "architectures": np.uint8,
    "schedules": np.int32,
    "epochs": np.int32,
    "runs": np.int32,
} | dict.fromkeys(("validation_accuracy", "test_accuracy", "cost", "seconds"), np.float64)


def save_histories(path: str | os.PathLike[str], histories: Iterable[History]) -> None:
    """Write histories of one search space to one HDF5 file, atomically; the same ones give the same bytes.

    The arrays are laid end to end; ``lengths`` says where each history ends, ``headers`` is a JSON list as bytes.

    Raises:
        HistoryFileError: There are none, or they are of different search spaces.
    """
    histories = list(histories)
    if not histories or len({history.architectures.shape[1] for history in histories}) != 1:
        raise HistoryFileError(
            f"{os.fspath(path)}: expected one or more histories of one search space, found "
            f"{len(histories)}; nothing was written."
        )
    headers = json.dumps([history.header for history in histories], sort_keys=True).encode()
    columns = {
        "lengths": np.array([len(history) for history in histories], np.int64),
        "headers": np.frombuffer(headers, np.uint8),
        **{name: np.concatenate([getattr(h, name) for h in histories]) for name in _ARRAYS},
    }
    with replacing(path) as temporary, create(temporary) as file:
        set_attributes(file, {"format": FORMAT, "version": VERSION})
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
            columns = {column: _values(file, column) for column in _TYPES}
    except HistoryFileError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise HistoryFileError(f"{name}: no readable file of histories: {error}.") from None
    lengths = columns["lengths"].tolist()
    if not lengths or min(lengths) < 0:
        raise HistoryFileError(f"{name}: expected one or more lengths, none negative, found {lengths[:9]}.")
    for column in _ARRAYS:
        n = len(columns[column])
        if n != sum(lengths):
            raise HistoryFileError(f"{name}: {column}: expected {sum(lengths)} values, the sum of lengths, found {n}.")
    headers = _headers(columns["headers"].tobytes())
    if headers is None or len(headers) != len(lengths):
        raise HistoryFileError(f"{name}: headers: expected a JSON list of {len(lengths)} objects.")
    parts = [np.split(columns[column], np.cumsum(lengths)[:-1]) for column in _ARRAYS]
    return [History(header, *arrays) for header, *arrays in zip(headers, *parts, strict=True)]


def _values(file: Any, column: str) -> NDArray[Any]:
    """Read one column; its form is looked at first, because a damaged one may claim any size."""
    node = plain_dataset(file, column)
    dimensions = 2 if column == "architectures" else 1
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
