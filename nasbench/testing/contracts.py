"""Contract tests for your own search space, benchmark, table or searcher: subclass one class, give one fixture.

    class TestMine(SearcherContract):
        @pytest.fixture
        def make_searcher(self):
            return lambda space, seed: Mine(space, seed=seed)

These are the tests that run over everything that is registered here; pytest collects the subclass as any other. This is
the only file of the package that imports pytest.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nasbench.errors import InvalidArchitectureError, NotRecordedError
from nasbench.spaces import SearchSpace
from nasbench.tables import TableFile
from nasbench.tables.table import Table
from nasbench.types import Architecture, Benchmark, Fidelity, Metrics, RandomSource

_MANY = 50
_ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")


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


class BenchmarkContract:
    """What every benchmark promises. Give the fixture ``results``: what answers queries like a Table."""

    @pytest.fixture
    def architectures(self, results: Benchmark) -> list[Architecture]:
        """Some architectures that the benchmark knows; override where it does not know the whole space."""
        rng = np.random.default_rng(1)
        return [results.space.sample(rng) for _ in range(10)]

    def test_says_what_it_is(self, results: Benchmark) -> None:
        """Its name, its digest and its search space go into every history."""
        assert isinstance(results.name, str)
        assert results.name
        assert isinstance(results.digest, str)
        assert results.digest
        assert isinstance(results.space, SearchSpace)

    def test_fidelities_rise(self, results: Benchmark) -> None:
        """They are distinct, from cheap to expensive."""
        fidelities = list(results.fidelities)
        assert fidelities
        assert fidelities == sorted(set(fidelities)), "fidelities repeat, or do not rise"
        assert all(isinstance(fidelity, Fidelity) for fidelity in fidelities)

    def test_default_is_the_highest_fidelity(self, results: Benchmark, architectures: list[Architecture]) -> None:
        """Without arguments: the longest schedule, its last epoch, the mean over runs."""
        schedule, epoch = results.fidelities[-1]
        for architecture in architectures:
            answer = results.query(architecture)
            assert isinstance(answer, Metrics)
            assert (answer.schedule, answer.epoch, answer.run) == (schedule, epoch, None)
            assert _plain(answer) == _plain(results.query(architecture, schedule=schedule, epoch=epoch))
            assert _plain(answer) == _plain(results.query(architecture, schedule=schedule))

    def test_query_is_pure(self, results: Benchmark, architectures: list[Architecture]) -> None:
        """The same question gets the same answer, whatever was asked between, and costs no random number."""

        def ask(order: Sequence[Architecture]) -> dict[Any, Any]:
            return {
                (architecture, fidelity): _plain(
                    results.query(architecture, schedule=fidelity.schedule, epoch=fidelity.epoch)
                )
                for architecture in order
                for fidelity in _some(results.fidelities)
            }

        with global_randomness_untouched():
            first = ask(architectures)
        assert ask(architectures[::-1]) == first

    def test_answers_are_in_range(self, results: Benchmark, architectures: list[Architecture]) -> None:
        """Accuracies are fractions, times are not negative, counts are positive; what is unknown is nan or None."""
        for fidelity in _some(results.fidelities):
            for architecture in architectures:
                metrics = results.query(architecture, schedule=fidelity.schedule, epoch=fidelity.epoch)
                assert (metrics.schedule, metrics.epoch) == fidelity
                for name in _ACCURACIES:
                    value = getattr(metrics, name)
                    assert value != value or 0 <= value <= 1, f"{name} {value} is no fraction"
                assert not metrics.training_time < 0, metrics
                assert not metrics.latency < 0, metrics
                for count in (metrics.parameters, metrics.flops):
                    assert count is None or (type(count) is int and count > 0), metrics

    def test_each_recorded_run_answers(self, results: Benchmark, architectures: list[Architecture]) -> None:
        """``runs`` lists, rising, exactly the runs that can be asked for."""
        for fidelity in _some(results.fidelities):
            where = {"schedule": fidelity.schedule, "epoch": fidelity.epoch}
            for architecture in architectures:
                runs = list(results.runs(architecture, **where))
                assert runs == sorted(set(runs)), f"runs {runs} repeat, or do not rise"
                assert all(type(run) is int and run >= 0 for run in runs), runs
                for run in range(max(runs, default=0) + 2):
                    if run in runs:
                        answer = results.query(architecture, **where, run=run)
                        assert (answer.run, answer.schedule, answer.epoch) == (run, *fidelity)
                    else:
                        with pytest.raises(NotRecordedError):
                            results.query(architecture, **where, run=run)

    def test_refuses_what_it_does_not_have(self, results: Benchmark, architectures: list[Architecture]) -> None:
        """Another schedule, epoch or run is not answered with the nearest one; an invalid architecture is told."""
        one = architectures[0]
        epochs = {epoch for schedule, epoch in results.fidelities if schedule == results.fidelities[-1].schedule}
        for missing in ({"schedule": -1}, {"schedule": 10**6}, {"epoch": -1}, {"epoch": max(epochs) + 1}):
            with pytest.raises(NotRecordedError, match=str(*missing.values())):
                results.query(one, **missing)
            with pytest.raises(NotRecordedError):
                results.runs(one, **missing)
        for run in (-1, 10**6):
            with pytest.raises(NotRecordedError, match=str(run)):
                results.query(one, run=run)
        for wrong in (one[:-1], (*one, 0), (*one[:-1], -1), (*one[:-1], 256)):
            with pytest.raises(InvalidArchitectureError):
                results.query(wrong)
            with pytest.raises(InvalidArchitectureError):
                results.runs(wrong)

    def test_answers_alike_in_another_process(self, results: Benchmark, architectures: list[Architecture]) -> None:
        """It can be pickled, and its copy answers the same."""
        copy = pickled(results)
        assert copy.digest == results.digest
        assert [_plain(copy.query(a)) for a in architectures] == [_plain(results.query(a)) for a in architectures]


class TableContract(BenchmarkContract):
    """What every table promises. Give the fixture ``table``: a :class:`nasbench.Table`."""

    @pytest.fixture
    def results(self, table: Table) -> Table:
        """A table is a benchmark."""
        return table

    @pytest.fixture
    def rows(self, table: Table) -> list[int]:
        """Some rows: the first, the last, and some between."""
        return sorted({0, len(table) - 1, *np.random.default_rng(1).integers(0, len(table), 10).tolist()})

    @pytest.fixture
    def architectures(self, table: Table, rows: list[int]) -> list[Architecture]:
        """The architectures of ``rows``."""
        return [tuple(architecture) for architecture in table.architectures[rows].tolist()]

    def test_file_is_sound(self, table: Table) -> None:
        """All digests are right, in all image datasets of the file."""
        assert TableFile(table.path).verify() > 0
        assert table.dataset in table.datasets

    def test_rows_by_tuple_and_text(self, table: Table, rows: list[int], architectures: list[Architecture]) -> None:
        """Both name the same row; rows, iteration and ``architectures`` are in the same order."""
        assert len(table) == len(table.architectures)
        for row, architecture in zip(rows, architectures, strict=True):
            text = table.space.format(architecture)
            assert table.row(architecture) == table.row(text) == row
            assert table.at_row(row) == architecture
            assert architecture in table
            assert text in table
            assert _plain(table.query(architecture)) == _plain(table.query(text))
        assert table.rows(architectures).tolist() == rows
        assert next(iter(table)) == tuple(table.architectures[0].tolist())
        for outside in (-1, len(table)):
            with pytest.raises(InvalidArchitectureError, match=str(outside)):
                table.at_row(outside)

    def test_an_index_is_the_official_one(self, table: Table, rows: list[int]) -> None:
        """Whatever is in the table: an index names what the benchmark's authors number so, or nothing."""
        official, indexes = table.space.architectures, table.indexes
        if indexes is None:
            assert official is None
            with pytest.raises(InvalidArchitectureError, match="0"):
                table.row(0)
            return
        for row in rows:
            assert table.row(int(indexes[row])) == row
            assert official is None or tuple(official[indexes[row]].tolist()) == table.at_row(row)

    def test_each_row_is_another_architecture(self, table: Table) -> None:
        """Rows are valid, distinct, and found again."""
        array = table.space.validated(table.architectures)
        assert len(np.unique(table.space.codes(array))) == len(table)
        assert np.array_equal(table.rows(array), np.arange(len(table)))

    def test_columns_equal_queries(self, table: Table, rows: list[int]) -> None:
        """A column holds in each row what a query for that row answers; what it does not record is nan or None."""
        for fidelity in _some(table.fidelities):
            where = {"schedule": fidelity.schedule, "epoch": fidelity.epoch}
            for name in (*_ACCURACIES, "training_time", "latency", "parameters", "flops"):
                answers = [getattr(table.query(table.at_row(row), **where), name) for row in rows]
                try:
                    column: NDArray[Any] = table.column(name, **where)
                except NotRecordedError:
                    assert all(answer is None or answer != answer for answer in answers), name
                    continue
                assert column.shape == (len(table),)
                assert np.array_equal(column[rows], np.array(answers), equal_nan=column.dtype.kind == "f"), name
                with pytest.raises(ValueError, match="read-only"):
                    column[0] = 0

    def test_means_are_exact(self, table: Table, rows: list[int]) -> None:
        """Accuracies are whole counts of images; their mean over the recorded runs is rounded once."""
        for fidelity in _some(table.fidelities):
            where = {"schedule": fidelity.schedule, "epoch": fidelity.epoch}
            for name in _ACCURACIES:
                info = table.describe().get(f"{name}@{fidelity.schedule}")
                if info is None or fidelity.epoch not in info.epochs or info.images is None:
                    continue
                for row in rows:
                    one = table.at_row(row)
                    values = [getattr(table.query(one, **where, run=run), name) for run in table.runs(one, **where)]
                    counts = [round(value * info.images) for value in values if value == value]
                    assert [count / info.images for count in counts] == [value for value in values if value == value]
                    mean = getattr(table.query(table.at_row(row), **where), name)
                    if counts:
                        assert mean == float(Fraction(sum(counts), len(counts) * info.images)), (name, row)
                    else:
                        assert mean != mean, "a mean of no runs"

    def test_optimum_is_the_largest_mean_with_all_ties(self, table: Table) -> None:
        """No row is above the optimum, and the architectures it names are exactly those that attain it."""
        for name in set(_ACCURACIES) & set(table.metrics):
            column = table.column(name)
            value, best = table.optimum(name)
            assert value == max(x for x in column.tolist() if x == x)
            assert sorted(map(table.row, best)) == [i for i, x in enumerate(column.tolist()) if x == value]


class _OnlyRandom:
    def __init__(self, source: RandomSource) -> None:
        self.random = source.random


def check_architecture(space: SearchSpace, architecture: Any, origin: str) -> None:
    assert space.is_valid(architecture), f"{origin} returned {architecture!r}, which is not valid in {space.name}"
    assert all(type(choice) is int for choice in architecture), (
        f"{origin} returned {architecture!r}: expected Python integers, not numpy's"
    )


def _some(fidelities: Sequence[Fidelity]) -> list[Fidelity]:
    """Return at most five of them: the first, the last, and some between."""
    return [fidelities[i] for i in sorted(set(np.linspace(0, len(fidelities) - 1, 5).round().astype(int).tolist()))]


def _plain(metrics: Metrics) -> list[Any]:
    """Return what compares equal where both are nan."""
    return [None if value != value else value for value in metrics]


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301  what we pickled ourselves


@contextmanager
def global_randomness_untouched() -> Iterator[None]:
    def state() -> tuple[Any, ...]:
        name, keys, *rest = np.random.get_state()  # noqa: NPY002  only looked at
        return random.getstate(), name, np.asarray(keys).tobytes(), *rest

    before = state()
    yield
    assert state() == before, "a global random generator was used: draw from the generator or seed that was given"


from nasbench.testing.searcher import MakeSearcher, SearcherContract, made  # noqa: E402

__all__ = ["BenchmarkContract", "MakeSearcher", "SearcherContract", "SpaceContract", "TableContract", "made"]
