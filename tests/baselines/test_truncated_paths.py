"""The truncated path encoding against paths walked one by one, as in naszilla's description."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.models.truncated_paths import TruncatedPaths
from nasbench.spaces.nats_sss import NatsSSS
from nasbench.spaces.nb101 import NB101
from nasbench.spaces.nb201 import NB201
from surrogates.encodings import EncodingError


def walks(edges: list[tuple[int, int, str]], at: int, end: int) -> list[list[str]]:
    """All paths, as the labels of their edges."""
    if at == end:
        return [[]]
    return [[label, *rest] for source, target, label in edges if source == at for rest in walks(edges, target, end)]


def same_partition(features: np.ndarray, sets: list[frozenset[str]], size: int) -> None:
    """Each column is one path: it is 1 in exactly the cells that have it."""
    paths = sorted(set().union(*sets))
    assert features.shape == (len(sets), size)
    expected = {tuple(path in one for one in sets) for path in paths}
    found = {tuple(column.astype(bool)) for column in features.T if column.any()}
    assert found == expected
    assert set(np.unique(features)) <= {0.0, 1.0}


def test_of_201_the_paths_of_one_and_two_edges_remain():
    """5 + 25 of 155, through whatever operation, none as well."""
    space = NB201()
    cells = space.sample_many(3000, np.random.default_rng(0))
    sets = []
    for cell in cells.tolist():
        text = space.format(tuple(cell))
        edges = []
        for target, node in enumerate(text.split("+"), start=1):
            for part in node.strip("|").split("|"):
                operation, source = part.split("~")
                edges.append((int(source), target, operation))
        sets.append(frozenset(" ".join(path) for path in walks(edges, 0, 3) if len(path) < 3))
    encoding = TruncatedPaths("nb201").fit(cells)
    same_partition(encoding.transform(cells), sets, 30)
    assert set(encoding.get_feature_names_out()) == set().union(*sets)


def test_of_101_the_paths_of_up_to_three_operations_remain():
    """1 + 3 + 9 + 27 of 364."""
    space = NB101()
    cells = space.sample_many(2000, np.random.default_rng(1))
    sets = []
    for cell in cells.tolist():
        matrix, operations = space.cell(tuple(cell))
        edges = [(int(x), int(y), operations[y]) for x, y in zip(*np.nonzero(matrix), strict=True)]
        paths = walks(edges, 0, len(operations) - 1)
        sets.append(frozenset(" ".join(path) for path in paths if len(path) <= 4))  # the output is one of the four
    same_partition(TruncatedPaths("nb101").fit(cells).transform(cells), sets, 40)


def test_no_other_space_has_paths():
    cells = NatsSSS().sample_many(3, np.random.default_rng(2))
    with pytest.raises(EncodingError, match="TruncatedPaths is for nb201, nb101, not for 'nats_sss'"):
        TruncatedPaths("nats_sss").fit(cells)
