"""Random search: uniform, independent, with replacement."""

from __future__ import annotations

import numpy as np

from baselines.random_search import RandomSearch
from nasbench import Budget, load, run
from nasbench.spaces.nb201 import NB201
from nasbench.types import Constraint


def test_draws_are_uniform_over_all_architectures():
    searcher = RandomSearch(NB201(), seed=0)
    codes = NB201().codes([searcher.ask().architecture for _ in range(156_250)])
    counts = np.bincount(codes, minlength=15_625)
    chi_square = ((counts - 10) ** 2 / 10).sum()
    # 15,624 degrees of freedom: mean 15,624, standard deviation 176.8.
    assert abs(chi_square - 15_624) < 4 * 176.8


def test_what_it_learns_changes_nothing():
    silent, taught = RandomSearch(NB201(), seed=3), RandomSearch(NB201(), seed=3)
    for i in range(600):
        first, second = silent.ask(), taught.ask()
        assert first == second
        taught.tell(second, i / 600)


def test_with_several_objectives_it_does_what_it_does_with_one():
    """It names no objectives: the history records them all the same, and they are those of the table."""
    table = load("nasbench201")
    names = ["validation_accuracy", "latency", "parameters"]
    bounds = [Constraint("flops", most=1e8)]
    one = run(RandomSearch(table.space, seed=4), table, Budget(300), seed=4)
    several = run(
        RandomSearch(table.space, seed=4),
        table,
        Budget(300),
        seed=4,
        objectives=[table.metric(name) for name in names],
        constraints=bounds,
    )
    assert (several.architectures == one.architectures).all()
    rows = [table.row(tuple(cell)) for cell in several.architectures.tolist()]
    assert several.values is not None
    np.testing.assert_array_equal(several.values[:, 0], one.validation_accuracy)
    for column, name in enumerate([*names[1:], "flops"], start=1):
        np.testing.assert_array_equal(several.values[:, column], table.column(name)[rows])
