"""Opening a raw file: its digest first, and one error for whatever keeps it from being read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nasbench.errors import ConversionError


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """Open a file at its start, and tell its sha256.

    Raises:
        ConversionError: It cannot be read; also what a damaged gzip file raises while it is open.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            yield file, digest
    except OSError as error:
        raise ConversionError(f"{path}: cannot be read: {error.strerror or error}.") from None
