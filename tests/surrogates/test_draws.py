"""What a surrogate draws, held to what the table records: how far runs lie apart, and how ragged the top is."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import nasbench
from nasbench.spaces.nb201 import NB201
from surrogates.benchmark.fitting import fit
from surrogates.benchmark.queries import SurrogateBenchmark
from surrogates.models.draws import Draws, Spread, field, mixed, uniform

LEVELS = ((0.5, 0.7, 1.5), (0.7, 0.8, 0.4), (0.8, 0.88, 0.25), (0.88, 0.9, 0.15), (0.9, 0.91, 0.2), (0.91, 1.0, 0.25))
"""From, to, and how far off, as a share, the drawn spread may be: of the poor there are few labels."""


@pytest.fixture(scope="module")
def table() -> nasbench.Table:
    return nasbench.load("nasbench201")


@pytest.fixture(scope="module", params=[0, 1])
def surrogate(table: nasbench.Table, request: pytest.FixtureRequest) -> SurrogateBenchmark:
    fitted = fit(table, model="gaussian_process", train_size=1000, seeds=1, seed=request.param)
    return SurrogateBenchmark.unsaved(fitted.surrogate, fitted.rows, table)


def test_runs_lie_as_far_apart_as_those_of_the_table(table: nasbench.Table, surrogate: SurrogateBenchmark):
    runs = np.stack([table.column("validation_accuracy", run=run) for run in range(3)], axis=1)
    levels = np.nanmean(runs, axis=1)
    freedom = np.isfinite(runs).sum(axis=1) - 1
    squares = np.nansum((runs - levels[:, None]) ** 2, axis=1)
    held_out = np.setdiff1d(np.arange(len(table)), surrogate.rows)
    means = surrogate.means(table.architectures)
    for low, high, tolerance in LEVELS:
        there = held_out[(levels[held_out] >= low) & (levels[held_out] < high)]
        recorded = np.sqrt(squares[there].sum() / freedom[there].sum())
        alike = np.flatnonzero((means >= low) & (means < high))[:300]
        drawn = [
            surrogate.query(tuple(table.architectures[row].tolist()), run=run).validation_accuracy - means[row]
            for row in alike
            for run in range(8)
        ]
        ratio = np.sqrt(np.mean(np.square(drawn))) / recorded
        assert abs(np.log(ratio)) < np.log(1 + tolerance), (low, ratio)
        assert abs(np.mean(drawn)) < 0.2 * recorded


def test_what_answers_one_class_does_so_in_all_runs(table: nasbench.Table, surrogate: SurrogateBenchmark):
    dead = np.flatnonzero(table.column("validation_accuracy") == 0.09712)
    assert len(dead) == 341  # the cells without a path
    for row in dead[:: len(dead) // 40]:
        architecture = tuple(table.architectures[row].tolist())
        means = surrogate.query(architecture).validation_accuracy
        assert means == pytest.approx(0.09712, abs=0.005)
        assert {surrogate.query(architecture, run=run).validation_accuracy for run in range(5)} == {means}


def test_the_best_is_as_good_as_the_best_of_the_table(table: nasbench.Table, surrogate: SurrogateBenchmark):
    predicted = surrogate.predictions(table.architectures).max()
    truth = table.best()
    assert truth == pytest.approx(0.91607, abs=1e-5)
    assert predicted < truth - 0.002
    assert surrogate.best() > predicted + 0.001
    assert truth - 0.0035 < surrogate.best() < truth + 0.0035


def test_no_poor_network_is_drawn_as_one_of_the_best(table: nasbench.Table, surrogate: SurrogateBenchmark):
    """In the table no run of a network whose mean is below .85 is above .88."""
    runs = np.stack([table.column("validation_accuracy", run=run) for run in range(3)], axis=1)
    means = surrogate.means(table.architectures)
    poor = np.flatnonzero((means > 0.2) & (means < 0.85))[::3]
    drawn = [surrogate.query(tuple(table.architectures[row].tolist()), run=run)[0] for row in poor for run in range(9)]
    assert np.nanmax(runs[np.nanmean(runs, axis=1) < 0.85]) < 0.9
    assert max(drawn) < 0.9


def test_a_spread_is_found_again():
    """Deviations that follow a power of the error, but for a kink, from three runs each."""
    rng = np.random.default_rng(0)
    levels = 1 - np.exp(rng.uniform(np.log(0.08), np.log(0.4), 3000))
    truth = 0.03 * np.maximum((1 - levels) / 0.2, ((1 - levels) / 0.2) ** 2)
    runs = levels[:, None] + truth[:, None] * rng.standard_normal((3000, 3))
    squares = ((runs - runs.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    found = Spread().fit(levels, squares, np.full(3000, 2.0)).at(levels)
    assert np.abs(np.log(found / truth)).max() < 0.2
    assert np.abs(np.log(found / truth)).mean() < 0.06


def test_one_failed_training_does_not_lift_all():
    rng = np.random.default_rng(1)
    levels = np.sort(rng.uniform(0.5, 0.9, 400))
    squares = 0.01**2 * rng.chisquare(2, 400)
    quiet = Spread().fit(levels, squares, np.full(400, 2.0)).at(levels)
    squares[3] = 0.4**2
    assert Spread().fit(levels, squares, np.full(400, 2.0)).at(levels)[0] < 3 * quiet[0]


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_few_labels_make_a_spread(n: int):
    rng = np.random.default_rng(n)
    levels = rng.uniform(0.5, 0.9, n)
    spread = Spread().fit(levels, np.full(n, 0.02), np.full(n, 2.0))
    np.testing.assert_allclose(spread.at(levels), 0.1, rtol=0.01)
    same = Spread().fit(np.full(n, 0.7), np.full(n, 0.02), np.full(n, 2.0))
    np.testing.assert_allclose(same.at(np.array([0.1, 0.9])), 0.1, rtol=0.01)


def test_words_are_those_of_splitmix64():
    """First outputs of the reference program for the seeds 0 and 1234567 (Vigna, splitmix64.c)."""
    found = mixed(np.array([0, 0x9E3779B97F4A7C15, 1234567], np.uint64))
    assert found.tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 6457827717110365317]


def test_alike_architectures_have_alike_residuals():
    space = NB201()
    choices = space.decode(np.arange(space.size))
    found = np.stack([field(salt, choices) for salt in range(40)])
    assert 0 <= found.min() < found.max() < 1
    assert found.mean() == pytest.approx(0.5, abs=0.05)
    assert found.std() == pytest.approx(np.sqrt(1 / 12), rel=0.1)
    centred = found - 0.5
    for distance in (1, 2, 4):
        other = choices.copy()
        other[:, :distance] = (other[:, :distance] + 1) % 5
        correlation = (centred * centred[:, space.codes(other)]).mean() / (centred**2).mean()
        assert correlation == pytest.approx(0.4**distance, abs=0.06)


def test_draws_are_the_same_in_another_process():
    code = (
        "import numpy as np; from surrogates.models.draws import field, uniform; "
        "print(field(7, np.arange(12, dtype=np.uint8).reshape(2, 6) % 5).tolist() "
        "+ uniform(7, np.arange(-2, 2)).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = field(7, np.arange(12, dtype=np.uint8).reshape(2, 6) % 5).tolist() + uniform(7, np.arange(-2, 2)).tolist()
    assert json.loads(done.stdout) == here
    assert len(set(here)) == 6


def test_a_rank_picks_among_the_rows_next_to_a_level():
    levels = np.linspace(0.1, 0.9, 801)
    spread = Spread().fit(levels, np.full(801, 0.01), np.ones(801))
    rows = np.stack([np.tile([-0.1, 0.1], 401)[:801], levels], axis=1)
    draws = Draws().fit(levels, rows, spread)
    found = draws.ranked(np.array([0.5, 0.5, 0.9]), np.array([0.0, 0.999, 0.999]))
    np.testing.assert_allclose(found[:, 0], [-0.1, 0.1, 0.1], rtol=0.01)
    assert np.abs(found[:, 1] - [0.5, 0.5, 0.9]).max() < 0.11  # the other columns come from the same row
