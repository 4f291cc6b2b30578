"""Workers end with the process that started them; the operating system's locks tell who lives."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

fcntl = pytest.importorskip("fcntl", reason="no locks of this kind on Windows")

PROGRAM = """
import fcntl, multiprocessing, os, sys, threading, time
from pathlib import Path
from nasbench.system.processes import end_with_parent

def work(path):
    end_with_parent()
    end_with_parent()
    assert sum(thread.name == "end-with-parent" for thread in threading.enumerate()) == 1
    file = open(path, "w")
    fcntl.lockf(file, fcntl.LOCK_EX)  # until this process ends
    Path(path + "-ready").touch()
    time.sleep(600)

if __name__ == "__main__":
    method, paths = sys.argv[1], sys.argv[2:]
    end_with_parent()  # of no worker: nothing happens
    assert threading.active_count() == 1
    if method == "joblib":
        from joblib import Parallel, delayed
        Parallel(n_jobs=2)(delayed(work)(path) for path in paths)
    else:
        context = multiprocessing.get_context(method)
        for path in paths:
            context.Process(target=work, args=(path,)).start()
"""


def locked(path: Path) -> bool:
    with open(path, "r+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@pytest.mark.parametrize("method", ["joblib", "spawn", "forkserver", "fork"])
def test_workers_end_when_their_parent_is_killed_alone(tmp_path: Path, method: str):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    paths = [tmp_path / "one", tmp_path / "two"]
    process = subprocess.Popen([sys.executable, str(program), method, *map(str, paths)], start_new_session=True)
    while not all(path.with_name(f"{path.name}-ready").exists() for path in paths):
        assert process.poll() is None
        time.sleep(0.05)
    assert all(map(locked, paths))
    process.kill()
    process.wait()
    end = time.monotonic() + 30  # joblib's own workers would live on for minutes, ours for as long as they sleep
    while any(map(locked, paths)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(locked, paths))
