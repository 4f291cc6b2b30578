"""Statistics of searches against plain loops with fractions, scipy, hand-computed examples and exact laws."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from nasbench import Budget, History, Rules, Table, load, registry, run
from nasbench.analysis import (
    best_known,
    duels,
    holm,
    incumbents,
    incumbents_seen_whole,
    interquartile_mean,
    interquartile_mean_interval,
    judged,
    mean_band,
    mean_interval,
    median_interval,
    proportion_interval,
    random_search_law,
    regret_curves,
    run_spread,
    running_time,
    unique_architectures,
)
from nasbench.errors import AnalysisError, NotRecordedError
from nasbench.tables import Column, DatasetContent, TableContent, write

DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
MISSING = 2**16 - 1
IMAGES = 40
# Correct images of 40, by architecture and run. Two runs of the first are equal, run 2 of the second equals run 0 of
# the third; the first and the last have the same mean, with one, two and three recorded runs.
COUNTS = ((30, 30, MISSING), (10, MISSING, 20), (20, 36, 31), (25, 25, MISSING), (30, MISSING, MISSING))
TEST_COUNTS = ((31, 29, MISSING), (11, MISSING, 18), (22, 30, 32), (26, 26, MISSING), (34, MISSING, MISSING))
# Between runs the source may tell different times; here it does not, as in NAS-Bench-201.
SECONDS = (4.0, 1.5, 8.25, 2.0, 0.25)

law_settings = settings(derandomize=True, max_examples=60, deadline=None)


def make_table(
    path: Path, counts: Sequence[Sequence[int]], test_counts: Sequence[Sequence[int]] | None = None
) -> Table:
    """A table of the first NAS-Bench-201 cells in lexicographic order, with these counts of correct images."""
    n = len(counts)

    def accuracy(values: Sequence[Sequence[int]]) -> Column:
        return Column(np.array(values, np.uint16)[:, None], "images", (200,), IMAGES, "some images", "other images")

    schedule = {
        "validation_accuracy": accuracy(counts),
        "training_time": Column(np.resize(np.array(SECONDS), (n, 1, 1)), "seconds", (200,)),
    }
    if test_counts is not None:
        schedule["test_accuracy"] = accuracy(test_counts)
    names = ("name", "address", "licence", "citation", "sha256", "elsewhere")
    architectures = registry.find("spaces", "nb201")().decode(np.arange(n))
    content = TableContent(
        "nb201", architectures, {"made": DatasetContent({}, {200: schedule})}, dict.fromkeys(names, "none"), {}
    )
    write(path, content)
    return Table(path)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return make_table(tmp_path_factory.mktemp("analysis") / "five.h5", COUNTS, TEST_COUNTS)


def mean(counts: Sequence[int]) -> Fraction:
    recorded = [count for count in counts if count != MISSING]
    return Fraction(sum(recorded), IMAGES * len(recorded))


def recorded(counts: Sequence[int]) -> list[int]:
    return [run for run, count in enumerate(counts) if count != MISSING]


def judge(counts: Sequence[int], won: int, seen: set[int]) -> Fraction:
    """The rule in words: unseen runs; if there are none, those that did not make it win; if none, that one."""
    runs = [run for run in recorded(counts) if run not in seen]
    runs = runs or [run for run in recorded(counts) if run != won] or recorded(counts)
    return Fraction(sum(counts[run] for run in runs), IMAGES * len(runs))


def plain_judged(
    search: Sequence[tuple[int, int]], counts: Sequence[Sequence[int]], shown: Sequence[Sequence[int]] = COUNTS
) -> list[Fraction]:
    """What the incumbent is worth after each evaluation of (row, run)."""
    found = []
    for end in range(1, len(search) + 1):
        best = max(range(end), key=lambda i: (shown[search[i][0]][search[i][1]], -i))
        row, won = search[best]
        found.append(judge(counts[row], won, {run for other, run in search[:end] if other == row}))
    return found


def plain_optimum(counts: Sequence[Sequence[int]]) -> Fraction:
    """One run of every architecture, in all ways: the mean of what the first of the best is worth by the others."""
    values = []
    for draw in product(*map(recorded, counts)):
        best = max(range(len(counts)), key=lambda row: (counts[row][draw[row]], -row))
        values.append(judge(counts[best], draw[best], {draw[best]}))
    return sum(values, Fraction(0)) / len(values)


def make_history(
    table: Table,
    rows: Sequence[int],
    observed: Sequence[float],
    cost: Sequence[float] | None = None,
    runs: Sequence[int] | None = None,
    digest: str | None = None,
) -> History:
    """A history of means, or of these runs."""
    n = len(rows)
    cost = [1.0] * n if cost is None else cost
    return History(
        header={"benchmark": {"digest": table.digest if digest is None else digest}},
        architectures=table.architectures[np.array(rows, np.int64)],
        schedules=np.full(n, 200, np.int32),
        epochs=np.full(n, 200, np.int32),
        runs=np.full(n, -1, np.int32) if runs is None else np.array(runs, np.int32),
        validation_accuracy=np.array(observed, np.float64),
        test_accuracy=np.full(n, np.nan),
        cost=np.array(cost, np.float64),
        seconds=np.array(cost, np.float64),
    )


def first_best(observed: Sequence[float]) -> list[int]:
    found: list[int] = []
    for i, value in enumerate(observed):
        found.append(i if not found or value > observed[found[-1]] else found[-1])
    return found


# From histories to curves.


@law_settings
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_the_incumbent_is_the_first_of_the_best(observed: list[int]) -> None:
    assert incumbents([value / 4 for value in observed]).tolist() == first_best(observed)


def test_incumbents_of_many_searches_and_of_none() -> None:
    assert incumbents([[0.1, 0.3, 0.3], [0.2, 0.1, 0.9]]).tolist() == [[0, 1, 1], [0, 0, 2]]
    assert incumbents([]).tolist() == []


def evaluations(search: Sequence[tuple[int, int, int]]) -> tuple[list[tuple[int, int]], list[float], list[Fraction]]:
    """Recorded runs of rows, what they show, and what they cost."""
    asked = [(row, recorded(COUNTS[row])[run % len(recorded(COUNTS[row]))]) for row, run, _ in search]
    observed = [COUNTS[row][run] / IMAGES for row, run in asked]
    return asked, observed, [Fraction(quarters, 4) for _, _, quarters in search]


searches = st.lists(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(1, 12)), max_size=8), min_size=1, max_size=4
)


@law_settings
@given(searches, st.lists(st.integers(0, 100), min_size=1, max_size=6).map(sorted))
@pytest.mark.parametrize("metric", ["validation_accuracy", "test_accuracy"])
def test_regret_curves_are_those_of_a_plain_loop(
    table: Table, metric: Any, spent: list[list[tuple[int, int, int]]], positions: list[int]
) -> None:
    """Any budgets, any lengths, costs in quarters; what is observed is one run, what counts are the unseen ones."""
    counts = COUNTS if metric == "validation_accuracy" else TEST_COUNTS
    optimum = plain_optimum(counts)
    histories, expected = [], []
    for search in spent:
        asked, observed, costs = evaluations(search)
        rows, runs = [row for row, _ in asked], [run for _, run in asked]
        histories.append(make_history(table, rows, observed, [float(c) for c in costs], runs))
        worth = plain_judged(asked, counts)
        curve: list[Fraction | None] = []
        for position in positions:
            paid = 0
            while paid < len(search) and sum(costs[: paid + 1]) <= Fraction(position, 4):
                paid += 1
            curve.append(optimum - worth[paid - 1] if paid else None)
        expected.append(curve)
    curves = regret_curves(histories, table, [position / 4 for position in positions], metric=metric)
    assert curves.shape == (len(spent), len(positions))
    for found, wanted in zip(curves.tolist(), expected, strict=True):
        assert found == pytest.approx([float("nan") if w is None else float(w) for w in wanted], abs=1e-12, nan_ok=True)


def test_a_lucky_run_does_not_help(table: Table) -> None:
    """The second run of architecture 2 shows 36 of 40; the other two have 20 and 31."""
    lucky = make_history(table, [2], [0.9], runs=[1])
    assert judged(lucky, table).tolist() == [51 / 80]
    # It is asked again: first its third run is seen, so that the first alone is unseen; then all are seen.
    again = make_history(table, [2, 2, 2], [0.9, 31 / 40, 0.5], runs=[1, 2, 0])
    assert judged(again, table).tolist() == [51 / 80, 0.5, 51 / 80]
    assert incumbents_seen_whole([lucky, again], table) == 1
    # Architecture 4 has one run: it is all that can judge.
    single = make_history(table, [4], [0.75], runs=[0])
    assert judged(single, table).tolist() == [0.75]
    assert incumbents_seen_whole([single], table) == 1
    means = make_history(table, [2], [87 / 120])
    assert judged(means, table).tolist() == [87 / 120]
    assert incumbents_seen_whole([means], table) == 0


def test_the_optimum_has_no_luck_of_its_own(table: Table) -> None:
    """With means the largest one; with runs what one run of each finds, by hand in all 24 ways."""
    assert best_known([make_history(table, [0], [0.5])], table) == 0.75
    seen = [make_history(table, [0], [0.5], runs=[0])]
    assert best_known(seen, table) == pytest.approx(float(plain_optimum(COUNTS)), abs=1e-15)
    assert best_known(seen, table, "test_accuracy") == pytest.approx(float(plain_optimum(TEST_COUNTS)), abs=1e-15)


def test_the_optimum_of_a_whole_benchmark_is_that_of_simulated_draws() -> None:
    """4,000 times one run of each of 15,625 cells, judged by the other runs, within four standard errors."""
    table = load("nasbench201")
    runs = np.stack([table.column("validation_accuracy", run=run) for run in range(3)], axis=1)
    top = runs[np.nanmax(runs, axis=1) > 0.912]  # what wins shows more than that, as 4,000 draws will tell
    rng, values = np.random.default_rng(11), []
    for _ in range(4000):
        order = rng.random(top.shape)
        drawn = np.where(np.isfinite(top), order, 2).argmin(axis=1)
        shown = top[np.arange(len(top)), drawn]
        best = int(shown.argmax())
        assert shown[best] > 0.912
        values.append(np.nanmean(np.delete(top[best], drawn[best])))
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    found = best_known([make_history(table, [0], [0.5], runs=[0])], table)
    assert found == pytest.approx(np.mean(values), abs=4 * error)
    assert found < table.optimum().value - 5e-4, "the largest mean has the luck of its runs"


def test_histories_of_another_table_are_refused(table: Table) -> None:
    strange = make_history(table, [0], [0.5], digest="0" * 64)
    for judging in (lambda: regret_curves([strange], table, [1]), lambda: running_time([strange], table, 0.1)):
        with pytest.raises(AnalysisError, match=r"digest 0000.*judge a search by what it searched"):
            judging()
    with pytest.raises(AnalysisError, match="digest None"):
        regret_curves([History({}, *(getattr(strange, f) for f in FIELDS))], table, [1])


FIELDS = ("architectures", "schedules", "epochs", "runs", "validation_accuracy", "test_accuracy", "cost", "seconds")


def test_another_image_dataset_of_the_same_file_is_another_table() -> None:
    """Both have one digest: that of the file."""
    searched, other = load("nasbench201"), load("nasbench201", "cifar100")
    assert searched.digest == other.digest
    random_search = registry.find("searchers", "random_search")
    history = run(random_search(searched.space, seed=0), searched, Budget(3), seed=1)
    early = make_history(searched, [0], [0.5])
    early.header["benchmark"]["name"] = searched.name  # as histories were before the dataset stood beside it
    for one in (history, early):
        regret_curves([one], searched, [1])
        with pytest.raises(AnalysisError, match=r"of the image dataset cifar10, but .* is of cifar100"):
            regret_curves([one], other, [1])


@pytest.mark.parametrize("positions", [[float("nan")], [2, 1], [1, float("inf")], [[1]]])
def test_positions_must_be_finite_and_rise(table: Table, positions: Any) -> None:
    with pytest.raises(AnalysisError, match="positions must be finite and rising"):
        regret_curves([make_history(table, [0], [0.5])], table, positions)


def test_a_fidelity_that_the_benchmark_lacks_is_refused(table: Table) -> None:
    mixed = make_history(table, [0, 1], [0.5, 0.6])
    mixed.epochs[0] = 100
    with pytest.raises(AnalysisError, match=r"at \(200, 100\) \(schedule, epoch\), which .* does not have"):
        regret_curves([mixed], table, [1])


def test_what_is_held_where_fidelities_and_constraints_differ() -> None:
    """By hand: the best at the highest fidelity so far, the first of equals; what is not allowed is never held."""
    values = [0.5, 0.7, 0.6, 0.3, 0.9, 0.3, 0.4]
    assert incumbents(values).tolist() == [0, 1, 1, 1, 4, 4, 4]
    ranks = [0, 0, 0, 1, 0, 1, 1]
    assert incumbents(values, ranks).tolist() == [0, 1, 1, 3, 3, 3, 6]
    assert incumbents(values, [2, 1, 1, 0, 2, 2, 3]).tolist() == [0, 0, 0, 0, 4, 4, 6]
    allowed = [False, False, True, False, True, True, False]
    assert incumbents(values, None, allowed).tolist() == [-1, -1, 2, 2, 4, 4, 4]
    assert incumbents(values, ranks, allowed).tolist() == [-1, -1, 2, 2, 4, 5, 5]
    assert incumbents(values, ranks, [False] * 7).tolist() == [-1] * 7


def test_runs_and_means_are_not_compared(table: Table) -> None:
    histories = [make_history(table, [0], [0.5]), make_history(table, [0], [0.5], runs=[0])]
    with pytest.raises(AnalysisError, match="some of these searches saw single runs and others means"):
        regret_curves(histories, table, [1])


def test_regret_in_what_the_table_lacks_is_refused(tmp_path: Path) -> None:
    table = make_table(tmp_path / "t.h5", COUNTS)
    with pytest.raises(NotRecordedError, match="test_accuracy"):
        regret_curves([make_history(table, [0], [0.5])], table, [1], metric="test_accuracy")


def test_unique_architectures_counts_each_once(table: Table) -> None:
    histories = [make_history(table, rows, [0.5] * len(rows)) for rows in ([0, 1, 0, 0], [2], [4, 3, 2, 1, 0], [])]
    assert unique_architectures(histories, table).tolist() == [2, 1, 5, 0]


def test_running_time_of_a_hand_computed_example(table: Table) -> None:
    """Architectures 0 and 4 are the best (30 of 40): held for good after 4 and 6 seconds, and 10 in vain: 20 / 2."""
    histories = [
        make_history(table, [1, 0, 1], [0.25, 0.75, 0.5], [1.0, 3.0, 5.0]),
        make_history(table, [3, 4], [0.5, 0.75], [2.5, 3.5]),
        # It does evaluate the best one, but another looked better: what counts is the incumbent.
        make_history(table, [2, 0], [0.9, 0.75], [4.0, 6.0]),
    ]
    assert running_time(histories, table, 0.0) == (2, 3, 10.0)
    assert running_time(histories[2:], table, 0.0) == (0, 1, float("inf"))
    assert running_time(histories, table, 1.0) == (3, 3, (1.0 + 2.5 + 4.0) / 3)


def test_a_target_that_is_left_again_was_not_reached(table: Table) -> None:
    """The best is held after the first evaluation, then something luckier, then the best again by a luckier run."""
    left = make_history(table, [0, 2], [0.75, 0.9], [1.0, 2.0])
    assert running_time([left], table, 0.0) == (0, 1, float("inf"))
    back = make_history(table, [0, 2, 4], [0.75, 0.9, 0.95], [1.0, 2.0, 4.0])
    assert running_time([back], table, 0.0) == (1, 1, 7.0)


@law_settings
@given(searches.filter(any))
def test_running_time_is_the_mean_hit_plus_the_failures_before_it(
    table: Table, spent: list[list[tuple[int, int, int]]]
) -> None:
    """ERT = E[T | hit] + (1 - p) / p * E[T | miss] (Auger & Hansen, CEC 2005), where a hit is one for good."""
    optimum, target = plain_optimum(COUNTS), Fraction(1, 20)
    histories, hits, misses = [], [], []
    for search in spent:
        asked, observed, costs = evaluations(search)
        rows, runs = [row for row, _ in asked], [run for _, run in asked]
        histories.append(make_history(table, rows, observed, [float(c) for c in costs], runs))
        good = [optimum - worth <= target for worth in plain_judged(asked, COUNTS)]
        stays = [i for i in range(len(good)) if all(good[i:])]
        if stays:
            hits.append(sum(costs[: stays[0] + 1]))
        else:
            misses.append(sum(costs, Fraction(0)))
    found = running_time(histories, table, float(target))
    assert (found.successes, found.runs) == (len(hits), len(spent))
    if hits:
        p = Fraction(len(hits), len(spent))
        lost = (1 - p) / p * sum(misses) / len(misses) if misses else 0
        assert found.expected == pytest.approx(float(sum(hits) / Fraction(len(hits)) + lost), rel=1e-12)
    else:
        assert found.expected == float("inf")


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("target", ["0.001", "0.005", "0.01"])
def test_a_regret_of_exactly_the_target_reaches_it(dataset: str, target: str) -> None:
    """One ImageNet16-120 architecture has a regret of exactly 0.5 points, which floats overshoot."""
    table = load("nasbench201", dataset)
    images = table.describe()["validation_accuracy@200"].images
    assert images
    runs = np.stack([table.column("validation_accuracy", run=r) for r in range(3)], axis=1) * images
    means = [Fraction(round(sum(row)), images * len(row)) for row in (r[np.isfinite(r)].tolist() for r in runs)]
    enough = max(means) - Fraction(target)
    good = [row for row, value in enumerate(means) if value >= enough]
    assert 1 <= len(good) < 400
    found = running_time([make_history(table, [row], [0.9]) for row in good], table, float(target))
    assert found.successes == len(good)
    nearest = max((value, row) for row, value in enumerate(means) if value < enough)[1]
    assert running_time([make_history(table, [nearest], [0.9])], table, float(target)).successes == 0


# From runs to estimates.


def test_interquartile_mean_of_hand_computed_examples() -> None:
    """rliable's definition: scipy's trimmed mean, a quarter, rounded down to whole runs, cut from either end."""
    assert interquartile_mean([1, 2, 3, 4, 5, 6, 7, 8]) == 4.5
    assert interquartile_mean([1000, 3, 4, 0, 5, 2, 6, 1]) == 3.5
    assert interquartile_mean([100, 3, 1, 2, 4]) == 3.0
    values = np.random.default_rng(0).exponential(size=87)
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25), rel=1e-14)


def test_the_mean_has_the_interval_of_an_independent_computation() -> None:
    """Solved by scipy's root finder from the transformation as P. Hall wrote it, for skewed data."""
    from scipy.optimize import brentq

    n = 60
    sample = np.random.default_rng(1).exponential(size=n) ** 2
    s, skew = sample.std(ddof=1), float(stats.skew(sample))
    quantile = stats.t.ppf(0.975, n - 1)

    def beyond(t: float, q: float) -> float:
        return float(t + n**-0.5 * skew * (t**2 / 3 + 1 / 6) + skew**2 * t**3 / (27 * n) - q)

    bounds = [sample.mean() - s / n**0.5 * brentq(beyond, -99, 99, args=(q,)) for q in (quantile, -quantile)]
    found = mean_interval(sample)
    assert found.estimate == pytest.approx(sample.mean(), rel=1e-14)
    assert [found.low, found.high] == pytest.approx(bounds, rel=1e-9)
    # Without skewness it is Student's.
    even = np.concatenate([np.arange(30.0), -np.arange(30.0)])
    student = stats.t.interval(0.95, 59, loc=0, scale=even.std(ddof=1) / 60**0.5)
    assert mean_interval(even)[1:] == pytest.approx(student, rel=1e-9)


def test_there_is_no_interval_where_none_would_hold() -> None:
    few = np.random.default_rng(2).exponential(size=49)
    assert mean_interval(few)[1:] == (None, None)
    assert interquartile_mean_interval(few)[1:] == (None, None)
    assert mean_interval(np.zeros(500))[1:] == (None, None), "all runs are equal: nothing is known of the others"
    assert interquartile_mean_interval([0.0] * 400 + [1.0] * 100)[1:] == (None, None)
    assert interquartile_mean_interval([0.0] * 15 + list(range(1, 46)))[1:] == (None, None)
    assert interquartile_mean_interval([0.0] * 14 + list(range(1, 47))).low is not None
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0])[1:] == (None, None)
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == (3.5, 1.0, 6.0), "1 - 2 / 64 is 97 %"


@pytest.mark.parametrize(
    ("share", "fewest"),
    [(1.0, 50), (0.3, 50), (0.1, 50)],
)
def test_intervals_of_the_mean_cover_it_where_most_runs_are_zero(share: float, fewest: int) -> None:
    """The data that searches give, where resampling covers 65 to 84 %: zeros and a few regrets of exponential size."""
    rng = np.random.default_rng(3)
    data = rng.exponential(size=(fewest, 3000)) * (rng.random((fewest, 3000)) < share)
    _, low, high = mean_band(data)
    told = np.isfinite(low)
    assert told.mean() > 0.98
    covered = ((low <= share) & (high >= share))[told].mean()
    assert covered > 0.95 - 0.01 - 4 * np.sqrt(0.95 * 0.05 / 3000)


def test_intervals_of_the_middle_half_cover_it() -> None:
    rng = np.random.default_rng(4)
    found = [interquartile_mean_interval(rng.standard_normal(50)) for _ in range(2000)]
    covered = np.mean([i.low <= 0 <= i.high for i in found])  # type: ignore[operator]
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 2000) + 0.005)


@law_settings
@given(st.integers(6, 60), st.floats(0.5, 0.99))
def test_the_median_has_the_interval_of_scipys_quantile_test(runs: int, confidence: float) -> None:
    """The same order statistics as those between which the sign test does not reject (scipy.stats.quantile_test)."""
    sample = np.random.default_rng(runs).permutation(runs).astype(float)
    found = median_interval(sample, confidence=confidence)
    if found.low is None or found.high is None:
        assert 1 - 2 * 0.5**runs < confidence
        return
    within = int(found.low) + 1
    assert found.high == runs - within
    assert 1 - 2 * stats.binom.cdf(within - 1, runs, 0.5) >= confidence
    assert 1 - 2 * stats.binom.cdf(within, runs, 0.5) < confidence


def test_proportions_have_clopper_and_pearsons_interval() -> None:
    """By the definition of 1934 as quantiles of beta distributions; none of 20 is 0 to 16.8 %."""
    assert proportion_interval(0, 20) == (0.0, 0.0, pytest.approx(1 - 0.025 ** (1 / 20)))
    found = proportion_interval(7, 30)
    assert found.low == pytest.approx(stats.beta.ppf(0.025, 7, 24))
    assert found.high == pytest.approx(stats.beta.ppf(0.975, 8, 23))


def test_mean_band_tells_positions_without_a_value() -> None:
    curves = np.random.default_rng(5).random((60, 2))
    curves[0, 0] = np.nan
    assert np.isnan(np.stack(mean_band(curves))).tolist() == [[True, False]] * 3


@law_settings
@given(st.lists(st.lists(st.integers(0, 5), min_size=2, max_size=12), min_size=2, max_size=4))
def test_duels_count_pairs_of_runs(final: list[list[int]]) -> None:
    names = [f"algorithm {i}" for i in range(len(final))]
    found = duels({name: [value / 4 for value in values] for name, values in zip(names, final, strict=True)})
    assert [(duel.first, duel.second) for duel in found] == [(a, b) for a in names for b in names if a < b]
    p_values = []
    for duel in found:
        a, b = final[names.index(duel.first)], final[names.index(duel.second)]
        won = sum(Fraction(2 * (x < y) + (x == y), 2) for x in a for y in b)
        assert duel.probability == pytest.approx(float(won / (len(a) * len(b))), rel=1e-12)
        with np.errstate(all="ignore"):
            p = float(stats.mannwhitneyu(a, b, alternative="two-sided", method="asymptotic").pvalue)
        p_values.append(p if p == p else 1.0)  # of values that are all the same
    assert [duel.p_value for duel in found] == pytest.approx(step_down(p_values), rel=1e-12)


def step_down(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values as a definition: the largest (m - j) p among those that are no larger."""
    m = len(p_values)
    ranked = sorted(p_values)
    return [min(1.0, max((m - j) * q for j, q in enumerate(ranked) if q <= p)) for p in p_values]


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        # By hand; R says the same: p.adjust(c(.01, .02, .03, .04, .05), "holm").
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05, 0.08, 0.09, 0.09, 0.09]),
        # The worked example of Wikipedia, "Holm-Bonferroni method": H1 and H4 are rejected at 0.05.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.9, 0.4], [0.9, 0.8]),
        ([0.9, 0.6], [1.0, 1.0]),
        ([0.2], [0.2]),
        ([float("nan"), 0.01], [1.0, 0.02]),
        ([], []),
    ],
)
def test_holm_of_published_examples(p_values: list[float], adjusted: list[float]) -> None:
    assert holm(p_values) == pytest.approx(adjusted, rel=1e-12)


@law_settings
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.001, 0.999))
def test_holm_rejects_what_the_step_down_procedure_rejects(p_values: list[float], level: float) -> None:
    rejected: set[int] = set()
    for step, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[i] * (len(p_values) - step) > level:
            break
        rejected.add(i)
    assert {i for i, p in enumerate(holm(p_values)) if p <= level} == rejected


# Random search.


@pytest.mark.parametrize("observe", ["run", "mean"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_law_is_that_of_all_sequences_of_draws(table: Table, observe: Any, n: int) -> None:
    """All draws of an architecture and of one of its recorded runs, with ties between runs and missing runs."""
    draws = []
    for row, counts in enumerate(COUNTS):
        shown = recorded(counts) if observe == "run" else [-1]
        draws += [(Fraction(1, len(COUNTS) * len(shown)), (row, run)) for run in shown]
    optimum = plain_optimum(COUNTS) if observe == "run" else max(map(mean, COUNTS))
    first = second = total = Fraction(0)
    for sequence in product(draws, repeat=n):
        probability = Fraction(1)
        for p, _ in sequence:
            probability *= p
        asked = [draw for _, draw in sequence]
        worth = plain_judged(asked, COUNTS)[-1] if observe == "run" else max(mean(COUNTS[row]) for row, _ in asked)
        total += probability
        first += probability * (optimum - worth)
        second += probability * (optimum - worth) ** 2
    assert total == 1
    law = random_search_law(table, [n], observe=observe)
    assert law.mean == pytest.approx([float(first)], abs=1e-13)
    assert law.standard_deviation == pytest.approx([float(second - first**2) ** 0.5], abs=1e-12)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_law_of_means_is_the_textbook_formula(dataset: str) -> None:
    """E[best of n] = sum of v_i ((i / N)^n - ((i - 1) / N)^n), values rising; here for the mean over runs."""
    table = load("nasbench201", dataset)
    values = np.sort(table.column("validation_accuracy"))
    at = [1, 10, 100, 1000]
    edges = np.arange(len(values) + 1) / len(values)
    expected = [values[-1] - float((values * np.diff(edges**n)).sum()) for n in at]
    law = random_search_law(table, at, observe="mean")
    assert law.mean == pytest.approx(expected, abs=1e-12)


def test_many_runs_have_no_law(tmp_path: Path) -> None:
    table = make_table(tmp_path / "t.h5", [[1, 2, 3, 4, 5], [2, 3, 4, 5, 6]])
    with pytest.raises(AnalysisError, match="up to 5 runs of an architecture: the law is computed for 4 at most"):
        random_search_law(table, [1])
    assert random_search_law(table, [1], observe="mean").mean == pytest.approx([0.5 / 40])


@pytest.mark.parametrize(
    ("dataset", "observe", "budget"),
    [
        ("cifar10", "run", 100),
        ("cifar10", "mean", 100),
        ("cifar100", "run", 30),
        ("ImageNet16-120", "run", 30),
        ("ImageNet16-120", "mean", 10),
    ],
)
def test_random_search_follows_its_exact_law(dataset: str, observe: Any, budget: int) -> None:
    """The whole chain: searcher, run(), history, table, analysis; 2,000 searches within four standard errors."""
    table = load("nasbench201", dataset)
    searcher, searches = registry.find("searchers", "random_search"), 2000
    histories = [
        run(searcher(table.space, seed=[1, r, 0]), table, Budget(budget), seed=[1, r, 1], rules=Rules(observe))
        for r in range(searches)
    ]
    at = [n for n in (1, 3, 10, 30, 100) if n <= budget]
    curves = regret_curves(histories, table, at)
    law = random_search_law(table, at, observe=observe)
    assert (np.abs(curves.mean(axis=0) - law.mean) < 4 * law.standard_deviation / np.sqrt(searches)).all()
    # The second moment has a standard error too, here estimated from the sample.
    squares = (curves - law.mean) ** 2
    error = squares.std(axis=0, ddof=1) / np.sqrt(searches)
    assert (np.abs(squares.mean(axis=0) - law.standard_deviation**2) < 4 * error).all()


@pytest.mark.parametrize("name", ["regularized_evolution", "genetic_algorithm", "reinforce", "local_search"])
def test_the_others_beat_random_search_at_1000_evaluations(name: str) -> None:
    table = load("nasbench201")
    searcher, searches = registry.find("searchers", name), 60
    histories = [
        run(searcher(table.space, seed=[2, r, 0]), table, Budget(1000), seed=[2, r, 1]) for r in range(searches)
    ]
    final = regret_curves(histories, table, [1000])[:, 0]
    # Student's t against the exact mean of random search, one-sided.
    law = random_search_law(table, [1000])
    assert stats.ttest_1samp(final, law.mean[0], alternative="less").pvalue < 1e-6


def test_the_spread_of_runs_is_pooled_over_similar_architectures():
    """21 architectures make 20 parts, the first of two: the pooled variance of the textbook, by hand."""
    runs = np.full((22, 3), np.nan)
    runs[0], runs[1, :2] = [0.1, 0.2, 0.3], [0.2, 0.24]  # sums of squares 0.02 and 0.0008, on 2 and 1 degrees
    runs[2:21, 0] = np.linspace(0.5, 0.9, 19)  # one run each
    spread = run_spread(runs)
    assert spread.freedom.tolist() == [3, 3, *[0] * 20]
    assert spread.deviation[:2] == pytest.approx(np.sqrt((0.02 + 0.0008) / 3))
    assert np.isnan(spread.deviation[2:]).all()
