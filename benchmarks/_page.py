"""Blocks of a page that a script writes: from ``<!-- name -->`` to ``<!-- end -->``."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def fill(page: str, block: str, text: str) -> None:
    """Write the text into the first block of that name of a page in docs/."""
    path = DOCS / page
    place = re.compile(rf"(?<=<!-- {re.escape(block)} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    content = path.read_text(encoding="utf-8")
    assert place.search(content), f"{path}: no block {block}"
    path.write_text(place.sub(lambda _: text.rstrip("\n") + "\n", content, count=1), encoding="utf-8")
