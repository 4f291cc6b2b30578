"""Hyperband: whose brackets, at which cost, in which order, and that its workers never wait."""

from __future__ import annotations

import pickle
from itertools import pairwise

import numpy as np
import pytest
from _toy import Toy, gaps

from baselines.hyperband import Hyperband
from nasbench.search import run
from nasbench.spaces.nb201 import NB201
from nasbench.testing import SearcherContract, made
from nasbench.types import Budget, Fidelity, Trial

SPACE = NB201()
NASBENCH101 = [Fidelity(s, s) for s in (4, 12, 36, 108)]
CURVE = [Fidelity(200, epoch) for epoch in range(1, 201)]
POWERS = [Fidelity(108, epoch) for epoch in (4, 12, 36, 108)]  # the same epochs on one curve: going on is cheaper


class TestContract(SearcherContract):
    @pytest.fixture(params=Hyperband.presets)
    def make_searcher(self, request):
        return lambda space, seed: made(Hyperband, space, seed, **Hyperband.presets[request.param])


def noise(architecture, fidelity):
    """Return one of a hundred values, the same for the same question in any process."""
    return np.random.default_rng([*architecture, *fidelity]).integers(100) / 100


def accuracy(trial):
    return noise(*trial[:2])


def stretches(trials):
    """Return how many trials of one epoch follow each other: [(27, 4), (9, 12), ...]."""
    counted = []
    for _, (_, epoch), _ in trials:
        if not counted or counted[-1][1] != epoch:
            counted.append((0, epoch))
        counted[-1] = counted[-1][0] + 1, epoch
    return counted


@pytest.mark.parametrize(
    ("preset", "second"),
    [
        ("paper", [(12, 12), (4, 36), (1, 108)]),
        ("smac3", [(12, 12), (4, 36), (1, 108)]),
        ("hpbandster", [(9, 12), (3, 36), (1, 108)]),
        ("syne_tune", [(12, 12), (4, 36), (2, 108)]),
    ],
)
def test_one_worker_plays_one_bracket_after_another(preset, second):
    searcher = Hyperband(SPACE, seed=0, fidelities=NASBENCH101, **Hyperband.presets[preset])
    trials = []
    for _ in range(200):
        trials.append(searcher.ask())
        searcher.tell(trials[-1], accuracy(trials[-1]))
    expected = [(27, 4), (9, 12), (3, 36), (1, 108), *second, (6, 36), (2 + 4, 108), (27, 4)]
    assert stretches(trials)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("sizes", "fidelities", "resume", "brackets"),
    [
        ("paper", POWERS, False, [432, 396, 432, 432]),  # 1,692 epochs a round
        ("paper", POWERS, True, [324, 312, 360, 432]),  # 1,428
        ("paper", NASBENCH101, True, [432, 396, 432, 432]),  # another schedule is another training
        ("hpbandster", POWERS, False, [432, 324, 432, 432]),  # 9 candidates instead of 12
    ],
)
def test_a_round_costs_what_was_counted_by_hand(sizes, fidelities, resume, brackets):
    """With 27*4 + 9*12 + 3*36 + 108 epochs and so on, and where going on costs the difference 27*4 + 9*8 + ..."""
    searcher = Hyperband(SPACE, seed=0, fidelities=fidelities, sizes=sizes, resume=resume)
    history = run(searcher, Toy(SPACE, fidelities, noise), Budget(sum(brackets), "epochs"), seed=0)
    ends = np.cumsum([40, 17 if sizes == "paper" else 13, 8, 4])
    assert np.cumsum(history.cost)[ends - 1].tolist() == np.cumsum(brackets).tolist()
    assert len(history) == ends[-1]


def test_a_worker_that_would_wait_starts_the_next_bracket():
    searcher = Hyperband(SPACE, seed=0, fidelities=NASBENCH101)
    first = [searcher.ask() for _ in range(27)]
    second = [searcher.ask() for _ in range(5)]
    assert {t.fidelity.epoch for t in first} == {4}
    assert {t.fidelity.epoch for t in second} == {12}
    assert not {t.training for t in first} & {t.training for t in second}
    for trial in reversed(first):
        searcher.tell(trial, accuracy(trial))
    # The older bracket comes first again: its best nine, then the rest of the second bracket.
    promoted = [searcher.ask() for _ in range(9)]
    by_age = sorted(first, key=lambda trial: (-accuracy(trial), trial.training))
    assert [(t.architecture, t.training) for t in promoted] == [(t.architecture, t.training) for t in by_age[:9]]
    others = [searcher.ask() for _ in range(7 + 6)]
    assert [t.fidelity.epoch for t in others] == [12] * 7 + [36] * 6
    assert [t.training for t in others] == list(range(27 + 5, 27 + 5 + 13))


@pytest.mark.parametrize("workers", [2, 16, 100])
@pytest.mark.parametrize("preset", Hyperband.presets)
def test_no_worker_ever_waits(workers, preset):
    searcher = Hyperband(SPACE, seed=0, fidelities=POWERS, **Hyperband.presets[preset])
    history = run(searcher, Toy(SPACE, POWERS, noise), Budget(1_000), seed=0, workers=workers)
    assert not gaps(history, workers).any()


def test_whatever_the_order_of_answers_each_bracket_promotes_its_best():
    """Ten workers, and architectures of very different speeds: several brackets are under way at a time."""
    speed = np.random.default_rng(1).exponential(size=5**6)
    toy = Toy(SPACE, POWERS, noise, lambda architecture: speed[SPACE.identity(architecture)])
    history = run(Hyperband(SPACE, seed=5, fidelities=POWERS), toy, Budget(1_000), seed=0, workers=10)
    epochs, numbers = history.epochs, history.trainings
    assert (np.diff(numbers[epochs == 4]) < 0).any(), "answers came in another order"
    bracket = set(range(27))  # candidates are numbered in the order of asking
    for below, above in pairwise((4, 12, 36, 108)):
        rung = [i for i in np.flatnonzero(epochs == below) if numbers[i] in bracket]
        best = sorted(rung, key=lambda i: (-history.validation_accuracy[i], numbers[i]))[: len(rung) // 3]
        assert bracket & set(numbers[epochs == above]) == set(numbers[best])
        bracket = set(numbers[best])
    assert len(bracket) == 1


def test_what_was_not_asked_for_changes_nothing():
    def play(disturb):
        searcher = Hyperband(SPACE, seed=3, fidelities=NASBENCH101)
        trials = []
        for _ in range(100):
            trials.append(searcher.ask())
            if disturb:
                searcher.tell(Trial((4,) * 6), 1.0)
            searcher.tell(trials[-1], accuracy(trials[-1]))
        return trials

    assert play(disturb=True) == play(disturb=False)


def test_is_pickled_while_trials_are_out():
    searcher = Hyperband(SPACE, seed=4, fidelities=CURVE)
    asked = [searcher.ask() for _ in range(300)]
    copy = pickle.loads(pickle.dumps(searcher))
    for one in (searcher, copy):
        for trial in asked[::-1]:
            one.tell(trial, accuracy(trial))
    assert [searcher.ask() for _ in range(500)] == [copy.ask() for _ in range(500)]


def test_one_fidelity_is_refused():
    with pytest.raises(ValueError, match="needs a benchmark with several fidelities"):
        Hyperband(SPACE, seed=0, fidelities=[Fidelity(200, 200)])
