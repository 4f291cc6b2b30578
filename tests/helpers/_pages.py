"""What a page of the documentation asks its reader to save and to install, done in a folder that is on the path."""

from __future__ import annotations

import re
from pathlib import Path

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY_POINTS = re.compile(r'^```toml\n\[project\.entry-points\."([\w.]+)"\]\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def python_blocks(page: Path) -> list[str]:
    return PYTHON.findall(page.read_text(encoding="utf-8"))


def save_files(page: Path, folder: Path) -> None:
    """Save every block that begins with the name of a file."""
    for block in python_blocks(page):
        name = re.match(r"# (\w+\.py)\n", block)
        if name:
            (folder / name[1]).write_text(block, encoding="utf-8")


def install(page: Path, folder: Path) -> None:
    """Make the entry points of a page those of a distribution that is installed in the folder."""
    groups = ENTRY_POINTS.findall(page.read_text(encoding="utf-8"))
    info = folder / "of_the_page-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: of-the-page\nVersion: 1.0\n")
    lines = [f"[{group}]\n{points.replace(chr(34), '')}\n" for group, points in groups]
    (info / "entry_points.txt").write_text("".join(lines))
