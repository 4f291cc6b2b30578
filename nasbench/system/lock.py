"""One process at a time: a lock that says who holds it, and that ends with its holder, however that one ended."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nasbench.errors import NasbenchError


@contextmanager
def held(path: Path, error: type[NasbenchError], what_to_do: str) -> Iterator[None]:
    """Hold a lock file for the time of a block; it is gone afterwards.

    The lock is one of the operating system's on an open file: it ends with the process, killed or not, so that a file
    that was left behind holds nobody up. On Windows, and on network drives without such locks, there is none.

    Args:
        path: The file; its folder is made.
        error: The class of the error if somebody else holds it.
        what_to_do: The last sentence of its message.

    Raises:
        NasbenchError: Of the class ``error``: another process holds it; the message says which.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        yield
        return
    handle = _locked(path)
    while isinstance(handle, int) and not _is_still_there(path, handle):  # its holder has just removed it
        os.close(handle)
        handle = _locked(path)
    if isinstance(handle, str):
        raise error(f"{path.parent}: {handle} works there. {what_to_do}")
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {socket.gethostname()}, since {time.ctime()},".encode())
        yield
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
        os.close(handle)


def _locked(path: Path) -> int | str:
    """Return the open file with our lock on it, or who has one."""
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(handle, 200).decode(errors="replace")
        os.close(handle)
        return "".join(filter(str.isprintable, text)) or "another process"
    except OSError:  # some network drives have no locks
        pass
    return handle


def _is_still_there(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False
