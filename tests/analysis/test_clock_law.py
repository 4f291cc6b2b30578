"""The law of random search on the clock: against enumeration, closed forms, the law by evaluations, and simulation."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import comb
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from baselines.random_search import RandomSearch
from nasbench import Budget, Table, load, run
from nasbench.analysis import (
    ClockLaw,
    Draws,
    clock_law_of_draws,
    random_search_clock_law,
    random_search_law,
    regret_curves,
)
from nasbench.errors import AnalysisError, NotRecordedError
from nasbench.tables import Column, DatasetContent, TableContent, write

POINT = 0.01


class Kind(NamedTuple):
    """One thing that a draw can be."""

    seconds: int
    shown: int
    regret: Fraction
    probability: Fraction


def kinds(*rows: tuple[int, int, int]) -> list[Kind]:
    return [Kind(seconds, shown, Fraction(regret, 10), Fraction(1, len(rows))) for seconds, shown, regret in rows]


# Duration, what is told, regret. The second and third are equal, and take different times: who comes first is held.
TIED = kinds((2, 5, 1), (1, 7, 3), (3, 7, 0), (1, 2, 9), (2, 1, 8))
DISTINCT = kinds((2, 5, 1), (1, 6, 3), (3, 7, 0), (1, 2, 9))


def sequences(draws: list[Kind], left: int, now: int = 0) -> Iterator[tuple[Fraction, list[tuple[int, Kind]]]]:
    """All that one worker can have told by the end, with its probability: (when, what), rising."""
    for kind in draws:
        if kind.seconds > left:
            yield kind.probability, []
            continue
        for chance, rest in sequences(draws, left - kind.seconds, now + kind.seconds):
            yield kind.probability * chance, [(now + kind.seconds, kind), *rest]


def enumerated(draws: list[Kind], end: int, workers: int) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Mean, mean square, chance of any result, and expected number of results."""
    first, second, started, results = Fraction(0), Fraction(0), Fraction(0), Fraction(0)
    for each in product(list(sequences(draws, end)), repeat=workers):
        chance = Fraction(1)
        told: list[tuple[int, Kind]] = []
        for probability, sequence in each:
            chance *= probability
            told += sequence
        results += chance * len(told)
        if told:
            _, held = max(told, key=lambda one: (one[1].shown, -one[0]))
            first += chance * held.regret
            second += chance * held.regret**2
            started += chance
    return first / started, second / started, started, results


def law_of(draws: list[Kind], at: NDArray[np.float64], workers: int, step: float | None = 1.0) -> ClockLaw:
    columns = (np.array([float(kind[field]) for kind in draws]) for field in (0, 3, 1))
    return clock_law_of_draws(Draws(*columns), [float(kind.regret) for kind in draws], at, workers=workers, step=step)


@pytest.mark.parametrize(("draws", "workers", "ends"), [(TIED, 1, range(1, 8)), (DISTINCT, 2, range(1, 5))])
def test_law_is_exact_for_durations_on_a_lattice(draws: list[Kind], workers: int, ends: range) -> None:
    law = law_of(draws, np.array(ends, np.float64), workers)
    for i, end in enumerate(ends):
        mean, square, started, results = enumerated(draws, end, workers)
        assert law.mean[i] == pytest.approx(float(mean), abs=1e-8)
        if draws is DISTINCT:  # among equal ones, squares are averaged whenever they end
            assert law.standard_deviation[i] == pytest.approx(float(square - mean**2) ** 0.5, abs=1e-7)
        assert law.started[i] == pytest.approx(float(started), abs=1e-8)
        assert law.results[i] == pytest.approx(float(results), abs=1e-7)


def test_positions_between_steps_are_those_of_the_step_before() -> None:
    law = law_of(DISTINCT, np.array([3.0, 3.5, 3.999, 4.0]), 2)
    assert law.mean[0] == law.mean[1] == law.mean[2] != law.mean[3]


def test_without_a_step_the_lattice_is_as_good() -> None:
    at = np.array([3.5, 5.5, 20.5])  # halfway between possible ends
    assert law_of(DISTINCT, at, 2, None).mean == pytest.approx(law_of(DISTINCT, at, 2).mean, abs=1e-6)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_geometric_durations_end_like_coins(workers: int) -> None:
    """A duration without memory: in each of n steps each worker ends a draw with chance p, whatever came before.

    The number of results is binomial, and what they show does not depend on how long they took.
    """
    p, steps = 0.2, 9
    lengths = np.arange(1, steps + 2)
    chances = p * (1 - p) ** (lengths - 1)
    chances[-1] = (1 - p) ** steps  # all that are longer than anyone waits
    values = np.array([0.0, 1.0, 4.0, 9.0])
    share = np.array([0.4, 0.3, 0.2, 0.1])
    draws = Draws(
        np.repeat(lengths.astype(np.float64), 4), np.outer(chances, share).ravel(), np.tile(values, len(lengths))
    )
    law = clock_law_of_draws(draws, 9 - draws.shown, np.arange(1.0, steps + 1), workers=workers, step=1.0)
    at_most = np.cumsum(share)
    for n in range(1, steps + 1):
        coins = n * workers
        number = [comb(coins, k) * p**k * (1 - p) ** (coins - k) for k in range(coins + 1)]
        regret = [(np.diff(at_most**k, prepend=0) * (9 - values)).sum() for k in range(1, coins + 1)]
        assert law.started[n - 1] == pytest.approx(1 - number[0], abs=1e-9)
        assert law.results[n - 1] == pytest.approx(coins * p, abs=1e-8)
        assert law.mean[n - 1] == pytest.approx(np.dot(number[1:], regret) / (1 - number[0]), abs=1e-8)


@pytest.fixture(scope="module")
def equal_times(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """NAS-Bench-201, with 60 s for every training."""
    official = load("nasbench201")
    counts = official.file.read(official.describe()["validation_accuracy@200"], 200)
    n = len(official)
    schedule = {
        "validation_accuracy": Column(counts.reshape(n, 1, -1), "images", (200,), 25_000, "train", "validation"),
        "training_time": Column(np.full((n, 1, 1), 60.0), "seconds", (200,)),
    }
    names = ("name", "address", "licence", "citation", "sha256", "elsewhere")
    groups = {"made": DatasetContent({}, {200: schedule})}
    path = tmp_path_factory.mktemp("clock") / "equal.h5"
    write(path, TableContent("nb201", official.architectures, groups, dict.fromkeys(names, "none"), {}))
    return Table(path)


@pytest.mark.parametrize("workers", [1, 5])
def test_equal_durations_give_the_law_by_evaluations(equal_times: Table, workers: int) -> None:
    rounds = np.array([1, 2, 5, 20, 100, 400])
    exact = random_search_law(equal_times, rounds * workers)
    law = random_search_clock_law(equal_times, rounds * 60.0, workers=workers, step=60.0)
    assert law.results == pytest.approx(rounds * workers)
    assert law.started == pytest.approx(1.0)
    # Levels of many values cost 8e-4 points of 3.6 after two draws, and less than 1e-4 after many.
    assert law.mean == pytest.approx(exact.mean, abs=1e-3 * POINT)
    assert law.standard_deviation == pytest.approx(exact.standard_deviation, abs=1e-2 * POINT)


def test_equal_durations_and_means(equal_times: Table) -> None:
    exact = random_search_law(equal_times, [1, 10, 300], observe="mean")
    law = random_search_clock_law(equal_times, [60.0, 600.0, 18_000.0], observe="mean", step=60.0)
    assert law.mean == pytest.approx(exact.mean, abs=1e-3 * POINT)


def simulated(
    table: Table, workers: int, at: NDArray[np.float64], searches: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Regret at each position of so many searches (nan before anything ended), and the number of results."""
    rng = np.random.default_rng(2_026)
    runs = np.stack([table.column("validation_accuracy", run=each) for each in range(3)], axis=1)
    number = np.isfinite(runs).sum(axis=1)
    assert (np.isfinite(runs[:, :2])).all()  # two or three runs, the third one missing
    times = table.column("training_time")
    longest = int(at[-1] / times.mean() * 1.4) + 12
    told = np.full((searches, len(at)), np.nan)
    results = np.zeros((searches, len(at)))
    for start in range(0, searches, 1000):
        mine = slice(start, start + 1000)
        row = rng.integers(0, len(runs), (len(told[mine]), workers, longest))
        shown = (rng.random(row.shape) * number[row]).astype(np.int64)
        end = np.cumsum(times[row], axis=2)
        assert end[..., -1].min() > at[-1]
        row, shown, end = (each.reshape(len(row), -1) for each in (row, shown, end))
        value = runs[row, shown]
        for i, now in enumerate(at):
            told[mine, i] = worth(runs, row, shown, np.where(end <= now, value, -1.0), end)
            results[mine, i] = (end <= now).sum(axis=1)
    return told, results


def worth(runs: NDArray, row: NDArray, shown: NDArray, value: NDArray, end: NDArray) -> NDArray[np.float64]:
    """The rule in words: unseen runs of the first of the best; if there are none, those that did not make it win."""
    each = np.arange(len(row))
    best = value == value.max(axis=1, keepdims=True)
    held = np.where(best, end, np.inf).argmin(axis=1)
    winner, won = row[each, held], shown[each, held]
    same = (row == winner[:, None]) & (value >= 0)
    seen = np.stack([(same & (shown == run)).any(axis=1) for run in range(3)], axis=1)
    others = np.isfinite(runs[winner]) & (np.arange(3) != won[:, None])
    judges = np.where((others & ~seen).any(axis=1, keepdims=True), others & ~seen, others)
    judged = np.where(judges, runs[winner], 0.0).sum(axis=1) / judges.sum(axis=1)
    return np.where(value.max(axis=1) >= 0, judged, np.nan)


@pytest.mark.parametrize("workers", [1, 8])
def test_law_against_simulated_searches(workers: int) -> None:
    from nasbench.analysis import best_known

    table, searches = load("nasbench201"), 20_000
    at = np.array([2_000.0, 8_000.0, 20_000.0, 60_000.0, 200_000.0])
    judged, results = simulated(table, workers, at, searches)
    regret = best_known([], table) - judged
    law = random_search_clock_law(table, at, workers=workers)
    count = np.isfinite(regret).sum(axis=0)
    error = np.nanstd(regret, axis=0) / np.sqrt(count)
    assert (error[-1:] < 0.003 * POINT).all()  # what is compared is known that well
    assert (np.abs(np.nanmean(regret, axis=0) - law.mean) < 3.5 * error).all()
    # The first results have a heavy tail of networks that learned nothing: their deviation is known to a few percent.
    assert np.nanstd(regret, axis=0) == pytest.approx(law.standard_deviation, rel=0.1)
    assert np.nanstd(regret[:, 1:], axis=0) == pytest.approx(law.standard_deviation[1:], rel=0.025)
    assert results.mean(axis=0) == pytest.approx(law.results, rel=0.01)
    spread = np.sqrt(law.started * (1 - law.started) / searches)
    assert (np.abs(count / searches - law.started) <= 4 * spread + 1e-9).all()


def test_law_against_run() -> None:
    """Whatever run() does with a budget in seconds, the law is about that."""
    table = load("nasbench201")
    at = np.array([5_000.0, 10_000.0, 20_000.0])
    histories = [
        run(RandomSearch(table.space, seed=seed), table, Budget(20_000, "seconds"), seed=seed) for seed in range(1_500)
    ]
    curves = regret_curves(histories, table, at)
    law = random_search_clock_law(table, at)
    assert np.isfinite(curves).all()
    error = curves.std(axis=0) / np.sqrt(len(curves))
    assert (np.abs(curves.mean(axis=0) - law.mean) < 3.5 * error).all()


def test_before_anything_can_have_ended_nothing_is_held() -> None:
    law = random_search_clock_law(load("nasbench201"), [0.0, 400.0, 20_000.0])
    assert np.isnan(law.mean[:2]).all()
    assert law.started[:2] == pytest.approx(0.0, abs=1e-9)
    assert np.isfinite(law.mean[2])


@pytest.mark.parametrize(
    ("seconds", "arguments", "message"),
    [
        ([], {}, "positions must be finite"),
        ([-1.0, 5.0], {}, "positions must be finite"),
        ([0.0], {}, "positions must be finite"),
        ([np.inf], {}, "positions must be finite"),
        ([5.0], {"workers": 0}, "workers must be a whole number from 1, not 0"),
        ([5.0], {"workers": 1.5}, "workers must be"),
        ([5.0], {"step": 0.7}, "no multiple of the step of 0.7 s"),
    ],
)
def test_what_is_no_question_is_refused(seconds: list[float], arguments: dict[str, float], message: str) -> None:
    draws = Draws(np.array([1.0, 2.0]), np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    with pytest.raises(AnalysisError, match=message):
        clock_law_of_draws(draws, [1.0, 0.0], seconds, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0.0, np.nan, -1.0, np.inf])
def test_a_training_without_duration_is_refused(bad: float) -> None:
    draws = Draws(np.array([1.0, bad]), np.array([0.5, 0.5]), np.array([0.0, 1.0]))
    with pytest.raises(AnalysisError, match="must take a positive, recorded time"):
        clock_law_of_draws(draws, [1.0, 0.0], [5.0])


def test_a_table_without_training_time_is_refused(tmp_path: Path) -> None:
    official = load("nasbench201")
    schedule = {
        "validation_accuracy": Column(np.zeros((3, 1, 1), np.uint16), "images", (200,), 40, "some images", "others")
    }
    names = ("name", "address", "licence", "citation", "sha256", "elsewhere")
    groups = {"made": DatasetContent({}, {200: schedule})}
    path = tmp_path / "untimed.h5"
    write(path, TableContent("nb201", official.architectures[:3], groups, dict.fromkeys(names, "none"), {}))
    with pytest.raises(NotRecordedError, match="training_time"):
        random_search_clock_law(Table(path), [5.0])
