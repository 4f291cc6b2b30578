"""How many evaluations each algorithm needs to find the best: ``python benchmarks/evaluations_to_optimum.py``.

Prints the table of docs/reproduction.md: over independent searches of the embedded table, quantiles of the number of
evaluations up to the first of the architecture with the largest mean validation accuracy.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from nasbench import Rules, Table, load, registry

ALGORITHMS: list[tuple[str, dict[str, Any], int]] = [
    ("tree_confidence_bound", {}, 300),
    ("gp_expected_improvement", {}, 300),
    ("bananas", {}, 300),
    ("bananas", {"encoding": "graph", "predictor": "gaussian_process"}, 300),
    ("local_search", {}, 5_000),
    ("genetic_algorithm", {}, 5_000),
    ("regularized_evolution", {}, 5_000),
    ("reinforce", {}, 5_000),
    ("random_search", {}, 100_000),
]
"""Name, arguments, and when a search is given up."""


def evaluations(table: Table, name: str, arguments: dict[str, Any], limit: int, r: int, rules: Rules) -> float:
    """Search until the optimum is asked for; return the number of evaluations, or infinity."""
    searcher = registry.find("searchers", name)(table.space, seed=[0, r, 0], **arguments)
    rng = np.random.default_rng([0, r, 1])
    best = set(table.optimum("validation_accuracy").architectures)
    for n in range(1, limit + 1):
        trial = searcher.ask()
        if trial.architecture in best:
            return n
        run = int(rng.choice(table.runs(trial.architecture))) if rules.observe == "run" else None
        searcher.tell(trial, table.query(trial.architecture, run=run).validation_accuracy)
    return float("inf")


def main() -> None:
    """Print one row an algorithm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="searches an algorithm")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--observe", choices=("mean", "run"), default="mean")
    parser.add_argument("--only", help="algorithms whose name begins so")
    options = parser.parse_args()
    table = load("nasbench201", options.dataset)
    print("| algorithm | median | quarter | three quarters | given up |\n|---|---|---|---|---|")
    for name, arguments, limit in ALGORITHMS:
        if options.only and not name.startswith(options.only):
            continue
        rules = Rules(observe=options.observe)
        found = [evaluations(table, name, arguments, limit, r, rules) for r in range(options.runs)]
        label = f"`{name}`" + "".join(f", {key} {value}" for key, value in arguments.items())
        numbers = [np.quantile(found, q, method="lower") for q in (0.5, 0.25, 0.75)]
        cells = [f"{number:,.0f}" if np.isfinite(number) else f"> {limit:,}" for number in numbers]
        print(
            f"| {label} | {' | '.join(cells)} | {np.isinf(found).sum()} of {options.runs} after {limit:,} |", flush=True
        )


if __name__ == "__main__":
    main()
