"""ModelSpec: what it keeps, what it prunes, and what it says, as in the original."""

from __future__ import annotations

import copy
import pickle
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbench.errors import NasbenchError
from nasbench.lib.model_spec import ModelSpec, is_upper_triangular

C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
CHAIN = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
INCEPTION = [
    [0, 1, 1, 1, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0],
]


@pytest.mark.parametrize(
    ("matrix", "ops", "message"),
    [
        ([[0, 1, 0], [0, 0, 1]], [0, 1], "matrix must be square"),
        ([0, 1], [0, 1], "matrix must be square"),
        ([[[0]]], [0], "matrix must be square"),
        ([[0, 1], [1, 0]], [0, 1, 2], "length of ops must match matrix dimensions"),
        ([[0, 1], [1, 0]], [0, 1], "matrix must be upper triangular"),
        ([[0, 1], [0, 1]], [0, 1], "matrix must be upper triangular"),
        (np.eye(3), [0, 1, 2], "matrix must be upper triangular"),
    ],
)
def test_refuses_with_the_words_of_the_original(matrix: Any, ops: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$") as caught:
        ModelSpec(matrix, ops)
    assert isinstance(caught.value, NasbenchError)


@pytest.mark.parametrize("matrix", [[[0, 1], [0]], [["a", "b"], ["c", "d"]], [[None, None], [None, None]], "01"])
def test_refuses_what_is_no_matrix_of_numbers(matrix: Any) -> None:
    with pytest.raises(ValueError, match="a matrix must be a rectangle of numbers"):
        ModelSpec(matrix, ["input", "output"])


@st.composite
def cells(draw: st.DrawFn) -> np.ndarray:
    n = draw(st.integers(2, 9))
    bits = draw(st.lists(st.sampled_from([0, 0, 1]), min_size=n * n, max_size=n * n))
    return np.triu(np.array(bits).reshape(n, n), 1)


@given(cells())
def test_keeps_what_lies_on_a_path_and_nothing_else(matrix: np.ndarray) -> None:
    n = len(matrix)
    paths = [[0]]
    kept: set[int] = set()
    while paths:
        path = paths.pop()
        if path[-1] == n - 1:
            kept.update(path)
        paths += [[*path, int(v)] for v in np.flatnonzero(matrix[path[-1]])]
    labels = [f"op {v}" for v in range(n)]
    spec = ModelSpec(matrix, labels)
    assert spec.valid_spec == bool(kept)
    if kept:
        assert spec.ops == [labels[v] for v in sorted(kept)]
        assert spec.matrix is not None
        np.testing.assert_array_equal(spec.matrix, matrix[sorted(kept)][:, sorted(kept)])
        assert spec.matrix.dtype == matrix.dtype
    else:
        assert (spec.matrix, spec.ops) == (None, None)
    np.testing.assert_array_equal(spec.original_matrix, matrix)
    assert spec.original_ops == labels


def test_the_smallest_cells() -> None:
    assert ModelSpec([[0, 1], [0, 0]], ["input", "output"]).valid_spec
    assert not ModelSpec([[0, 0], [0, 0]], ["input", "output"]).valid_spec
    assert not ModelSpec([[0]], ["input"]).valid_spec  # one vertex is fewer than two
    assert not ModelSpec(np.zeros((0, 0), int), []).valid_spec


def test_more_than_seven_vertices_are_no_error_here() -> None:
    chain = np.eye(30, k=1, dtype=int)
    spec = ModelSpec(chain, list(range(30)))
    assert spec.valid_spec
    np.testing.assert_array_equal(spec.matrix, chain)


@pytest.mark.parametrize("given_matrix", [CHAIN, np.array(CHAIN)])
def test_keeps_copies(given_matrix: Any) -> None:
    matrix, ops = copy.deepcopy(given_matrix), ["input", C3, "output"]
    spec = ModelSpec(matrix, ops, data_format="channels_first")
    matrix[0][1] = 0
    ops[1] = MP
    assert spec.matrix is not None
    assert spec.ops is not None
    spec.matrix[1, 2] = 0
    spec.ops[0] = "changed"
    assert spec.original_matrix.tolist() == CHAIN
    assert spec.original_ops == ["input", C3, "output"]
    assert spec.data_format == "channels_first"
    assert ModelSpec(CHAIN, ops).data_format == "channels_last"


def test_survives_pickling() -> None:
    spec = pickle.loads(pickle.dumps(ModelSpec(INCEPTION, ["input", C1, C3, C3, C3, MP, "output"])))
    assert spec.hash_spec([C3, C1, MP]) == "28cfc7874f6d200472e1a9dcd8650aa0"


class TestHash:
    CANONICAL = (C3, C1, MP)
    OPS = ("input", C1, C3, C3, C3, MP, "output")

    @pytest.mark.parametrize("dtype", [int, np.int8, bool, float, np.float32])
    @pytest.mark.parametrize("sequence", [list, tuple, np.array])
    def test_the_readme_example_however_it_is_written(self, dtype: Any, sequence: Any) -> None:
        spec = ModelSpec(np.array(INCEPTION, dtype), sequence(self.OPS))
        assert spec.hash_spec(list(self.CANONICAL)) == "28cfc7874f6d200472e1a9dcd8650aa0"

    def test_of_the_pruned_cell(self) -> None:
        larger = np.zeros((9, 9), int)
        places = [0, 1, 2, 4, 5, 6, 8]  # vertices 3 and 7 lead nowhere
        larger[np.ix_(places, places)] = INCEPTION
        larger[0, 3] = larger[7, 8] = 1
        ops = ["input", C1, C3, "anything", C3, C3, MP, None, "output"]
        assert ModelSpec(larger, ops).hash_spec(list(self.CANONICAL)) == "28cfc7874f6d200472e1a9dcd8650aa0"

    def test_refuses_an_operation_that_is_not_listed(self) -> None:
        with pytest.raises(ValueError, match="unsupported op 'pool'"):
            ModelSpec(CHAIN, ["input", "pool", "output"]).hash_spec(list(self.CANONICAL))

    def test_refuses_a_cell_without_a_path(self) -> None:
        with pytest.raises(ValueError, match="graph is disconnected"):
            ModelSpec(np.zeros((2, 2)), ["input", "output"]).hash_spec(list(self.CANONICAL))


class TestPicture:
    class Digraph:
        def __init__(self) -> None:
            self.nodes: dict[str, str] = {}
            self.edges: list[tuple[str, str]] = []

        def node(self, name: str, label: str) -> None:
            self.nodes[name] = label

        def edge(self, tail: str, head: str) -> None:
            self.edges.append((tail, head))

    def test_of_the_pruned_cell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "graphviz", SimpleNamespace(Digraph=self.Digraph))
        picture = ModelSpec(
            [[0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1], [0] * 4], ["input", C3, MP, "output"]
        ).visualize()
        assert picture.nodes == {"0": "input", "1": MP, "2": "output"}
        assert sorted(picture.edges) == [("0", "1"), ("0", "2"), ("1", "2")]

    def test_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "graphviz", None)
        with pytest.raises(ImportError, match="pip install graphviz"):
            ModelSpec(CHAIN, ["input", C3, "output"]).visualize()

    def test_refuses_a_cell_without_a_path(self) -> None:
        with pytest.raises(ValueError, match="nothing to draw"):
            ModelSpec(np.zeros((2, 2)), ["input", "output"]).visualize()


@given(st.integers(1, 6), st.data())
def test_upper_triangular(n: int, data: st.DataObject) -> None:
    bits = data.draw(st.lists(st.sampled_from([0] * 8 + [1]), min_size=n * n, max_size=n * n))
    matrix = np.array(bits).reshape(n, n)
    assert is_upper_triangular(matrix) == np.array_equal(matrix, np.triu(matrix, 1))
    assert is_upper_triangular(np.triu(matrix, 1))
