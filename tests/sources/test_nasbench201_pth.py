"""NAS-Bench-201's .pth files, written here as torch writes them, by hand and by torch itself.

No official file is at hand. These are made of NATS-Bench results as the authors' older trainer left them: schedules
named less and full, some trainings missing, some without times, latency of single batches or none.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _nats_synthetic import CLASSES, Figures, columns_of, forget, meta, texts, write_folder

from nasbench import tables
from nasbench.errors import ConversionError, UnsafeFileError
from nasbench.sources.nats.nasbench201_pth import convert
from nasbench.sources.nats.nats_bench import convert as convert_nats
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS, load_pickle_from
from nasbench.tables.table import Table

DATA = Path(__file__).parents[2] / "../shared/data"


def older(states: dict[str, Any]) -> dict[str, Any]:
    """Turn NATS-Bench results of an architecture into those of a NAS-Bench-201 file."""
    for dataset in CLASSES:
        forget(states, "200", dataset, 999)
        # The older trainer, whose networks were evaluated again to time them batch by batch.
        trial = states["200"]["all_results"][dataset, 777]
        trial |= {"train_times": None, "train_acc5es": None, "eval_times": {}, "latency": [0.25, 0.5, 0.75]}
        # The newer trainer timed each epoch, and no forward pass.
        trial = states["200"]["all_results"][dataset, 888]
        trial["train_times"] = {epoch: 1.0 + epoch / 8 for epoch in range(200)}
        trial["latency"] = None
    return {"full": states["200"], "less": states["12"]}


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    results = {index: older(Figures(index).states("tss", index)) for index in (2, 9)}
    return meta("tss") | {"arch2infos": results, "evaluated_indexes": [2, 9]}


def stream(content: Any, storages: tuple[str, ...] = ()) -> bytes:
    """The format of torch before 1.6: consecutive pickles of protocol 2."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    return b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system, content, [*storages]))


def archive(content: Any, *, compression: int = zipfile.ZIP_STORED, name: str = "archive/data.pkl") -> bytes:
    """The format of torch since 1.6."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr(name, content if isinstance(content, bytes) else pickle.dumps(content, 2))
        file.writestr("archive/version", b"3\n")
    return buffer.getvalue()


FORMATS = {"stream": stream, "archive": archive}


@pytest.fixture(scope="module", params=FORMATS)
def path(request: pytest.FixtureRequest, raw: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pth") / "NAS-Bench-201.pth"
    path.write_bytes(FORMATS[request.param](raw))
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_itself(raw, tmp_path, zipped):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save(raw, tmp_path / "torch.pth", _use_new_zipfile_serialization=zipped)
    (tmp_path / "hand.pth").write_bytes(archive(raw) if zipped else stream(raw))
    assert columns_of(convert(tmp_path / "torch.pth")) == columns_of(convert(tmp_path / "hand.pth"))


def test_what_follows_the_results_is_refused(raw, tmp_path):
    for data, message in (
        (stream(raw, ("0",)), "holds tensors"),
        (stream(raw) + b"rest", "storage keys: more data after the pickle"),
        (archive(pickle.dumps(raw, 2) + b"rest"), "more data after the pickle"),
    ):
        (tmp_path / "some.pth").write_bytes(data)
        with pytest.raises(ConversionError, match=message):
            convert(tmp_path / "some.pth")


def test_curves_are_those_of_the_same_results_in_a_nats_folder(raw, path, tmp_path):
    results = {index: {"12": states["less"], "200": states["full"]} for index, states in raw["arch2infos"].items()}
    found = convert(path)
    expected = columns_of(convert_nats(write_folder(tmp_path / "tss", "tss", results)))
    assert columns_of(found) == expected
    assert sum("accuracy" in name or "loss" in name for _, _, name in expected) == 13 * 2 * 2 + 4
    assert found.report["seeds of the runs"] == {"12": [111, 777], "200": [777, 888]}


def test_times_of_the_two_trainers(path):
    """Only what was measured: seconds of epochs of the newer one, of batches of the older one, in its mean."""
    content = convert(path)
    for group, suffix in (("cifar10", ""), ("cifar10", "_50k"), ("cifar100", ""), ("ImageNet16-120", "")):
        schedule = content.datasets[group].schedules[200]
        time, latency = schedule[f"training_time{suffix}"], schedule[f"latency{suffix}"]
        assert np.isnan(time.values[:, :, 0]).all()
        np.testing.assert_allclose(time.values[:, :, 1], [np.cumsum(1.0 + np.arange(200) / 8)] * 2, rtol=1e-14)
        assert latency.epochs == (200,)
        np.testing.assert_array_equal(latency.values, [[[0.5, np.nan]]] * 2)
        short = content.datasets[group].schedules[12]
        assert short[f"training_time{suffix}"].per_epoch
        np.testing.assert_allclose(short[f"training_time{suffix}"].values, [[[5.0]]] * 2)
        np.testing.assert_array_equal(short[f"latency{suffix}"].values, [[[0.05]]] * 2)
    evaluation = content.datasets["cifar10"].schedules[200]["validation_time"].values
    np.testing.assert_allclose(evaluation, [[[np.nan, 0.125]] * 200] * 2)


def test_what_nobody_timed_is_no_column(tmp_path):
    states = Figures().states("tss", 3)
    for schedule in states.values():
        for trial in schedule["all_results"].values():
            trial |= {"train_times": None, "eval_times": {}, "latency": None}
    path = tmp_path / "untimed.pth"
    path.write_bytes(stream(meta("tss") | {"arch2infos": {3: {"full": states["200"], "less": states["12"]}}}))
    names = {name for _, _, name in columns_of(convert(path))}
    assert not any("time" in name or "latency" in name for name in names)
    assert "validation_accuracy" in names


def test_a_table_of_it_answers(path, tmp_path):
    content = convert(path)
    tables.write(tmp_path / "table.h5", content)
    table = Table(tmp_path / "table.h5")
    assert table.row(texts("tss")[9]) == 1
    assert table.query(9, schedule=12).training_time == pytest.approx(12 * 5.0)
    assert np.isnan(table.query(9, run=0).training_time)
    assert table.source["sha256"] == f"NAS-Bench-201.pth {hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_the_real_nats_samples_as_a_pth_file(tmp_path):
    folder = DATA / "nats_tss"
    if not folder.is_dir():
        pytest.skip("the real samples are not at hand: no ../shared/data/nats_tss")
    results = {}
    for index in (0, 11, 284):
        data = bz2.decompress((folder / f"{index:06d}.pickle.pbz2").read_bytes())
        states = load_pickle_from(io.BytesIO(data), "sample", PLAIN_GLOBALS)
        results[index] = {"full": states["200"], "less": states["12"]}
    path = tmp_path / "samples.pth"
    path.write_bytes(stream(meta("tss") | {"arch2infos": results}))
    assert columns_of(convert(path)) == columns_of(convert_nats(folder))


# Files that are not as they should be.


class Malice:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_a_pickle_that_calls_the_system_is_refused_by_name(tmp_path, write):
    path = tmp_path / "evil.pth"
    path.write_bytes(write({"meta_archs": Malice()}))
    with pytest.raises(UnsafeFileError, match=r"asks for (posix|nt)\.system"):
        convert(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_trained_weights_are_refused_with_advice(tmp_path, zipped):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save({"weights": torch.ones(3)}, tmp_path / "full.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        UnsafeFileError, match=r"torch.*Take NAS-Bench-201-v1_1-096897\.pth, which has no trained weights"
    ):
        convert(tmp_path / "full.pth")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "magic number: not a complete pickle"),
        (b"some text", "magic number: not a complete pickle"),
        (b"PK is how zip begins", "not a complete zip archive"),
        (pickle.dumps({"meta_archs": []}, 2), "neither a zip archive nor a stream that torch.save wrote"),
        (pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1000, 2), "neither a zip archive nor a stream"),
        (stream({}), "expected a dictionary with the list 'meta_archs'"),
        (stream(meta("tss")), "lists architectures, but has no results"),
        (stream(meta("sss") | {"arch2infos": {0: {}}}), "results of nats_sss, expected nb201"),
        (stream(meta("tss") | {"arch2infos": {-1: {}}}), "a key that is no index below 15625"),
        (stream(meta("tss") | {"arch2infos": {"0": {}}}), "a key that is no index below 15625"),
        (stream(meta("tss") | {"arch2infos": {0: {}}}), "architecture 0: schedules , expected 'less', 'full'"),
        (archive({}, name="archive/other.pkl"), "expected exactly one uncompressed member <name>/data.pkl, found 0"),
        (archive({}, name="../data.pkl"), "expected a dictionary with the list 'meta_archs'"),
        (archive(b"no pickle"), "not a complete pickle"),
        (archive(pickle.dumps({"arch2infos": {0: {}, 1: {}}})), "'meta_archs' before the results"),
        (archive(pickle.dumps(meta("tss") | {"arch2infos": 7})), "has no results"),
    ],
)
def test_another_file_is_refused(tmp_path, data, message):
    path = tmp_path / "some.pth"
    path.write_bytes(data)
    with pytest.raises(ConversionError, match=r"some\.pth.*" + message):
        convert(path)


def test_a_zip_bomb_is_refused_before_it_unfolds(tmp_path):
    path = tmp_path / "bomb.pth"
    path.write_bytes(archive(b"\x80\x02" + b"N0" * 20_000_000 + b"N.", compression=zipfile.ZIP_DEFLATED))
    assert path.stat().st_size < 100_000
    with pytest.raises(ConversionError, match="expected exactly one uncompressed member"):
        convert(path)


def test_no_file(tmp_path):
    with pytest.raises(ConversionError, match=r"nothing\.pth: no such file"):
        convert(tmp_path / "nothing.pth")


def test_truncation_anywhere_is_refused(path, tmp_path):
    data = path.read_bytes()
    cut = tmp_path / "cut.pth"
    for length in [*range(0, len(data), len(data) // 10), len(data) - 1]:
        cut.write_bytes(data[:length])
        with pytest.raises(ConversionError):
            convert(cut)


def test_a_flipped_bit_of_an_archive_is_refused(tmp_path):
    """Zip archives check what they hold; the older stream has no checksum, only the official digest tells."""
    path = tmp_path / "some.pth"
    data = bytearray(archive({"meta_archs": ["some text"] * 100}))
    start = data.index(b"some text")
    data[start] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ConversionError, match="Bad CRC-32"):
        convert(path)
