"""ASHA against a second one that sorts, the law of its promotions, numpy's quantile, and workers that never wait."""

from __future__ import annotations

import pickle
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from _toy import Toy, gaps

from baselines.asha import ASHA
from nasbench.search import run
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract, made
from nasbench.types import Budget, Fidelity, Trial

SPACE = NB201()
RUNGS = [Fidelity(200, epoch) for epoch in (1, 4, 16, 64, 200)]
CURVE = [Fidelity(200, epoch) for epoch in range(1, 201)]


class TestContract(SearcherContract):
    @pytest.fixture(params=["paper", "syne_tune", "anew"])
    def make_searcher(self, request):
        settings = ASHA.presets.get(request.param, {"resume": False})
        return lambda space, seed: made(ASHA, space, seed, **settings)


def noise(architecture, fidelity, levels=1_000):
    """Return one of so many values, the same for the same question in any process."""
    return np.random.default_rng([*architecture, *fidelity]).integers(levels) / levels


def accuracy(trial, levels=1_000):
    return noise(*trial[:2], levels)


def play(searcher, levels, asks, seed, out=20):
    """Ask and tell with many trials out, told in a random order; return what was asked and told, in that order."""
    rng = np.random.default_rng(seed)
    running, events = [], []
    for _ in range(asks):
        running.append(searcher.ask())
        events.append(("ask", running[-1]))
        while len(running) > rng.integers(out):
            trial = running.pop(rng.integers(len(running)))
            searcher.tell(trial, accuracy(trial, levels))
            events.append(("tell", trial))
    return events


@pytest.mark.parametrize("levels", [3, 20, 10**9])
@pytest.mark.parametrize(("eta", "epochs"), [(2, (1, 2, 4, 8, 16)), (4, (1, 4, 16, 64, 200))])
def test_promotes_as_get_job_of_the_paper_does(levels, eta, epochs):
    """Algorithm 2: rungs from the top; the first of the best floor(n / eta) that was not promoted; else a new one."""
    rungs = [Fidelity(epochs[-1], epoch) for epoch in epochs]
    searcher = ASHA(SPACE, seed=1, fidelities=rungs, eta=eta)
    told = {rung: [] for rung in rungs}
    promoted = {rung: set() for rung in rungs}
    for what, trial in play(searcher, levels, 1_000, seed=2):
        if what == "tell":
            told[trial.fidelity].append((-accuracy(trial, levels), trial.training, trial.architecture))
            continue
        for rung, above in reversed(list(pairwise(rungs))):
            best = sorted(told[rung])[: len(told[rung]) // eta]
            promotable = [entry for entry in best if entry[1] not in promoted[rung]]
            if promotable:
                _, training, architecture = promotable[0]
                promoted[rung].add(training)
                assert trial == Trial(architecture, above, training)
                break
        else:
            assert trial.fidelity == rungs[0]
            assert trial.training not in {entry[1] for entry in told[rungs[0]]}
    assert len(told[rungs[-1]]) > 1


def test_of_equals_in_the_order_of_asking_exactly_one_in_eta_is_promoted():
    """At any time: of n results on a rung at most floor(n / eta), and all of these before a new candidate starts."""
    searcher = ASHA(SPACE, seed=3, fidelities=CURVE, eta=3)
    asked, told = Counter(), Counter()
    for _ in range(2_000):
        trial = searcher.ask()
        asked[trial.fidelity.epoch] += 1
        for below, above in pairwise([1, 3, 9, 27, 81, 200]):
            assert asked[above] <= told[below] // 3
            assert asked[above] == told[below] // 3 or trial.fidelity.epoch > 1
        told[trial.fidelity.epoch] += 1
        searcher.tell(trial, 0.5)


@pytest.mark.parametrize("levels", [5, 10**9], ids=["many ties", "no ties"])
def test_in_a_random_order_about_the_root_of_n_more_are_promoted(levels):
    """Those that a later one displaced: Li et al. 2020 argue for an order of sqrt(n)."""
    searcher = ASHA(SPACE, seed=3, fidelities=CURVE, eta=3)
    asked, told = Counter(), Counter()
    for what, trial in play(searcher, levels, 5_000, seed=4):
        (asked if what == "ask" else told)[trial.fidelity.epoch] += 1
        for below, above in pairwise([1, 3, 9, 27, 81, 200]):
            assert asked[above] <= told[below] // 3 + 1.5 * told[below] ** 0.5
        if what == "ask" and trial.fidelity.epoch == 1:
            assert all(asked[3 * epoch] >= told[epoch] // 3 for epoch in (1, 3, 9, 27))


def test_without_noise_the_best_of_all_reach_the_end():
    """The order of architectures is the same at every epoch; the best so far is always among the best third."""
    searcher = ASHA(SPACE, seed=5, fidelities=CURVE, eta=3)
    drawn, finished = [], []
    for _ in range(4_000):
        trial = searcher.ask()
        identity = SPACE.identity(trial.architecture)
        (drawn if trial.fidelity.epoch == 1 else finished if trial.fidelity.epoch == 200 else []).append(identity)
        searcher.tell(trial, float(identity))
    assert max(finished) >= np.quantile(drawn, 1 - 3**-5)
    assert min(finished) > np.quantile(drawn, 0.9)


def test_stopping_goes_on_where_numpys_quantile_says():
    """syne-tune 0.13: the result is entered first, and goes on if it is on or better than the quantile 1 / eta."""
    searcher = ASHA(SPACE, seed=6, fidelities=RUNGS, variant="stopping")
    told = {rung: [] for rung in RUNGS}
    expected = []
    for what, trial in play(searcher, 10**9, 1_500, seed=7):
        if what == "ask":
            if expected:
                assert trial == expected.pop(0)  # in the order in which they were told
            else:
                assert trial.fidelity == RUNGS[0]
            continue
        losses = told[trial.fidelity]
        losses.append(-accuracy(trial, 10**9))
        if trial.fidelity != RUNGS[-1] and losses[-1] <= np.quantile(losses, 1 / 4):
            expected.append(trial._replace(fidelity=RUNGS[RUNGS.index(trial.fidelity) + 1]))
    assert len(told[RUNGS[-1]]) > 1


def test_of_equals_the_oldest_is_promoted():
    """Unlike in syne-tune and Optuna, where all that are equal go on: dead cells share one accuracy."""
    promoting = ASHA(SPACE, seed=0, fidelities=RUNGS)
    first = [promoting.ask() for _ in range(8)]
    for trial in reversed(first):
        promoting.tell(trial, 0.1)
    assert [promoting.ask()[1:] for _ in range(3)] == [(RUNGS[1], 0), (RUNGS[1], 1), (RUNGS[0], 8)]
    stopping = ASHA(SPACE, seed=0, fidelities=RUNGS, variant="stopping")
    for trial in [stopping.ask() for _ in range(8)]:
        stopping.tell(trial, 0.1)
    assert [stopping.ask()[1:] for _ in range(2)] == [(RUNGS[1], 0), (RUNGS[0], 8)]


@pytest.mark.parametrize("settings", ASHA.presets.values(), ids=ASHA.presets)
def test_no_worker_ever_waits(settings):
    searcher = ASHA(SPACE, seed=0, fidelities=CURVE, **settings)
    history = run(searcher, Toy(SPACE, CURVE, noise), Budget(2_000), seed=0, workers=16)
    assert not gaps(history, 16).any()
    assert (history.epochs == 200).any()


def test_what_others_evaluated_counts():
    """On the rung of its fidelity, as a new candidate; with no fidelity it is the highest, where nothing follows."""
    searcher = ASHA(SPACE, seed=0, fidelities=RUNGS)
    ours = searcher.ask()
    searcher.tell(Trial((4,) * 6), 1.0)
    searcher.tell(Trial((4,) * 6, Fidelity(200, 3)), 1.0)  # no rung
    searcher.tell(Trial((3,) * 6, RUNGS[0], ours.training), 0.9)  # the number is another search's
    for i in range(3):
        searcher.tell(Trial((i,) * 6, RUNGS[0]), i / 10)
    promoted = searcher.ask()
    assert promoted[:2] == ((3,) * 6, RUNGS[1])
    assert promoted.training != ours.training
    assert searcher.ask().fidelity == RUNGS[0]


def test_is_pickled_while_trials_are_out():
    searcher = ASHA(SPACE, seed=4, fidelities=CURVE)
    asked = [searcher.ask() for _ in range(300)]
    copy = pickle.loads(pickle.dumps(searcher))
    for one in (searcher, copy):
        for trial in asked[::-1]:
            one.tell(trial, accuracy(trial))
    assert [searcher.ask() for _ in range(200)] == [copy.ask() for _ in range(200)]


def test_starting_anew_has_no_number():
    searcher = ASHA(SPACE, seed=0, fidelities=CURVE, resume=False)
    trials = [trial for what, trial in play(searcher, 100, 500, seed=0) if what == "ask"]
    assert {trial.training for trial in trials} == {None}
    assert {trial.fidelity.epoch for trial in trials} == {1, 4, 16, 64, 200}


def test_refuses_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="variant must be 'promotion' or 'stopping', got 'sideways'"):
        ASHA(SPACE, seed=0, fidelities=CURVE, variant="sideways")
    with pytest.raises(ValueError, match="needs a benchmark with several fidelities"):
        ASHA(SPACE, seed=0, fidelities=[Fidelity(200, 200)])
