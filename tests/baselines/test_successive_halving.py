"""Successive halving against a second one in numpy, hand-made sizes and costs, and the idle time of its workers."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from _toy import Toy

from baselines.successive_halving import SuccessiveHalving
from nasbench.search import run
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract, made
from nasbench.types import Budget, Fidelity, Trial

SPACE = NB201()
NASBENCH101 = [Fidelity(s, s) for s in (4, 12, 36, 108)]
CURVE = [Fidelity(200, epoch) for epoch in range(1, 201)]


class TestContract(SearcherContract):
    @pytest.fixture(params=[{}, {"resume": False, "anchor": "last"}], ids=["resume", "anew"])
    def make_searcher(self, request):
        return lambda space, seed: made(SuccessiveHalving, space, seed, **request.param)


def noise(architecture, fidelity, levels):
    """Return one of so many values, the same for the same question in any process."""
    return np.random.default_rng([*architecture, *fidelity]).integers(levels) / levels


def rungs_of(searcher, accuracy, brackets, rng):
    """Play brackets, each rung told in a random order, and return the architectures asked for on each rung."""
    rungs = []
    while len(rungs) < brackets:
        asked = []
        while (trial := searcher.ask()) is not None:
            asked.append(trial)
        rungs.append(asked)
        for i in rng.permutation(len(asked)):
            searcher.tell(asked[i], accuracy(asked[i]))
    return rungs


@pytest.mark.parametrize("levels", [4, 10**9], ids=["many ties", "no ties"])
def test_promotes_what_sorting_says(levels):
    """Stable argsort of the whole rung: the best third, of equals the older; then the same among these."""
    searcher = SuccessiveHalving(SPACE, seed=1, fidelities=NASBENCH101)
    rungs = rungs_of(searcher, lambda t: noise(t.architecture, t.fidelity, levels), 12, np.random.default_rng(0))
    for r, (below, above) in enumerate(pairwise(rungs)):
        if r % 4 == 3:
            continue
        by_age = sorted(below, key=lambda trial: trial.training)
        accuracies = np.array([noise(t.architecture, t.fidelity, levels) for t in by_age])
        best = np.argsort(-accuracies, kind="stable")[: len(below) // 3]
        assert [(t.architecture, t.training) for t in above] == [tuple(by_age[i])[::2] for i in best]
        assert {t.fidelity for t in above} == {NASBENCH101[r % 4 + 1]}


def test_sizes_and_who_reaches_the_end():
    """27, 9, 3, 1, then a new bracket; without noise the best of each bracket wins it."""
    searcher = SuccessiveHalving(SPACE, seed=2, fidelities=NASBENCH101)
    rungs = rungs_of(searcher, lambda t: float(SPACE.identity(t.architecture)), 8, np.random.default_rng(1))
    assert [len(rung) for rung in rungs] == [27, 9, 3, 1] * 2
    for bracket in (rungs[:4], rungs[4:]):
        assert bracket[3][0].architecture == max((t.architecture for t in bracket[0]), key=SPACE.identity)
    trainings = [t.training for t in rungs[0] + rungs[4]]
    assert trainings == list(range(54))  # new candidates have new numbers


def test_mf_nas():
    """list_iepoch 12, 25, 50, 100, 200 and n_candidate 32 of its configs/algo_201.yaml; half of them go on."""
    searcher = SuccessiveHalving(SPACE, seed=0, fidelities=CURVE, **SuccessiveHalving.presets["mf_nas"])
    rungs = rungs_of(searcher, lambda t: 0.5, 5, np.random.default_rng(0))
    assert [(len(rung), rung[0].fidelity.epoch) for rung in rungs] == [(32, 12), (16, 25), (8, 50), (4, 100), (2, 200)]
    assert [t.training for t in rungs[4]] == [0, 1]  # of equals the oldest


@pytest.mark.parametrize(("workers", "bracket"), [(1, 432), (4, 208), (16, 164)])
def test_workers_wait_for_a_rung_to_fill(workers, bracket):
    """Each epoch a second: with 4 workers 27 trainings take 7 rounds, 9 take 3, and so on: 7*4 + 3*12 + 36 + 108 = 208.

    So with 4 and 16 workers .52 and .16 of the time is used.
    """
    searcher = SuccessiveHalving(SPACE, seed=0, fidelities=NASBENCH101)
    toy = Toy(SPACE, NASBENCH101, lambda architecture, _: float(SPACE.identity(architecture)))
    history = run(searcher, toy, Budget(10 * bracket, "seconds"), seed=0, workers=workers)
    assert len(history) == 10 * (27 + 9 + 3 + 1)
    assert history.seconds.sum() / (workers * 10 * bracket) == pytest.approx(432 / (workers * bracket))
    assert (np.cumsum(history.seconds)[39::40] == 432 * np.arange(1, 11)).all()


def test_going_on_costs_the_difference_and_starting_anew_the_whole():
    epochs = [Fidelity(9, epoch) for epoch in (1, 3, 9)]
    toy = Toy(SPACE, epochs, lambda architecture, fidelity: noise(architecture, fidelity, 50))
    for resume, cost in ((True, 27 + 9 * 2 + 3 * 6), (False, 27 + 9 * 3 + 3 * 9)):
        searcher = SuccessiveHalving(SPACE, seed=0, fidelities=epochs, candidates=27, resume=resume)
        history = run(searcher, toy, Budget(27 + 9 + 3), seed=0)
        assert history.seconds.sum() == cost
        assert (history.trainings >= 0).all() == resume


def test_equal_trials_without_numbers_are_told_apart_by_their_number():
    """Where a small space gives many candidates of one architecture, every one of them counts."""

    class Tiny(NB201):
        def sample_many(self, n, rng):
            return np.zeros((n, 6), np.uint8)

    searcher = SuccessiveHalving(Tiny(), seed=0, fidelities=NASBENCH101, resume=False)
    rungs = rungs_of(searcher, lambda t: 0.5, 4, np.random.default_rng(0))
    assert [len(rung) for rung in rungs] == [27, 9, 3, 1]


def test_what_was_not_asked_for_changes_nothing():
    def play(disturb):
        searcher = SuccessiveHalving(SPACE, seed=3, fidelities=NASBENCH101)
        trials = []
        for _ in range(60):
            trials.append(searcher.ask())
            if disturb:
                searcher.tell(Trial((4,) * 6), 1.0)
                searcher.tell(trials[-1]._replace(training=7_000), 1.0)
            searcher.tell(trials[-1], noise(*trials[-1][:2], 100))
            if disturb:
                searcher.tell(trials[-1], 1.0)  # once more
        return trials

    assert play(disturb=True) == play(disturb=False)


def test_the_highest_fidelity_may_be_told_as_none():
    searcher = SuccessiveHalving(SPACE, seed=0, fidelities=NASBENCH101)
    for _ in range(40):
        trial = searcher.ask()
        searcher.tell(trial._replace(fidelity=None) if trial.fidelity == (108, 108) else trial, 0.5)
    assert searcher.ask().fidelity == (4, 4)  # the next bracket


def test_is_pickled_while_trials_are_out():
    searcher = SuccessiveHalving(SPACE, seed=4, fidelities=NASBENCH101)
    asked = [searcher.ask() for _ in range(27)]
    assert searcher.ask() is None
    copy = pickle.loads(pickle.dumps(searcher))
    for one in (searcher, copy):
        for trial in asked:
            one.tell(trial, noise(*trial[:2], 10))
    rest = [rungs_of(one, lambda t: noise(*t[:2], 10), 5, np.random.default_rng(0)) for one in (searcher, copy)]
    assert rest[0] == rest[1]


def test_refuses_too_few_candidates():
    with pytest.raises(ValueError, match="candidates must be at least 27, so that one reaches the last of 4 rungs"):
        SuccessiveHalving(SPACE, seed=0, fidelities=NASBENCH101, candidates=26)
