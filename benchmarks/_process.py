"""Measure in a fresh interpreter, so that its largest resident memory is that of the work alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture

_PREAMBLE = """
import json, re, sys, time
from pathlib import Path
def say(**figures):
    # Not getrusage: that counts what the process was forked from.
    peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
    print(json.dumps(figures | {"resident_mb": int(peak[1]) / 1024}))
"""


def in_a_new_process(code: str, *arguments: Path) -> dict[str, float]:
    """Run code, with the arguments in ``sys.argv``, that ends by calling ``say`` with its figures; return them."""
    command = [sys.executable, "-c", _PREAMBLE + code, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def recorded(benchmark: BenchmarkFixture, seconds: list[float], figures: dict[str, float]) -> None:
    """Let pytest-benchmark record times that were taken in other processes, and all figures beside them."""
    benchmark.extra_info.update(figures)
    benchmark.pedantic(lambda: None, rounds=1)
    benchmark.stats.stats.data[:] = seconds
