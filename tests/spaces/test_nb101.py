"""NAS-Bench-101 against official hashes and parameter counts, the complete real list of cells, and laws."""

from __future__ import annotations

import hashlib
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import InvalidArchitectureError
from nasbench.spaces.nb101 import EDGES, NB101, OPERATIONS
from nasbench.spaces.nb101.costs import CELLS, channels, convolutions
from nasbench.spaces.nb101.enumerate import labelled_cells

SPACE = NB101()
NPZ = Path(__file__).parents[2].parent / "shared" / "data" / "nb101" / "nb101_cifar10.npz"
C3, C1, MP = OPERATIONS


def matrix(rows: str) -> list[list[int]]:
    return [[int(bit) for bit in row] for row in rows.split("/")]


OFFICIAL = [  # rows, interior operations, hash, trainable parameters
    (
        "0100110/0010000/0001001/0000010/0000010/0000001/0000000",
        [C3, MP, C3, C3, C1],
        "00005c142e6f48ac74fdcf73e3439874",
        8_555_530,
    ),
    (
        "0110011/0000010/0001000/0000100/0000010/0000001/0000000",
        [C1, C3, MP, C3, C3],
        "02e5a0247bbdcf2860b7e96f74961594",
        32_426_634,
    ),
    ("0101/0010/0001/0000", [C3, C3], "b5fb4f6193360330b6ff6a52cbf0cad7", 20_346_506),
    ("01/00", [], "043721b9c7fe8c5fad811d47d83132ec", 882_570),
]


def plain_hash(rows, operations):
    """graph_util.hash_module, in our own words."""
    n = len(rows)
    labels = [-1, *(OPERATIONS.index(o) for o in operations[1:-1]), -2]

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()

    state = [md5(str((sum(rows[v]), sum(row[v] for row in rows), labels[v]))) for v in range(n)]
    for _ in range(n):
        state = [
            md5(
                "".join(sorted(state[u] for u in range(n) if rows[u][v]))
                + "|"
                + "".join(sorted(state[u] for u in range(n) if rows[v][u]))
                + "|"
                + state[v]
            )
            for v in range(n)
        ]
    return md5(str(sorted(state)))


@pytest.fixture(scope="module")
def drawn():
    return SPACE.sample_many(400, np.random.default_rng(0))


@pytest.mark.parametrize(("rows", "interior", "digest", "parameters"), OFFICIAL)
def test_official_hashes_and_parameters(rows, interior, digest, parameters):
    architecture = SPACE.from_cell(matrix(rows), ["input", *interior, "output"])
    assert SPACE.hash(architecture) == digest
    assert SPACE.parameters(architecture) == parameters


def test_the_inception_like_cell_of_the_official_readme():
    rows = "0111010/0000001/0000001/0000100/0000001/0000001/0000000"
    architecture = SPACE.from_cell(matrix(rows), ["input", C1, C3, C3, C3, MP, "output"])
    # Printed by the official notebook for exactly this cell.
    assert (SPACE.hash(architecture), SPACE.parameters(architecture)) == ("28cfc7874f6d200472e1a9dcd8650aa0", 2_694_282)


def test_hashes_are_those_of_the_plain_algorithm(drawn):
    for architecture, digest in zip(drawn.tolist(), SPACE.hash_many(drawn), strict=True):
        rows, operations = SPACE.cell(tuple(architecture))
        assert digest == plain_hash(rows.tolist(), operations)


@pytest.fixture(scope="module")
def listed():
    return np.load(NPZ)


@pytest.fixture(scope="module")
def architectures(listed):
    """The cells of the list, built from its own bits, without from_cell()."""
    result = np.zeros((len(listed["bits"]), 26), np.uint8)
    for v in range(2, 8):
        rows = np.flatnonzero(listed["vertices"] == v)
        for y in range(1, v):
            for x in range(y):
                target = 6 if y == v - 1 else y
                bit = listed["bits"][rows].astype(np.int64) >> (x + y * (y - 1) // 2) & 1
                result[rows, EDGES.index((x, target))] = bit
        for i in range(v - 2):
            result[rows, 21 + i] = [text[i] - ord("0") for text in listed["ops"][rows].tolist()]
    return result


@pytest.mark.skipif(not NPZ.exists(), reason="needs the list of all cells, ../shared/data/nb101/nb101_cifar10.npz")
class TestAllCells:
    def test_parameters_of_every_cell(self, listed, architectures):
        np.testing.assert_array_equal(SPACE.parameters_many(architectures), listed["params"])

    def test_flops_of_every_cell(self, listed, architectures):
        """The list counts two more for each value that batch normalisation puts out."""
        edges, labels = SPACE.pruned_many(architectures)
        normalised = 32 * 32 * 128  # of the stem
        for c_in, c_out, side, repeats in CELLS:
            normalised = normalised + repeats * side * side * convolutions(edges, labels, c_in, c_out)[1]
        np.testing.assert_array_equal(SPACE.flops_many(architectures) + 2 * normalised, listed["flops"])

    def test_keys_tell_all_cells_apart(self, architectures):
        assert len(np.unique(SPACE.key_many(architectures))) == len(architectures) == 423_624

    def test_hashes_of_every_twentieth_cell(self, listed, architectures):
        expected = [bytes(row).hex() for row in listed["hash"][::20]]
        assert SPACE.hash_many(architectures[::20]) == expected

    def test_the_enumeration_finds_the_same_cells(self, architectures):
        assert len(SPACE.cells) == 423_624
        assert set(SPACE.key_many(SPACE.cells).tolist()) == set(SPACE.key_many(architectures).tolist())


@pytest.mark.parametrize(("vertices", "labelled", "different"), [(2, 1, 1), (3, 6, 6), (4, 90, 84), (5, 3267, 2441)])
def test_numbers_of_cells(vertices, labelled, different):
    """Cumulative counts of labelled graphs and classes: 1/1, 7/7, 97/91, 3,364/2,532."""
    cells = np.concatenate(list(labelled_cells(vertices)))
    assert len(cells) == labelled
    assert len(np.unique(SPACE.key_many(cells))) == len(set(SPACE.hash_many(cells))) == different


def test_keys_and_hashes_agree_on_six_vertices():
    cells = np.concatenate(list(labelled_cells(6)))[::7]
    pairs = set(zip(SPACE.key_many(cells).tolist(), SPACE.hash_many(cells), strict=True))
    assert len(pairs) == len({key for key, _ in pairs}) == len({digest for _, digest in pairs})


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_isomorphic_form_is_the_same_cell(seed, random):
    architecture = SPACE.sample(np.random.default_rng(seed))
    rows, operations = SPACE.cell(architecture)
    n = len(rows)
    orders = [
        order
        for order in ((0, *inner, n - 1) for inner in permutations(range(1, n - 1)))
        if not np.tril(rows[np.ix_(order, order)]).any()
    ]
    order = random.choice(orders)
    other = SPACE.from_cell(rows[np.ix_(order, order)], [operations[v] for v in order])
    assert SPACE.key(other) == SPACE.key(architecture)
    assert SPACE.hash(other) == SPACE.hash(architecture)
    # Not the parameters: channels that cannot be shared equally go to the first vertices, in the source too.


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_pruning_changes_nothing_twice(seed):
    architecture = SPACE.sample(np.random.default_rng(seed))
    rows, operations = SPACE.cell(architecture)
    once = SPACE.from_cell(rows, operations)
    assert SPACE.from_cell(*SPACE.cell(once)) == once
    assert SPACE.key(once) == SPACE.key(architecture)


def test_more_than_seven_vertices_are_fine_if_they_are_pruned():
    rows = np.zeros((9, 9), int)
    rows[0, 1] = rows[1, 8] = rows[2, 3] = rows[3, 4] = rows[0, 5] = 1
    architecture = SPACE.from_cell(rows, ["input", C1, *[C3] * 6, "output"])
    assert SPACE.cell(architecture)[1] == ["input", C1, "output"]


@pytest.mark.parametrize(
    ("rows", "operations", "message"),
    [
        ([[0, 1], [0, 0], [0, 0]], ["input", "output"], "square"),
        ([[0, 1], [0]], ["input", "output"], "square"),
        ([[0, 1], [0, 0]], ["input"], "as many operations"),
        ([[0, 1], [1, 0]], ["input", "output"], "upper triangular"),
        ([[1, 1], [0, 0]], ["input", "output"], "upper triangular"),
        ([[0, 2], [0, 0]], ["input", "output"], "0 and 1 only"),
        ([[0, 0], [0, 0]], ["input", "output"], "disconnected"),
        (np.triu(np.ones((8, 8), int), 1), ["input", *[C3] * 6, "output"], "8 vertices, at most 7"),
        (np.triu(np.ones((5, 5), int), 1), ["input", *[C3] * 3, "output"], "10 edges, at most 9"),
        ([[0, 1], [0, 0]], ["output", "input"], "must be 'input'"),
        (np.eye(3, k=1, dtype=int), ["input", "conv5x5", "output"], "unknown operation 'conv5x5'"),
    ],
)
def test_what_is_no_cell_says_why(rows, operations, message):
    """Google's API raises TypeError for too many vertices."""
    with pytest.raises(InvalidArchitectureError, match=message):
        SPACE.from_cell(rows, operations)


def test_float_and_boolean_matrices_are_the_same_cell():
    rows = matrix("0101/0010/0001/0000")
    cells = [SPACE.from_cell(np.array(rows, kind), ["input", C3, C3, "output"]) for kind in (int, float, bool, np.int8)]
    assert len(set(cells)) == 1


def test_validity_in_bulk_is_that_of_one():
    drawn = np.random.default_rng(1).integers(0, SPACE.choices, (500, 26), dtype=np.uint8)
    valid = SPACE.valid_many(drawn)
    assert valid.tolist() == [SPACE.is_valid(tuple(row)) for row in drawn.tolist()]
    assert 0 < valid.sum() < 500
    with pytest.raises(InvalidArchitectureError, match=f"row {int(np.argmin(valid))} is no cell"):
        SPACE.validated(drawn)


def test_mutation_flips_edges_and_operations_as_often_as_published():
    rng = np.random.default_rng(0)
    parent = SPACE.from_cell(matrix("0101/0010/0001/0000"), ["input", C3, C3, "output"])
    children = np.array([SPACE.mutate(parent, rng) for _ in range(6000)])
    # A change of an operation never makes this cell invalid: its rate is the published one, up to copies drawn again.
    copies = (6 / 7) ** 21 * (4 / 5) ** 5
    for column in children[:, 21:].T - np.array(parent[21:])[:, None]:
        assert abs((column != 0).mean() - 0.2 / (1 - copies)) < 4 * (0.2 * 0.8 / 6000) ** 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0>1",
        "0>6 conv3x3",
        "1>0 " + ",".join(["conv3x3"] * 5),
        "0>6,0>6 " + ",".join(["conv3x3"] * 5),
        "0>1 " + ",".join(["conv3x3"] * 5),
    ],
)
def test_texts_that_are_no_cell(text):
    with pytest.raises(InvalidArchitectureError):
        SPACE.parse(text)


def test_channels_of_the_official_unit_tests():
    """model_builder_test.py: the output channels are shared, the first vertices get the rest."""
    rows = "01110/00001/00001/00001/00000"
    architecture = SPACE.from_cell(matrix(rows), ["input", C3, C3, C3, "output"])
    for c_out, expected in ((15, [5, 5, 5]), (8, [3, 3, 2])):
        edge = dict(zip(EDGES, np.array(architecture)[:21, None], strict=True))
        assert [int(c[0]) for c in channels(edge, c_out)[:3]] == expected
