"""Downloads with pooch that go on where they were cut, tell their progress, and say what is wrong when they cannot."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from nasbench.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import RequestException, Response

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new attempt, when a connection was cut or the server asks to come back."""
_TIMEOUT = 60.0
_CHUNK = 2**16
_COME_BACK = {206, 408, 416, 429}  # 206 and 416: the part that had arrived was none of this file, and is gone


def download(address: str, sha256: str, folder: Path, *, progress: Callable[[int, int], None], page: str) -> Path:
    """Download a file, under its own name, unless it is there and right; return its path.

    Args:
        address: Where it is; ends in the file's name.
        sha256: Its checksum, in hexadecimal.
        folder: An existing folder for the file and, until it is whole and verified, for what has arrived of it.
        progress: Called with the bytes that have arrived and the bytes in all.
        page: Where people find out about the file, for messages.

    Raises:
        FetchError: There is no connection, it was cut too often, the server refuses, the disk is full, or the checksum
            is wrong. Only in the last case is what has arrived removed.
        OSError: The folder cannot be written.
    """
    import logging

    import pooch

    target = folder / address.rpartition("/")[2]
    partial = _Partial(target, progress, page)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # the progress says what it would
    try:
        pooch.retrieve(address, f"sha256:{sha256}", target.name, folder, downloader=partial)
    except ValueError as error:  # pooch's, on a wrong checksum; it names both
        partial.discard()
        raise FetchError(
            f"{address}: {error} Run the same command to download it again. If that does not help, the file is not the "
            f"published one any more: see {page}."
        ) from None
    finally:
        logger.setLevel(level)
    partial.discard()
    return target


def disk_full(what: str, folder: Path) -> FetchError:
    """Build the error for a folder whose disk is full."""
    return FetchError(
        f"the disk is full: {what}, and {_free(folder):,} bytes are free. Make room and run the same command, which "
        "goes on with what has arrived; or set the environment variable NASBENCH_CACHE to a folder on another disk."
    )


def _free(folder: Path) -> int:
    from shutil import disk_usage

    return disk_usage(folder).free


class _Partial:
    """A downloader for pooch: into ``FILE.partial``, going on from what that holds already.

    ``FILE.partial.version`` has the ETag or date that the server gave, so that parts of two versions never mix.
    """

    def __init__(self, target: Path, progress: Callable[[int, int], None], page: str) -> None:
        self._target = target
        self._path = Path(f"{target}.partial")
        self._version = Path(f"{target}.partial.version")
        self._progress = progress
        self._page = page
        self._answered = False
        self._total: int | None = None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download as pooch asks for it."""
        from requests import RequestException

        for wait in (*_WAITS, None):
            try:
                self._receive(url)
                break
            except RequestException as error:
                if wait is None or not self._may_pass(error):
                    raise FetchError(f"{url}: {self._reason(error)}. {self._advice(error)}") from None
                sleep(wait)
        # Pooch removes output_file when it is interrupted while it verifies, which must not cost the download.
        os.unlink(output_file)
        try:
            os.link(self._path, output_file)
        except OSError:  # a file system without links
            os.replace(self._path, output_file)

    def discard(self) -> None:
        """Remove what has arrived."""
        self._path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.is_file() else 0

    def _receive(self, url: str) -> None:
        """Ask for what is missing, or for all of it if the file has changed (RFC 9110, sections 13.1.5 and 14)."""
        import requests

        size = self._size()
        headers = {"Accept-Encoding": "identity"}  # ranges count the bytes of the file itself
        if size:
            headers["Range"] = f"bytes={size}-"
            if self._version.is_file():
                headers["If-Range"] = self._version.read_text(encoding="utf-8")
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            self._answered = True
            start, whole = _content_range(response)
            if response.status_code == 416 and whole == size:
                return  # all of it had arrived
            if response.status_code == 416 or (response.status_code == 206 and start != size):
                self.discard()
                raise requests.HTTPError(response=response)
            response.raise_for_status()
            self._write(response, "ab" if response.status_code == 206 else "wb")
        if self._total is not None and self._size() < self._total:
            raise requests.ConnectionError("less than announced")  # which releases 1 of urllib3 do not notice

    def _write(self, response: Response, mode: str) -> None:
        length = response.headers.get("Content-Length", "")
        try:
            with self._path.open(mode) as file:
                version = response.headers.get("ETag") or response.headers.get("Last-Modified")
                if mode == "wb" and version:
                    self._version.write_text(version, encoding="utf-8")
                done = file.tell()
                self._total = done + int(length) if length.isdecimal() else None
                if self._total and _free(self._path.parent) < self._total - done:
                    raise self._no_room()
                for chunk in response.iter_content(_CHUNK):
                    file.write(chunk)
                    done += len(chunk)
                    self._progress(done, self._total or done)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            raise self._no_room() from None

    def _no_room(self) -> FetchError:
        rest = f"{self._total - self._size():,}" if self._total else "more"
        return disk_full(f"{self._target} needs {rest} bytes besides those that have arrived", self._target.parent)

    def _may_pass(self, error: RequestException) -> bool:
        if error.response is not None:
            return error.response.status_code >= 500 or error.response.status_code in _COME_BACK
        return self._answered

    def _reason(self, error: RequestException) -> str:
        if error.response is not None:
            return f"the server answers {error.response.status_code} {error.response.reason}"
        cause = error.args[0] if error.args else error
        told = " ".join(str(getattr(cause, "reason", cause)).split())[:200]
        return f"{'the connection was cut' if self._answered else 'no connection'} ({told})"

    def _advice(self, error: RequestException) -> str:
        if error.response is not None and not self._may_pass(error):
            return f"Its authors may say where the file is now: {self._page}. Then run `nasbench convert` on it."
        if not self._size():
            return "Nothing has arrived yet; run the same command again later."
        of = f" of {self._total:,}" if self._total else ""
        return f"{self._size():,}{of} bytes have arrived; the same command goes on from there."


def _content_range(response: Response) -> tuple[int | None, int | None]:
    """Return the first byte of the part that is sent, and the size of the whole file, as far as the server says."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    start, whole = found.groups() if found else (None, None)
    return int(start) if start else None, int(whole) if whole else None
