"""Work in forked processes, so that a crash, a kill or a limit of the system strikes nothing but that work."""

from __future__ import annotations

import mmap
import os
import re
import resource
import signal
import struct
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, NoReturn

TAG = "NASBENCH_FAULTS"
"""Environment variable that tells whose work a process does, whatever it was started by."""


class Ended(NamedTuple):
    """How a piece of work ended."""

    status: int
    """Exit status, or minus the number of the signal."""
    said: str
    seconds: float
    megabytes: float
    """Largest resident memory, beyond what the process had at its start."""

    @property
    def outcome(self) -> str:
        """One word or two."""
        if self.status < 0:
            return f"killed by {signal.Signals(-self.status).name}"
        return {0: "answered", 1: "refused"}.get(self.status, "another exception")


def start(work: Callable[[], int], tag: str, output: int | None = None) -> int:
    """Fork a process that does the work, as the leader of a session of its own; return its number.

    Args:
        work: Returns the exit status.
        tag: By which :func:`alive` finds what it starts.
        output: Where it writes what it says; nowhere by default.
    """
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = 3
    try:
        os.setsid()
        os.environ[TAG] = tag
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null if output is None else output, 1)
        os.dup2(null if output is None else output, 2)
        status = work()
    except BaseException as error:
        status = told(error)
    finally:
        _end(status)


def _end(status: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def told(error: BaseException) -> int:
    """Print an exception; return 1 for one of ours, 3 for any other."""
    from nasbench.errors import NasbenchError

    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    return 1 if isinstance(error, NasbenchError) else 3


def run(work: Callable[[], int], tag: str = "work", *, limit: float = 600) -> Ended:
    """Do the work in a forked process, and wait for its end; after ``limit`` seconds it is ended by SIGALRM."""
    reading, writing = os.pipe()
    shared = mmap.mmap(-1, 8)  # what the child has at its start is less than what this process has

    def limited() -> int:
        os.close(reading)
        shared[:8] = struct.pack("d", resident())
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(limit))
        return work()

    begin = time.monotonic()
    process = start(limited, tag, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - begin
    [before] = struct.unpack("d", shared[:8])
    return Ended(os.waitstatus_to_exitcode(status), said, seconds, max(usage.ru_maxrss / 1024 - before, 0))


def resident() -> float:
    """Return the resident memory of this process, in MiB."""
    found = re.search(r"VmRSS:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def alive(leader: int, tag: str) -> list[int]:
    """Return the processes of a session, and those that were started with a tag."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            mine = int(fields[3]) == leader or f"{TAG}={tag}".encode() in (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mine and fields[0] != "Z":
            found.append(int(entry.name))
    return found


def gone_after(leader: int, tag: str, limit: float = 20) -> float:
    """Wait until nothing of it is alive; return the seconds that took. What lives after ``limit`` is killed."""
    begin = time.monotonic()
    while alive(leader, tag):
        if time.monotonic() - begin > limit:
            for process in alive(leader, tag):
                os.kill(process, signal.SIGKILL)
            break
        time.sleep(0.05)
    return time.monotonic() - begin


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond a size: a write that would fails, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def preload() -> None:
    """Import here what the forked commands would import each time, so that kills strike their work."""
    for name in _PRELOADED:
        import_module(name)


_PRELOADED = (
    *("joblib.externals.loky", "matplotlib.backends.backend_pdf", "matplotlib.pyplot", "pandas", "pyarrow.parquet"),
    *("scipy.stats", "sklearn.ensemble", "sklearn.gaussian_process", "torch", "xgboost"),
    *(
        "nasbench.cli",
        "nasbench.tables.export",
        "nasbench.training.campaign.campaign",
        "nasbench.training.verify.verification",
    ),
    *("surrogates.evaluation.harness", "surrogates.benchmark.saved"),
)
