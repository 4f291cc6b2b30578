"""Moves that every search space has from its choice vector: laws, and the distributions that they state."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasbench import SearchSpace
from nasbench.errors import InvalidArchitectureError
from nasbench.randomness import Uniforms


class Uneven(SearchSpace):
    name = "uneven"
    choices = (3, 1, 4, 2)


SPACE = Uneven()
EVERY = list(itertools.product(*(range(k) for k in SPACE.choices)))
some = st.sampled_from(EVERY)


def test_size_and_codes_are_those_of_lexicographic_order():
    assert SPACE.size == len(EVERY) == 24
    assert SPACE.codes(EVERY).tolist() == list(range(24))
    assert SPACE.decode(range(24)).tolist() == [list(a) for a in EVERY]


@given(some)
@settings(derandomize=True)
def test_neighbors_are_all_at_distance_one(architecture):
    expected = [b for b in EVERY if sum(x != y for x, y in zip(architecture, b, strict=True)) == 1]
    assert sorted(SPACE.neighbors(architecture)) == sorted(expected)
    assert SPACE.neighbors_many([architecture])[0].tolist() == [list(b) for b in SPACE.neighbors(architecture)]


def test_mutation_is_uniform_over_decisions_then_values():
    rng = np.random.default_rng(0)
    parent, n = (1, 0, 2, 0), 30_000
    seen = [SPACE.mutate(parent, rng) for _ in range(n)]
    bulk = [tuple(a) for a in SPACE.mutate_many(np.tile(np.uint8(parent), (n, 1)), rng).tolist()]
    for children in (seen, bulk):
        # Three decisions can change: 1/3 each, shared by 2, 3 and 1 other values.
        for decision, share in ((0, 1 / 6), (2, 1 / 9), (3, 1 / 3)):
            others = [v for v in range(SPACE.choices[decision]) if v != parent[decision]]
            for value in others:
                found = sum(c[decision] == value for c in children) / n
                assert abs(found - share) < 4 * math.sqrt(share * (1 - share) / n)
        assert parent not in children


def test_sampling_is_uniform():
    rng, n = np.random.default_rng(1), 24_000
    for drawn in ([SPACE.sample(rng) for _ in range(n)], SPACE.sample_many(n, rng).tolist()):
        counts = np.bincount(SPACE.codes(np.array(drawn)), minlength=24)
        assert ((counts - 1000) ** 2 / 1000).sum() < 55  # chi-square, 23 degrees of freedom: once in five thousand


@given(some, some, st.integers(0, 2**32))
@settings(derandomize=True)
def test_crossover_takes_one_stretch(first, second, seed):
    child = SPACE.crossover(first, second, np.random.default_rng(seed))
    stretches = [first[:a] + second[a:b] + first[b:] for a in range(5) for b in range(a, 5)]
    assert child in stretches


@given(st.integers(0, 2**32), st.integers(1, 3000))
@settings(max_examples=30, derandomize=True)
def test_uniforms_are_the_numbers_of_the_generator(seed, n):
    one, blocks = np.random.default_rng(seed), Uniforms(np.random.default_rng(seed))
    assert [blocks.random() for _ in range(n)] == [one.random() for _ in range(n)]


@pytest.mark.parametrize(
    "wrong",
    [
        (3, 0, 0, 0),
        (0, 0, 0),
        (0, 0, 0, 0, 0),
        (0, 0, -1, 0),
        (0.0, 0, 0, 0),
        (True, 0, 0, 0),
        "0000",
        None,
        5,
        [0, 0, 0, 0],
    ],
)
def test_what_is_no_architecture(wrong):
    assert not SPACE.is_valid(wrong)
    with pytest.raises(InvalidArchitectureError, match="expected a tuple of 4 integers below"):
        SPACE.check(wrong)


def test_arrays_that_are_no_architectures_name_the_row():
    with pytest.raises(InvalidArchitectureError, match=r"row 1, \(0, 1, 0, 0\)"):
        SPACE.validated([[0, 0, 0, 0], [0, 1, 0, 0]])
    for wrong in ([[0, 0, 0]], [0, 0, 0, 0], [[0.5, 0, 0, 0]], [["a", "b", "c", "d"]], [[1, 2], [1]]):
        with pytest.raises(InvalidArchitectureError):
            SPACE.validated(wrong)
    with pytest.raises(InvalidArchitectureError, match="row 0"):
        SPACE.validated(np.array([[300, 0, 0, 0]]))  # not 44, which 300 is in eight bits


def test_no_architectures_at_all():
    assert SPACE.validated([]).shape == (0, 4)
    assert SPACE.codes([]).shape == (0,)
