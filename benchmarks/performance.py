"""Run the benchmarks and write the tables of docs/performance.md: ``python benchmarks/performance.py [FILE ...]``.

Without names it runs all files of benchmarks; a table of the page belongs to each. A benchmark gets into it by what it
calls in rows.py. The page is written only if all that was asked for was measured, so that no row is dropped where a
peer or its data is missing; the tables are printed in any case.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
# What stands between the two comments is written anew.
BLOCK = re.compile(r"(<!-- (test_\w+\.py) -->\n).*?(<!-- end -->)", re.DOTALL)


class Skips:
    """A plugin of pytest: the tests that were skipped, with the reason."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and isinstance(report.longrepr, tuple):
            self.found.append(f"{report.nodeid}: {report.longrepr[2]}")


def main(names: Sequence[str]) -> int:
    """Measure the files of these names, or all, and write their tables into the page; return the exit status."""
    page = PAGE.read_text(encoding="utf-8")
    on_page = [match[2] for match in BLOCK.finditer(page)]
    for name in {*names, *(path.name for path in HERE.glob("test_*.py"))} - set(on_page):
        print(f"{PAGE}: has no block for {name}: expected '<!-- {name} -->' and '<!-- end -->'.", file=sys.stderr)
        return 2
    files = [name for name in on_page if name in names or not names]
    status, measured, skipped = measure(files)
    texts = {name: f"{machine()}\n\n{table(measured[name])}\n" for name in files}
    print("", *texts.values(), sep="\n")
    if status or skipped:
        print(f"{PAGE.name} was left as it was: not all was measured.", *skipped, sep="\n", file=sys.stderr)
        return status or 1
    written = BLOCK.sub(lambda match: f"{match[1]}{texts[match[2]]}{match[3]}" if match[2] in texts else match[0], page)
    PAGE.write_text(written, encoding="utf-8")
    return 0


def measure(files: Sequence[str]) -> tuple[int, dict[str, list[dict[str, Any]]], list[str]]:
    """Run pytest; return its exit status, the benchmarks of each file, and the tests that were skipped."""
    skips = Skips()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "benchmarks.json"
        options = [f"--rootdir={HERE.parent}", "-p", "no:cacheprovider", "-n", "0", "--benchmark-quiet"]
        paths = [str(HERE / name) for name in files]
        status = int(pytest.main([*paths, *options, f"--benchmark-json={report}"], plugins=[skips]))
        text = report.read_text() if report.exists() else ""
    benchmarks = json.loads(text)["benchmarks"] if text else []
    by_file = {name: [b for b in benchmarks if f"/{name}::" in b["fullname"]] for name in files}
    return status, by_file, skips.found


def table(measured: list[dict[str, Any]]) -> str:
    """Return one row for each benchmark that calls ``row``, beside the peers that name it."""
    lines = ["| what | target | measured | peer | times faster | met |", "|---|---|---|---|---|---|"]
    for benchmark in measured:
        info = benchmark["extra_info"]
        if "title" in info:
            peers = [other for other in measured if other["extra_info"].get("of") == info["title"]]
            lines.append(f"| {' | '.join(cells(benchmark, peers))} |")
    return "\n".join(lines)


def cells(benchmark: dict[str, Any], peers: list[dict[str, Any]]) -> list[str]:
    """Return the six cells of a row; several peers stand below each other."""
    info = benchmark["extra_info"]
    own = info["megabytes"] if "megabytes" in info else seconds(benchmark)
    spell = megabytes if "megabytes" in info else rate if info["at_least"] else time
    limit = 1 / info["at_least"] if info["at_least"] else info["at_most"]
    target = "" if limit is None else f"{'>=' if info['at_least'] else '<='} {spell(limit)}"
    wanted = [own <= limit] if limit is not None else []
    others, ratios = [], []
    for other in peers:
        times, ratio = other["extra_info"]["times"], seconds(other) / own
        others.append(f"{other['extra_info']['peer']}: {spell(seconds(other))}")
        ratios.append(digits(ratio) if times == 1 else f"{digits(ratio)} (target {times:.3g})")
        wanted += [] if times == 1 else [ratio >= times]
    met = "" if not wanted else "yes" if all(wanted) else f"**no**: {info['why_not'] or 'not explained yet'}"
    return [info["title"], target, spell(own), "<br>".join(others), "<br>".join(ratios), met]


def seconds(benchmark: dict[str, Any]) -> float:
    """Return the median of one item."""
    return float(benchmark["stats"]["median"] / benchmark["extra_info"].get("items", 1))


def time(value: float) -> str:
    """Spell seconds with the unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{digits(value / size)} {unit}"
    return f"{digits(value / 1e-9)} ns"


def rate(value: float) -> str:
    """Spell the seconds of one item as items a second."""
    return f"{digits(1e-6 / value)} million a second" if value <= 1e-6 else f"{1 / value:,.0f} a second"


def megabytes(value: float) -> str:
    """Spell millions of bytes."""
    return f"{digits(value)} MB"


def digits(value: float) -> str:
    """Return three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> str:
    """Return one sentence on what was measured on."""
    about = Path("/proc/cpuinfo")  # Linux only
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = names[0] if names else platform.processor() or platform.machine()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "h5py"))
    return (
        f"Measured on {date.today().isoformat()}: {model}, {os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {libraries}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
