"""The functions of graph_util against published hashes, brute force, and laws of graphs."""

from __future__ import annotations

import hashlib
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench.errors import InvalidArchitectureError
from nasbench.lib import graph_util

# Records, the README's example and an issue of google-research/nasbench: rows, labels, hash.
OFFICIAL = [
    (
        "0100110/0010000/0001001/0000010/0000010/0000001/0000000",
        [-1, 0, 2, 0, 0, 1, -2],
        "00005c142e6f48ac74fdcf73e3439874",
    ),
    (
        "0111010/0000001/0000001/0000100/0000001/0000001/0000000",
        [-1, 1, 0, 0, 0, 2, -2],
        "28cfc7874f6d200472e1a9dcd8650aa0",
    ),
    (
        "0110011/0000010/0001000/0000100/0000010/0000001/0000000",
        [-1, 1, 0, 2, 0, 0, -2],
        "02e5a0247bbdcf2860b7e96f74961594",
    ),
]


def matrix(rows: str) -> np.ndarray:
    return np.array([[int(bit) for bit in row] for row in rows.split("/")])


def of_edges(vertices: int, *edges: str) -> np.ndarray:
    result = np.zeros((vertices, vertices), int)
    for edge in edges:
        result[int(edge[0]), int(edge[1])] = 1
    return result


@st.composite
def graphs(draw: st.DrawFn, largest: int = 8) -> tuple[np.ndarray, list[int]]:
    """Directed graphs of any kind, also with cycles and loops."""
    n = draw(st.integers(1, largest))
    bits = draw(st.lists(st.integers(0, 1), min_size=n * n, max_size=n * n))
    return np.array(bits).reshape(n, n), draw(st.lists(st.integers(-2, 1), min_size=n, max_size=n))


class TestEdges:
    @given(st.integers(2, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2 ** (n * (n - 1) // 2) - 1))))
    def test_the_bits_fill_the_columns_one_after_the_other(self, drawn: tuple[int, int]) -> None:
        n, bits = drawn
        array = np.fromfunction(graph_util.gen_is_edge_fn(bits), (n, n), dtype=np.int8)
        columns = "".join("".join(map(str, array[:y, y].tolist())) for y in range(n))
        assert int(columns[::-1], 2) == bits
        assert array.dtype.kind == "i"
        assert not np.tril(array).any()

    def test_of_single_numbers(self) -> None:
        is_edge = graph_util.gen_is_edge_fn(0b100)
        assert [int(is_edge(x, y)) for x, y in ((0, 1), (0, 2), (1, 2), (2, 1), (1, 1))] == [0, 0, 1, 0, 0]

    @given(graphs())
    def test_number(self, graph: tuple[np.ndarray, list[int]]) -> None:
        assert graph_util.num_edges(graph[0]) == graph[0].tolist().__str__().count("1")

    @given(st.integers(2, 6), st.data())
    def test_full_dag_means_that_every_vertex_lies_between_input_and_output(self, n: int, data: st.DataObject) -> None:
        bits = data.draw(st.lists(st.sampled_from([0, 1, 1]), min_size=n * n, max_size=n * n))
        dag = np.triu(np.array(bits).reshape(n, n), 1)
        reach = np.linalg.matrix_power(dag + np.eye(n, dtype=int), n) > 0
        assert graph_util.is_full_dag(dag) == bool((reach[0] & reach[:, -1]).all())

    def test_full_dag_of_nested_lists(self) -> None:
        assert graph_util.is_full_dag([[0, 1], [0, 0]])
        assert not graph_util.is_full_dag([[0, 0], [0, 0]])


class TestHash:
    @pytest.mark.parametrize(("rows", "labels", "digest"), OFFICIAL)
    @pytest.mark.parametrize("dtype", [np.int8, np.int64, bool, float])
    def test_official(self, rows: str, labels: list[int], digest: str, dtype: Any) -> None:
        assert graph_util.hash_module(matrix(rows).astype(dtype), labels) == digest
        assert graph_util.hash_module(matrix(rows).tolist(), np.array(labels)) == digest

    @given(graphs(), st.booleans())
    def test_is_the_published_algorithm_for_any_graph(self, graph: tuple[np.ndarray, list[int]], named: bool) -> None:
        edges, labels = graph
        names = [f"op {label}" for label in labels] if named else labels
        n = len(labels)

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        state = {v: md5(repr((int(edges[v].sum()), int(edges[:, v].sum()), names[v]))) for v in range(n)}
        for _ in range(n):
            around = {v: [sorted(state[u] for u in range(n) if e[u, v]) for e in (edges, edges.T)] for v in range(n)}
            state = {v: md5(f"{''.join(around[v][0])}|{''.join(around[v][1])}|{state[v]}") for v in range(n)}
        assert graph_util.hash_module(edges, names) == md5(repr(sorted(state.values())))

    @given(graphs(12), st.data())
    def test_does_not_depend_on_the_order(self, graph: tuple[np.ndarray, list[int]], data: st.DataObject) -> None:
        order = data.draw(st.permutations(range(len(graph[1]))))
        assert graph_util.hash_module(*graph_util.permute_graph(*graph, order)) == graph_util.hash_module(*graph)

    def test_a_collision_of_larger_graphs(self) -> None:
        """Two squares and one octagon between two layers: different graphs, which the authors found to collide."""
        ends = ["01", "02", "03", "04", "59", "69", "79", "89"]
        squares = of_edges(10, *ends, "15", "16", "25", "26", "37", "38", "47", "48")
        octagon = of_edges(10, *ends, "15", "16", "26", "27", "37", "38", "48", "45")
        labels = [-1, *[1] * 4, *[2] * 4, -2]
        assert graph_util.hash_module(squares, labels) == graph_util.hash_module(octagon, labels)
        assert not graph_util.is_isomorphic((squares, labels), (octagon, labels))

    @pytest.mark.parametrize(
        ("edges", "labels"), [([[0, 1]], [0]), ([[0, 1], [0, 0]], [0]), ([[0, 1], [0]], [0, 1]), ([["a"]], [0])]
    )
    def test_refuses_what_is_no_graph(self, edges: Any, labels: list[int]) -> None:
        with pytest.raises(InvalidArchitectureError, match=r"square|rectangle"):
            graph_util.hash_module(edges, labels)


class TestPermutation:
    @given(graphs(), st.data())
    def test_vertex_i_becomes_vertex_permutation_i(
        self, graph: tuple[np.ndarray, list[int]], data: st.DataObject
    ) -> None:
        (edges, labels), n = graph, len(graph[1])
        permutation = data.draw(st.permutations(range(n)))
        moved, names = graph_util.permute_graph(edges, labels, permutation)
        for x in range(n):
            assert names[permutation[x]] == labels[x]
            for y in range(n):
                assert moved[permutation[x], permutation[y]] == edges[x, y]

    def test_refuses_what_is_no_permutation(self) -> None:
        for numbers in ([0, 0], [1, 2], [0]):
            with pytest.raises(InvalidArchitectureError, match="no permutation of 2 vertices"):
                graph_util.permute_graph([[0, 1], [0, 0]], ["a", "b"], numbers)


class TestIsomorphism:
    @given(graphs(4), graphs(4))
    @settings(max_examples=300)
    def test_is_what_all_permutations_say(
        self, first: tuple[np.ndarray, list[int]], second: tuple[np.ndarray, list[int]]
    ) -> None:
        n = len(first[1])
        same = n == len(second[1]) and any(
            [first[1][v] for v in order] == second[1] and (first[0][np.ix_(order, order)] == second[0]).all()
            for order in permutations(range(n))
        )
        assert graph_util.is_isomorphic(first, second) == same

    @given(graphs(20), st.data())
    def test_of_graphs_too_large_for_all_permutations(
        self, graph: tuple[np.ndarray, list[int]], data: st.DataObject
    ) -> None:
        n = len(graph[1])
        moved, labels = graph_util.permute_graph(*graph, data.draw(st.permutations(range(n))))
        assert graph_util.is_isomorphic(graph, (moved, labels))
        x, y = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, n - 1))
        moved[x, y] = not moved[x, y]  # another number of edges
        assert not graph_util.is_isomorphic(graph, (moved, labels))

    def test_of_vertices_that_all_look_alike(self) -> None:
        """Cycles: one of twelve vertices, and two of six. Nothing but trying tells them apart."""
        cycle = np.roll(np.eye(12, dtype=int), 1, axis=1)
        halves = np.kron(np.eye(2, dtype=int), np.roll(np.eye(6, dtype=int), 1, axis=1))
        labels = [0] * 12
        shuffled = graph_util.permute_graph(cycle, labels, np.random.default_rng(0).permutation(12).tolist())
        assert graph_util.is_isomorphic((cycle, labels), shuffled)
        assert not graph_util.is_isomorphic((cycle, labels), (halves, labels))

    def test_labels_count(self) -> None:
        chain = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
        assert not graph_util.is_isomorphic((chain, ["in", "a", "out"]), (chain, ["in", "b", "out"]))
        assert graph_util.is_isomorphic((chain, ("in", "a", "out")), (np.array(chain), ["in", "a", "out"]))
