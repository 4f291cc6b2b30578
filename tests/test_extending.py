"""The examples of docs/extending.md do what they say, each by itself: they are what people start from."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nasbench.errors import InvalidArchitectureError
from nasbench.testing import SpaceContract

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def save(folder: Path, beginning: str) -> Path:
    """Write the one block that begins like this to a file."""
    (block,) = (block for block in BLOCKS if block.startswith(beginning))
    path = folder / f"{re.sub(r'[^a-z]', '_', beginning.lower())}.py"
    path.write_text(block, encoding="utf-8")
    return path


@pytest.mark.parametrize("block", [block for block in BLOCKS if not block.startswith("# test_")], ids=lambda b: b[:25])
def test_a_block_brings_its_own_imports(block: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def widths(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = save(tmp_path_factory.mktemp("space"), "# tiny_space.py")
    module = type(sys)("tiny_space")
    module.__dict__.update(runpy.run_path(str(path), run_name="tiny_space"))
    sys.modules["tiny_space"] = module  # where pickle finds its class
    yield module.Widths
    del sys.modules["tiny_space"]


class TestWidths(SpaceContract):
    @pytest.fixture
    def space(self, widths: Any) -> Any:
        return widths()

    @pytest.mark.parametrize(
        "text", ["16:8:33", "16:8:40", "16:8:0", "16:8:-8", "16:8", "16:8:32:8", "08:16:24", " 8:16:24"]
    )
    def test_refuses_widths_that_it_has_not(self, space: Any, text: str) -> None:
        with pytest.raises(InvalidArchitectureError, match="expected 8:16:32"):
            space.parse(text)
        assert space.parse("16:8:32") == (1, 0, 3)
