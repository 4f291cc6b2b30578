"""ParEGO: its parts by hand and by simulation, what it learns and what it need not, and that it beats chance."""

from __future__ import annotations

from collections import Counter
from math import comb
from typing import Any

import numpy as np
import pytest
from scipy import stats

pytest.importorskip(
    "sklearn", reason="searchers that learn need scikit-learn: pip install 'nasbench-suite[surrogates]'"
)

from baselines import parego
from baselines.parego import ParEGO, tchebycheff
from baselines.random_search import RandomSearch
from nasbench import Architecture, Budget, load, run
from nasbench.analysis.fronts import true_front
from nasbench.analysis.pareto import hypervolume
from nasbench.metrics import METRICS
from nasbench.search.objectives import Known
from nasbench.spaces.nb201 import NB201
from nasbench.types import Constraint

SPACE = NB201()
OBJECTIVES = METRICS["validation_accuracy"], METRICS["parameters"]


def made(**arguments: Any) -> ParEGO:
    return ParEGO(**{"space": SPACE, "seed": 0, "objectives": OBJECTIVES, **arguments})


def answer(architecture: Architecture) -> dict[str, float]:
    """Return a landscape in which what is accurate is large, but not always."""
    accuracy = sum(choice * (i + 1) for i, choice in enumerate(architecture)) / 84
    return {"validation_accuracy": accuracy, "parameters": float(sum(architecture)), "flops": float(architecture[0])}


def search(searcher: ParEGO, evaluations: int) -> list[Architecture]:
    found = []
    for _ in range(evaluations):
        trial = searcher.ask()
        found.append(trial.architecture)
        searcher.tell(trial, answer(trial.architecture))
    return found


def test_the_augmented_tchebycheff_function_by_hand():
    """The larger of .3 * .5 and .7 * .1, and a twentieth of their sum."""
    losses = np.array([[0.5, 0.0], [0.1, 1.0]])
    assert tchebycheff(losses, np.array([0.3, 0.7])) == pytest.approx([0.15 + 0.05 * 0.22, 0.7 + 0.05 * 0.7])


@pytest.mark.parametrize(("k", "vectors"), [(1, 1), (2, 11), (3, 66)])
def test_weights_are_tenths_that_sum_to_one_all_equally_likely(k, vectors):
    """As many as there are multisets of ten out of k."""
    rng = np.random.default_rng(k)
    drawn = Counter(tuple(parego._weights(k, rng).tolist()) for _ in range(100 * vectors))
    assert len(drawn) == vectors == comb(9 + k, k - 1)
    assert all(sum(weights) == pytest.approx(1) and min(weights) >= 0 for weights in drawn)
    assert vectors == 1 or stats.chisquare([*drawn.values()]).pvalue > 1e-3


def test_what_is_certain_goes_by_ranks_and_on_beyond_them():
    """Of four different ones the ranks are the normal quantiles of 1/8, 3/8, 5/8 and 7/8."""
    z = stats.norm.ppf([0.125, 0.375, 0.625, 0.875])
    outlook = parego._exact(np.array([30.0, 10.0, 20.0, 50.0]), np.array([10.0, 25.0, 50.0, 0.0, 70.0]))
    assert outlook.told == pytest.approx(z[[2, 0, 1, 3]])
    assert outlook.values[:, 0].tolist() == [10, 25, 50, 0, 70]
    expected = [z[0], (z[1] + z[2]) / 2, z[3], z[0] - (z[1] - z[0]), 2 * z[3] - z[2]]
    assert outlook.ranks[:, 5] == pytest.approx(expected)


def test_worth_is_the_expected_improvement_as_far_as_constraints_hold():
    """Two normal losses, weighted: against 200,000 draws."""
    rng = np.random.default_rng(0)
    q = parego._QUANTILES
    means, deviations, weights = np.array([0.4, 0.3]), np.array([0.3, 0.2]), np.array([0.5, 0.5])
    losses = np.stack([mean + s * rng.permutation(q) for mean, s in zip(means, deviations, strict=True)])[:, None]
    told, kept = np.array([[0.0, 0.5, 1.0], [1.0, 0.6, 0.0]]), np.array([True, True, True])
    best = tchebycheff(told, weights).min()  # .3 + .05 * .55, of the one in the middle
    assert best == pytest.approx(0.3275)
    drawn = means[:, None] + deviations[:, None] * rng.standard_normal((2, 200_000))
    law = np.maximum(best - tchebycheff(drawn, weights), 0).mean()
    promises = parego._Promises(told, losses, np.zeros((1, len(q))), kept)
    assert promises.worth(weights)[0] == pytest.approx(law, rel=0.15)  # 32 pairs of quantiles
    half = promises._replace(violations=np.where(np.arange(len(q)) % 2, 0.0, 1.0)[None])
    assert 0 < half.worth(weights)[0] < promises.worth(weights)[0]
    # Until constraints were kept, the candidate that violates them least; without any promise the smallest loss.
    none = promises._replace(kept=~kept, violations=np.array([[0.2, 0.4], [0.1, 0.3]]))
    assert none.worth(weights) == pytest.approx([-0.3, -0.2])
    hopeless = promises._replace(losses=losses + 5)
    assert hopeless.worth(weights)[0] == pytest.approx(-tchebycheff(losses + 5, weights).mean())


def test_learns_only_what_is_not_known(monkeypatch):
    """With known parameters one process a batch, without two; and what is known is never asked twice."""
    learnt: list[float] = []
    learn = ParEGO._learnt

    def count(self: ParEGO, told: Any, candidates: Any) -> Any:
        learnt.append(float(told[0]))
        return learn(self, told, candidates)

    asked: list[Architecture] = []

    def known(architecture: Architecture) -> dict[str, float]:
        asked.append(architecture)
        return {"parameters": answer(architecture)["parameters"]}

    monkeypatch.setattr(ParEGO, "_learnt", count)
    first = search(made(known=known), 30)[0]
    assert learnt == [answer(first)["validation_accuracy"]] * 4, "batches after 10, 15, 20 and 25"
    assert len(asked) == len(set(asked)) > 100
    learnt.clear()
    search(made(), 30)
    assert len(learnt) == 8


def test_proposes_what_keeps_known_constraints():
    """Of all cells .16 have 8 parameters at most: by chance none or one of ten at the start, and then nearly all."""
    bounds = [Constraint("parameters", most=8.0)]
    for seed in range(3):
        searcher = made(seed=seed, constraints=bounds, known=lambda cell: {"parameters": float(sum(cell))})
        found = [sum(cell) <= 8 for cell in search(searcher, 60)]
        assert np.mean(found[:10]) < 0.5
        assert np.mean(found[20:]) > 0.95


def test_what_is_constrained_need_not_be_an_objective():
    """Nor be known: it is learnt that the first decision counts alone. A fifth of all cells keep the constraint."""
    bounds = [Constraint("flops", most=0.0)]
    searcher = made(objectives=OBJECTIVES[:1], constraints=bounds, encoding="choices")
    found = search(searcher, 80)
    kept = [cell for cell in found if cell[0] == 0]
    assert len(kept) > 60
    assert max(answer(cell)["validation_accuracy"] for cell in kept) == 80 / 84, "the optimum with 0 at first"


def test_nothing_is_proposed_twice():
    found = search(made(batch=7), 150)
    assert len(set(found)) == 150


def test_comes_closer_to_the_front_than_chance_does():
    """The hypervolume after 100 trials, on the scale of the table's front."""
    table = load("nasbench201")
    objectives = [table.metric(name) for name in ("validation_accuracy", "latency")]
    front = true_front(table, ["validation_accuracy", "latency"])
    means = np.stack([table.column("validation_accuracy"), table.column("latency")], axis=1)

    def volume(searcher: Any) -> float:
        history = run(searcher, table, Budget(100), seed=1, objectives=objectives)
        rows = [table.row(tuple(cell)) for cell in history.architectures.tolist()]
        return hypervolume(front.scale.scaled(means[rows]), front.scale.reference) / front.hypervolume

    known = Known(table, ["latency"])
    ours = [volume(made(seed=seed, objectives=objectives, known=known)) for seed in range(4)]
    assert min(ours) > max(volume(RandomSearch(SPACE, seed=seed)) for seed in range(8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objectives": ()}, r"objectives must name at least one metric, got \(\)"),
        ({"parents": 0}, "parents must be at least 1, got 0"),
        ({"batch": 0}, "initial and batch must be at least 1, got 10 and 0"),
        ({"encoding": "none"}, "encoding must be one of graph, paths, truncated_paths, choices, got 'none'"),
    ],
)
def test_refuses_settings_that_make_no_sense(arguments, message):
    with pytest.raises(ValueError, match=message):
        made(**arguments)
