"""Every code block of the documentation is run, page by page, as a newcomer would: files saved, commands typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _pages import install, save_files

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a page takes for downloaded, and where that lies; a block looks whether it is there.
DOWNLOADED = {
    "NATS-tss-v1_0-3ffb9-simple": "nats_tss",
    "accuracy_12epoch.csv.gz": "nb201/accuracy_12epoch.csv.gz",
    "latency_ms_help.npz": "nb201/latency_ms_help.npz",
    "energy_4V9E.tfrecord": "ec_nas/energy_4V9E.tfrecord",
}
# Not run: output, layouts, configuration of others; and the commands that install, which .ci/run runs as they are.
NOT_RUN = {"text", "toml"}


def blocks(page: Path) -> list[tuple[str, str]]:
    return [
        (language, code)
        for language, code in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language not in NOT_RUN and "python3 -m venv" not in code
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(tmp_path)
    for name, place in DOWNLOADED.items():
        sample = ROOT.parent / "shared" / "data" / place
        if sample.exists():
            (tmp_path / name).symlink_to(sample)
    save_files(page, tmp_path)
    install(page, tmp_path)
    session: list[str] = []  # the Python blocks of a page go on from one another
    for language, code in blocks(page):
        assert language in ("python", "sh"), f"{page.name}: a block of {language!r} is neither run nor exempt"
        if language == "python":
            name = re.match(r"# (\w+\.py)\n", code)
            if name:
                (tmp_path / name[1]).write_text(code, encoding="utf-8")
            if not name or not name[1].startswith("test_"):
                session.append(code)
            done = _run([sys.executable, "-W", "error", "-c", "\n".join(session)], tmp_path, environment)
        else:
            done = _run(["bash", "-euo", "pipefail", "-c", code], tmp_path, environment)
        assert done.returncode == 0, f"{page.name}:\n{code}\n{done.stdout}{done.stderr}"


def test_the_readme_has_the_two_commands_that_ci_runs() -> None:
    commands = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("python3 -m venv ")]
    assert [command.split()[-1].split("/")[-1] for command in commands] == ["compare", "pytest"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
