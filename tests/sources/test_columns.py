import csv
import gzip
import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError
from nasbench.sources.columns import read
from nasbench.spaces.nb201 import NB201
from nasbench.tables import TableFile, write
from nasbench.tables.attach import attach
from nasbench.tables.data import NASBENCH201
from nasbench.tables.export import write_csv
from nasbench.tables.table import Table

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "nb201"
SPACE = NB201()
ROW_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
ROW_9 = "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"


@pytest.fixture(scope="module")
def table() -> TableFile:
    return TableFile(NASBENCH201)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("columns")


def sample(name: str) -> Path:
    if not (SAMPLES / name).is_file():
        pytest.skip(f"../shared/data/nb201/{name} is not here")
    return SAMPLES / name


def columns(path: Path, table: TableFile) -> dict[str, np.ndarray]:
    return {name: column.values for name, column in read(path, table).datasets[table.dataset].items()}


# Real files.


def test_latencies_of_27_devices_in_table_order(table: TableFile, tmp_path: Path) -> None:
    source = sample("latency_ms_help.npz")
    write(tmp_path / "out.h5", attach(table, read(source, table)))
    found = Table(tmp_path / "out.h5")
    with np.load(source, allow_pickle=False) as raw:
        assert len(raw.files) == 27
        for name in raw.files:
            np.testing.assert_array_equal(found.column(name), raw[name])
            assert found.column(name).dtype == raw[name].dtype == np.float32
    # HW-NAS-Bench's values of architecture 0 on CIFAR-10, measured by others on the same four devices.
    published = {"raspi4": 10.481976820010459, "pixel3": 3.60585, "eyeriss": 3.64562, "fpga": 2.57296}
    assert {name: found.column(name)[found.row(ROW_0)] for name in published} == {
        name: np.float32(value) for name, value in published.items()
    }
    assert found.source["sha256"].endswith(f"latency_ms_help.npz {hashlib.sha256(source.read_bytes()).hexdigest()}")


def test_accuracies_by_index_and_by_text(table: TableFile, tmp_path: Path) -> None:
    with gzip.open(sample("accuracy_12epoch.csv.gz"), "rt") as file:
        lines = [*csv.reader(file)]
    assert lines[0][:3] == ["arch", "cellstr", "cifar10-test"]
    for key, other, name in ((0, 1, "index"), (1, 0, "architecture")):
        rest = [i for i in range(len(lines[0])) if i not in (key, other)]
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*(f"{lines[0][i]} [percent]" for i in rest), name])
            writer.writerows([*(line[i] for i in rest), line[key]] for line in reversed(lines[1:]))
        content = attach(table, read(tmp_path / f"{name}.csv.gz", table))
        write(tmp_path / f"{name}.h5", content)
        found = Table(tmp_path / f"{name}.h5")
        for i in rest:
            raw = [float(line[i]) for line in lines[1:]]
            np.testing.assert_array_equal(found.column(lines[0][i]), raw)
            assert found.describe()[lines[0][i]].unit == "percent"
        # The best of 12 epochs that others found in the official file, and its index.
        assert found.column("cifar10-test").argmax() == 5374
        assert round(float(found.column("cifar10-test").max()), 2) == 89.16

        write_csv(tmp_path / "out.csv", found, metrics=["cifar10-test", "imagenet-val"], force=True)
        with (tmp_path / "out.csv").open(newline="") as file:
            out = [*csv.reader(file)]
        assert out[0] == ["index", "architecture", "cifar10-test [percent]", "imagenet-val [percent]"]
        assert [[*line[:2], line[2], line[7]] for line in lines[1:]] == out[1:]


# Small ones.


def test_forms_of_an_architecture_units_and_missing_values(table: TableFile, tmp_path: Path) -> None:
    path = tmp_path / "mine.CSV"
    path.write_text(
        "\ufeff watts [W] , architecture,score\r\n"
        f"1.5,{ROW_9},\r\n"
        "\r\n"
        '-2e-3,"4, 2,1,2,1,1",nan\r\n'
        '.5,"0,0,0,0,0,0", 7 \r\n',
        encoding="utf-8",
    )
    found = read(path, table)
    assert [SPACE.index(tuple(row)) for row in found.architectures.tolist()][:2] == [9, 0]
    got = found.datasets["cifar10"]
    assert {name: column.unit for name, column in got.items()} == {"watts": "W", "score": "not stated"}
    np.testing.assert_array_equal(got["watts"].values, [1.5, -0.002, 0.5])
    np.testing.assert_array_equal(got["score"].values, [np.nan, np.nan, 7])
    assert found.source["licence"] == "mine.CSV: not stated"


def test_columns_belong_to_the_image_dataset_that_is_open(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("index,score\n3,1\n")
    content = attach(TableFile(NASBENCH201, "cifar100"), read(tmp_path / "a.csv", TableFile(NASBENCH201, "cifar100")))
    assert [name for name, dataset in content.datasets.items() if "score" in dataset.columns] == ["cifar100"]


def test_architectures_of_an_npz(table: TableFile, tmp_path: Path) -> None:
    cells = np.array([[0, 1, 2, 3, 4, 0], [4, 4, 4, 4, 4, 4]], np.int64)
    values = np.array([2.5, np.nan], np.float32)
    np.savez_compressed(
        tmp_path / "a.npz", architectures=cells, **{"energy [J]": values, "rank": np.array([-7, 2**53])}
    )
    found = read(tmp_path / "a.npz", table)
    assert found.architectures.tolist() == cells.tolist()
    got = found.datasets["cifar10"]
    assert got["energy"].unit == "J"
    np.testing.assert_array_equal(got["energy"].values, values)
    assert got["rank"].values.tolist() == [-7.0, 2.0**53]


CSV_FAULTS = {
    "": r"line 1: expected names .* 'architecture', 'index' or 'row'; found ''",
    "arch,score\n1,2\n": r"line 1: expected names .* found 'arch, score'",
    "index;score\n1;2\n": r"line 1: expected names",
    "index,architecture,score\n": r"line 1: expected names",
    "index\n1\n": r"line 1: no column beside 'index'",
    "index,a/b\n": r"line 1, column 2: 'a/b' is no name for a metric",
    "index,latency [ms]\n": r"line 1, column 2: 'latency' has a fixed meaning",
    "index,a [ms] b\n": r"line 1, column 2: 'a \[ms\] b' is no name",
    "index,\n": r"line 1, column 2: '' is no name",
    "index,a,a [ms]\n": r"line 1, column 2: 'a' names 2 columns",
    "index,a\n1,2\n\n3\n": r"line 4: 1 cells, expected 2, as in line 1",
    "index,a\n1,2,3\n": r"line 2: 3 cells, expected 2",
    "index,a\n15625,2\n": r"line 2, column 1 \(index\): '15625', expected an official index of nb201, 0 to 15624",
    "index,a\n-1,2\n": r"line 2, column 1 \(index\): '-1', expected an official index",
    "index,a\n1.0,2\n": r"line 2, column 1 \(index\): '1.0', expected an official index",
    "a,architecture\n1,|none|\n": r"line 2, column 2 \(architecture\): '\|none\|' is no NAS-Bench-201 cell",
    'a,architecture\n1,"0,0,0,0,0,5"\n': r"line 2, column 2 \(architecture\): \(0, 0, 0, 0, 0, 5\) is no architecture",
    'a,architecture\n1,"(0, 0, 0, 0, 0, 0)"\n': r"line 2, column 2 \(architecture\): .* is no NAS-Bench-201 cell",
    "index,a\n1,2\n2,3\n1,2\n": r"line 4: \|nor_conv_3x3~0\|.* comes twice, first in line 2",
    "index,a,b\n1,2,x\n": r"line 2, column 3 \(b\): 'x', expected a finite number",
    "index,a\n1,1_0\n": r"line 2, column 2 \(a\): '1_0', expected a finite number",
    "index,a\n1,inf\n": r"line 2, column 2 \(a\): 'inf', expected a finite number",
    "index,a\n1,1e999\n": r"line 2, column 2 \(a\): '1e999', expected a finite number",
    "index,a\n1,\u0661\n": r"line 2, column 2 \(a\): '\u0661', expected a finite number",
    "index,a\n1,0x10\n": r"line 2, column 2 \(a\): '0x10', expected",
    "index,a\n1,9007199254740993\n": r"line 2, column 2 \(a\): '9007199254740993' is an integer that a float cannot",
    'index,a\n1,"2"3\n': r"line 2: not readable as CSV",
    'index,a\n1,"2\n': r"line \d: not readable as CSV",
    "index,a\n1,\x00\n": r"line 2, column 2 \(a\): '\\x00', expected",
}


@pytest.mark.parametrize("text", CSV_FAULTS, ids=repr)
def test_faults_of_a_csv_are_named(table: TableFile, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ConversionError, match=r"bad\.csv, " + CSV_FAULTS[text]):
        read(tmp_path / "bad.csv", table)


def test_other_faults_of_files(table: TableFile, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"none\.csv: cannot be read: No such file"):
        read(tmp_path / "none.csv", table)
    with pytest.raises(ConversionError, match=r"a\.txt: expected a file whose name ends in \.csv, \.csv\.gz or \.npz"):
        read(tmp_path / "a.txt", table)
    (tmp_path / "latin.csv").write_bytes(b"index,a\n1,2\n2,\xe9\n")
    with pytest.raises(ConversionError, match=r"latin\.csv, line 3: not UTF-8"):
        read(tmp_path / "latin.csv", table)
    (tmp_path / "plain.csv.gz").write_bytes(b"index,a\n1,2\n")
    with pytest.raises(ConversionError, match=r"plain\.csv\.gz: cannot be read: Not a gzipped file"):
        read(tmp_path / "plain.csv.gz", table)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(bytes(2**22)))
    with pytest.raises(ConversionError, match=r"bomb\.csv\.gz, line 1: longer than 1,048,576 bytes"):
        read(tmp_path / "bomb.csv.gz", table)


def test_a_gzip_file_cut_at_any_byte(table: TableFile, scratch: Path) -> None:
    whole = gzip.compress(b"index,a\n1,2\n2,3\n")
    for length in range(len(whole)):
        (scratch / "cut.csv.gz").write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=r"cut\.csv\.gz"):
            read(scratch / "cut.csv.gz", table)


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_faults_of_an_npz_are_named(table: TableFile, tmp_path: Path) -> None:
    two, path = np.zeros((2, 6), np.int64), tmp_path / "bad.npz"
    faults = {
        r"shape \(15625\); found float64 of shape \(2,\)": {"a": np.zeros(2)},
        r"shape \(n, 6\); found int64 of shape \(2, 5\)": {"architectures": two[:, :5], "a": np.zeros(2)},
        r"shape \(2\); found float64 of shape \(3,\)": {"architectures": two, "a": np.zeros(3)},
        r"shape \(2\); found float64 of shape \(2, 1\)": {"architectures": two, "a": np.zeros((2, 1))},
        r"shape \(2\); found bool": {"architectures": two, "a": np.zeros(2, bool)},
        r"shape \(2\); found complex128": {"architectures": two, "a": np.zeros(2, complex)},
        r"shape \(2\); found <U1": {"architectures": two, "a": np.array(["a", "b"])},
        r"architectures: row 0, \(5, .* is no architecture of nb201": {"architectures": two + 5, "a": np.zeros(2)},
        r"architectures: .* must be an integer array": {"architectures": two + 0.5, "a": np.zeros(2)},
        r"a, row 1: inf, expected a finite number": {"architectures": two, "a": np.array([0, np.inf])},
        r"a, row 0: 9007199254740993 is too large": {"architectures": two, "a": np.array([2**53 + 1, 0])},
        r"'latency' has a fixed meaning": {"architectures": two, "latency": np.zeros(2)},
        r"'a b' is no name for a metric": {"architectures": two, "a b": np.zeros(2)},
        r"'a' names two arrays": {"architectures": two, "a": np.zeros(2), "a [s]": np.zeros(2)},
        r"holds no array of a metric": {"architectures": two},
    }
    for message, arrays in faults.items():
        with pytest.raises(ConversionError, match=r"bad\.npz.*" + message):
            read(npz(path, **arrays), table)


def test_an_npz_runs_nothing(table: TableFile, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    np.savez(tmp_path / "evil.npz", a=np.array([Evil()] * 15625, object), allow_pickle=True)
    with pytest.raises(ConversionError, match=r"a\.npy: expected numbers of at most 64 bits.*found object"):
        read(tmp_path / "evil.npz", table)
    with zipfile.ZipFile(tmp_path / "pickle.npz", "w") as archive:
        archive.writestr("a.npy", pickle.dumps(Evil()))
    with pytest.raises(ConversionError, match=r"a\.npy: no readable array"):
        read(tmp_path / "pickle.npz", table)
    assert not (tmp_path / "ran").exists()


def test_an_npz_that_claims_to_be_huge(table: TableFile, tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (2**58, 6)})
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("architectures.npy", file.getvalue().replace(b"<f8", b"<i8"))
        archive.writestr("a.npy", file.getvalue())
    with pytest.raises(ConversionError, match=r"huge\.npz"):
        read(tmp_path / "huge.npz", table)


def test_an_npz_cut_at_any_byte_or_with_a_flipped_bit(table: TableFile, scratch: Path) -> None:
    cells, values = np.arange(12, dtype=np.uint8).reshape(2, 6) % 5, np.array([1.5, 2.5])
    path = scratch / "damaged.npz"
    whole = npz(path, architectures=cells, a=values).read_bytes()
    for length in range(0, len(whole), 3):
        path.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=r"damaged\.npz"):
            read(path, table)
    for place in range(0, len(whole), 2):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        try:
            found = read(path, table)
        except ConversionError:
            continue
        # Only what is no content may change unseen: dates, attributes, or the name of a metric.
        assert found.architectures.tolist() == cells.tolist()
        (column,) = found.datasets["cifar10"].values()
        assert column.values.tolist() == values.tolist()


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.text('index,a"\n 0123e.-[]|', max_size=60).map(str.encode)))
def test_no_text_gives_anything_but_columns_or_one_error(table: TableFile, scratch: Path, data: bytes) -> None:
    for start in (b"", b"index,a\n"):
        (scratch / "fuzz.csv").write_bytes(start + data)
        try:
            found = read(scratch / "fuzz.csv", table)
        except ConversionError:
            continue
        for column in found.datasets["cifar10"].values():
            assert column.values.shape == (len(found.architectures),)
            assert not np.isinf(column.values).any()


@settings(derandomize=True, max_examples=10, deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 15624), st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1
    )
)
def test_numbers_survive_csv_table_and_csv(table: TableFile, scratch: Path, values: dict[int, float | None]) -> None:
    with (scratch / "in.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["index", "a [J]"], *values.items()])
    write(scratch / "a.h5", attach(table, read(scratch / "in.csv", table)), force=True)
    write_csv(scratch / "out.csv", Table(scratch / "a.h5"), metrics=["a"], force=True)
    with (scratch / "out.csv").open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["index", "architecture", "a [J]"]
    assert {int(i): float(a) for i, _, a in lines if a} == {i: a for i, a in values.items() if a is not None}
    (scratch / "again.csv").write_text("\n".join(",".join(line[:1] + line[2:]) for line in [header, *lines]))
    np.testing.assert_array_equal(columns(scratch / "again.csv", table)["a"], Table(scratch / "a.h5").column("a"))
