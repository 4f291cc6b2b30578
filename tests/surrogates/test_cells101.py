"""Features of NAS-Bench-101 cells against paths listed one by one in plain Python, and against isomorphic forms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.spaces.nb101 import EDGES, NB101
from surrogates.encodings import GraphFeatures

SPACE = NB101()
SHORT = ("conv3", "conv1", "pool")
CONVOLUTIONS = ("conv3", "conv1")


def cells(n: int, seed: int = 0) -> np.ndarray:
    """Cells of all sizes: half of the vertices and edges of random choices are pruned."""
    rng = np.random.default_rng(seed)
    drawn = np.hstack([rng.random((60 * n, 21)) < 0.4, rng.integers(0, 3, (60 * n, 5))]).astype(np.uint8)
    return drawn[SPACE.valid_many(drawn)][:n]


class Cell:
    """One cell as sets of vertices, and all its paths."""

    def __init__(self, choices: np.ndarray) -> None:
        wired = [edge for edge, there in zip(EDGES, choices.tolist(), strict=False) if there]
        self.after = {v: [y for x, y in wired if x == v] for v in range(7)}
        self.paths = list(self._walk((0,)))
        self.edges = {edge for path in self.paths for edge in pairwise(path)}
        self.vertices = {v for path in self.paths for v in path}
        self.name = {0: "input", 6: "output"} | {v: SHORT[choices[20 + v]] for v in range(1, 6)}

    def _walk(self, path: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if path[-1] == 6:
            yield path
        for y in self.after[path[-1]]:
            yield from self._walk((*path, y))

    def sources(self, v: int) -> list[int]:
        return [x for x, y in self.edges if y == v]

    def targets(self, v: int) -> list[int]:
        return [y for x, y in self.edges if x == v]

    def operations(self, path: tuple[int, ...]) -> list[str]:
        return [self.name[v] for v in path[1:-1]]

    def width(self, v: int) -> float:
        if v in (0, 6):
            return 1.0
        if 6 in self.targets(v):
            return 1 / len([x for x in self.sources(6) if x != 0])
        return max(self.width(y) for y in self.targets(v))

    def share_back(self, path: tuple[int, ...]) -> float:
        """The probability of the walk from the output."""
        share = self.width(path[-2]) / sum(self.width(x) for x in self.sources(6))
        return share * math.prod(1 / len(self.sources(v)) for v in path[1:-1])

    def share_on(self, path: tuple[int, ...]) -> float:
        return math.prod(1 / len(self.targets(v)) for v in path[:-1])


def encoded(choices: np.ndarray) -> list[dict[str, float]]:
    encoding = GraphFeatures("nb101").fit(choices)
    names = encoding.get_feature_names_out()
    return [dict(zip(names, row, strict=True)) for row in encoding.transform(choices)]


CHOICES = cells(150)
EVERY = [*zip([Cell(row) for row in CHOICES], encoded(CHOICES), strict=True)]


def test_the_cells_are_of_all_sizes() -> None:
    assert {len(cell.vertices) for cell, _ in EVERY} >= {3, 4, 5, 6, 7}


def test_counts_paths_by_their_operations() -> None:
    for cell, features in EVERY:
        found = Counter(" ".join(cell.operations(path)) or "nothing" for path in cell.paths)
        assert {n: v for n, v in features.items() if n.startswith("paths of ") and v} == pytest.approx(
            {f"paths of {name}": math.log1p(count) for name, count in found.items()}
        )
        assert features["log paths"] == pytest.approx(math.log1p(len(cell.paths)))


def test_summarises_paths() -> None:
    for cell, features in EVERY:
        lengths = [len(path) - 2 for path in cell.paths]
        assert features["longest path"] == max(lengths)
        assert features["shortest path"] == min(lengths)
        assert features["mean path"] == pytest.approx(sum(lengths) / len(lengths))
        for kind, names in {**{name: (name,) for name in SHORT}, "convolutions": CONVOLUTIONS}.items():
            on = [sum(name in names for name in cell.operations(path)) for path in cell.paths]
            assert features[f"most {kind} on a path"] == max(on)
            assert features[f"fewest {kind} on a path"] == min(on)


def test_counts_vertices_and_edges() -> None:
    for cell, features in EVERY:
        assert features["vertices"] == len(cell.vertices)
        assert features["edges"] == len(cell.edges)
        assert features["input to output"] == ((0, 6) in cell.edges)
        kinds = Counter(f"{cell.name[x]} to {cell.name[y]}" for x, y in cell.edges)
        for source in (*SHORT, "input"):
            for target in (*SHORT, "output"):
                name = f"{source} to {target}"
                assert features[name] == kinds[name], name


def test_counts_vertices_by_their_neighbours() -> None:
    for cell, features in EVERY:
        found: Counter[str] = Counter()
        for word, end, other in (("after", "input", cell.sources), ("before", "output", cell.targets)):
            for v in cell.vertices:
                met = Counter(cell.name[x] for x in other(v))
                if cell.name[v] != end and sum(met[name] for name in SHORT) <= 3:
                    listed = [*[f"{met[name]} {name}" for name in SHORT if met[name]], *([end] if met[end] else [])]
                    found[f"{cell.name[v]} {word} {', '.join(listed)}"] += 1
        parts = {n: v for n, v in features.items() if v and (" after " in n or " before " in n)}
        assert {n: v for n, v in parts.items() if not n.startswith("vertices ")} == found


def test_walks_are_weighted_paths() -> None:
    for cell, features in EVERY:
        for way, share in (("back", cell.share_back), ("on", cell.share_on)):
            shares = np.array([share(path) for path in cell.paths])
            assert shares.sum() == pytest.approx(1)
            for kind, names in {
                "conv3": ("conv3",),
                "pool": ("pool",),
                "operations": SHORT,
                "3x3 windows": ("conv3", "pool"),
                "convolutions": CONVOLUTIONS,
            }.items():
                on = np.array([sum(name in names for name in cell.operations(path)) for path in cell.paths])
                # Whatever leaves the input is projected by a convolution; towards the output that is all there is.
                on = on + (kind == "convolutions")
                mean = shares @ on
                assert features[f"mean {kind} of walks {way}"] == pytest.approx(mean)
                deviation = math.sqrt(max(shares @ on**2 - mean**2, 0))
                assert features[f"deviation of {kind} of walks {way}"] == pytest.approx(deviation, abs=1e-6)


def test_widths() -> None:
    for cell, features in EVERY:
        inner = cell.vertices - {0, 6}
        for kind in SHORT:
            own = [cell.width(v) for v in inner if cell.name[v] == kind]
            assert features[f"width of {kind}"] == pytest.approx(sum(own))
            feeding = [cell.width(v) for v in inner if cell.name[v] == kind and 6 in cell.targets(v)]
            assert features[f"output from {kind}"] == pytest.approx(sum(feeding))
        assert features["widest"] == pytest.approx(max([cell.width(v) for v in inner], default=0))
        assert features["width of projections"] == pytest.approx(sum(cell.width(y) for y in cell.targets(0)))


def test_costs_are_those_of_the_network_but_for_remainders() -> None:
    parameters, flops = SPACE.parameters_many(CHOICES), SPACE.flops_many(CHOICES)
    exact = 0
    for (cell, features), weights, operations in zip(EVERY, parameters, flops, strict=True):
        found = math.exp(features["log parameters"]), math.exp(features["log flops"])
        equal = len([x for x in cell.sources(6) if x != 0]) in (0, 1, 2, 4)  # divides 128, 256 and 512
        exact += equal
        assert found == pytest.approx((weights, operations), rel=1e-9 if equal else 0.02)
    assert exact > 50


def test_signals_of_cells_worked_by_hand() -> None:
    def after(c: float) -> float:
        """Rectified and centred, by numerical integration over the angle between two normal variables."""
        rng = np.linspace(-8, 8, 1601)
        density = np.exp(-(rng**2) / 2) / math.sqrt(2 * math.pi) * (rng[1] - rng[0])
        second = np.maximum(c * rng[:, None] + math.sqrt(1 - c * c) * rng, 0) @ density
        first = np.maximum(rng, 0)
        mean = first @ density
        return float(((first * second) @ density - mean**2) / (first**2 @ density - mean**2))

    straight = SPACE.from_cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"])
    pooled = SPACE.from_cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    beside = SPACE.from_cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"])
    first, second, third = encoded(np.array([straight, pooled, beside], np.uint8))
    name = "decorrelation from 0.2 in 1"
    # A projection from the input, then the convolution; the pool keeps what it gets, which is added to the same.
    assert first[name] == pytest.approx(math.log(1 - after(after(0.2)) + 1e-3), abs=1e-4)
    assert second[name] == pytest.approx(math.log(1 - after(0.2) + 1e-3), abs=1e-4)
    assert third[name] == pytest.approx(math.log(1 - (after(0.2) + after(after(0.2))) / 2 + 1e-3), abs=1e-4)
    again = "decorrelation from 0.7 in 3"
    assert second[again] == pytest.approx(math.log(1 - after(after(after(0.7))) + 1e-3), abs=1e-4)


@settings(max_examples=40)
@given(st.integers(0, len(CHOICES) - 1), st.randoms(use_true_random=False))
def test_isomorphic_forms_have_equal_features(row: int, random: object) -> None:
    matrix, names = SPACE.cell(tuple(CHOICES[row].tolist()))
    inner = range(1, len(names) - 1)
    orders = [(0, *order, len(names) - 1) for order in permutations(inner)]
    forms = [order for order in orders if not np.tril(matrix[np.ix_(order, order)]).any()]
    order = list(random.choice(forms))  # type: ignore[attr-defined]
    form = SPACE.from_cell(matrix[np.ix_(order, order)], [names[i] for i in order])
    encoding = GraphFeatures("nb101").fit(CHOICES[:1])
    first, second = encoding.transform(np.stack([CHOICES[row], np.array(form, np.uint8)]))
    np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-7)
