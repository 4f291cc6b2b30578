"""NAS-Bench-Macro: the complete real file value by value, published statistics, and files that are not sound."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.random_search import RandomSearch
from nasbench import Budget, run, tables
from nasbench.errors import ConversionError, NotRecordedError
from nasbench.sources.macro import convert
from nasbench.tables.table import Table

FILE = Path(__file__).parents[2] / "../shared/data/nas_bench_macro/nas-bench-macro_cifar10.json"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Table]:
    if not FILE.is_file():
        pytest.skip("the real file is not at hand: no ../shared/data/nas_bench_macro")
    path = tmp_path_factory.mktemp("macro") / "macro.h5"
    tables.write(path, convert(FILE))
    return json.loads(FILE.read_text()), Table(path)


def test_every_value_of_the_real_file(real):
    raw, table = real
    assert [table.space.format(a) for a in table] == [*raw]
    assert table.column("parameters").tolist() == [entry["params"] for entry in raw.values()]
    assert table.column("flops").tolist() == [entry["flops"] for entry in raw.values()]
    for i in range(3):
        percent = np.array([entry["test_acc"][i] for entry in raw.values()])
        counts = np.rint(table.column("test_accuracy", run=i) * 10_000)
        # The authors' figures to the last bit: count times 100 times 1/10,000 in single precision.
        np.testing.assert_array_equal(np.float32(counts) * np.float32(100) * np.float32(1e-4), np.float32(percent))
        np.testing.assert_array_equal(np.float32(percent), percent)
    means = [entry["mean_acc"] for entry in raw.values()]
    np.testing.assert_allclose(table.column("test_accuracy") * 100, means, atol=1e-5)


def test_published_statistics(real):
    """facts C."""
    _, table = real
    accuracy = table.column("test_accuracy") * 100
    best = table.optimum("test_accuracy")
    assert best.value * 100 == pytest.approx(93.12666320800781, abs=1e-5)
    assert {table.space.format(a) for a in best.architectures} == {"22212220", "22212202"}
    assert max(table.column("test_accuracy", run=i).max() for i in range(3)) == pytest.approx(0.9345)
    assert table.query("22221212").test_accuracy <= 0.9345
    assert accuracy.min() == pytest.approx(45.36333211263021, abs=1e-5)
    assert accuracy[table.row("00000000")] == accuracy.min()
    assert accuracy.mean() == pytest.approx(90.24659474593851, abs=1e-5)
    _, first = np.unique(table.space.key_many(table.architectures), return_index=True)
    assert accuracy[first].mean() == pytest.approx(90.28538776947788, abs=1e-5)
    assert np.median(accuracy[first]) == pytest.approx(91.05666605631511, abs=1e-5)


def test_what_the_report_says(real):
    _, table = real
    assert table.report == {
        "converter": "nas-bench-macro, version 1",
        "architectures": 6561,
        "architectures of the search space": 6561,
        "distinct networks": 3969,
        "architectures that repeat a network": 2592,
        "architectures whose accuracies differ from those of the same network": 0,
        "architectures whose parameter count differs from the formula": 0,
        "architectures whose flops differ from the formula": 0,
        "best mean test accuracy": (9328 + 9333 + 9277) / 30_000,
        "architecture": "22212220",
        "runs at or below chance": 0,
    }
    assert table.source["sha256"] == f"{FILE.name} {hashlib.sha256(FILE.read_bytes()).hexdigest()}"


def test_there_is_nothing_to_search_with(real):
    """Test accuracy must not stand in for validation accuracy."""
    _, table = real
    info = table.describe()["test_accuracy@50"]
    assert info.images == 10_000
    assert "the best of 50 epochs on these same images" in info.evaluated_on
    assert np.isnan(table.query("00000000").validation_accuracy)
    with pytest.raises(NotRecordedError, match="records no validation accuracy"):
        run(RandomSearch(table.space, seed=0), table, Budget(10), seed=0)


# Files that are not as they should be.

ENTRY = {
    "test_acc": [float(np.float32(p)) for p in (90.01, 90.02, 90.05)],
    "mean_acc": float(np.mean([np.float32(p) for p in (90.01, 90.02, 90.05)], dtype=np.float64)),
    "std": float(np.std([np.float32(p) for p in (90.01, 90.02, 90.05)], dtype=np.float64)),
    "params": 387_882,
    "flops": 7_713_280,
}
SOUND = {"00000000": ENTRY, "00012000": ENTRY, "22222222": ENTRY}


def from_text(folder: Path, text: str | bytes) -> Any:
    path = folder / "macro.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return convert(path)


def test_part_of_the_file(tmp_path):
    """What is there is kept; costs that are not those of the formula, and equal networks, are counted."""
    other = ENTRY | {"test_acc": [10.0, 10.0, 10.0], "mean_acc": 10.0, "std": 0.0}
    content = from_text(tmp_path, json.dumps(SOUND | {"00010200": other}))
    counts = content.datasets["cifar10"].schedules[50]["test_accuracy"].values
    assert counts[:, 0].tolist() == [[9001, 9002, 9005]] * 3 + [[1000] * 3]
    assert content.report["architectures whose parameter count differs from the formula"] == 3
    assert content.report["architectures whose flops differ from the formula"] == 3
    assert content.report["architectures that repeat a network"] == 0
    assert content.report["runs at or below chance"] == 3
    content = from_text(tmp_path, json.dumps({"22212220": ENTRY, "22212202": other}))
    assert content.report["architectures whose accuracies differ from those of the same network"] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not readable as JSON"),
        ("some text", "not readable as JSON"),
        ("{" * 100_000, "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        (b"\xff\xfe\x00", "not readable as JSON"),
        ("[]", "expected a JSON object of architectures"),
        ("{}", "expected a JSON object of architectures"),
        ("7", "expected a JSON object of architectures"),
        ('{"0000000": {}}', "'0000000' is no NAS-Bench-Macro architecture"),
        ('{"00000000": {}}', "00000000: expected flops, mean_acc, params, std, test_acc"),
        ('{"00000000": 1, "00000000": 2}', "'00000000' comes twice"),
        (json.dumps(SOUND)[:-1] + ', "22222222": 1}', "'22222222' comes twice"),
        (json.dumps(SOUND).replace("387882", "NaN"), "NaN is no number of JSON"),
        (json.dumps(SOUND).replace("387882", "9" * 5000), "not readable as JSON"),
    ],
    ids=range(14),
)
def test_another_file_is_refused(tmp_path, text, message):
    with pytest.raises(ConversionError, match=r"macro\.json.*" + message):
        from_text(tmp_path, text)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("test_acc", ENTRY["test_acc"][:2], "test_acc is not 3 percentages"),
        ("test_acc", [90.0, 90.0, "90.0"], "test_acc is not 3 percentages"),
        ("test_acc", [90.0, 90.0, -0.01], "test_acc is not 3 percentages"),
        ("test_acc", [90.0, 90.0, 1e999], "is not 3 percentages|no number of JSON"),
        ("test_acc", [90.0, 90.0, 100.01], "test_acc is not 3 percentages"),
        ("test_acc", [90.0, 90.0, 90.0051], "is no whole count of 10,000 images"),
        ("mean_acc", 90.0, "mean_acc is not that of test_acc"),
        ("std", None, "std is not that of test_acc"),
        ("std", ENTRY["std"] + 1e-6, "std is not that of test_acc"),
        ("params", 1.5, "not positive whole numbers"),
        ("params", True, "not positive whole numbers"),
        ("flops", 0, "not positive whole numbers"),
        ("flops", 2**70, "not positive whole numbers"),
        ("more", 0, "expected flops, mean_acc, params, std, test_acc"),
    ],
)
def test_a_value_out_of_place_is_refused(tmp_path, key, value, message):
    with pytest.raises(ConversionError, match=message):
        from_text(tmp_path, json.dumps(SOUND | {"00012000": ENTRY | {key: value}}))


def test_no_file(tmp_path):
    with pytest.raises(ConversionError, match=r"nothing\.json: cannot be read: No such file"):
        convert(tmp_path / "nothing.json")
    with pytest.raises(ConversionError, match="cannot be read"):
        convert(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([*SOUND, *ENTRY]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*SOUND, *ENTRY]), inner, max_size=5),
    max_leaves=10,
)


@given(
    st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode), JSON.map(lambda v: json.dumps(v).encode()))
)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_garbage_is_refused(tmp_path_factory, data):
    with pytest.raises(ConversionError):
        from_text(tmp_path_factory.getbasetemp(), data)


@given(st.sampled_from([*SOUND]), st.sampled_from([None, *ENTRY]), JSON)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_junk_in_a_sound_file_is_refused(tmp_path_factory, architecture, key, junk):
    raw = copy.deepcopy(SOUND)
    if key is None:
        raw[architecture] = junk
    else:
        raw[architecture][key] = junk
    if key in ("params", "flops") and type(junk) is int and 0 < junk < 2**31:
        return  # it differs from the formula, which is counted
    with pytest.raises(ConversionError):
        from_text(tmp_path_factory.getbasetemp(), json.dumps(raw))
