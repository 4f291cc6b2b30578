"""BenchmarkContract and TableContract: what everything that answers queries promises, and what every table does."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nasbench.errors import InvalidArchitectureError, NotRecordedError
from nasbench.spaces import SearchSpace
from nasbench.tables import TableFile
from nasbench.tables.table import Table
from nasbench.testing.checks import global_randomness_untouched, pickled
from nasbench.types import Architecture, Benchmark, Fidelity, Metrics

_MANY = 50
_ACCURACIES = ("validation_accuracy", "test_accuracy", "train_accuracy")


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
        longest = max(table.file.schedules, default=0)
        for name in _ACCURACIES:
            if f"{name}@{longest}" not in table.describe():
                continue
            column = table.column(name)
            value, best = table.optimum(name)
            assert value == max(x for x in column.tolist() if x == x)
            assert sorted(map(table.row, best)) == [i for i, x in enumerate(column.tolist()) if x == value]


def _some(fidelities: Sequence[Fidelity]) -> list[Fidelity]:
    """Return at most five of them: the first, the last, and some between."""
    return [fidelities[i] for i in sorted(set(np.linspace(0, len(fidelities) - 1, 5).round().astype(int).tolist()))]


def _plain(metrics: Metrics) -> list[Any]:
    """Return what compares equal where both are nan."""
    return [None if value != value else value for value in metrics]
