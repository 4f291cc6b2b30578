"""Downloads with pooch that go on where they were cut, tell their progress, and say what is wrong when they cannot."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from nasbench.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nasbench.sources.http import Answer, CutError, Floor, RefusedError

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
AT_MOST = 4 * 2**30
"""Bytes of a file whose size nobody knows, at most: twice the largest that is fetched."""

_WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each new attempt, when a connection was cut or the server asks to come back."""
_COME_BACK = {206, 408, 416, 429}  # 206 and 416: the part that had arrived was none of this file, and is gone
_VERSION = re.compile(r"[\x20-\x7e]{1,200}")


def download(
    address: str,
    sha256: str,
    folder: Path,
    *,
    progress: Callable[[int, int], None],
    page: str,
    at_most: int = AT_MOST,
    floor: Floor | None = None,
) -> Path:
    """Download a file, under its own name, unless it is there and right; return its path.

    A server has 30 seconds to begin, and must send at least 1,000 bytes a second in every 30 seconds after; one that is
    slower is cut off, like one that cuts the connection, and asked again, five times at most.

    Args:
        address: Where it is; ends in the file's name.
        sha256: Its checksum, in hexadecimal.
        folder: An existing folder for the file and, until it is whole and verified, for what has arrived of it.
        progress: Called with the bytes that have arrived and the bytes in all.
        page: Where people find out about the file, for messages.
        at_most: Its size in bytes, or what it surely has not. No more is ever received.
        floor: What else counts as too slow.

    Raises:
        FetchError: There is no connection, it was cut or too slow too often, the server refuses or announces more than
            ``at_most`` bytes, the disk is full, or the checksum is wrong. Only in the last case is what has arrived
            removed.
        OSError: The folder cannot be written.
    """
    import logging

    import pooch

    from nasbench.sources.http import Floor

    target = folder / address.rpartition("/")[2]
    partial = _Partial(target, progress, page, at_most, floor or Floor())
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
    return shutil.disk_usage(folder).free


class _Partial:
    """A downloader for pooch: into ``FILE.partial``, going on from what that holds already.

    ``FILE.partial.version`` has the ETag or date that the server gave, so that parts of two versions never mix.
    """

    def __init__(
        self, target: Path, progress: Callable[[int, int], None], page: str, at_most: int, floor: Floor
    ) -> None:
        self._target = target
        self._path = Path(f"{target}.partial")
        self._version = Path(f"{target}.partial.version")
        self._progress = progress
        self._page = page
        self._at_most = at_most
        self._floor = floor
        self._answered = False
        self._total: int | None = None

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download as pooch asks for it."""
        from nasbench.sources.http import CutError, RefusedError

        for wait in (*_WAITS, None):
            try:
                self._receive(url)
                break
            except (CutError, RefusedError) as error:
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
        _remove(self._path)
        _remove(self._version)

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.is_file() else 0

    def _known_version(self) -> str:
        """Return the version of what has arrived; a damaged note of it is thrown away: the checksum decides anyway."""
        try:
            noted = self._version.read_bytes()[:1000].decode("ascii") if self._version.is_file() else ""
        except (OSError, UnicodeDecodeError):
            noted = ""
        if not _VERSION.fullmatch(noted):
            _remove(self._version)
            return ""
        return noted

    def _receive(self, url: str) -> None:
        """Ask for what is missing, or for all of it if the file has changed (RFC 9110, sections 13.1.5 and 14)."""
        from nasbench.sources.http import CutError, RefusedError, get

        if self._size() > self._at_most:
            self.discard()
        size = self._size()
        if size == self._at_most:
            return  # all of it had arrived
        headers = {"Accept-Encoding": "identity"}  # ranges count the bytes of the file itself
        if size:
            headers["Range"] = f"bytes={size}-"
            version = self._known_version()
            if version:
                headers["If-Range"] = version
        with get(url, headers, self._floor) as answer:
            self._answered = True
            start, whole = _content_range(answer)
            if answer.status == 416 and whole == size:
                return  # all of it had arrived
            if answer.status == 416 or (answer.status == 206 and start != size):
                self.discard()
                raise RefusedError(answer.status, "for another part of the file")
            self._write(url, answer, "ab" if answer.status == 206 else "wb")
        if self._total is not None and self._size() < self._total:
            raise CutError("less than announced")

    def _write(self, url: str, answer: Answer, mode: str) -> None:
        length = answer.header("Content-Length")
        try:
            with self._path.open(mode) as file:
                done = file.tell()
                self._total = done + int(length) if re.fullmatch("[0-9]{1,18}", length) else None
                if self._total and self._total > self._at_most:
                    raise FetchError(
                        f"{url}: the server announces {self._total:,} bytes, expected {self._at_most:,} at most: not "
                        f"the published file. See {self._page}."
                    )
                self._note_version(answer, new=mode == "wb")
                if self._total and _free(self._path.parent) < self._total - done:
                    raise self._no_room()
                for part in answer.parts():
                    part = part[: self._at_most - done]
                    file.write(part)
                    file.flush()  # what is told to have arrived stays if this process is killed
                    done += len(part)
                    self._progress(done, self._total or done)
                    if done == self._at_most:
                        break  # whatever else it sends
        except OSError as error:
            if isinstance(error, FetchError) or error.errno not in DISK_FULL:
                raise
            raise self._no_room() from None

    def _note_version(self, answer: Answer, *, new: bool) -> None:
        if new:
            version = answer.header("ETag") or answer.header("Last-Modified")
            _remove(self._version)
            if _VERSION.fullmatch(version):
                self._version.write_text(version, encoding="ascii")

    def _no_room(self) -> FetchError:
        rest = f"{self._total - self._size():,}" if self._total else "more"
        return disk_full(f"{self._target} needs {rest} bytes besides those that have arrived", self._target.parent)

    def _may_pass(self, error: CutError | RefusedError) -> bool:
        status = getattr(error, "status", None)
        return self._answered if status is None else status >= 500 or status in _COME_BACK

    def _reason(self, error: CutError | RefusedError) -> str:
        if hasattr(error, "status"):
            return str(error)
        return f"{'the connection was cut' if self._answered else 'no connection'} ({error})"

    def _advice(self, error: CutError | RefusedError) -> str:
        if hasattr(error, "status") and not self._may_pass(error):
            return f"Its authors may say where the file is now: {self._page}. Then run `nasbench convert` on it."
        if not self._size():
            return "Nothing has arrived yet; run the same command again later."
        of = f" of {self._total:,}" if self._total else ""
        return f"{self._size():,}{of} bytes have arrived; the same command goes on from there."


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _content_range(answer: Answer) -> tuple[int | None, int | None]:
    """Return the first byte of the part that is sent, and the size of the whole file, as far as the server says."""
    found = re.fullmatch(r"bytes (?:(\d{1,18})-\d+|\*)/(?:(\d{1,18})|\*)", answer.header("Content-Range"))
    start, whole = found.groups() if found else (None, None)
    return int(start) if start else None, int(whole) if whole else None
