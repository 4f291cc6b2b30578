import csv
import math
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nasbench.errors import FileInTheWayError, NasbenchError, NotRecordedError
from nasbench.sources.named import load
from nasbench.spaces.nb201 import NB201
from nasbench.tables import Column, DatasetContent, TableContent, read_content, write
from nasbench.tables.data import NASBENCH201
from nasbench.tables.export import to_frame, write_csv, write_parquet
from nasbench.tables.hdf5 import open_file
from nasbench.tables.table import Table

ALL = NB201().architectures


def lines(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [*csv.reader(file)]


@pytest.fixture
def small(tmp_path: Path) -> Table:
    """Three architectures; two schedules, of which one has three epochs; two runs, with gaps."""
    gap = 65535
    counts = np.array([[[10, 20], [11, 21], [12, gap]], [[30, 40], [31, gap], [gap, gap]], [[1, 2], [3, 4], [5, 7]]])
    accuracy = Column(counts.astype(np.uint16), "images", (1, 2, 50), 64, "some images", "other images")
    seconds = Column(np.array([[[0.1], [0.2], [5.1]]] * 3), "seconds", (1, 2, 50))
    short = Column(np.array([[[8]], [[16]], [[24]]], np.uint16), "images", (4,), 64, "some images", "other images")
    columns = {
        "parameters": Column(np.array([7, 2**32 - 1, 9], np.uint32), "parameters"),
        "energy": Column(np.array([1 / 3, np.nan, 2e-300]), "joules"),
        "watts": Column(np.array([0.1, 0.2, np.nan], np.float32), "watts"),
    }
    dataset = DatasetContent(columns, {50: {"test_accuracy": accuracy, "training_time": seconds}, 4: {"loss": short}})
    write(tmp_path / "small.h5", TableContent("nb201", ALL[:3], {"a": dataset}, read_content(NASBENCH201).source, {}))
    return Table(tmp_path / "small.h5")


def test_last_epochs_and_means(small: Table, tmp_path: Path) -> None:
    write_csv(tmp_path / "out.csv", small)
    text = [NB201().format(tuple(row)) for row in ALL[:3].tolist()]
    single = [repr(float(np.float32(value))) for value in (0.1, 0.2)]
    assert lines(tmp_path / "out.csv") == [
        [
            *("index", "architecture", "energy [joules]", "parameters [parameters]", "watts [watts]"),
            *("loss@4/4 [fraction]", "test_accuracy@50/50 [fraction]", "training_time@50/50 [seconds]"),
        ],
        ["0", text[0], repr(1 / 3), "7", single[0], "0.125", "0.1875", "5.1"],
        ["1", text[1], "", "", single[1], "0.25", "", "5.1"],
        ["2", text[2], "2e-300", "9", "", "0.375", "0.09375", "5.1"],
    ]


def test_every_epoch_and_every_run(small: Table, tmp_path: Path) -> None:
    chosen = ["test_accuracy", "training_time"]
    write_csv(tmp_path / "out.csv", small, metrics=chosen, every_epoch=True, every_run=True)
    header, *rows = lines(tmp_path / "out.csv")
    assert header[2:] == [
        *(f"test_accuracy@50/{epoch}/run{run} [fraction]" for epoch in (1, 2, 50) for run in (0, 1)),
        *(f"training_time@50/{epoch} [seconds]" for epoch in (1, 2, 50)),
    ]
    assert [row[2:] for row in rows] == [
        ["0.15625", "0.3125", "0.171875", "0.328125", "0.1875", "", "0.1", "0.2", "5.1"],
        ["0.46875", "0.625", "0.484375", "", "", "", "0.1", "0.2", "5.1"],
        ["0.015625", "0.03125", "0.046875", "0.0625", "0.078125", "0.109375", "0.1", "0.2", "5.1"],
    ]
    write_csv(tmp_path / "means.csv", small, metrics=["test_accuracy"], every_epoch=True)
    assert [row[2:] for row in lines(tmp_path / "means.csv")] == [
        [f"test_accuracy@50/{epoch} [fraction]" for epoch in (1, 2, 50)],
        ["0.234375", "0.25", "0.1875"],
        ["0.546875", "0.484375", ""],
        ["0.0234375", "0.0546875", "0.09375"],
    ]
    write_csv(tmp_path / "runs.csv", small, metrics=["loss", "test_accuracy"], every_run=True)
    assert lines(tmp_path / "runs.csv")[0][2:] == [
        *("loss@4/4 [fraction]", "test_accuracy@50/50/run0 [fraction]", "test_accuracy@50/50/run1 [fraction]"),
    ]


@pytest.mark.parametrize(("dataset", "images"), [("cifar10", 25_000), ("cifar100", 5_000), ("ImageNet16-120", 3_000)])
def test_the_embedded_table_comes_back_exactly(tmp_path: Path, dataset: str, images: int) -> None:
    write_csv(tmp_path / "out.csv", load("nasbench201", dataset), every_run=True)
    header, *rows = lines(tmp_path / "out.csv")
    found = {name.partition(" ")[0]: [row[i] for row in rows] for i, name in enumerate(header)}
    assert [*map(int, found["index"])] == [*range(15625)]
    assert [*map(NB201().parse, found["architecture"])] == [*map(tuple, ALL.tolist())]
    with h5py.File(NASBENCH201) as file:
        group = file[dataset]
        for name in ("latency", "parameters", "flops"):
            assert [*map(float, found[name])] == group[name][()].tolist()
        assert [*map(float, found["training_time@200/200"])] == group["200/training_time"][:, 0, 0].tolist()
        counts = group["200/validation_accuracy"][:, 0]
    missing = 0
    for run in range(3):
        cells = found[f"validation_accuracy@200/200/run{run}"]
        for cell, count in zip(cells, counts[:, run].tolist(), strict=True):
            assert cell == ("" if count == 65535 else repr(count / images))
            missing += not cell
    assert missing == (counts == 65535).sum() > 7000


def test_unknown_metrics_are_refused_and_nothing_is_written(small: Table, tmp_path: Path) -> None:
    with pytest.raises(NotRecordedError, match=r"unknown metric in small.* 'acuracy'.*Known: .*energy"):
        write_csv(tmp_path / "out.csv", small, metrics=["energy", "acuracy"])
    assert [path.name for path in tmp_path.iterdir()] == ["small.h5"]


def test_a_file_is_whole_or_the_old_one(small: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.csv").write_text("old")

    def fail(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(NB201, "format", fail)
    with pytest.raises(KeyboardInterrupt):
        write_csv(tmp_path / "out.csv", small, force=True)
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "small.h5"]


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_without_the_extra_it_says_what_to_install(
    small: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    if package == "pyarrow":
        pytest.importorskip("pandas", reason="the extra export is not installed")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NasbenchError, match=rf"needs {package}, .*: pip install 'nasbench-suite\[export\]'"):
        write_parquet(tmp_path / "out.parquet", small)
    assert not (tmp_path / "out.parquet").exists()


def test_frame(small: Table) -> None:
    pd = pytest.importorskip("pandas", reason="the extra export is not installed")
    frame = to_frame(small, every_run=True)
    assert frame.index.name == "index"
    assert frame.index.tolist() == [0, 1, 2]
    assert frame.columns.tolist() == [
        *("architecture", "energy", "parameters", "watts", "loss@4/4"),
        *("test_accuracy@50/50/run0", "test_accuracy@50/50/run1", "training_time@50/50"),
    ]
    assert [*map(NB201().parse, frame["architecture"])] == [*map(tuple, ALL[:3].tolist())]
    assert frame["parameters"].isna().tolist() == [False, True, False]
    assert frame["parameters"].dropna().tolist() == [7, 9]
    assert frame["watts"].dtype == np.float32
    assert frame["test_accuracy@50/50/run0"].tolist()[::2] == [12 / 64, 5 / 64]
    assert math.isnan(frame["test_accuracy@50/50/run0"][1])
    assert isinstance(frame, pd.DataFrame)
    assert frame.attrs["table"] == small.digest
    assert frame.attrs["dataset"] == "a"
    assert frame.attrs["source"] == small.source
    assert frame.attrs["units"]["training_time@50/50"] == "seconds"
    assert frame.attrs["units"]["test_accuracy@50/50/run0"] == "fraction"


def test_csv_is_the_frame(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas", reason="the extra export is not installed")
    table = load("nasbench201")
    write_csv(tmp_path / "out.csv", table)
    read = pd.read_csv(tmp_path / "out.csv", index_col="index", engine="python")
    frame = to_frame(table)
    assert read.columns.tolist() == [
        "architecture",
        *(f"{name} [{unit}]" for name, unit in frame.attrs["units"].items()),
    ]
    read.columns = frame.columns
    pd.testing.assert_frame_equal(read, frame, check_dtype=False, check_exact=True)


def test_parquet_gives_the_frame_back(small: Table, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas", reason="the extra export is not installed")
    pytest.importorskip("pyarrow", reason="the extra export is not installed")
    write_parquet(tmp_path / "out.parquet", small, every_epoch=True)
    frame, read = to_frame(small, every_epoch=True), pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(read, frame, check_exact=True)
    assert read.attrs == frame.attrs


@pytest.fixture
def wide(tmp_path: Path) -> Table:
    """Three architectures, 200 epochs, three runs, nine metrics: 5,400 columns."""
    rng = np.random.default_rng(0)
    epochs = tuple(range(1, 201))
    columns = {
        f"{split}_accuracy{suffix}": Column(
            rng.integers(0, 1000, (3, 200, 3)).astype(np.uint16), "images", epochs, 1000, "some", "others"
        )
        for split in ("train", "validation", "test")
        for suffix in ("", "_25k", "_50k")
    }
    content = TableContent(
        "nb201",
        ALL[[0, 11, 284]],
        {"a": DatasetContent({}, {200: columns})},
        read_content(NASBENCH201).source,
        {},
    )
    write(tmp_path / "wide.h5", content)
    return Table(tmp_path / "wide.h5")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_it_takes_is_in_proportion_to_what_is_asked_for(
    wide: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Each column of the file is read once, and 16,200 numbers do not fill a gigabyte."""
    if form == "parquet":
        pytest.importorskip("pandas", reason="the extra export is not installed")
        pytest.importorskip("pyarrow", reason="the extra export is not installed")
    opened = []
    monkeypatch.setattr("nasbench.tables.reader.open_file", lambda path: opened.append(path) or open_file(path))
    write_ = {"csv": write_csv, "parquet": write_parquet}[form]
    tracemalloc.start()
    write_(tmp_path / f"out.{form}", wide, every_epoch=True, every_run=True)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(opened) <= 12
    assert most < 60e6
    if form == "csv":
        header, *rows = lines(tmp_path / "out.csv")
        assert (len(header), [row[0] for row in rows]) == (5402, ["0", "11", "284"])
        with h5py.File(wide.path) as file:
            stored = file["a/200/test_accuracy_25k"][2, 6, 1] / 1000
        assert rows[2][header.index("test_accuracy_25k@200/7/run1 [fraction]")] == repr(float(stored))


def test_rows_that_have_no_index_are_called_rows(tmp_path: Path) -> None:
    write_csv(tmp_path / "out.csv", load("conv5_16px_4epochs"), metrics=["parameters"])
    header, *rows = lines(tmp_path / "out.csv")
    assert header[:2] == ["row", "architecture"]
    assert [row[0] for row in rows] == [*map(str, range(301))]


def test_nothing_is_overwritten_unasked(small: Table, tmp_path: Path) -> None:
    for write_, name in ((write_csv, "out.csv"), (write_parquet, "out.parquet")):
        (tmp_path / name).write_text("old")
        with pytest.raises(FileInTheWayError, match=rf"{name} exists; choose another --out, or give --force$"):
            write_(tmp_path / name, small)
        assert (tmp_path / name).read_text() == "old"
    write_csv(tmp_path / "out.csv", small, force=True)
    assert len(lines(tmp_path / "out.csv")) == 4
