"""SearcherContract: what every search algorithm promises."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nasbench import registry
from nasbench.search import run
from nasbench.search.objectives import Known
from nasbench.spaces import SearchSpace
from nasbench.testing.checks import check_architecture, global_randomness_untouched, pickled
from nasbench.testing.landscape import OBJECTIVES, Landscape
from nasbench.types import Budget, Constraint, Searcher, Seed, Trial

_MANY = 50


def made(kind: Any, space: SearchSpace, seed: Seed, **arguments: Any) -> Searcher:
    """Make a searcher and give it what its constructor names, as ``nasbench compare`` does, of a made-up benchmark.

    Args:
        kind: The class.
        space: The search space.
        seed: The seed of the searcher.
        arguments: Further arguments.
    """
    landscape = Landscape(space)
    offered: dict[str, Any] = {
        "fidelities": landscape.fidelities,
        "objectives": OBJECTIVES,
        "constraints": (Constraint("flops", most=float(2**62)),),
        "known": Known(landscape, ["latency", "flops"]),
    }
    given = {name: value for name, value in offered.items() if name in inspect.signature(kind).parameters}
    searcher: Searcher = kind(space, seed=seed, **given, **arguments)
    return searcher


class SearcherContract:
    """What every searcher promises, on every registered search space.

    Give the fixture ``make_searcher``: a callable ``(space, seed) -> Searcher``; :func:`made` helps where a constructor
    names fidelities or objectives. Override the fixture ``space`` where your searcher is made for one search space.
    """

    @pytest.fixture(params=registry.names("spaces"))
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        """Every registered search space in turn."""
        space: SearchSpace = registry.find("spaces", request.param)()
        return space

    def test_keeps_its_arguments(self, space: SearchSpace, make_searcher: MakeSearcher) -> None:
        """Every argument of the constructor is kept under its own name, for the header of a history."""
        searcher: Any = make_searcher(space, 5)
        for name in inspect.signature(type(searcher)).parameters:
            assert hasattr(searcher, name), f"the constructor's argument {name!r} is not kept as an attribute"
        assert searcher.space is space
        assert searcher.seed == 5

    def test_proposes_valid_trials(self, space: SearchSpace, make_searcher: MakeSearcher) -> None:
        """A trial is an architecture of the space, a fidelity of the benchmark or None, and a training or None."""
        fidelities = Landscape(space).fidelities
        for trial in _search(make_searcher(space, 0), space):
            assert isinstance(trial, Trial), f"ask() returned {trial!r}, not a Trial"
            check_architecture(space, trial.architecture, "ask()")
            assert trial.fidelity is None or trial.fidelity in fidelities
            assert trial.training is None or (type(trial.training) is int and trial.training >= 0)

    @pytest.mark.parametrize("seed", [0, [3, 1]], ids=["integer", "sequence"])
    def test_same_seed_same_trials(self, space: SearchSpace, make_searcher: MakeSearcher, seed: Seed) -> None:
        """The seed decides; the global generators are neither drawn from nor seeded, nor is the seed changed."""
        with global_randomness_untouched():
            first = _search(make_searcher(space, seed), space)
        assert _search(make_searcher(space, seed), space) == first
        assert seed in (0, [3, 1])

    def test_other_seeds_other_trials(self, space: SearchSpace, make_searcher: MakeSearcher) -> None:
        """The seed is used."""
        assert len({tuple(_search(make_searcher(space, seed), space)) for seed in range(3)}) == 3

    def test_searchers_do_not_share_anything(self, space: SearchSpace, make_searcher: MakeSearcher) -> None:
        """Two at a time do what each does alone."""
        alone = [_search(make_searcher(space, seed), space) for seed in (0, 1)]
        searchers = [make_searcher(space, seed) for seed in (0, 1)]
        together: list[list[Trial]] = [[], []]
        for _ in range(_MANY):
            for searcher, trials in zip(searchers, together, strict=True):
                trials += _search(searcher, space, 1)
        assert together == alone

    def test_several_trials_at_once(self, space: SearchSpace, make_searcher: MakeSearcher) -> None:
        """Several may be asked for before any is told, and told in another order; it may wait once some are out."""

        def trials() -> list[Trial]:
            searcher = make_searcher(space, 0)
            asked: list[Trial] = []
            for _ in range(3):
                batch = _batch(searcher, _MANY)
                assert batch, "ask() returned None while nothing was out"
                for trial in reversed(batch):
                    searcher.tell(trial, _answer(searcher, space, trial))
                asked += batch
            return asked + _search(searcher, space)

        first = trials()
        for trial in first:
            check_architecture(space, trial.architecture, "ask() of several trials")
        assert trials() == first

    @pytest.mark.parametrize("workers", [1, 7])
    def test_plays_on_workers(self, space: SearchSpace, make_searcher: MakeSearcher, workers: int) -> None:
        """On the clock of run() it goes on with trainings, waits and hears answers late, as it may, and repeats."""
        landscape, budget = Landscape(space), Budget(3 * _MANY)
        histories = [run(make_searcher(space, 1), landscape, budget, seed=2, workers=workers) for _ in range(2)]
        assert len(histories[0]) == 3 * _MANY
        assert histories[0] == histories[1], "the same seeds gave other trials"

    def test_goes_on_after_being_pickled(self, space: SearchSpace, make_searcher: MakeSearcher) -> None:
        """A copy that was pickled between ask and tell goes on as the original does."""
        searcher = make_searcher(space, 0)
        _search(searcher, space, _MANY // 2)
        trial = searcher.ask()
        assert trial is not None, "ask() returned None while nothing was out"
        copy = pickled(searcher)
        for each in (searcher, copy):
            each.tell(trial, _answer(searcher, space, trial))
        assert _search(searcher, space) == _search(copy, space)

    def test_learns_what_others_evaluated(self, space: SearchSpace, make_searcher: MakeSearcher) -> None:
        """It may be told trials that it did not propose, such as those of an earlier search, even before the first."""
        searcher, rng = make_searcher(space, 0), np.random.default_rng(8)
        for _ in range(_MANY):
            other = Trial(space.sample(rng))
            searcher.tell(other, _answer(searcher, space, other))
            for trial in _search(searcher, space, 2):
                check_architecture(space, trial.architecture, "ask()")

    @pytest.mark.parametrize("accuracy", [0.0, 1.0, 0.5])
    def test_survives_a_flat_landscape(self, space: SearchSpace, make_searcher: MakeSearcher, accuracy: float) -> None:
        """Where all architectures are equally good, or bad, it still goes on."""
        searcher = make_searcher(space, 0)
        for _ in range(4 * _MANY):
            trial = searcher.ask()
            assert trial is not None, "ask() returned None while nothing was out"
            check_architecture(space, trial.architecture, "ask()")
            searcher.tell(trial, dict.fromkeys(_names(searcher), accuracy) if _names(searcher) else accuracy)


MakeSearcher = Callable[[SearchSpace, Seed], Searcher]
"""What the fixture ``make_searcher`` is."""


def _search(searcher: Searcher, space: SearchSpace, evaluations: int = _MANY) -> list[Trial]:
    trials = []
    for _ in range(evaluations):
        trial = searcher.ask()
        assert trial is not None, "ask() returned None while nothing was out"
        trials.append(trial)
        searcher.tell(trial, _answer(searcher, space, trial))
    return trials


def _batch(searcher: Searcher, most: int) -> list[Trial]:
    """Ask until the searcher waits, but for so many at most."""
    batch: list[Trial] = []
    while len(batch) < most:
        trial = searcher.ask()
        if trial is None:
            break
        batch.append(trial)
    return batch


def _names(searcher: Any) -> tuple[str, ...]:
    """Return the names of what a searcher is told, none where it is validation accuracy alone."""
    if getattr(searcher, "objectives", None) is None:
        return ()
    bounds = getattr(searcher, "constraints", None) or ()
    return tuple(dict.fromkeys([*(m.name for m in searcher.objectives), *(bound.metric for bound in bounds)]))


def _answer(searcher: Searcher, space: SearchSpace, trial: Trial) -> Any:
    """Return what run() would tell of a trial on the made-up landscape, without noise."""
    landscape = Landscape(space)
    if not _names(searcher):
        return landscape.level(trial.architecture)
    schedule, epoch = trial.fidelity or landscape.fidelities[-1]
    return {
        name: landscape.value(trial.architecture, name, schedule=schedule, epoch=epoch) for name in _names(searcher)
    }
