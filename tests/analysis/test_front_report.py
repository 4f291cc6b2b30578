"""Fronts in the summary of a comparison, beside plain code that shares nothing with ours; and their picture."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench import Budget, load
from nasbench.analysis import judged
from nasbench.analysis.front_plot import draw_fronts
from nasbench.analysis.report import render, width_of
from nasbench.analysis.summary import summarise
from nasbench.errors import ComparisonError, ConstraintError, NotRecordedError
from nasbench.search.compare import Algorithm, Comparison, Settings, compare
from nasbench.types import Constraint

TABLE = load("nasbench201")
MOST = 800_000


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    settings = Settings(
        "nasbench201",
        "cifar10",
        tuple(Algorithm.parse(name) for name in ("random_search", "nsga2")),
        Budget(120),
        8,
        5,
        workers=3,
        objectives=("validation_accuracy", "latency"),
        constraints=(Constraint("parameters", most=MOST),),
    )
    return compare(settings, tmp_path_factory.mktemp("fronts") / "out")


@pytest.fixture(scope="module")
def summary(comparison: Comparison) -> dict[str, Any]:
    return summarise(comparison)


def beats(a: Any, b: Any) -> bool:
    """Accuracy up, latency down."""
    return a[0] >= b[0] and a[1] <= b[1] and (a[0] > b[0] or a[1] < b[1])


def front_of(points: list[tuple[float, float]]) -> set[tuple[float, float]]:
    best: list[tuple[float, float]] = []
    for point in sorted(set(points), key=lambda p: (p[1], -p[0])):
        if not best or point[0] > best[-1][0]:
            best.append(point)
    return set(best)


def area(points: list[tuple[float, float]]) -> float:
    """Of the union of boxes from points to (1.1, 1.1), both to be small: strip by strip."""
    inside = sorted(p for p in points if p[0] < 1.1 and p[1] < 1.1)
    total, ends = 0.0, [*(p[0] for p in inside[1:]), 1.1]
    lowest = 1.1
    for (x, y), end in zip(inside, ends, strict=True):
        lowest = min(lowest, y)
        total += (end - x) * (1.1 - lowest)
    return total


def means() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    runs = [TABLE.column("validation_accuracy", run=r) for r in range(3)]
    return np.nanmean(runs, axis=0), TABLE.column("latency"), np.stack(runs)


def test_the_true_front_is_what_nothing_allowed_beats(summary: dict[str, Any]) -> None:
    accuracy, latency, _ = means()
    allowed = TABLE.column("parameters") <= MOST
    expected = front_of(list(zip(accuracy[allowed].tolist(), latency[allowed].tolist(), strict=True)))
    found = {tuple(point) for point in summary["fronts"]["front"]}
    assert len(found) == len(expected)
    assert np.allclose(sorted(found), sorted(expected), atol=1e-9)
    assert summary["fronts"]["front_is_known"]
    assert summary["fronts"]["constraints"] == ["parameters<=800000"]


def test_the_hypervolume_of_each_search_is_that_of_what_it_holds(
    comparison: Comparison, summary: dict[str, Any]
) -> None:
    _, latency, runs = means()
    front = np.array(summary["fronts"]["front"])
    best, worst = (front[:, 0].max(), front[:, 1].min()), (front[:, 0].min(), front[:, 1].max())

    def scaled(accuracy: float, seconds: float) -> tuple[float, float]:
        return (best[0] - accuracy) / (best[0] - worst[0]), (seconds - best[1]) / (worst[1] - best[1])

    whole = area([scaled(*point) for point in front.tolist()])
    for label, histories in comparison.histories.items():
        shares, held_by = [], []
        for history in histories:
            cells = [tuple(a) for a in history.architectures.tolist()]
            told = [
                (float(history.validation_accuracy[i]), float(latency[TABLE.row(cell)]))
                for i, cell in enumerate(cells)
                if TABLE.space.parameters(cell) <= MOST
            ]
            rows = [
                (TABLE.row(cell), int(history.runs[i]))
                for i, cell in enumerate(cells)
                if TABLE.space.parameters(cell) <= MOST
            ]
            held = [i for i, one in enumerate(told) if not any(beats(other, one) for other in told)]
            held = [i for place, i in enumerate(held) if told[i] not in [told[j] for j in held[:place]]]
            judged = []
            for i in held:
                row, seen = rows[i]
                others = [runs[r, row] for r in range(3) if r != seen and runs[r, row] == runs[r, row]]
                judged.append(scaled(float(np.mean(others)), float(latency[row])))
            shares.append(area(judged) / whole)
            held_by.append(len(held))
        found = summary["fronts"]["algorithms"][label]
        assert found["share"]["mean"]["estimate"] == pytest.approx(np.mean(shares), abs=1e-9)
        assert found["share"]["median"]["estimate"] == pytest.approx(np.median(shares), abs=1e-9)
        assert found["held"] == pytest.approx(np.mean(held_by))
        assert found["curve"]["mean"][-1] == pytest.approx(np.mean(shares), abs=1e-9)


def test_how_much_smaller_at_nearly_equal_accuracy(summary: dict[str, Any]) -> None:
    accuracy, latency, _ = means()
    accuracy[TABLE.column("parameters") > MOST] = np.nan
    found = summary["fronts"]["smaller"]
    best = int(np.nanargmax(accuracy))
    for allowance, rate in zip(found["allowances"], found["metrics"]["latency"]["possible"], strict=True):
        enough = accuracy >= accuracy[best] - allowance - 1e-12
        assert rate == pytest.approx(latency[best] / latency[enough].min())


def test_curves_rise_on_average_and_stay_below_the_front(summary: dict[str, Any]) -> None:
    for found in summary["fronts"]["algorithms"].values():
        curve = found["curve"]["mean"]
        assert 0 <= curve[0] < curve[-1] < 1.02
        for quarter, half in itertools.pairwise([found["attained"]["quarter"], found["attained"]["half"]]):
            # What half of the searches attained, a quarter did: some corner of its surface is as good.
            assert all(any(q == h or beats(q, h) for q in quarter) for h in half)


def test_the_text_and_the_picture_say_what_they_show(summary: dict[str, Any], tmp_path: Path) -> None:
    from rich.console import Console

    console = Console(width=width_of(summary), record=True, file=io.StringIO())
    console.print(render(summary))
    text = console.export_text()
    assert "fronts of validation_accuracy and latency, parameters<=800000" in text
    assert "reference point 1.1" in " ".join(text.split())
    for name in ("a", "b"):
        draw_fronts(summary, [tmp_path / f"{name}.png", tmp_path / f"{name}.pdf"])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_searches_that_found_nothing_allowed_say_so_in_one_line(tmp_path: Path) -> None:
    algorithms = (Algorithm.parse("random_search"),)
    bound = (Constraint("latency", most=0.0072),)
    asked = Settings("nasbench201", "cifar10", algorithms, Budget(20), 2, 0, constraints=bound)
    found = compare(asked, tmp_path / "out")
    with pytest.raises(ComparisonError, match=r"2 of 2 searches of random_search found nothing with latency<=0\.0072"):
        summarise(found)
    for history in found.histories["random_search"]:
        assert np.isnan(judged(history, TABLE)).all()


def test_one_objective_that_is_not_accuracy_is_refused(tmp_path: Path) -> None:
    algorithms = (Algorithm.parse("random_search"),)
    asked = Settings("nasbench201", "cifar10", algorithms, Budget(9), 2, 0, objectives=("latency",))
    with pytest.raises(ComparisonError, match="a single objective must be validation_accuracy"):
        compare(asked, tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"constraints": (Constraint("parameters", most=5),)},
            ConstraintError,
            "parameters goes from 73,306 to 1,531,546",
        ),
        ({"objectives": ("validation_accuracy", "latencies")}, NotRecordedError, "Did you mean 'latency'"),
        ({"constraints": (Constraint("latency_pixel3", most=5),)}, NotRecordedError, "Did you mean 'latency'"),
    ],
)
def test_what_cannot_be_compared_says_so_before_it_starts(
    tmp_path: Path, changes: Any, error: Any, message: str
) -> None:
    algorithms = (Algorithm.parse("random_search"),)
    asked = Settings("nasbench201", "cifar10", algorithms, Budget(9), 2, 0)._replace(**changes)
    with pytest.raises(error, match=message):
        compare(asked, tmp_path / "out")
