"""Raw files are converted when they are first seen, again when they change, and never by halves."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nasbench.errors import ConversionError, FetchError, UnknownNameError
from nasbench.sources import macro
from nasbench.sources.cache import cached
from nasbench.sources.nats import nats_bench
from nasbench.tables import TableFile

SAMPLES = Path(__file__).parents[2] / "../shared/data/nats_tss"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not SAMPLES.is_dir():
        pytest.skip("the real files of NATS-Bench are not in ../shared/data")
    return Path(shutil.copytree(SAMPLES, tmp_path / "NATS-tss-simple"))


def test_converted_once(cache, folder, capfd):
    first = cached("nats-bench", folder)
    said = capfd.readouterr().err
    assert f"{folder}: seen for the first time" in said
    assert "  100 %\n" in said
    assert str(first) in said
    assert first.parent == cache / "tables"
    assert TableFile(first).size == 3
    assert cached("nats-bench", str(folder)) == first
    assert cached("nats-bench", folder / ".." / folder.name) == first
    assert capfd.readouterr().err == ""
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_converted_again_after_any_change(cache, folder, monkeypatch):
    first = cached("nats-bench", folder)
    os.utime(folder / "000011.pickle.pbz2", ns=(1, 1))
    touched = cached("nats-bench", folder)
    (folder / "000011.pickle.pbz2").unlink()
    smaller = cached("nats-bench", folder)
    monkeypatch.setattr(nats_bench, "CONVERTER", "nats-bench, version 2")
    newer = cached("nats-bench", folder)
    moved = cached("nats-bench", folder.rename(folder.with_name("other-simple")))
    assert len({first, touched, smaller, newer, moved}) == 5
    assert [TableFile(path).size for path in (first, touched, smaller, newer, moved)] == [3, 3, 2, 2, 2]


def test_a_damaged_table_is_made_again(cache, folder):
    table = cached("nats-bench", folder)
    whole = table.read_bytes()
    table.write_bytes(whole[:1000])
    assert cached("nats-bench", folder) == table
    assert table.read_bytes() == whole


def test_nothing_is_left_of_what_is_refused(cache, tmp_path):
    (tmp_path / "macro.json").write_text("{}")
    with pytest.raises(ConversionError):
        cached("nas-bench-macro", tmp_path / "macro.json")
    assert not cache.exists()


def test_what_is_not_there(cache, tmp_path):
    with pytest.raises(ConversionError, match="none: no such file or folder"):
        cached("nats-bench", tmp_path / "none")
    with pytest.raises(UnknownNameError, match="unknown converter 'nats'"):
        cached("nats", tmp_path)


def test_a_cache_that_cannot_be_written(cache, folder):
    cache.write_text("a file")
    with pytest.raises(FetchError, match=r"cannot be written: .*NASBENCH_CACHE"):
        cached("nats-bench", folder)


def test_every_converter_of_whole_tables_has_a_version():
    from nasbench.sources import simple_hpo
    from nasbench.sources.nasbench101 import converter
    from nasbench.sources.nats import nasbench201_pth

    for module in (nats_bench, converter, nasbench201_pth, macro, simple_hpo):
        assert module.CONVERTER.split(", version ")[1].isdecimal()
