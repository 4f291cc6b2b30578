"""The whole space of NAS-Bench-101: its cells are counted in another way, exactly, and compared with keys and hashes.

Keys and hashes do not depend on the numbering of the vertices (tests/spaces/test_nb101.py). So if there are as many of
them as classes of isomorphic cells, then no two cells that are not isomorphic share one.
"""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from nasbench.spaces.nb101 import EDGES, NB101
from nasbench.spaces.nb101.enumerate import labelled_cells

SPACE = NB101()
NPZ = Path(__file__).parents[2].parent / "shared" / "data" / "nb101" / "nb101_cifar10.npz"

# Of exactly so many vertices: cells as matrices with labels, and different ones. Ying et al. 2019 have 423,624 in all.
NUMBERS = {2: (1, 1), 3: (6, 6), 4: (90, 84), 5: (3_267, 2_441), 6: (125_145, 62_010), 7: (1_164_699, 359_082)}


@pytest.fixture(scope="module")
def labelled():
    return {vertices: np.concatenate(list(labelled_cells(vertices))) for vertices in NUMBERS}


@pytest.fixture(scope="module")
def keys(labelled):
    return {vertices: SPACE.key_many(cells) for vertices, cells in labelled.items()}


def cycles(permutation):
    seen, number = set(), 0
    for start in range(len(permutation)):
        number += start not in seen
        while start not in seen:
            seen.add(start)
            start = permutation[start]
    return number


def different_cells(graphs, interior):
    """Count labelled graphs up to isomorphism by Burnside's lemma: for each graph, labellings up to its symmetries.

    A graph is named by the smallest of the numbers that its adjacency matrix is under all orders of interior vertices.
    """
    adjacency = np.zeros((len(graphs), 7, 7), np.int64)
    for (x, y), column in zip(EDGES, graphs.T, strict=True):
        adjacency[:, x, y] = column
    groups = list(permutations(range(interior)))
    numbers = []
    for group in groups:
        order = [0, *(1 + v for v in group), *range(1 + interior, 7)]
        numbers.append(adjacency[:, order][:, :, order].reshape(len(graphs), -1) @ (1 << np.arange(49)))
    _, one_of_each = np.unique(np.min(numbers, axis=0), return_index=True)
    total = 0
    for graph in one_of_each.tolist():
        symmetries = [
            group for group, number in zip(groups, numbers, strict=True) if number[graph] == numbers[0][graph]
        ]
        fixed = sum(3 ** cycles(symmetry) for symmetry in symmetries)
        assert fixed % len(symmetries) == 0
        total += fixed // len(symmetries)
    return total


@pytest.mark.parametrize("vertices", NUMBERS)
def test_keys_are_as_many_as_cells_that_are_not_isomorphic(labelled, keys, vertices):
    cells, (forms, different) = labelled[vertices], NUMBERS[vertices]
    assert len(cells) == len(np.unique(SPACE.codes(cells))) == forms
    graphs = cells[(cells[:, 21:] == 0).all(axis=1), :21]
    assert different_cells(graphs, vertices - 2) == different
    assert len(np.unique(keys[vertices])) == different


def test_no_two_cells_share_a_key(keys):
    assert (
        len(np.unique(np.concatenate(list(keys.values()))))
        == sum(different for _, different in NUMBERS.values())
        == 423_624
    )


def test_hashes_tell_apart_what_keys_tell_apart(labelled, keys):
    """Up to five vertices in every form, of six in one; of seven, a sample. All: benchmarks/test_nb101_identity.py."""
    rows = {vertices: np.arange(len(labelled[vertices])) for vertices in (2, 3, 4, 5)}
    rows[6] = np.unique(keys[6], return_index=True)[1]
    rows[7] = np.random.default_rng(0).choice(len(labelled[7]), 5_000, replace=False)
    hashes = SPACE.hash_many(np.concatenate([labelled[vertices][chosen] for vertices, chosen in rows.items()]))
    pairs = list(zip(np.concatenate([keys[v][chosen] for v, chosen in rows.items()]).tolist(), hashes, strict=True))
    assert len({key for key, _ in pairs}) == len(set(hashes)) == len(set(pairs)) > 65_000


def test_cells_are_listed_once_each_in_their_first_form(labelled, keys):
    start = 0
    for vertices, (_, different) in NUMBERS.items():
        part = SPACE.cells[start : start + different]
        # Along the list of all forms, those listed are the ones that bring a key for the first time.
        _, first = np.unique(keys[vertices], return_index=True)
        np.testing.assert_array_equal(part, labelled[vertices][np.sort(first)])
        start += different
    assert start == len(SPACE.cells)


def test_forms_are_those_of_the_published_list():
    """The official records hold the form that comes first in the enumeration."""
    if not NPZ.is_file():
        pytest.skip("needs the list of all cells, ../shared/data/nb101/nb101_cifar10.npz")
    listed = np.load(NPZ)
    published = set(zip(listed["vertices"].tolist(), listed["bits"].tolist(), listed["ops"].tolist(), strict=True))
    sizes = np.repeat(list(NUMBERS), [different for _, different in NUMBERS.values()])
    edges, operations = SPACE.cells[:, :21].astype(np.int64), SPACE.cells[:, 21:]
    ours = set()
    for vertices in NUMBERS:
        rows = np.flatnonzero(sizes == vertices)
        bits = np.zeros(len(rows), np.int64)
        for y in range(vertices):
            for x in range(y):
                target = 6 if y == vertices - 1 else y
                bits |= edges[rows, EDGES.index((x, target))] << x + y * (y - 1) // 2
        digits = (operations[rows, : vertices - 2] + ord("0")).tobytes()
        width = vertices - 2
        texts = [digits[i * width : (i + 1) * width] for i in range(len(rows))]
        ours |= set(zip([vertices] * len(rows), bits.tolist(), texts, strict=True))
    assert len(ours) == 423_624
    assert ours == published
