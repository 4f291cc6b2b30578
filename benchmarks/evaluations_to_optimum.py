"""How many evaluations each algorithm needs to find the best: ``python benchmarks/evaluations_to_optimum.py``.

Prints the table of docs/reproduction.md: over independent searches of the embedded table, quantiles of the number of
evaluations up to the first of the architecture with the largest mean validation accuracy, and their mean with its
standard error, where a search that is given up counts as if it had found it then.
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


def evaluations(
    table: Table, name: str, arguments: dict[str, Any], limit: int, r: int, rules: Rules, workers: int = 1
) -> float:
    """Search until the optimum is asked for; return the number of evaluations, or infinity.

    With several workers so many trials are out before one of them, drawn at random, is told.
    """
    searcher = registry.find("searchers", name)(table.space, seed=[0, r, 0], **arguments)
    rng, order = (np.random.default_rng([0, r, i]) for i in (1, 2))
    out = []
    best = set(table.optimum("validation_accuracy").architectures)
    for n in range(1, limit + 1):
        trial = searcher.ask()
        if trial.architecture in best:
            return n
        run = int(rng.choice(table.runs(trial.architecture))) if rules.observe == "run" else None
        out.append((trial, table.query(trial.architecture, run=run).validation_accuracy))
        if len(out) == workers:
            searcher.tell(*out.pop(int(order.integers(workers))))
    return float("inf")


def main() -> None:
    """Print one row an algorithm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="searches an algorithm")
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--observe", choices=("mean", "run"), default="mean")
    parser.add_argument("--workers", type=int, default=1, help="trials that are out at once")
    parser.add_argument("--only", help="algorithms whose name begins so")
    options = parser.parse_args()
    table = load("nasbench201", options.dataset)
    print("| algorithm | median | quarter | three quarters | mean | given up |\n|---|---|---|---|---|---|")
    for name, arguments, limit in ALGORITHMS:
        if options.only and not name.startswith(options.only):
            continue
        rules = Rules(observe=options.observe)
        found = [evaluations(table, name, arguments, limit, r, rules, options.workers) for r in range(options.runs)]
        label = f"`{name}`" + "".join(f", {key} {value}" for key, value in arguments.items())
        numbers = [np.quantile(found, q, method="lower") for q in (0.5, 0.25, 0.75)]
        cells = [f"{number:,.0f}" if np.isfinite(number) else f"> {limit:,}" for number in numbers]
        until = np.minimum(found, limit)
        cells.append(f"{until.mean():,.1f} ± {until.std(ddof=1) / np.sqrt(options.runs):,.1f}")
        print(
            f"| {label} | {' | '.join(cells)} | {np.isinf(found).sum()} of {options.runs} after {limit:,} |", flush=True
        )


if __name__ == "__main__":
    main()
