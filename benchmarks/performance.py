"""Run the benchmarks and write the table of docs/performance.md: ``python benchmarks/performance.py``."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
BEGIN, END = "<!-- measured -->", "<!-- end -->"


def main() -> int:
    """Measure, and replace what stands between the two marks of the page; return pytest's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmarks.json"
        command = [sys.executable, "-m", "pytest", str(HERE), "-q", f"--benchmark-json={path}", *sys.argv[1:]]
        status = subprocess.run(command, check=False).returncode
        if status:
            print("The page was left as it was.", file=sys.stderr)
            return status
        measured = json.loads(path.read_text())["benchmarks"]
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{machine()}\n\n{table(measured)}\n{END}{after}", encoding="utf-8")
    return 0


def table(measured: list[dict[str, Any]]) -> str:
    """Return the rows: ours, the target, and the peer that was measured in the same run."""
    infos = [(b["extra_info"], b["stats"]["median"] / b["extra_info"].get("items", 1)) for b in measured]
    peers = {info["of"]: (info, seconds) for info, seconds in infos if "of" in info}
    lines = ["| what | target | measured | met | peer, same run | times faster |", "|---|---|---|---|---|---|"]
    for info, seconds in infos:
        if "title" not in info:
            continue
        target, found, met = "", spell(seconds), True
        if info["at_least"]:
            target, found = f">= {info['at_least']:,.0f} a second", f"{1 / seconds:,.0f} a second"
            met = 1 / seconds >= info["at_least"]
        elif info["at_most"]:
            target = f"<= {spell(info['at_most'])}"
            met = seconds <= info["at_most"]
        other, faster = "", ""
        if info["title"] in peers:
            peer_info, peer_seconds = peers[info["title"]]
            ratio = peer_seconds / seconds
            other = f"{peer_info['peer']}: {spell(peer_seconds)}"
            faster = f"{ratio:,.1f} (target {peer_info['times']:g})" if peer_info["times"] > 1 else f"{ratio:,.1f}"
            met = met and ratio >= peer_info["times"]
        verdict = ("yes" if target else "") if met else f"**no** {info['why_not']}".strip()
        lines.append(f"| {info['title']} | {target} | {found} | {verdict} | {other} | {faster} |")
    return "\n".join(lines)


def spell(seconds: float) -> str:
    """Return three significant digits with the unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def machine() -> str:
    """Return one sentence on what was measured on."""
    names = [line.split(":", 1)[1].strip() for line in cpu_lines() if line.startswith("model name")]
    model = names[0] if names else platform.processor() or platform.machine()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "h5py"))
    return (
        f"Measured on {date.today().isoformat()}: {model}, {os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {libraries}. Medians."
    )


def cpu_lines() -> list[str]:
    """Return what Linux says of the processor; nothing elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
