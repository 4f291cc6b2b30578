"""The script that writes the tables of docs/surrogates.md: each in its own block, nothing else touched."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "surrogate_page.py"
PAGE = """before
<!-- nb101 -->
<!-- end -->
between
<!-- conv5 -->
old
<!-- end -->
after
"""
SCORES = ("kendall", "kendall_top_half", "kendall_top_1_percent", "regret", "coverage_90", "coverage_50")


def evaluation(folder: Path, sizes: list[int], tau: float, *, architectures: int = 423_624, seed: int = 0) -> str:
    scores = dict.fromkeys(SCORES, 0.5)
    result = {"mean": {**scores, "kendall": tau}, "error": {"kendall": 0.001}}
    found = {
        "table": "some",
        "digest": "d",
        "architectures": architectures,
        "ceiling": 0.9,
        "inputs": {},
        "protocol": {"metric": "test_accuracy", "sizes": sizes, "splits": 10, "seed": seed},
        "results": {"default": {str(size): result for size in sizes}},
    }
    folder.mkdir()
    (folder / "evaluation.json").write_text(json.dumps(found))
    seconds = {"fit_seconds": [1.0, 2.0], "predict_seconds": [0.25, 0.5]}
    (folder / "timings.json").write_text(json.dumps({"default": {str(size): seconds for size in sizes}}))
    return str(folder)


def written(tmp_path: Path, folders: list[str]) -> str:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    main = runpy.run_path(str(SCRIPT))["main"]
    main.__globals__["PAGE"] = page
    main(folders)
    return page.read_text()


def test_an_empty_block_is_filled_and_nothing_around_it_is_lost(tmp_path: Path) -> None:
    page = written(tmp_path, [evaluation(tmp_path / "a", [100, 172, 424, 4236], 0.777)])
    start, rest = page.split("<!-- nb101 -->\n")
    table, end = rest.split("<!-- end -->", 1)
    assert start == "before\n"
    assert end == PAGE.split("<!-- nb101 -->\n<!-- end -->")[1]
    assert "| default | 0.777 ± 0.001 | 0.777 ± 0.001 |" in table
    assert "| default: seconds to fit | 1.5 | 1.5 | 1.5 | 1.5 |" in table


def test_parts_that_differ_in_sizes_alone_become_one_table(tmp_path: Path) -> None:
    parts = [evaluation(tmp_path / "a", [424, 4236], 0.8), evaluation(tmp_path / "b", [100, 172], 0.7)]
    page = written(tmp_path, parts)
    assert "| labels | 100 | 172 | 424 | 4236 |" in page
    assert "| default | 0.700 ± 0.001 | 0.700 ± 0.001 | 0.800 ± 0.001 | 0.800 ± 0.001 |" in page


@pytest.mark.parametrize(
    ("other", "message"), [({"sizes": [100, 4236]}, "same sizes"), ({"sizes": [4236], "seed": 1}, "differ in more")]
)
def test_what_is_no_part_is_refused(tmp_path: Path, other: dict, message: str) -> None:
    first = evaluation(tmp_path / "a", [100, 172], 0.7)
    with pytest.raises(AssertionError, match=message):
        written(tmp_path, [first, evaluation(tmp_path / "b", tau=0.8, **other)])
