import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from nasbench.errors import ConversionError
from nasbench.sources.help_latency import DEVICES, read
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.tables import DatasetContent, TableContent, TableFile, write
from nasbench.tables.attach import attach
from nasbench.tables.data import NASBENCH201
from nasbench.tables.table import Table

SAMPLE = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "nb201" / "latency_ms_help.npz"
needs_sample = pytest.mark.skipif(not SAMPLE.is_file(), reason="the sample ../shared/data/nb201 is not here")
N = 15_625


@pytest.fixture(scope="module")
def embedded() -> TableFile:
    return TableFile(NASBENCH201)


@pytest.fixture(scope="module")
def real(embedded: TableFile, tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = tmp_path_factory.mktemp("help") / "table.h5"
    write(path, attach(embedded, read(SAMPLE, embedded)))
    return Table(path)


@needs_sample
def test_every_value_is_that_of_the_file(real: Table) -> None:
    with np.load(SAMPLE, allow_pickle=False) as raw:
        assert sorted(raw.files) == sorted(DEVICES)
        assert len(raw.files) == 27
        for device in raw.files:
            found = real.column(f"latency_{device}")
            np.testing.assert_array_equal(found[real.rows(real.space.architectures)], raw[device])
            info = real.info(f"latency_{device}")
            assert (found.dtype, info.unit, real.better(f"latency_{device}")) == (np.float32, "milliseconds", "lower")
    assert real.metrics == (*sorted(real.file.schedules[200]), *sorted(real.file.columns))


@needs_sample
def test_four_devices_are_those_of_hw_nas_bench(real: Table) -> None:
    """As its authors print them for architecture 6, and as others took them from its file for architecture 0."""
    published = {
        "raspi4": (10.481976820010459, 54.293688659963664),
        "pixel3": (3.6058499999999998, 17.065900000000003),
        "eyeriss": (3.645620000000001, 7.577780000000003),
        "fpga": (2.57296, 5.31536),
    }
    for device, values in published.items():
        assert real.column(f"latency_{device}")[[0, 6]].tolist() == np.array(values, np.float32).tolist()


@needs_sample
def test_rows_and_devices_are_those_of_the_paper(real: Table) -> None:
    """Table 3 of the paper ranks its devices' latencies by FLOPs.

    Its script takes architectures 900 to 1899, without the tenth of lowest and that of highest latency.
    """
    published = {"titan_rtx_256": 0.950, "gold_6226": 0.826, "pixel2": 0.765, "raspi4": 0.846, "fpga": 0.900}
    flops = real.column("flops")
    for device, expected in {**published, "eyeriss": 0.437}.items():
        latency = real.column(f"latency_{device}")
        kept = 900 + np.argsort(latency[900:1900], kind="stable")[100:900]
        # Which networks the table of the paper is of is not said; the order of rows shuffled gives 0.01 at most.
        assert spearmanr(flops[kept], latency[kept]).statistic == pytest.approx(expected, abs=0.06), device


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_some_devices_on_the_image_dataset_that_is_open(tmp_path: Path) -> None:
    values = np.arange(1, N + 1, dtype=np.float32)
    values[3] = np.nan
    path = npz(tmp_path / "some.npz", fpga=values, pixel2=np.arange(1, N + 1))
    content = attach(TableFile(NASBENCH201, "cifar100"), read(path, TableFile(NASBENCH201, "cifar100")))
    assert [name for name, d in content.datasets.items() if "latency_fpga" in d.columns] == ["cifar100"]
    columns = content.datasets["cifar100"].columns
    np.testing.assert_array_equal(columns["latency_fpga"].values, values)
    assert columns["latency_pixel2"].values.tolist() == [*range(1, N + 1)]
    assert content.report["attached 1"]["missing values, by metric"] == {"cifar100": {"latency_fpga": 1}}
    assert "H. Lee, S. Lee, S. Chong and S. J. Hwang" in content.source["citation"]
    assert "HELP: MIT" in content.source["licence"]
    assert "HW-NAS-Bench: MIT" in content.source["licence"]


def test_the_same_file_for_two_image_datasets_is_named_once(tmp_path: Path) -> None:
    path = npz(tmp_path / "some.npz", fpga=np.ones(N))
    write(tmp_path / "one.h5", attach(TableFile(NASBENCH201), read(path, TableFile(NASBENCH201))))
    second = TableFile(tmp_path / "one.h5", "cifar100")
    content = attach(second, read(path, second))
    assert [name for name, d in content.datasets.items() if "latency_fpga" in d.columns] == ["cifar10", "cifar100"]
    assert content.source == second.source
    with pytest.raises(
        ConversionError, match=r"brings the metric 'latency_fpga', which one\.h5 \(cifar10\) has already"
    ):
        attach(TableFile(tmp_path / "one.h5"), read(path, TableFile(tmp_path / "one.h5")))


ONE = np.ones(N)
FAULTS = {
    r"unknown device of HELP 'gold_6227'. Did you mean 'gold_6226'": {"gold_6227": ONE},
    r"unknown device of HELP 'architectures'": {"architectures": ONE},
    r"shape \(15625\); found float64 of shape \(3,\)": {"fpga": ONE[:3]},
    r"shape \(15625\); found float64 of shape \(15625, 1\)": {"fpga": ONE[:, None]},
    r"shape \(15625\); found <U1": {"fpga": np.array(["a"] * N)},
    r"fpga, row 2: 0.0, expected a positive number": {"fpga": np.where(np.arange(N) == 2, 0, ONE)},
    r"fpga, row 0: -1.0, expected a positive number": {"fpga": -ONE},
    r"fpga, row 0: inf, expected a finite number": {"fpga": ONE * np.inf},
    r"holds no latencies": {},
}


@pytest.mark.parametrize("message", FAULTS)
def test_faults_are_named(embedded: TableFile, tmp_path: Path, message: str) -> None:
    with pytest.raises(ConversionError, match=r"bad\.npz.*" + message) as caught:
        read(npz(tmp_path / "bad.npz", **FAULTS[message]), embedded)
    assert "\n" not in str(caught.value)


def test_no_pickle_is_read(embedded: TableFile, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    np.savez(tmp_path / "evil.npz", fpga=np.array([Evil()] * N, object), allow_pickle=True)
    with pytest.raises(ConversionError, match=r"fpga\.npy: expected numbers of at most 64 bits.*found object"):
        read(tmp_path / "evil.npz", embedded)
    with zipfile.ZipFile(tmp_path / "pickle.npz", "w") as archive:
        archive.writestr("fpga.npy", pickle.dumps(Evil()))
    with pytest.raises(ConversionError, match=r"fpga\.npy: no readable array"):
        read(tmp_path / "pickle.npz", embedded)
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ConversionError, match=r"plain\.npz: no readable NPZ file"):
        read(tmp_path / "plain.npz", embedded)
    assert not (tmp_path / "ran").exists()


def test_other_tables_are_refused(embedded: TableFile, tmp_path: Path) -> None:
    path = npz(tmp_path / "some.npz", fpga=ONE)
    with pytest.raises(
        ConversionError, match=r"images of 32 x 32 pixels: .*not of ImageNet16-120\. Choose .* --dataset"
    ):
        read(path, TableFile(NASBENCH201, "ImageNet16-120"))
    cells = np.zeros((1, len(NatsSSS().choices)), np.uint8)
    content = TableContent("nats_sss", cells, {"cifar10": DatasetContent({}, {})}, embedded.source, {})
    write(tmp_path / "sss.h5", content)
    with pytest.raises(ConversionError, match=r"are of NAS-Bench-201 .*sss\.h5 is of nats_sss"):
        read(path, TableFile(tmp_path / "sss.h5"))
