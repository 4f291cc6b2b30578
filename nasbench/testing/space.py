"""SpaceContract: what every search space promises."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from nasbench import registry
from nasbench.errors import InvalidArchitectureError
from nasbench.spaces import SearchSpace
from nasbench.testing.checks import check_architecture, global_randomness_untouched, pickled
from nasbench.types import Architecture, RandomSource

_MANY = 50


class SpaceContract:
    """What every search space promises. Give the fixture ``space``: a :class:`nasbench.SearchSpace`."""

    @pytest.fixture
    def architectures(self, space: SearchSpace) -> list[Architecture]:
        """Some architectures to try, drawn by the space."""
        rng = np.random.default_rng(1)
        return [space.sample(rng) for _ in range(_MANY)]

    def test_describes_itself(self, space: SearchSpace) -> None:
        """It has a name, and between 1 and 256 choices a decision, as they are stored in a byte."""
        assert isinstance(space.name, str)
        assert space.name
        assert isinstance(space.choices, tuple)
        assert space.choices
        assert all(type(k) is int and 1 <= k <= 256 for k in space.choices), space.choices
        assert space.name in repr(space)

    def test_equals_its_copy(self, space: SearchSpace) -> None:
        """It is pickled to worker processes and is still the same space there."""
        assert pickled(space) == space
        assert hash(pickled(space)) == hash(space)
        assert space != space.name

    def test_samples_valid_architectures(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """What it draws are tuples of Python integers that it accepts itself."""
        for architecture in architectures:
            check_architecture(space, architecture, "sample()")

    def test_same_seed_same_moves(self, space: SearchSpace) -> None:
        """Its moves depend on the generator that they are given, and on nothing else."""

        def moves() -> list[Any]:
            rng = np.random.default_rng(7)
            a, b = space.sample(rng), space.sample(rng)
            many = space.sample_many(9, rng), space.sample_many(9, rng)
            bulk = [space.mutate_many(many[0], rng), space.crossover_many(*many, rng)]
            return [a, b, space.mutate(a, rng), space.crossover(a, b, rng), *(part.tolist() for part in bulk)]

        with global_randomness_untouched():
            first = moves()
        assert moves() == first, "the same seed gave other architectures"

    def test_single_moves_need_nothing_but_random(self, space: SearchSpace) -> None:
        """Searchers hand their moves a faster source of numbers, which has only ``random()``."""
        rng, other = _OnlyRandom(np.random.default_rng(3)), _OnlyRandom(np.random.default_rng(4))
        a, b = space.sample(rng), space.sample(other)
        for architecture in (a, b, space.mutate(a, rng), space.crossover(a, b, rng)):
            check_architecture(space, architecture, "a move with random() alone")

    def test_parse_is_the_inverse_of_format(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """The text of an architecture names that architecture."""
        texts = [space.format(architecture) for architecture in architectures]
        assert [space.parse(text) for text in texts] == architectures
        assert len(set(texts)) == len(set(architectures)), "two architectures share a text"

    @pytest.mark.parametrize("text", ["", "no architecture", "|", "\N{ARABIC-INDIC DIGIT ONE}" * 8, "\0"])
    def test_parse_refuses_other_texts(self, space: SearchSpace, text: str) -> None:
        """A text that names nothing is refused, and quoted."""
        with pytest.raises(InvalidArchitectureError) as refusal:
            space.parse(text)
        assert repr(text) in str(refusal.value), "the message does not quote what came"

    def test_refuses_what_is_no_architecture(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """Anything may be asked about; only tuples of one integer a decision, within its cardinality, pass."""
        one = architectures[0]
        junk: list[Any] = [None, 0, 1.5, "", "a", b"a", (), [], {}, list(one), np.array(one), one[:-1], (*one, 0)]
        junk += [(-1, *one[1:]), (space.choices[0], *one[1:]), (2**70, *one[1:]), tuple(map(float, one))]
        junk += [(None, *one[1:]), ("0", *one[1:]), (False, *one[1:]), (one, *one[1:])]
        for value in junk:
            assert not space.is_valid(value), f"is_valid({value!r})"
            with pytest.raises(InvalidArchitectureError, match=space.name):
                space.check(value)
            with pytest.raises(InvalidArchitectureError):
                space.format(value)

    def test_numpy_integers_are_integers(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """Rows of an array are architectures; ``check`` makes them Python integers."""
        for architecture in architectures:
            checked = space.check(tuple(np.array(architecture, np.uint8)))
            assert checked == architecture
            assert all(type(choice) is int for choice in checked)

    def test_mutation_is_another_architecture(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """A mutation is valid and never a copy."""
        rng = np.random.default_rng(2)
        for architecture in architectures:
            mutated = space.mutate(architecture, rng)
            check_architecture(space, mutated, "mutate()")
            assert mutated != architecture, "mutate() returned what it was given"

    def test_crossover_mixes_two_architectures(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """A child is valid, and of twins it is the same again."""
        rng = np.random.default_rng(2)
        for first, second in pairwise(architectures):
            check_architecture(space, space.crossover(first, second, rng), "crossover()")
            assert space.crossover(first, first, rng) == first

    def test_neighbors(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """Neighbours are valid, distinct, others than the architecture, and it is theirs."""
        for architecture in architectures[:5]:
            neighbors = space.neighbors(architecture)
            assert neighbors
            assert len({architecture, *neighbors}) == 1 + len(neighbors), "a neighbour twice, or itself"
            for neighbor in neighbors:
                check_architecture(space, neighbor, "neighbors()")
                assert architecture in space.neighbors(neighbor), f"{neighbor} lacks its neighbour {architecture}"

    def test_bulk_answers_as_single(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """What works on arrays gives what works on one architecture."""
        assert space.validated(architectures).tolist() == list(map(list, architectures))
        for many, single in (
            (space.key_many, space.key),
            (space.parameters_many, space.parameters),
            (space.flops_many, space.flops),
        ):
            values = many(architectures)
            assert values.dtype == np.int64, f"{many.__name__}() returned {values.dtype}"
            assert values.tolist() == [single(architecture) for architecture in architectures], many.__name__

    def test_moves_in_bulk(self, space: SearchSpace) -> None:
        """They take and return uint8 arrays of shape (n, decisions), and leave what they were given as it was."""
        rng = np.random.default_rng(5)
        shape = (_MANY, len(space.choices))
        first, second = space.sample_many(_MANY, rng), space.sample_many(_MANY, rng)
        before = first.copy(), second.copy()
        mutated, crossed = space.mutate_many(first, rng), space.crossover_many(first, second, rng)
        for array in (first, mutated, crossed):
            assert array.dtype == np.uint8
            assert array.shape == shape
            assert all(space.is_valid(tuple(row)) for row in array.tolist())
        assert (mutated != first).any(axis=1).all(), "mutate_many() returned what it was given"
        assert np.array_equal(first, before[0])
        assert np.array_equal(second, before[1])
        for empty in (space.sample_many(0, rng), space.mutate_many([], rng), space.crossover_many([], [], rng)):
            assert empty.shape == (0, shape[1])

    def test_codes_are_the_exact_identity(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """``decode`` gives back what ``codes`` was given; both refuse what is outside of the space."""
        codes = space.codes(architectures)
        assert space.decode(codes).tolist() == list(map(list, architectures))
        assert codes.min() >= 0
        assert codes.max() < space.size
        for outside in (-1, space.size):
            with pytest.raises(InvalidArchitectureError, match=space.name):
                space.decode([outside])

    def test_bulk_refuses_what_is_no_architecture(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """A wrong shape, type or number is refused before anything is computed, with the row where it is one."""
        good = np.array(architectures[:3], np.int64)
        high, low, wrapped = good.copy(), good.copy(), good.copy()
        high[1, -1], low[1, -1], wrapped[1, -1] = space.choices[-1], -1, 256 + good[1, -1]
        bad: Any
        for bad in (high, low, wrapped):
            with pytest.raises(InvalidArchitectureError, match="row 1"):
                space.validated(bad)
        for bad in (good[0], good[:, 1:], good.astype(float), good[None], [[0], [0, 1]], [["a"] * good.shape[1]]):
            with pytest.raises(InvalidArchitectureError, match=space.name):
                space.validated(bad)

    def test_same_row_same_network(self, space: SearchSpace) -> None:
        """``key`` is at least as coarse as what tells rows of a table apart; both depend on the choices alone."""
        array = space.sample_many(2_000, np.random.default_rng(6))
        keys, identities = space.key_many(array), space.identity_many(array)
        pairs = set(zip(identities.tolist(), keys.tolist(), strict=True))
        assert len(pairs) == len(set(identities.tolist())), "one identity, but two networks"
        assert np.array_equal(space.key_many(array[::-1]), keys[::-1])

    def test_costs_are_counts(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """A network has parameters and computes something."""
        assert space.parameters_many(architectures).min() > 0
        assert space.flops_many(architectures).min() > 0

    def test_graph(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """A graph is acyclic, its vertices are in topological order, and each has an operation."""
        for architecture in architectures[:10]:
            adjacency, operations = space.graph(architecture)
            assert adjacency.dtype == np.bool_
            assert adjacency.shape == (len(operations),) * 2
            assert not np.tril(adjacency).any(), "an edge that does not lead forward"
            assert all(isinstance(operation, str) for operation in operations)
        with pytest.raises(InvalidArchitectureError):
            space.graph(architectures[0][:-1])

    def test_networks_have_the_parameters_it_says(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """Where it names who builds its networks, these have ten outputs and as many parameters as the formula says."""
        if not space.networks:
            pytest.skip(f"{space.name} does not say how its networks are built")
        torch = pytest.importorskip("torch", reason="networks are built by torch")
        from nasbench.training.networks import build
        from nasbench.training.recipes import networks_of

        side = 8 * networks_of(space).multiple
        for architecture in architectures[:3]:
            with torch.device("meta"):  # shapes, without numbers
                network = build(space, architecture, side=side)
                logits = network.eval()(torch.zeros(2, 3, side, side))
            assert logits.shape == (2, 10)
            assert sum(weights.numel() for weights in network.parameters()) == space.parameters(architecture)

    def test_features_are_of_the_network(self, space: SearchSpace) -> None:
        """Where it names what predictors see: numbers in named groups, of each row alone, alike for one identity."""
        if not space.features:
            pytest.skip(f"{space.name} does not say what predictors see: they see its choices")
        pytest.importorskip("sklearn", reason="features are for predictors, which need scikit-learn")
        groups = registry.load(space.features, f"features of {space.name}").groups
        array = space.sample_many(500, np.random.default_rng(8))
        names, values = _joined(groups(array))
        assert values.shape == (len(array), len(names)), "a name a column, a row an architecture"
        assert np.isfinite(values).all()
        for some in (array[:1], array[::-1]):
            again = _joined(groups(some))
            assert again[0] == names
            np.testing.assert_allclose(again[1], values[:1] if len(some) == 1 else values[::-1], rtol=1e-12)
        _, first, same = np.unique(space.identity_many(array), return_index=True, return_inverse=True)
        np.testing.assert_allclose(values[first][same], values, rtol=1e-12, err_msg="two forms of one row differ")


def _joined(groups: Any) -> tuple[list[str], Any]:
    """Return the names and values of all groups of features side by side."""
    return [name for names, _ in groups.values() for name in names], np.hstack([each for _, each in groups.values()])


class _OnlyRandom:
    def __init__(self, source: RandomSource) -> None:
        self.random = source.random
