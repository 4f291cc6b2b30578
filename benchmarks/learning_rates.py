"""Write the table of learning rates of docs/reproduction.md: ``python benchmarks/learning_rates.py [FOLDER]``.

500 searches of 1,000 evaluations each; a comparison that is in FOLDER is used again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from _page import fill

from nasbench.analysis.report import summarise
from nasbench.search.compare import Algorithm, Settings, compare
from nasbench.types import Budget

RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def main(folder: Path) -> None:
    names = [*(f"reinforce:learning_rate={rate}" for rate in RATES), "random_search"]
    settings = Settings("nasbench201", "cifar10", tuple(map(Algorithm.parse, names)), Budget(1000), 500, 0)
    summary = summarise(compare(settings, folder, workers=2))
    lines = [
        "| learning rate | after 100 evaluations | after 300 | after 1,000 [95 %] | unique architectures |",
        "|---|---|---|---|---|",
    ]
    at = [min(range(len(summary["positions"])), key=lambda i: abs(summary["positions"][i] - n)) for n in (100, 300)]
    for name, found in zip((*RATES, "*random search*"), summary["algorithms"].values(), strict=True):
        early = " | ".join(f"{100 * found['curve']['mean'][i]:.2f}" for i in at)
        mean = {part: 100 * value for part, value in found["validation_regret"]["mean"].items()}
        final = f"{mean['estimate']:.3f} [{mean['low']:.3f}, {mean['high']:.3f}]"
        lines.append(f"| {name} | {early} | {final} | {found['unique_architectures']:,.0f} |")
    fill("reproduction.md", "learning rates", "\n".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "learning_rates"))
