import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources.hw_nas import read
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb201 import NB201
from nasbench.tables import DatasetContent, TableContent, TableFile, read_content, write
from nasbench.tables.attach import attach
from nasbench.tables.data import NASBENCH201
from nasbench.tables.table import Table

METRICS = [
    *("edgegpu_latency", "edgegpu_energy", "raspi4_latency", "edgetpu_latency", "pixel3_latency", "eyeriss_latency"),
    *("eyeriss_energy", "eyeriss_arithmetic_intensity", "fpga_latency", "fpga_energy"),
]
# Real values on CIFAR-10, as the authors print them (README) and as others took them from the file.
REAL = {
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|": (
        *(5.807418537139893, 24.226614330768584, 10.481976820010459, 0.9571811309997429, 3.6058499999999998),
        *(3.645620000000001, 0.6872827644999999, 6.289297634665844, 2.57296, 18.01072),
    ),
    "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|": (
        *(5.080537796020508, 23.988605960210165, 54.293688659963664, -1.0, 17.065900000000003),
        *(7.577780000000003, 1.5644240285, 20.86006697108513, 5.31536, 37.20752),
    ),
}


@pytest.fixture(scope="module")
def table() -> TableFile:
    return TableFile(NASBENCH201)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hw") / "HW-NAS-Bench-v1_0.pickle"


def content(container: Any = list) -> dict[str, Any]:
    config = [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": text, "num_classes": 10} for text in REAL]
    columns = {metric: container([values[i] for values in REAL.values()]) for i, metric in enumerate(METRICS)}
    return {
        "nasbench201": {"cifar10": {**columns, "config": config}, "cifar100": {**columns, "config": config}},
        "fbnet": {"edgegpu_latency": {"FC_Cin1504_Cout100": 0.5}},
    }


def old_name(data: bytes) -> bytes:
    return data.replace(b"cnumpy._core", b"cnumpy.core")


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize(
    "container",
    [list, tuple, np.array, lambda values: [*np.array(values)], lambda values: np.array(values, ">f8")],
    ids=["list", "tuple", "array", "scalars", "other byte order"],
)
def test_values_are_those_of_the_file(table: TableFile, scratch: Path, protocol: int, container: Any) -> None:
    data = pickle.dumps(content(container), protocol)
    for variant in {data, old_name(data)}:
        scratch.write_bytes(variant)
        found = read(scratch, table)
        assert list(map(NB201().format, map(tuple, found.architectures.tolist()))) == [*REAL]
        assert list(found.datasets) == ["cifar10", "cifar100"]
        for i, metric in enumerate(METRICS):
            expected = [math.nan if values[i] == -1 else values[i] for values in REAL.values()]
            np.testing.assert_array_equal(found.datasets["cifar10"][metric].values, expected)
        assert found.report["values of -1, not measured"]["cifar10"] == {"edgetpu_latency": 1}


def test_single_precision_and_integers_arrays(table: TableFile, scratch: Path) -> None:
    raw = content()
    raw["nasbench201"]["cifar10"]["fpga_energy"] = np.array([1.1, 2.2], np.float32)
    raw["nasbench201"]["cifar10"]["fpga_latency"] = np.array([3, 4])
    scratch.write_bytes(pickle.dumps(raw))
    found = read(scratch, table).datasets["cifar10"]
    assert found["fpga_energy"].values.tolist() == np.array([1.1, 2.2], np.float32).astype(float).tolist()
    assert found["fpga_latency"].values.tolist() == [3.0, 4.0]


def test_attached_to_the_table(table: TableFile, scratch: Path, tmp_path: Path) -> None:
    scratch.write_bytes(pickle.dumps(content()))
    write(tmp_path / "out.h5", attach(table, read(scratch, table)))
    found = Table(tmp_path / "out.h5")
    # Official indexes 0 and 6.
    rows = [found.row(text) for text in REAL]
    assert rows == [0, 6]
    assert found.column("edgegpu_energy")[rows].tolist() == [24.226614330768584, 23.988605960210165]
    assert int(np.isnan(found.column("edgegpu_energy")).sum()) == 15623
    units = {name: info.unit for name, info in found.describe().items() if name in METRICS}
    assert [units[name] for name in METRICS] == [
        {"latency": "milliseconds", "energy": "millijoules", "intensity": "ratio"}[name.rpartition("_")[2]]
        for name in METRICS
    ]
    assert "average_hw_metric" not in found.metrics
    assert "MIT, Copyright (c) 2022 GaTech-EIC" in found.source["licence"]
    assert found.report["attached 1"]["image datasets left out, for the table lacks them"] == "none"


def changed(**columns: Any) -> dict[str, Any]:
    raw = content()
    raw["nasbench201"]["cifar10"] |= columns
    return raw


FAULTS: list[tuple[Any, str]] = [
    ([], r"expected a dictionary, found list"),
    ({"fbnet": {}}, r"nasbench201: expected a dictionary, found NoneType"),
    ({"nasbench201": {}}, r"holds no image dataset"),
    ({"nasbench201": {"cifar10": 3}}, r"cifar10: expected a dictionary, found int"),
    (changed(config=None), r"cifar10, config: expected a list of up to 15625"),
    (changed(config=[{}]), r"cifar10, config: an entry without 'arch_str'"),
    (changed(config=[3]), r"cifar10, config: an entry without 'arch_str'"),
    (changed(config=[{"arch_str": "|none|"}]), r"cifar10, config: '\|none\|' is no NAS-Bench-201 cell"),
    (changed(config=content()["nasbench201"]["cifar10"]["config"][::-1]), r"cifar100, config: other architectures"),
    (changed(fpga_latency=None), r"cifar10, fpga_latency: expected 2 numbers"),
    (changed(fpga_latency=[1.0]), r"cifar10, fpga_latency: expected 2 numbers"),
    (changed(fpga_latency="ab"), r"cifar10, fpga_latency: expected 2 numbers"),
    (changed(fpga_latency=[1.0, "2"]), r"cifar10, fpga_latency: expected numbers only"),
    (changed(fpga_latency=[1.0, True]), r"cifar10, fpga_latency: expected numbers only"),
    (changed(fpga_latency=[1.0, 10**400]), r"cifar10, fpga_latency: a number beyond"),
    (changed(fpga_latency=[1.0, -0.5]), r"cifar10, fpga_latency: -0.5 for architecture 1: expected"),
    (changed(fpga_latency=[math.inf, 1.0]), r"cifar10, fpga_latency: inf for architecture 0: expected"),
]


@pytest.mark.parametrize(("raw", "message"), FAULTS)
def test_faults_are_named(table: TableFile, scratch: Path, raw: Any, message: str) -> None:
    scratch.write_bytes(pickle.dumps(raw))
    with pytest.raises(ConversionError, match=r"HW-NAS-Bench-v1_0\.pickle.*" + message):
        read(scratch, table)


def test_arrays_of_anything_else_are_refused(table: TableFile, scratch: Path) -> None:
    for array in (np.array([1.0, None]), np.array([[1.0], [2.0]]), np.array(["a", "b"]), np.zeros(2, "f8,f8")):
        scratch.write_bytes(pickle.dumps(changed(fpga_latency=array)))
        with pytest.raises(ConversionError, match=r"HW-NAS-Bench-v1_0\.pickle: not a complete pickle"):
            read(scratch, table)


class Call:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.called = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.called


def test_nothing_is_run(table: TableFile, scratch: Path, tmp_path: Path) -> None:
    scratch.write_bytes(pickle.dumps(changed(fpga_latency=Call(os.mkdir, str(tmp_path / "ran")))))
    with pytest.raises(UnsafeFileError, match=r"refused. It asks for posix.mkdir, which could run code"):
        read(scratch, table)
    assert not (tmp_path / "ran").exists()
    scratch.write_bytes(pickle.dumps(changed(fpga_latency=Call(np.load, "x.npy", None, True))))
    with pytest.raises(UnsafeFileError, match=r"asks for numpy\.load"):
        read(scratch, table)


def test_an_array_made_up_of_wrong_parts_is_refused(table: TableFile, scratch: Path) -> None:
    """Numpy's own ndarray would take each of these apart from the object array, and read outside of the bytes given."""
    for arguments in ((2,), ((2,), np.dtype("f8"), b"short"), ((2,), np.dtype("f8"), bytes(16), 2**40)):
        scratch.write_bytes(pickle.dumps(changed(fpga_latency=Call(np.ndarray, *arguments))))
        with pytest.raises(ConversionError, match=r"fpga_latency: expected 2 numbers"):
            read(scratch, table)
    whole = pickle.dumps(changed(fpga_latency=np.array([1.0, 2.0])), 2)
    for old, new in ((b"K\x02\x85", b"K\x03\x85"), (b"X\x02\x00\x00\x00f8", b"X\x02\x00\x00\x00O8")):
        assert old in whole
        scratch.write_bytes(whole.replace(old, new))
        with pytest.raises(ConversionError, match=r"not a complete pickle \(ValueError"):
            read(scratch, table)


def test_a_pickle_cannot_change_the_reader(table: TableFile, scratch: Path) -> None:
    state = b"(N}X\x06\x00\x00\x00valuesK\x01stb."  # a slot state, which sets attributes
    for module, name in (("numpy", "ndarray"), ("numpy.core.numeric", "_frombuffer")):
        scratch.write_bytes(b"\x80\x02c" + f"{module}\n{name}\n".encode() + state)
        with pytest.raises(ConversionError, match=r"not a complete pickle"):
            read(scratch, table)


def test_cut_at_any_byte_or_followed_by_more(table: TableFile, scratch: Path) -> None:
    whole = pickle.dumps(content(np.array))
    for length in range(0, len(whole), 7):
        scratch.write_bytes(whole[:length])
        with pytest.raises(ConversionError, match=r"not a complete pickle"):
            read(scratch, table)
    scratch.write_bytes(whole + b"x")
    with pytest.raises(ConversionError, match=r"more data after the pickle"):
        read(scratch, table)
    with pytest.raises(ConversionError, match=r"none\.pickle: cannot be read: No such file"):
        read(scratch.with_name("none.pickle"), table)


def test_flipped_bits_give_a_clear_error_or_a_sound_attachment(table: TableFile, scratch: Path) -> None:
    whole = pickle.dumps(content(np.array), 4)
    for place in range(0, len(whole), 5):
        scratch.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            found = read(scratch, table)
        except ConversionError:
            continue
        assert all(c.values.shape == (2,) for metrics in found.datasets.values() for c in metrics.values())


def test_other_search_spaces_are_refused(scratch: Path, tmp_path: Path) -> None:
    space, source = NatsSSS(), read_content(NASBENCH201).source
    cells = np.zeros((1, len(space.choices)), np.uint8)
    write(tmp_path / "sss.h5", TableContent(space.name, cells, {"cifar10": DatasetContent({}, {})}, source, {}))
    with pytest.raises(ConversionError, match=r"HW-NAS-Bench is of NAS-Bench-201 .*sss\.h5 is of nats_sss"):
        read(scratch, TableFile(tmp_path / "sss.h5"))
