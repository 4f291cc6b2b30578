"""Reading pickles without letting them run anything."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NoReturn

from nasbench.errors import ConversionError, UnsafeFileError


class _AllowListUnpickler(pickle.Unpickler):
    """An unpickler that builds builtin containers and numbers, and calls only what it was given."""

    def __init__(self, file: IO[bytes], name: str, allowed: Mapping[str, Any]) -> None:
        super().__init__(file)
        self._name, self._allowed = name, allowed

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[f"{module}.{name}"]
        except KeyError:
            raise UnsafeFileError(
                f"{self._name}: refused. It asks for {module}.{name}, which could run code; "
                f"allowed here: {', '.join(sorted(self._allowed)) or 'builtin containers and numbers only'}."
            ) from None

    def persistent_load(self, pid: Any) -> NoReturn:
        raise UnsafeFileError(f"{self._name}: refused. It refers to an outside object, {pid!r}.")


def load_pickle(path: str | os.PathLike[str], allowed: Mapping[str, Any] | None = None) -> Any:
    """Read a pickle of builtin containers and numbers, and of the globals allowed by name.

    Args:
        path: The pickle file.
        allowed: ``"module.name"`` to the object to use for it.

    Raises:
        UnsafeFileError: The pickle asks for any other global, or for a persistent object; nothing was run.
        ConversionError: The file is missing, or no complete pickle.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _AllowListUnpickler(file, str(path), allowed or {}).load()
    except UnsafeFileError:
        raise
    except FileNotFoundError:
        raise ConversionError(f"{path}: no such file.") from None
    except Exception as error:  # a damaged pickle may raise anything
        raise ConversionError(
            f"{path}: not a complete pickle ({type(error).__name__}: {error}). Download it again."
        ) from None
