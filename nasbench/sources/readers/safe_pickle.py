"""Reading pickles without letting them run anything, or take more time and memory than results need."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources.readers.pickle_bounds import LONGEST, VALUES, TooMuchError, end_of_pickle


class _AllowListUnpickler(pickle.Unpickler):
    """An unpickler that builds builtin containers and numbers, and calls only what it was given."""

    def __init__(self, file: IO[bytes], name: str, allowed: Mapping[str, Any], advice: str) -> None:
        super().__init__(file)
        self._name, self._allowed, self._advice = name, allowed, advice

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[f"{module}.{name}"]
        except KeyError:
            raise refused_global(self._name, f"{module}.{name}", self._allowed, self._advice) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise refused_reference(self._name, self._advice)


def refused_global(file: str, name: str, allowed: Mapping[str, Any], advice: str) -> UnsafeFileError:
    """Return the error for a pickle that asks for a global that it does not get."""
    return UnsafeFileError(
        f"{file}: refused. It asks for {name}, which could run code; "
        f"allowed here: {', '.join(sorted(allowed)) or 'builtin containers and numbers only'}.{advice}"
    )


def refused_reference(file: str, advice: str) -> UnsafeFileError:
    """Return the error for a pickle that refers to a persistent object, such as the storage of a tensor."""
    return UnsafeFileError(f"{file}: refused. It refers to an object outside of the pickle.{advice}")


def load_pickle(path: str | os.PathLike[str], allowed: Mapping[str, Any] | None = None, *, values: int = VALUES) -> Any:
    """Read a pickle of builtin containers and numbers, and of the globals allowed by name.

    Args:
        path: The pickle file.
        allowed: ``"module.name"`` to the object to use for it.
        values: How many values it may hold. A million take less than 200 MB, and two seconds.

    Raises:
        UnsafeFileError: The pickle asks for any other global, or for a persistent object; nothing was run.
        ConversionError: The file is missing, or no complete pickle.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return load_pickle_from(file, str(path), allowed, values=values)
    except FileNotFoundError:
        raise ConversionError(f"{path}: no such file.") from None


def load_pickle_from(
    file: IO[bytes],
    name: str,
    allowed: Mapping[str, Any] | None = None,
    *,
    advice: str = "",
    alone: bool = False,
    values: int = VALUES,
    longest: int = LONGEST,
) -> Any:
    """Read the pickle at the position of an open file, as :func:`load_pickle` does.

    Args:
        file: A binary file, which can seek unless the pickle is alone.
        name: What errors call it.
        allowed: As for :func:`load_pickle`.
        advice: What to do instead, for the refusal of an unsafe file.
        alone: Whether nothing may follow; otherwise the file is left where the pickle ends. A packed file checks itself
            when it is read to its end.
        values: As for :func:`load_pickle`.
        longest: How many bytes it may have.

    Raises:
        UnsafeFileError: As for :func:`load_pickle`.
        ConversionError: There is no complete pickle here, it asks for more than results need (values, containers, marks
            inside of each other, tuples inside of tuples, long integers, places in its memo), something follows it, or
            the packed file is damaged.
    """
    try:
        data = file.read(longest + 1)
        try:
            end = end_of_pickle(data, values)
        except EOFError:
            if len(data) > longest:
                raise TooMuchError(f"more than {longest:,} bytes") from None
            raise
        result = _AllowListUnpickler(io.BytesIO(data), name, allowed or {}, advice and f" {advice}").load()
        if alone and end < len(data):
            raise ConversionError(f"{name}: more data after the pickle. Download it again.")
        if not alone:
            file.seek(end - len(data), 1)
        return result
    except ConversionError:
        raise
    except TooMuchError as excess:
        raise ConversionError(
            f"{name}: refused. It asks for {excess}, and no results do.{advice and ' '}{advice}"
        ) from None
    except Exception as error:  # a damaged pickle may raise anything
        raise ConversionError(
            f"{name}: not a complete pickle ({type(error).__name__}: {str(error)[:160]}). Download it again."
        ) from None


# Stand-ins for the globals that numpy's numbers and old protocols need. They are classes with a __setstate__ because a
# pickle may set the attributes of a plain function or class that it was given, but not of these.


class DType:
    """``numpy.dtype`` of one plain number."""

    _CODES = {"f8": "d", "f4": "f", "i8": "q", "i4": "i"}

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        if type(code) is not str or code not in self._CODES:
            raise ValueError(f"a numpy value of type {str(code)[:20]!r}, expected one of {', '.join(self._CODES)}")
        self.format = f"={self._CODES[code]}"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = {"<": "<", ">": ">"}[state[1]]
        self.format = order + self.format[1]


class _Scalar:
    """``numpy.core.multiarray.scalar``: gives a Python number."""

    def __new__(cls, dtype: DType, data: bytes) -> Any:
        return struct.unpack(dtype.format, data)[0]

    def __setstate__(self, state: Any) -> None: ...


class _Encode:
    """``_codecs.encode``: how protocol 2 spells bytes."""

    def __new__(cls, text: str, encoding: str) -> Any:
        if encoding != "latin1":
            raise ValueError("bytes in another encoding than latin1")
        return text.encode("latin1")

    def __setstate__(self, state: Any) -> None: ...


PLAIN_GLOBALS: Mapping[str, Any] = {
    "collections.OrderedDict": dict,
    "numpy.dtype": DType,
    "numpy.core.multiarray.scalar": _Scalar,
    "numpy._core.multiarray.scalar": _Scalar,  # the name since numpy 2
    "_codecs.encode": _Encode,
    "__builtin__.set": set,  # how protocol 2 spells sets
    "builtins.set": set,  # protocol 3
}
"""What pickles of containers and numpy scalars need, read as plain dictionaries and Python numbers."""
