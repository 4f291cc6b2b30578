"""What a conversion prints: what is to be known, and no counts of nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from _nb101_files import write_records

from nasbench.cli import main
from nasbench.cli.terminal import print_report
from nasbench.tables.table import Table


def test_counts_of_nothing_are_kept_in_the_table_and_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(tmp_path / "raw.tfrecord", (4, 12))
    out = tmp_path / "table.h5"
    assert main(["convert", "nasbench101", str(tmp_path / "raw.tfrecord"), "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "architectures: 5" in lines
    assert "records: 30" in lines
    assert lines.count("    architectures with 3 runs: 5") == 2
    assert not [line for line in lines if line.endswith((": 0", ": []", ": {}"))]
    assert not [line for line in lines if "repeat another" in line or "differs from the formula" in line]
    kept = Table(out).report
    assert kept["records that repeat another one"] == {"number": 0, "first": []}
    assert kept["cifar10"]["schedule 4"]["architectures with 0 runs"] == 0


def test_whatever_is_not_a_count_of_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_report({"a": 0, "b": 0.0, "c": False, "d": "", "e": {"f": {"g": 0}, "h": []}, "i": {"j": 0, "k": [0]}})
    assert capsys.readouterr().out == "b: 0.0\nc: False\nd: \ni:\n  k: [0]\n"
