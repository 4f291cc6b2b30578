"""Cells in bulk from matrices and operations: the same as one by one, and the same refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nb101 import NB101, OPERATIONS

SPACE = NB101()
C3, C1, MP = OPERATIONS


def drawn(seed: int, vertices: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random matrices, most of which are cells, and random operations."""
    rng = np.random.default_rng(seed)
    matrices = np.triu(rng.random((n, vertices, vertices)) < 0.4, 1).astype(np.int8)
    operations = rng.choice([*OPERATIONS], (n, vertices))
    operations[:, 0], operations[:, -1] = "input", "output"
    return matrices, operations


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
def test_many_are_what_each_is(seed, vertices):
    matrices, operations = drawn(seed, vertices, 40)
    one_by_one = {}
    for i, cell in enumerate(zip(matrices, operations.tolist(), strict=True)):
        try:
            one_by_one[i] = SPACE.from_cell(*cell)
        except InvalidArchitectureError:
            with pytest.raises(InvalidArchitectureError, match="row 0 is no cell"):
                SPACE.from_cells(matrices[i : i + 1], operations[i : i + 1])
    valid = list(one_by_one)
    found = SPACE.from_cells(matrices[valid], operations[valid])
    assert found.shape == (len(valid), 26)
    assert found.dtype == np.uint8
    assert list(map(tuple, found.tolist())) == list(one_by_one.values())


def test_operations_of_pruned_vertices_may_be_anything():
    matrix = [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
    (found,) = SPACE.from_cells([matrix], [["input", "whatever", "output"]])
    assert tuple(found) == SPACE.from_cell([[0, 1], [0, 0]], ["input", "output"])


CELL = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("matrices", "operations", "message"),
    [
        (
            [CELL, CELL],
            [["input", C3, "output"], ["input", "conv5x5", "output"]],
            "row 1 .* operations must be of conv3",
        ),
        ([CELL], [[C3, C3, "output"]], "row 0 .* operation 0 must be 'input'"),
        ([CELL], [["input", C3, "input"]], "row 0 .* operation -1 must be 'output'"),
        ([[[0, 1], [1, 0]]], [["input", "output"]], "row 0 .* upper triangular"),
        ([[[0, 2], [0, 0]]], [["input", "output"]], "row 0 .* 0 and 1 only"),
        ([[[0, np.nan], [0, 0]]], [["input", "output"]], "row 0 .* 0 and 1 only"),
        ([[[0, 0], [0, 0]]], [["input", "output"]], "row 0 .* disconnected"),
        ([np.triu(np.ones((7, 7)), 1)], [["input", *[C3] * 5, "output"]], "row 0 .* 21 edges, at most 9"),
        ([CELL, [[0, 1], [0, 0]]], [["input", C3, "output"], ["input", "output"]], "different sizes"),
        ([CELL], [["input", C3]], r"found \(1, 3, 3\) and \(1, 2\)"),
        (CELL, ["input", C3, "output"], r"found \(3, 3\) and \(3,\)"),
        ([np.zeros((8, 8))], [["input", *[C3] * 6, "output"]], "v from 2 to 7"),
        ([CELL], [[0, 1, 2]], "numbers and text"),
        ([[["0", "1"], ["0", "0"]]], [["input", "output"]], "numbers and text"),
    ],
)
def test_what_is_no_cell_says_why(matrices, operations, message):
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.from_cells(matrices, operations)
