"""TPE: what a trial costs once 200 are known, beside Optuna's sampler of the same densities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from rows import peer, row

from baselines.tpe import TPE
from nasbench import Architecture, Table, Trial

TITLE = "one trial of TPE, asked and told, after 200 trials"
TRIALS = 50


@pytest.fixture(scope="module")
def known(table: Table) -> list[tuple[Architecture, float]]:
    """200 architectures and their mean accuracies."""
    rows = np.random.default_rng(0).permutation(len(table))[:200]
    accuracies = table.column("validation_accuracy")[rows].tolist()
    return list(zip(map(table.at_row, rows.tolist()), accuracies, strict=True))


@pytest.mark.parametrize("distinct", [False, True])
def test_trial(
    benchmark: BenchmarkFixture, table: Table, known: list[tuple[Architecture, float]], distinct: bool
) -> None:
    row(benchmark, TITLE + (", none proposed twice" if distinct else ""), items=TRIALS, at_most=1e-3)

    def fresh() -> tuple[tuple[TPE], dict[str, Any]]:
        searcher = TPE(table.space, seed=0, distinct=distinct)
        for architecture, accuracy in known:
            searcher.tell(Trial(architecture), accuracy)
        return (searcher,), {}

    def search(searcher: TPE) -> int:
        for _ in range(TRIALS):
            searcher.tell(searcher.ask(), 0.9)
        return TRIALS

    assert benchmark.pedantic(search, setup=fresh, rounds=20, warmup_rounds=1) == TRIALS


def test_trial_optuna(benchmark: BenchmarkFixture, known: list[tuple[Architecture, float]]) -> None:
    optuna = pytest.importorskip("optuna", minversion="5", reason="compares with Optuna's TPESampler")
    peer(benchmark, f"optuna {optuna.__version__}", of=TITLE, items=TRIALS)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    choices = {f"edge{i}": optuna.distributions.CategoricalDistribution(range(5)) for i in range(6)}

    def fresh() -> tuple[tuple[Any], dict[str, Any]]:
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
        for architecture, accuracy in known:
            params = dict(zip(choices, architecture, strict=True))
            study.add_trial(optuna.trial.create_trial(params=params, distributions=choices, value=accuracy))
        return (study,), {}

    def search(study: Any) -> int:
        for _ in range(TRIALS):
            study.tell(study.ask(choices), 0.9)
        return TRIALS

    assert benchmark.pedantic(search, setup=fresh, rounds=3, warmup_rounds=1) == TRIALS
