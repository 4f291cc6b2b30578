"""summary.json: every number again from the histories by plain loops; the table on the screen, uncut at 80 columns."""

from __future__ import annotations

import io
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from nasbench import Budget, History, Rules, Table, load, registry
from nasbench.analysis import random_search_clock_law, random_search_law
from nasbench.analysis.report import render, summarise, width_of
from nasbench.errors import ComparisonError
from nasbench.search.compare import Algorithm, Comparison, Settings, compare
from nasbench.tables import SOURCE_FIELDS, Column, DatasetContent, TableContent, write
from nasbench.types import Constraint

NAMES = ("random_search", "regularized_evolution", "local_search:initial=2")
MISSING = 2**16 - 1


def compare_in(folder: Path, *names: str, **changes: Any) -> Comparison:
    algorithms = tuple(Algorithm.parse(name) for name in names or NAMES)
    return compare(
        Settings("nasbench201", "cifar10", algorithms, Budget(40), 12, 3)._replace(**changes), folder / "out"
    )


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare_in(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def summary(comparison: Comparison) -> dict[str, Any]:
    return summarise(comparison, target=0.01)


def held_regrets(history: History, table: Table, metric: str = "validation_accuracy") -> list[float]:
    """The regret of the incumbent after each evaluation: by unseen runs, else by those that did not make it win."""
    judges = np.stack([table.column(metric, run=r) for r in range(runs_of(table))], axis=1).tolist()
    rows = {architecture: row for row, architecture in enumerate(table)}
    optimum, found, best = unseen_optimum(judges), [], -1.0
    seen: dict[int, set[int]] = {}
    for architecture, observed, run in zip(
        history.architectures.tolist(), history.validation_accuracy.tolist(), history.runs.tolist(), strict=True
    ):
        row = rows[tuple(architecture)]
        seen.setdefault(row, set()).add(run)
        if observed > best:
            best, held, won = observed, row, run
        recorded = {r: value for r, value in enumerate(judges[held]) if value == value}
        unseen = [value for r, value in recorded.items() if r not in seen[held]]
        unseen = unseen or [value for r, value in recorded.items() if r != won] or list(recorded.values())
        found.append(optimum - statistics.fmean(unseen) if unseen else math.nan)
    return found


def runs_of(table: Table) -> int:
    return int(table.describe()["validation_accuracy@200"].shape[-1])


@cache
def _unseen_optimum(judges: tuple[tuple[float, ...], ...]) -> float:
    """One run of every architecture, the best judged by the others: from the best run of all downwards."""
    shown = [(value, -row, r) for row, runs in enumerate(judges) for r, value in enumerate(runs) if value == value]
    counts = [sum(value == value for value in runs) for runs in judges]
    better = [0] * len(judges)
    total, nobody = 0.0, 1.0
    for value, row, r in sorted(shown, reverse=True):
        row = -row
        others = [v for i, v in enumerate(judges[row]) if v == v and i != r] or [value]
        chance = 1 / (counts[row] - better[row])  # that this run is shown, given that no better one of them is
        total += nobody * chance * statistics.fmean(others)
        nobody *= 1 - chance
        better[row] += 1
        if nobody < 1e-15:
            break
    return total


def unseen_optimum(judges: list[list[float]]) -> float:
    return _unseen_optimum(tuple(map(tuple, judges)))


def middle_half(values: Sequence[float]) -> float:
    cut = len(values) // 4
    return statistics.fmean(sorted(values)[cut : len(values) - cut])


def quantile(values: Sequence[float], q: float) -> float:
    """Hyndman & Fan's seventh, numpy's and R's default."""
    ordered, place = sorted(values), q * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def every_run_of(comparison: Comparison) -> list[list[float]]:
    table = comparison.benchmark
    assert isinstance(table, Table)
    return np.stack([table.column("validation_accuracy", run=r) for r in range(3)], axis=1).tolist()


def show(summary: dict[str, Any], width: int = 80) -> str:
    text = io.StringIO()
    Console(file=text, width=width).print(render(summary))
    return text.getvalue()


# The numbers.


def test_the_summary_has_these_parts(summary: dict[str, Any], comparison: Comparison) -> None:
    assert set(summary) == {
        *("benchmark", "judged_by", "budget", "rules", "workers", "runs", "seed", "confidence", "positions"),
        *("algorithms", "random_search_law", "duels", "fronts"),
    }
    assert summary["benchmark"] == {
        "name": "nasbench201 (cifar10)",
        "digest": load("nasbench201").digest,
        "origin": "recorded",
        "optimum": pytest.approx(unseen_optimum(every_run_of(comparison)), abs=1e-11),
        "optimum_is_known": True,
        "largest_mean": pytest.approx(0.9161, abs=5e-5),  # 91.61 in the tables of the NAS-Bench-201 paper
    }
    assert summary["judged_by"] == "unseen runs"
    assert summary["budget"] == {"amount": 40, "unit": "evaluations"}
    assert summary["rules"] == {"observe": "run", "repeats_cost": True}
    assert (summary["runs"], summary["seed"], summary["confidence"]) == (12, 3, 0.95)
    assert list(summary["algorithms"]) == ["random_search", "regularized_evolution", "local_search(initial=2)"]
    for found in summary["algorithms"].values():
        assert set(found) == {
            *("validation_regret", "test_regret", "target", "evaluations", "unique_architectures"),
            *("simulated_seconds", "utilisation", "incumbents_seen_whole", "curve"),
        }
        assert found["test_regret"] is None
        assert set(found["validation_regret"]) == {"mean", "median", "interquartile_mean"}
        assert set(found["curve"]) == {"mean", "mean_low", "mean_high", "quartile_1", "median", "quartile_3"}
        assert {len(curve) for curve in found["curve"].values()} == {len(summary["positions"])}


def test_the_summary_is_json_without_nan_and_the_same_again(summary: dict[str, Any], comparison: Comparison) -> None:
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text) == summary
    assert json.dumps(summarise(comparison, target=0.01), allow_nan=False) == text


def test_positions_are_whole_rising_numbers_of_evaluations_dense_at_the_start(summary: dict[str, Any]) -> None:
    positions = summary["positions"]
    assert positions[:20] == list(range(1, 21))
    assert positions[-1] == 40
    assert all(a < b for a, b in pairwise(positions))
    assert all(position == int(position) for position in positions)


def test_every_number_is_that_of_a_plain_loop(summary: dict[str, Any], comparison: Comparison) -> None:
    target = 0.01
    final: dict[str, list[float]] = {}
    for label, histories in comparison.histories.items():
        found = summary["algorithms"][label]
        held = [held_regrets(history, comparison.benchmark) for history in histories]
        for i, position in enumerate(summary["positions"]):
            at = [regrets[int(position) - 1] for regrets in held]
            curve = {name: values[i] for name, values in found["curve"].items()}
            assert curve["mean"] == pytest.approx(statistics.fmean(at), abs=1e-11)
            assert curve["median"] == pytest.approx(statistics.median(at), abs=1e-11)
            assert curve["quartile_1"] == pytest.approx(quantile(at, 0.25), abs=1e-11)
            assert curve["quartile_3"] == pytest.approx(quantile(at, 0.75), abs=1e-11)
            assert (curve["mean_low"], curve["mean_high"]) == (None, None), "twelve runs are too few"
        final[label] = [regrets[-1] for regrets in held]
        for name, statistic in {
            "mean": statistics.fmean,
            "median": statistics.median,
            "interquartile_mean": middle_half,
        }.items():
            estimate = found["validation_regret"][name]
            assert estimate["estimate"] == pytest.approx(statistic(final[label]), abs=1e-11)
            assert (estimate["low"] is None) == (name != "median")
        ordered = sorted(final[label])  # 1 - 2 P(B < 3) is 96.1 % for 12 runs
        median = found["validation_regret"]["median"]
        assert (median["low"], median["high"]) == pytest.approx((ordered[2], ordered[9]), abs=1e-11)
        above = [[i + 1 for i, r in enumerate(regrets) if r > target + 1e-12] for regrets in held]
        hits = [(i[-1] if i else 0) + 1 for i in above if not i or i[-1] < 40]
        assert found["target"]["validation_regret"] == target
        assert found["target"]["success_rate"]["estimate"] == pytest.approx(len(hits) / 12)
        spent = sum(hits) + 40 * (12 - len(hits))
        expected = spent / len(hits) if hits else None
        assert found["target"]["expected_running_time"] == (pytest.approx(expected) if hits else None)
        unique = [len({tuple(a) for a in history.architectures.tolist()}) for history in histories]
        assert found["unique_architectures"] == pytest.approx(statistics.fmean(unique))
        assert found["evaluations"] == 40
        assert found["simulated_seconds"] == pytest.approx(statistics.fmean(sum(h.seconds) for h in histories))
    labels = list(final)
    assert [(d["first"], d["second"]) for d in summary["duels"]] == [
        (a, b) for i, a in enumerate(labels) for b in labels[i + 1 :]
    ]
    for duel in summary["duels"]:
        pairs = [(x, y) for x in final[duel["first"]] for y in final[duel["second"]]]
        won = statistics.fmean((x < y) + (x == y) / 2 for x, y in pairs)
        assert duel["probability"] == pytest.approx(won)
        assert 0 <= duel["p_value"] <= 1


def test_what_is_said_of_an_algorithm_does_not_depend_on_its_company(summary: dict[str, Any], tmp_path: Path) -> None:
    alone = summarise(compare_in(tmp_path, NAMES[1]), target=0.01)
    assert alone["algorithms"]["regularized_evolution"] == summary["algorithms"]["regularized_evolution"]
    assert alone["duels"] == []


def test_the_law_stands_beside_draws_that_cost_and_nothing_else(summary: dict[str, Any], tmp_path: Path) -> None:
    table = load("nasbench201")
    law = random_search_law(table, summary["positions"])
    assert summary["random_search_law"]["mean"] == pytest.approx(law.mean.tolist())
    assert summary["random_search_law"]["standard_deviation"] == pytest.approx(law.standard_deviation.tolist())
    for i, changes in enumerate(
        (
            {"rules": Rules("run", repeats_cost=False)},
            {"budget": Budget(2000, "epochs")},
            {"constraints": (Constraint("parameters", most=500_000),)},
            {"workers": 2},
        )
    ):
        assert summarise(compare_in(tmp_path / str(i), NAMES[0], **changes))["random_search_law"] is None
    clock = summarise(compare_in(tmp_path / "clock", NAMES[0], budget=Budget(90_000, "seconds"), workers=2))
    law = random_search_clock_law(table, clock["positions"], workers=2)
    assert clock["random_search_law"]["mean"] == pytest.approx(law.mean.tolist())
    mean = summarise(compare_in(tmp_path / "mean", NAMES[0], rules=Rules("mean")))
    law = random_search_law(table, mean["positions"], observe="mean")
    assert mean["judged_by"] == "means"
    assert mean["benchmark"]["optimum"] == mean["benchmark"]["largest_mean"]
    assert mean["random_search_law"]["mean"] == pytest.approx(law.mean.tolist())


@pytest.mark.parametrize("budget", [Budget(60_000.5, "seconds"), Budget(3100, "epochs")])
def test_other_budgets_start_where_every_run_has_a_value(tmp_path: Path, budget: Budget) -> None:
    comparison = compare_in(tmp_path, *NAMES[:2], budget=budget)
    summary = summarise(comparison)
    positions = summary["positions"]
    first = max(h.cost[0] for histories in comparison.histories.values() for h in histories)
    assert positions[0] == pytest.approx(first, rel=1e-11)
    assert positions[-1] == budget.amount
    assert all(a < b for a, b in pairwise(positions))
    for label, histories in comparison.histories.items():
        held = [held_regrets(history, comparison.benchmark) for history in histories]
        for i in (0, 57, 130, len(positions) - 1):
            paid = [int(np.searchsorted(np.cumsum(h.cost), positions[i], side="right")) for h in histories]
            expected = statistics.fmean(regrets[n - 1] for regrets, n in zip(held, paid, strict=True))
            assert summary["algorithms"][label]["curve"]["mean"][i] == pytest.approx(expected, abs=1e-11)
    json.dumps(summary, allow_nan=False)
    unit = {"seconds": "60,000.5 seconds", "epochs": "3,100 epochs"}[budget.unit]
    assert f"12 runs of {unit}" in show(summary)


def test_a_budget_below_one_evaluation_is_refused(tmp_path: Path) -> None:
    """The cheapest CIFAR-10 training of NAS-Bench-201 takes more than nine minutes."""
    with pytest.raises(ComparisonError, match=r"500 seconds does not pay .* in 12 of 12 runs of random_search\. Raise"):
        summarise(compare_in(tmp_path, NAMES[0], budget=Budget(500, "seconds")))


# Test accuracy, where a table has it.


def moved(comparison: Comparison, table: Table) -> Comparison:
    """The same searches as if they had searched this table, which has the same validation accuracies."""
    histories = {
        label: [
            replace(h, header=h.header | {"benchmark": h.header["benchmark"] | {"digest": table.digest}}) for h in found
        ]
        for label, found in comparison.histories.items()
    }
    return comparison._replace(benchmark=table, histories=histories)


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """All of NAS-Bench-201 with made-up counts; the test split ranks otherwise than the validation split."""
    rng = np.random.default_rng(5)
    n = 15_625
    valid = rng.integers(300, 900, (n, 1, 2)).astype(np.uint16)
    valid[::3, 0, 1] = MISSING
    test = rng.integers(300, 900, (n, 1, 2)).astype(np.uint16)
    test[::3, 0, 1] = MISSING
    schedule = {
        "validation_accuracy": Column(valid, "images", (200,), 1000, "train", "valid"),
        "test_accuracy": Column(test, "images", (200,), 1000, "train", "test"),
        "training_time": Column(np.full((n, 1, 1), 100.0), "seconds", (200,)),
    }
    space = registry.find("spaces", "nb201")()
    path = tmp_path_factory.mktemp("tested") / "made.h5"
    source = dict.fromkeys(SOURCE_FIELDS, "made")
    write(path, TableContent("nb201", space.architectures, {"made": DatasetContent({}, {200: schedule})}, source, {}))
    return load(path)


def test_test_regret_stands_beside_where_the_table_has_it(tested: Table, tmp_path: Path) -> None:
    """Of the incumbent by validation accuracy, in the mean over its runs; not the least test regret that was seen."""
    comparison = compare_in(tmp_path, *NAMES[:2], table=tested.path, dataset="made")
    summary = summarise(comparison)
    for label, histories in comparison.histories.items():
        final = [held_regrets(history, tested, "test_accuracy")[-1] for history in histories]
        found = summary["algorithms"][label]["test_regret"]
        assert found["mean"]["estimate"] == pytest.approx(statistics.fmean(final), abs=1e-11)
        assert found["median"]["estimate"] == pytest.approx(statistics.median(final), abs=1e-11)
        assert found["interquartile_mean"]["estimate"] == pytest.approx(middle_half(final), abs=1e-11)
        assert min(final) <= found["median"]["low"] <= found["median"]["high"] <= max(final)
        assert found["mean"]["estimate"] > 0.05, "the made-up splits rank alike, so this test would show nothing"
        line = next(line for line in show(summary).splitlines() if line.startswith(label[:12]))
        assert f" {100 * found['mean']['estimate']:.3f} " in line
    assert " test " in show(summary).splitlines()[1]
    assert "mean test regret" in " ".join(show(summary).split())


def test_test_regret_is_left_out_where_an_incumbent_has_none(tested: Table, tmp_path: Path) -> None:
    """A mean over the others would be another quantity."""
    comparison = compare_in(tmp_path, *NAMES[:2], table=tested.path, dataset="made")
    history = comparison.histories["random_search"][5]
    held = held_regrets(history, tested)
    incumbent = history.architectures[held.index(held[-1])]
    content = tested._file
    test = content.read(content.schedules[200]["test_accuracy"], 200).copy()
    test[tested.rows([incumbent])] = MISSING
    schedule = {
        name: Column(content.read(info, 200)[:, None], info.unit, (200,), info.images, "", info.evaluated_on)
        for name, info in content.schedules[200].items()
    }
    schedule["test_accuracy"] = schedule["test_accuracy"]._replace(values=test[:, None])
    source = dict.fromkeys(SOURCE_FIELDS, "made")
    made = DatasetContent({}, {200: schedule})
    write(tmp_path / "less.h5", TableContent("nb201", tested.architectures, {"made": made}, source, {}))
    summary = summarise(moved(comparison, load(tmp_path / "less.h5")))
    assert summary["algorithms"]["random_search"]["test_regret"] is None
    assert summary["algorithms"]["regularized_evolution"]["test_regret"] is not None
    json.dumps(summary, allow_nan=False)
    line = next(line for line in show(summary).splitlines() if line.startswith("random_search"))
    assert " - " in line


def test_the_law_is_not_told_where_a_draw_may_have_no_row(tested: Table, tmp_path: Path) -> None:
    """Random search draws from the whole space, and the law from the rows: of a part of it they are not the same."""
    comparison = compare_in(tmp_path, *NAMES[:1], table=tested.path, dataset="made", runs=2, budget=Budget(3))
    assert summarise(comparison)["random_search_law"] is not None
    asked = np.unique(np.concatenate([tested.rows(h.architectures) for h in comparison.histories["random_search"]]))
    schedule = {
        name: Column(tested._file.read(info, 200)[asked][:, None], info.unit, (200,), info.images)
        for name, info in tested._file.schedules[200].items()
    }
    source = dict.fromkeys(SOURCE_FIELDS, "made")
    content = {"made": DatasetContent({}, {200: schedule})}
    write(tmp_path / "part.h5", TableContent("nb201", tested.architectures[asked], content, source, {}))
    summary = summarise(moved(comparison, load(tmp_path / "part.h5")))
    assert summary["random_search_law"] is None
    assert "exact law" not in show(summary)


def test_a_table_without_training_times_can_be_searched(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    counts = rng.integers(300, 900, (15_625, 1, 2)).astype(np.uint16)
    schedule = {"validation_accuracy": Column(counts, "images", (200,), 1000, "train", "valid")}
    space = registry.find("spaces", "nb201")()
    source = dict.fromkeys(SOURCE_FIELDS, "made")
    content = TableContent("nb201", space.architectures, {"made": DatasetContent({}, {200: schedule})}, source, {})
    write(tmp_path / "t.h5", content)
    summary = summarise(compare_in(tmp_path, NAMES[0], table=str(tmp_path / "t.h5"), dataset="made", runs=2))
    assert summary["algorithms"]["random_search"]["simulated_seconds"] is None
    json.dumps(summary, allow_nan=False)


# The table on the screen.


def test_the_table_on_the_screen(summary: dict[str, Any]) -> None:
    text = show(summary)
    lines = text.splitlines()
    assert lines[0].startswith("nasbench201 (cifar10): 12 runs of 40 evaluations")
    assert lines[1].split() == ["algorithm", "regret", "median", "[95", "%]", "IQM", "end<=1", "ERT", "unique"]
    for (label, found), line in zip(summary["algorithms"].items(), lines[2:5], strict=True):
        regret, rate = found["validation_regret"], found["target"]["success_rate"]["estimate"]
        expected = found["target"]["expected_running_time"]
        assert line.split() == [
            label,
            f"{100 * regret['mean']['estimate']:.3f}",
            f"{100 * regret['median']['estimate']:.3f}",
            f"[{100 * regret['median']['low']:.3f},",
            f"{100 * regret['median']['high']:.3f}]",
            f"{100 * regret['interquartile_mean']['estimate']:.3f}",
            "100%" if rate == 1 else f"{100 * rate:.1f}%",
            "never" if expected is None else f"{expected:.0f}",
            f"{found['unique_architectures']:.0f}",
        ]
    flowing = " ".join(text.split())
    assert "the validation accuracy held after one run of every architecture, 91.51% (largest mean: 91.61%)" in flowing
    assert "by runs that the search did not see" in flowing
    assert f"Random search must have {100 * summary['random_search_law']['mean'][-1]:.3f} (exact law)" in flowing
    assert "test" not in text
    duel = summary["duels"][0]
    assert f"{100 * duel['probability']:.1f}%" in text
    assert f"{100 - 100 * duel['probability']:.1f}%" in text
    assert max(map(len, lines)) <= 80


def test_no_number_is_cut_off_at_80_columns(summary: dict[str, Any]) -> None:
    """The widest there is: long name, two digits of regret, test regret, all runs successful, millions of seconds."""
    extreme = json.loads(json.dumps(summary))
    extreme["budget"] = {"amount": 12_345_678.5, "unit": "seconds"}
    found = list(extreme["algorithms"].values())
    for each in found:
        each["test_regret"] = {
            name: {"estimate": 0.123456, "low": 0.11, "high": 0.13} for name in each["validation_regret"]
        }
        each["validation_regret"] = {
            name: {"estimate": 0.234567, "low": 0.21, "high": 0.25} for name in each["validation_regret"]
        }
        each["target"] |= {
            "success_rate": {"estimate": 1.0, "low": 0.9, "high": 1.0},
            "expected_running_time": 123_456_789.0,
        }
        each["unique_architectures"] = 12_345.0
    name = "regularized_evolution(population_size=100,sample_size=25)"
    extreme["algorithms"] = dict(zip(("a", "b", name), found, strict=True))
    extreme["duels"] = []
    text = show(extreme)
    assert max(map(len, text.splitlines())) <= 80
    for number in ("23.457 [21.000, 25.000]", "12.346", "100%", "1.23e+08", "12,345", "unique"):
        assert text.count(number) >= 3 or number == "unique"
    start = text.splitlines()[2].index("23.457")
    column = "".join(line[:start].strip() for line in text.splitlines()[4:])
    assert name in column, "the name folds, and is whole"


def test_names_fold_only_where_the_terminal_is_narrow(summary: dict[str, Any]) -> None:
    long = json.loads(json.dumps(summary))
    name = "regularized_evolution(population_size=100,sample_size=25)"
    long["algorithms"] = dict(zip(("a", "b", name), long["algorithms"].values(), strict=True))
    long["duels"] = []
    assert width_of(long) > 80
    assert any(line.startswith(name) for line in show(long, width_of(long)).splitlines())
    assert width_of(summary) == 80


def test_incumbents_that_were_seen_whole_are_told(summary: dict[str, Any]) -> None:
    told = json.loads(json.dumps(summary))
    told["algorithms"]["random_search"]["incumbents_seen_whole"] = 7
    told["algorithms"]["regularized_evolution"]["incumbents_seen_whole"] = 0
    told["algorithms"]["local_search(initial=2)"]["incumbents_seen_whole"] = 0
    assert "Incumbents of which the search saw every run: random_search 7." in " ".join(show(told).split())


def test_stars_mark_differences_after_holm(summary: dict[str, Any]) -> None:
    marked = json.loads(json.dumps(summary))
    for duel, probability, p in zip(marked["duels"], (0.9, 0.25, 0.5), (0.049, 0.05, 1.0), strict=True):
        duel |= {"probability": probability, "p_value": p}
    rows = [line.split() for line in show(marked).splitlines() if line.startswith(("1 ", "2 ", "3 "))]
    assert rows == [
        ["1", "random_search", "-", "90.0%*", "25.0%"],
        ["2", "regularized_evolution", "10.0%*", "-", "50.0%"],
        ["3", "local_search(initial=2)", "75.0%", "50.0%", "-"],
    ]
