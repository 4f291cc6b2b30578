from pathlib import Path

import numpy as np
import pytest
from _plain_tfrecord import framed, payloads, trainings

from nasbench import store
from nasbench.convert.nasbench101 import convert
from nasbench.errors import ConversionError
from nasbench.table import Table

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
FILE = DATA / "ec_nas" / "energy_4V9E.tfrecord"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the samples ../shared/data are not here")

FIELDS = {
    2: "training_time",
    3: "train_accuracy",
    4: "validation_accuracy",
    5: "test_accuracy",
    6: "energy",
    7: "co2",
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    path = tmp_path_factory.mktemp("ec_nas") / "table.h5"
    store.write(path, convert(FILE))
    return Table(path)


def test_every_value_is_that_of_the_file(table: Table) -> None:
    raw = trainings(FILE.read_bytes())
    hashes = sorted({training["hash"] for training in raw})
    assert (len(raw), len(table)) == (1092, 91)
    seen: dict[tuple[str, int], int] = {}
    for training in raw:
        schedule, row = training["epochs"], hashes.index(training["hash"])
        run = seen[training["hash"], schedule] = seen.get((training["hash"], schedule), -1) + 1
        assert table.column("parameters")[row] == training["parameters"]
        for epoch, values in zip((1, schedule), training["evaluations"][1:], strict=True):
            assert values[1] == epoch
            for number, metric in FIELDS.items():
                found = table.column(metric, schedule=schedule, epoch=epoch, run=run)[row]
                exact = np.float32(found) if metric.endswith("accuracy") else found
                assert exact == values[number], (training["hash"], schedule, epoch, run, metric)
    assert set(seen.values()) == {2}
    assert len(seen) == 91 * 4


def test_units_epochs_and_source(table: Table) -> None:
    described = table.describe()
    for schedule in (4, 12, 36, 108):
        for metric, unit in (("energy", "kWh"), ("co2", "g"), ("training_time", "seconds")):
            info = described[f"{metric}@{schedule}"]
            assert (info.unit, info.epochs, info.shape) == (unit, (1, schedule), (91, 2, 3))
        # Decimal fractions need double precision; the seconds come from a single-precision variable.
        assert described[f"energy@{schedule}"].dtype == np.float64
        assert described[f"training_time@{schedule}"].dtype == np.float32
    assert table.source["name"] == "EC-NAS, energy_4V9E.tfrecord"
    assert "EC-NAS-Bench" in table.source["address"]
    assert "MIT" in table.source["licence"]


def test_report(table: Table) -> None:
    raw = trainings(FILE.read_bytes())
    assert table.report["records"] == 1092
    assert table.report["records whose parameter count differs from the formula"]["number"] == 0
    found = table.report["cifar10"]["schedule 108"]
    assert [found[f"architectures with {k} runs"] for k in range(4)] == [0, 0, 0, 91]
    used: dict[str, float] = {}
    for training in raw:
        if training["epochs"] == 108:
            used[training["hash"]] = used.get(training["hash"], 0) + training["evaluations"][2][6] / 3
    best = min(used, key=used.__getitem__)
    assert found["energy"] == {"at": best, "optimum of the means": pytest.approx(used[best])}


def test_nasbench101_and_ec_nas_do_not_mix(tmp_path: Path) -> None:
    first = payloads(FILE.read_bytes())[0]
    second = payloads((DATA / "nb101_tfrecord" / "synth_full.tfrecord").read_bytes())[0]
    path = tmp_path / "mixed.tfrecord"
    for records in ((first, second), (second, first)):
        path.write_bytes(b"".join(map(framed, records)))
        with pytest.raises(ConversionError, match=r"record 1 at byte \d+: it has (no )?energy"):
            convert(path)
