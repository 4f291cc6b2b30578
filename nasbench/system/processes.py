"""Workers that do not outlive the process that started them, however that one ended."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from multiprocessing.process import BaseProcess
from typing import Any

_PAUSE = 0.5
"""Seconds between two looks for the parent, where the system does not tell of its end."""
_watched = 0
"""The process that is watched; after a fork another one, which needs a thread of its own."""


def end_with_parent() -> None:
    """End this process within two seconds of the end of the one that started it, killed or not: exit status 1.

    For workers of multiprocessing, whatever their start method, and of joblib (loky), whose own check takes minutes.
    Called again it does nothing, so that every task of a worker may call it; nor does it do anything in a process that
    is no worker, such as the main one, in which joblib runs the tasks of a single worker. It needs Python's lock now
    and then: compiled code that keeps the lock delays it. On Windows it does nothing in workers of joblib.
    """
    global _watched
    parent = multiprocessing.parent_process()
    if parent is None or _watched == os.getpid():
        return
    _watched = os.getpid()
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="end-with-parent").start()


def _watch(parent: BaseProcess | Any) -> None:
    if _has_sentinel(parent):
        parent.join()
    elif sys.platform == "win32":
        return  # a process keeps the number of its parent there, whatever becomes of it
    else:
        while os.getppid() == parent.pid:
            time.sleep(_PAUSE)
    os._exit(1)


def _has_sentinel(parent: BaseProcess | Any) -> bool:
    """Return whether the system tells of the parent's end: loky starts its workers without that."""
    return getattr(parent, "_sentinel", None) is not None
