"""Random search: uniform, independent, with replacement."""

from __future__ import annotations

import numpy as np

from baselines.random_search import RandomSearch
from nasbench.spaces.nb201 import NB201


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
