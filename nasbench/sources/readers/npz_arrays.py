"""NPZ files: arrays of numbers, each read only once what it says of itself is what it should be. No pickle is read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError
from nasbench.sources.readers.csv_lines import EXACT

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, MemoryError)


class Npz:
    """The arrays of an open NPZ file.

    Args:
        file: The file.
        path: For messages.

    Raises:
        ConversionError: It is no NPZ file, or two arrays have one name.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self.path = path
        with self._readable():
            self._archive = zipfile.ZipFile(file)
            members = self._archive.infolist()
        self._members = {info.filename.removesuffix(".npy"): info for info in members}
        if len(self._members) != len(members):
            raise ConversionError(f"{path}: two arrays of one name.")

    @property
    def names(self) -> list[str]:
        """The names of the arrays, in the order of the file."""
        return [*self._members]

    def array(self, name: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """Read one array of numbers.

        Args:
            name: One of :attr:`names`.
            shape: What its shape must be; None stands for any length.

        Raises:
            ConversionError: It is damaged, of another shape, or not of integers or floats of at most 64 bits.
        """
        info = self._members[name]
        place, expected = f"{self.path}, {info.filename[:100]}", ", ".join("n" if n is None else str(n) for n in shape)
        with self._readable():
            try:
                with self._archive.open(info) as member:
                    found, _, dtype = _HEADERS[np.lib.format.read_magic(member)](member)
                fits = len(found) == len(shape) and all(n in (None, m) for n, m in zip(shape, found, strict=True))
                if dtype.kind not in "iuf" or dtype.itemsize > 8 or not fits:
                    raise ConversionError(
                        f"{place}: expected numbers of at most 64 bits, shape ({expected}); found {dtype} of shape "
                        f"{found}."
                    )
                with self._archive.open(info) as member:
                    values = np.lib.format.read_array(member, allow_pickle=False)
                    if member.read(1):
                        raise ConversionError(f"{place}: more data after the array.")
                    return np.asarray(values)
            except (ConversionError, zipfile.BadZipFile, MemoryError):
                raise
            except Exception as error:  # a damaged header may raise anything
                raise ConversionError(f"{place}: no readable array: {str(error)[:160]}.") from None

    def floats(self, name: str, shape: tuple[int | None, ...]) -> NDArray[np.floating[Any]]:
        """Read one array of floats, nan where there is no value, in the precision it has; integers become floats.

        Args:
            name: As for :meth:`array`.
            shape: As for :meth:`array`.

        Raises:
            ConversionError: As for :meth:`array`, or a number is infinite, or too large to be an exact float.
        """
        values = self.array(name, shape)
        if values.dtype.kind != "f":
            wrong = np.flatnonzero((values > EXACT) | (values < -EXACT))
            if len(wrong):
                found = f"{self.path}, {name}, row {wrong[0]}: {values[wrong[0]]}"
                raise ConversionError(f"{found} is too large for an exact float.")
            return values.astype(np.float64)
        wrong = np.flatnonzero(np.isinf(values))
        if len(wrong):
            found = f"{self.path}, {name}, row {wrong[0]}: {values[wrong[0]]}"
            raise ConversionError(f"{found}, expected a finite number, or nan.")
        return values

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            raise ConversionError(
                f"{self.path}: no readable NPZ file: {str(error)[:160]}. Write it with numpy.savez."
            ) from None
