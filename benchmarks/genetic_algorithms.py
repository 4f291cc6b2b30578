"""The genetic algorithm beside its source and beside pymoo's: ``python benchmarks/genetic_algorithms.py``.

Prints the table of docs/reproduction.md: mean regret of searches without noise on the embedded table, and how many
architectures they evaluate. The rows of pymoo need ``pip install pymoo``, which no extra of the project has: it brings
eleven packages, together 40 MB.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.genetic_algorithm import GeneticAlgorithm
from nasbench import Architecture, Budget, Rules, SearchSpace, Table, load, run

AT = (100, 300, 500, 1000)

Search = Callable[[Table, int], list[Architecture]]
"""Evaluates 1,000 architectures of a table, in the order returned."""


class AsReleased(GeneticAlgorithm):
    """MF-NAS to the letter: what mutates are the members of the population, and what was crossed is forgotten."""

    def _crossed(self) -> list[Architecture]:
        super()._crossed()
        return [architecture for _, architecture in self._population]


class OneChange(GeneticAlgorithm):
    """What was shipped at first: exactly one decision of every child changes."""

    def _mutated(self, crossed: list[Architecture]) -> list[Architecture]:
        return [self.space.mutate(child, self._rng) for child in crossed]


def ours(kind: Callable[..., GeneticAlgorithm], **arguments: Any) -> Search:
    """Return the search that a searcher makes."""

    def search(table: Table, r: int) -> list[Architecture]:
        searcher = kind(table.space, seed=[0, r, 0], **arguments)
        history = run(searcher, table, Budget(AT[-1]), seed=[0, r, 1], rules=Rules(observe="mean"))
        return list(map(tuple, history.architectures.tolist()))

    return search


def pymoo(pairs: bool) -> Search:
    """Return the search of pymoo's GA with mutation of each decision with probability 1/6.

    Args:
        pairs: Whether crossover and survival are those of MF-NAS, in pymoo's classes; or pymoo's own.
    """
    from pymoo.algorithms.soo.nonconvex.ga import GA, FitnessSurvival
    from pymoo.core.crossover import Crossover
    from pymoo.core.mutation import Mutation
    from pymoo.core.problem import Problem
    from pymoo.core.survival import Survival
    from pymoo.core.termination import NoTermination
    from pymoo.operators.crossover.pntx import TwoPointCrossover

    class EachDecision(Mutation):  # type: ignore[misc]
        def _do(self, problem: Any, x: NDArray[Any], *, random_state: Any, **_: Any) -> NDArray[Any]:
            steps = random_state.integers(1, 5, x.shape) * (random_state.random(x.shape) < 1 / problem.n_var)
            return np.asarray((x + steps) % 5)

    class InnerCuts(Crossover):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(2, 2, prob=0.9)

        def _do(self, problem: Any, x: NDArray[Any], *, random_state: Any, **_: Any) -> NDArray[Any]:
            children = x.copy()
            for i in range(x.shape[1]):
                a, b = np.sort(random_state.choice(np.arange(1, problem.n_var - 1), 2, replace=False))
                children[:, i, a:b] = x[::-1, i, a:b]
            return children

    class InPairs(Survival):  # type: ignore[misc]
        def _do(self, problem: Any, pop: Any, *, random_state: Any, **_: Any) -> Any:
            if len(pop) == 10:  # the founders
                return pop
            order = random_state.permutation(len(pop)).reshape(-1, 2)
            worse = pop.get("F")[order, 0].argmin(axis=1)
            return pop[order[np.arange(len(order)), worse]]

    def search(table: Table, r: int) -> list[Architecture]:
        founders = np.random.default_rng(r).choice(table.space.size, 10, replace=False)
        problem = Problem(n_var=6, n_obj=1, xl=0, xu=4, vtype=int)
        algorithm = GA(
            pop_size=10,
            sampling=table.space.decode(founders).astype(int),
            crossover=InnerCuts() if pairs else TwoPointCrossover(prob=0.9),
            mutation=EachDecision(),
            survival=InPairs() if pairs else FitnessSurvival(),
            eliminate_duplicates=True,
        )
        algorithm.setup(problem, termination=NoTermination(), seed=r)
        found: list[Architecture] = []
        while len(found) < AT[-1]:
            asked = algorithm.ask()
            cells = [tuple(map(int, cell)) for cell in asked.get("X")]
            asked.set("F", np.array([[-table.query(cell).validation_accuracy] for cell in cells]))
            algorithm.tell(infills=asked)
            found += cells
        return found[: AT[-1]]

    return search


def row(name: str, search: Search, table: Table, runs: int) -> str:
    """Return one row of the table."""
    space: SearchSpace = table.space
    accuracies = np.empty(space.size)
    accuracies[space.codes(table.architectures)] = table.column("validation_accuracy")
    regrets, unique = np.empty((runs, len(AT))), np.empty(runs)
    for r in range(runs):
        codes = space.codes(search(table, r))
        best = np.maximum.accumulate(accuracies[codes])
        regrets[r] = 100 * (accuracies.max() - best[np.array(AT) - 1])
        unique[r] = len(np.unique(codes))
    cells = [
        f"{mean:.3f} ± {error:.3f}"
        for mean, error in zip(regrets.mean(axis=0), regrets.std(axis=0, ddof=1) / np.sqrt(runs), strict=True)
    ]
    return f"| {name} | {' | '.join(cells)} | {unique.mean():.0f} |"


def main() -> None:
    """Print one row a variant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500, help="searches a variant")
    parser.add_argument("--dataset", default="cifar10")
    options = parser.parse_args()
    table = load("nasbench201", options.dataset)
    variants = [
        ("`genetic_algorithm`", ours(GeneticAlgorithm)),
        ("as MF-NAS released it: crossover without effect", ours(AsReleased)),
        ("exactly one decision changes in every child", ours(OneChange)),
    ]
    try:
        variants += [
            ("pymoo's GA with these operators, siblings differ", pymoo(pairs=True)),
            ("pymoo's GA with its own crossover and survival", pymoo(pairs=False)),
        ]
    except ModuleNotFoundError as missing:
        print(f"The rows of pymoo are left out: there is no {missing.name}. pip install pymoo.")
    print(f"| | {' | '.join(f'after {n:,}' for n in AT)} | unique |\n|---{'|---' * (len(AT) + 1)}|")
    for name, search in variants:
        print(row(name, search, table, options.runs), flush=True)


if __name__ == "__main__":
    main()
