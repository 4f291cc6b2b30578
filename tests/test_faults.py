"""A small part of the attacks of benchmarks/faults.py, which writes docs/reliability.md."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
SECTIONS = {"damages", "crafted", "servers", "disks", "kills"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and forks")
def test_a_small_share_of_the_attacks_finds_nothing(tmp_path: Path):
    """No wrong value, crash, half-written file, leftover or raw exception; the page stays as it is."""
    for package in ("sklearn", "xgboost", "torch", "pyarrow"):
        pytest.importorskip(package)
    before = PAGE.read_bytes()
    command = [sys.executable, str(ROOT / "benchmarks" / "faults.py"), "--quick", "--share", "0.015"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == dict.fromkeys(SECTIONS, 0)
    found = {name: json.loads((tmp_path / f"{name}.json").read_text())["found"] for name in SECTIONS}
    assert sum(one["damages"] for one in found["damages"].values()) >= 290
    assert sum(one["refused"] for one in found["damages"].values()) > 150
    assert sum(one["kills"] for one in found["kills"].values()) >= 3
    assert {one["outcome"] for one in found["servers"]} == {"answered", "refused"}
    assert PAGE.read_bytes() == before


def test_the_page_has_a_place_for_every_section():
    blocks = re.findall(r"<!-- (\w+) -->\n(.*?)<!-- end -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert {name for name, _ in blocks} == SECTIONS | {"made"}
    assert all(text.strip() for _, text in blocks)
