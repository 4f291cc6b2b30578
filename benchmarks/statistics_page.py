"""Write the tables of docs/statistics.md: ``python benchmarks/statistics_page.py [FOLDER]``.

Compares the five baselines with single runs and with means, 500 searches of 1,000 evaluations each, in FOLDER (a
comparison that is there is used again), and measures on them what the page claims of judges, successes and intervals.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _page import fill
from numpy.typing import NDArray

from nasbench import History, Rules, Table, load
from nasbench.analysis import (
    Interval,
    best_known,
    incumbents,
    interquartile_mean,
    interquartile_mean_interval,
    judged,
    mean_interval,
    median_interval,
    regret_curves,
    running_time,
)
from nasbench.cli.compare import BASELINES
from nasbench.search.compare import Algorithm, Settings, compare
from nasbench.types import Budget

PAGE = "statistics.md"
Floats = NDArray[np.float64]
TARGET = 0.001
DRAWS = 4000


def main(folder: Path) -> None:
    table = load("nasbench201")
    found = {observe: comparison(folder, observe) for observe in ("run", "mean")}
    fill(PAGE, "judges", judges(found["run"], table))
    fill(PAGE, "success", successes(found["run"], table))
    fill(PAGE, "coverage", coverage(found, table))


def comparison(folder: Path, observe: str) -> dict[str, list[History]]:
    algorithms = tuple(Algorithm.parse(name) for name in BASELINES)
    settings = Settings("nasbench201", "cifar10", algorithms, Budget(1000), 500, 0, Rules(observe))  # type: ignore[arg-type]
    return dict(compare(settings, folder / observe, workers=2).histories)


def by_all_runs(history: History, table: Table) -> Floats:
    """Return the regret of the incumbent by the mean over all runs, from the largest of these means."""
    at = incumbents(history.validation_accuracy)
    return table.best() - table.means(history.architectures)[at]


def judges(found: dict[str, list[History]], table: Table) -> str:
    lines = ["| | all runs | unseen runs | difference |", "|---|---|---|---|"]
    for label, histories in found.items():
        old = 100 * np.array([by_all_runs(history, table)[-1] for history in histories])
        new = 100 * regret_curves(histories, table, [1000])[:, 0]
        difference = mean_interval(new - old)
        lines.append(f"| `{label}` | {old.mean():.3f} | {new.mean():.3f} | {told(difference, '+.3f')} |")
    optimum = best_known(found["random_search"], table)
    lines += ["", f"The largest mean is {table.best():.2%}, the optimum {optimum:.2%}."]
    return "\n".join(lines)


def successes(found: dict[str, list[History]], table: Table) -> str:
    lines = ["| | ever held, percent | at the end, percent | ERT |", "|---|---|---|---|"]
    for label, histories in found.items():
        optimum = best_known(histories, table)
        ever = np.mean([(optimum - judged(history, table)).min() <= TARGET for history in histories])
        end = running_time(histories, table, TARGET)
        lines.append(f"| `{label}` | {100 * ever:.1f} | {100 * end.successes / end.runs:.1f} | {end.expected:,.0f} |")
    return "\n".join(lines)


def coverage(found: dict[str, dict[str, list[History]]], table: Table) -> str:
    sizes = (20, 50, 100)
    titles = " | ".join(f"{n} runs: mean, median, IQM (bootstrap)" for n in sizes)
    lines = [
        f"| regret after 1,000 evaluations | equal to the median | {titles} |",
        f"|---|---|{'---|' * len(sizes)}",
    ]
    rng = np.random.default_rng(20)
    for observe, comparisons in found.items():
        for label, histories in comparisons.items():
            pool = regret_curves(histories, table, [1000])[:, 0]
            cells = [cell(pool, n, rng) for n in sizes]
            ties = np.mean(pool == np.median(pool))
            what = "" if observe == "run" else ", means"
            lines.append(f"| `{label}`{what} | {ties:.0%} | {' | '.join(cells)} |".replace("%", " %"))
    return "\n".join(lines)


def cell(pool: Floats, n: int, rng: np.random.Generator) -> str:
    """Return how often each interval of n runs holds, in percent; a dash where there is mostly none."""
    truths: list[tuple[Callable[[Floats], Interval], float]] = [
        (mean_interval, float(pool.mean())),
        (median_interval, float(np.median(pool))),
        (interquartile_mean_interval, interquartile_mean(pool)),
        (lambda sample: bootstrap(sample, rng), float(pool.mean())),
    ]
    samples = pool[rng.integers(0, len(pool), size=(DRAWS, n))]
    shown = []
    for interval, truth in truths:
        intervals = [interval(sample) for sample in samples]
        held = [i.low - 1e-12 <= truth <= i.high + 1e-12 for i in intervals if i.low is not None and i.high is not None]
        shown.append(f"{100 * np.mean(held):.0f}" if len(held) > DRAWS / 2 else "-")
    return f"{', '.join(shown[:3])} ({shown[3]})"


def bootstrap(sample: Floats, rng: np.random.Generator) -> Interval:
    means = sample[rng.integers(0, len(sample), size=(300, len(sample)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(sample.mean()), float(low), float(high))


def told(found: Interval, form: str) -> str:
    if found.low is None or found.high is None:
        return f"{found.estimate:{form}}"
    return f"{found.estimate:{form}} [{found.low:{form}}, {found.high:{form}}]"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "statistics"))
