"""run() in time and with several objectives: going on with trainings, workers on a clock, what is told and recorded."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

import nasbench
from nasbench import Budget, Fidelity, Metrics, Rules, Trial, load, run
from nasbench.errors import AnalysisError, ConstraintError, NotRecordedError, SearcherError
from nasbench.metrics import METRICS
from nasbench.search.history import load_histories, save_histories
from nasbench.search.objectives import Known, objectives_of
from nasbench.types import Constraint

CONV5 = load("conv5_16px_4epochs")
CELLS = [CONV5.at_row(row) for row in range(20)]


class Script:
    """Asks for the trials it was given, in turn, and remembers in which order it was told."""

    def __init__(self, trials, objectives=None):
        self.trials, self.told = iter(trials), []
        if objectives is not None:
            self.objectives = objectives

    def ask(self):
        return next(self.trials)

    def tell(self, trial, value):
        self.told.append((trial, value))


def time_of(cell, epoch, run):
    return float(CONV5.curve(cell, "training_time", run=run).values[epoch - 1])


def test_going_on_costs_the_difference_and_sees_the_same_run():
    trials = [Trial(CELLS[i], Fidelity(4, epoch), training=i) for epoch in (1, 2, 4) for i in range(20)]
    history = run(Script(trials), CONV5, Budget(60), seed=3)
    runs = history.runs.reshape(3, 20)
    assert (runs == runs[0]).all()
    assert set(runs[0]) == {0, 1}
    expected = [
        time_of(CELLS[i], epoch, runs[0, i]) - (time_of(CELLS[i], before, runs[0, i]) if before else 0)
        for before, epoch in ((0, 1), (1, 2), (2, 4))
        for i in range(20)
    ]
    assert np.allclose(history.seconds, expected, rtol=1e-12, atol=0)
    # All of a training costs what the table says of the whole.
    whole = [time_of(cell, 4, run) for cell, run in zip(CELLS, runs[0], strict=True)]
    assert np.allclose(history.seconds.reshape(3, 20).sum(axis=0), whole)
    assert history.trainings.tolist() == [*range(20)] * 3


def test_epochs_that_were_trained_are_not_paid_again():
    trials = [Trial(CELLS[0], Fidelity(4, epoch), 0) for epoch in (1, 2, 3, 4)]
    assert run(Script(trials * 9), CONV5, Budget(4, "epochs"), seed=0).cost.tolist() == [1, 1, 1, 1]


def test_without_a_number_each_trial_is_a_training_of_its_own():
    trials = [Trial(CELLS[0], Fidelity(4, epoch)) for epoch in (1, 2, 3, 4)] * 10
    history = run(Script(trials), CONV5, Budget(40), seed=0)
    assert history.seconds.tolist() == [
        time_of(CELLS[0], epoch, run) for epoch, run in zip(history.epochs, history.runs, strict=True)
    ]
    assert len(set(history.runs.reshape(10, 4).sum(axis=1).tolist())) > 1
    assert history.trainings.tolist() == [-1] * 40


class TwoSchedules:
    """Whole trainings of 4 and 12 epochs, 10 seconds an epoch, three runs; the accuracy says which run was seen."""

    name, dataset, digest, origin, space = "by hand", "none", "0", "recorded", CONV5.space
    fidelities = (Fidelity(4, 2), Fidelity(4, 4), Fidelity(12, 12))

    def runs(self, architecture, *, schedule=None, epoch=None):
        return range(3)

    def query(self, architecture, *, schedule=None, epoch=None, run=None):
        return Metrics((run or 0) / 10, 0.99, 0.98, 10.0 * epoch, 0.01, 1, 1, schedule, epoch, run)


def test_another_schedule_is_another_training_and_is_paid_whole():
    trials = [Trial(CELLS[0], Fidelity(4, 2), 0), Trial(CELLS[0], Fidelity(12, 12), 0)]
    seen = set()
    for seed in range(40):
        history = run(Script(trials), TwoSchedules(), Budget(2), seed=seed)
        assert history.seconds.tolist() == [20, 120]
        seen.add(tuple(history.runs.tolist()))
    assert len(seen) == 9, "both schedules draw a run, independently"


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (Trial(CELLS[0], Fidelity(4, 1), 7), "has passed epoch 2; it cannot go on to 1"),
        (Trial(CELLS[0], Fidelity(4, 2), 7), "has passed epoch 2; it cannot go on to 2"),
        (Trial(CELLS[1], Fidelity(4, 4), 7), "another architecture needs another number"),
        (Trial(CELLS[1], Fidelity(4, 4), -1), "must be an integer from 0"),
        (Trial(CELLS[1], Fidelity(4, 4), "a"), "must be an integer from 0"),
        (Trial(CELLS[1], Fidelity(4, 5), 8), "not epoch 5"),
    ],
)
def test_how_no_training_goes_on(second, reason):
    with pytest.raises(SearcherError, match=rf"at evaluation 2 .*{reason}"):
        run(Script([Trial(CELLS[0], Fidelity(4, 2), 7), second]), CONV5, Budget(9), seed=0)


def test_a_training_that_runs_cannot_go_on():
    trials = [Trial(CELLS[0], Fidelity(4, 1), 7), Trial(CELLS[0], Fidelity(4, 2), 7)]
    with pytest.raises(SearcherError, match="training 7 is still running"):
        run(Script(trials), CONV5, Budget(9), seed=0, workers=2)


def test_free_repeats_answer_what_was_answered():
    """Six queries for the price of one showed all three runs, and the longest fidelity by name was charged again."""
    table = load("nasbench201")
    same = [Trial((0,) * 6), Trial((0,) * 6, table.fidelities[-1])] * 6
    for seed in range(20):
        history = run(Script([*same, Trial((1,) * 6)]), table, Budget(2), seed=seed, rules=Rules(repeats_cost=False))
        assert history.cost.tolist() == [1.0] + [0.0] * 11 + [1.0]
        assert len(set(history.runs[:12].tolist())) == 1


# Workers.


class Clocked:
    """Accuracy and time of an architecture of conv5 are given by its first two choices: 10 s to 10,000 s."""

    name, dataset, digest, origin, space = "by hand", "none", "0", "recorded", CONV5.space
    fidelities = (Fidelity(4, 4),)

    def runs(self, architecture, *, schedule=None, epoch=None):
        return (0,)

    def query(self, architecture, *, schedule=None, epoch=None, run=None):
        seconds = 10.0 * (1 + architecture[0]) + architecture[1]
        return Metrics(0.5, 0.9, 0.9, seconds, 0.01, 1, 1, 4, 4, run)


def scheduled(seconds, workers):
    """Start and end of jobs in order on the machines that are free first: an independent list scheduling."""
    free = [(0.0, w) for w in range(workers)]
    found = []
    for number, each in enumerate(seconds):
        start, worker = heapq.heappop(free)
        found.append((start + each, number, start))
        heapq.heappush(free, (start + each, worker))
    return sorted(found)


@pytest.mark.parametrize("workers", [1, 2, 5, 16])
def test_trials_end_in_the_order_of_their_times(workers):
    rng = np.random.default_rng(workers)
    trials = [Trial(CONV5.space.sample(rng)) for _ in range(300)]
    searcher = Script(trials)
    history = run(searcher, Clocked(), Budget(300), seed=0, workers=workers)
    expected = scheduled([Clocked().query(trial.architecture).training_time for trial in trials], workers)
    assert history.ends.tolist() == [end for end, _, _ in expected]
    assert history.starts.tolist() == [start for _, _, start in expected]
    assert [trial for trial, _ in searcher.told] == [trials[number] for _, number, _ in expected]
    assert set(history.workers.tolist()) == set(range(workers))
    for worker in range(workers):  # one after the other, without a gap
        mine = np.flatnonzero(history.workers == worker)
        assert history.starts[mine].tolist() == [0.0, *history.ends[mine][:-1].tolist()]


@pytest.mark.parametrize("workers", [1, 8])
def test_a_budget_of_seconds_is_the_time_on_the_clock(workers):
    rng = np.random.default_rng(0)
    trials = [Trial(CONV5.space.sample(rng)) for _ in range(3000)]
    history = run(Script(trials), Clocked(), Budget(2000, "seconds"), seed=0, workers=workers)
    expected = scheduled([Clocked().query(trial.architecture).training_time for trial in trials], workers)
    assert history.ends.tolist() == [end for end, _, _ in expected if end <= 2000]
    assert history.spent.tolist() == history.ends.tolist()


@pytest.mark.parametrize(("budget", "unit"), [(50, "evaluations"), (205, "epochs")])
def test_no_more_is_started_than_the_budget_allows(budget, unit):
    searcher = Script([Trial(CELLS[i % 20]) for i in range(999)])
    history = run(searcher, CONV5, Budget(budget, unit), seed=0, workers=8)
    assert history.spent[-1] == (50 if unit == "evaluations" else 204)
    assert len(history) == len(searcher.told) == (50 if unit == "evaluations" else 51)
    assert sum(1 for _ in searcher.trials) >= 999 - (50 if unit == "evaluations" else 52)


def test_one_worker_is_today_s_history():
    """What is on one worker is written as version 1 wrote it."""
    from baselines.regularized_evolution import RegularizedEvolution

    table = load("nasbench201")
    alone, named = (
        run(RegularizedEvolution(table.space, seed=1), table, Budget(2e5, "seconds"), seed=2, **given)
        for given in ({}, {"workers": 1})
    )
    assert alone == named
    assert "workers" not in alone.header
    assert alone.ends.tolist() == np.cumsum(alone.cost).tolist() == alone.spent.tolist()


class Waits(Script):
    """Waits for every answer before it asks again."""

    def ask(self):
        if getattr(self, "out", 0) > len(self.told):
            return None
        self.out = getattr(self, "out", 0) + 1
        return super().ask()


def test_a_search_may_wait_while_something_runs():
    trials = [Trial(cell) for cell in CELLS]
    history = run(Waits(trials), CONV5, Budget(20), seed=0, workers=4)
    assert history.workers.tolist().count(0) < 20 or history.starts.tolist()[1:] == history.ends.tolist()[:-1]
    assert history.starts.tolist() == [0.0, *history.ends.tolist()[:-1]], "one at a time"


def test_a_search_that_waits_while_nothing_runs_is_told_so():
    with pytest.raises(SearcherError, match=r"Script\.ask\(\) returned None at evaluation 3 .* nothing is running"):
        run(Script([Trial(CELLS[0]), Trial(CELLS[1]), None]), CONV5, Budget(9), seed=0)


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, None])
def test_workers_below_one_are_refused(workers):
    with pytest.raises(SearcherError, match="workers must be a whole number of at least 1"):
        run(Script([]), CONV5, Budget(1), seed=0, workers=workers)


def test_without_times_there_is_no_clock():
    class Timeless(Clocked):
        def query(self, architecture, **fidelity):
            return super().query(architecture, **fidelity)._replace(training_time=float("nan"))

    for budget, workers in ((Budget(5), 2), (Budget(5, "seconds"), 1)):
        with pytest.raises(NotRecordedError, match=r"records no training time .* no clock"):
            run(Script([Trial(CELLS[0])] * 9), Timeless(), budget, seed=0, workers=workers)
    assert len(run(Script([Trial(CELLS[0])] * 9), Timeless(), Budget(5), seed=0)) == 5


# Objectives.

TABLE = load("nasbench201")
OBJECTIVES = objectives_of(TABLE, ["validation_accuracy", "parameters", "latency", "training_time"])


def test_all_objectives_are_told_and_recorded():
    rng = np.random.default_rng(0)
    searcher = Script([Trial(TABLE.space.sample(rng)) for _ in range(30)], OBJECTIVES)
    searcher.constraints = (Constraint("flops", most=1e8),)
    history = run(searcher, TABLE, Budget(30), seed=0)
    names = ["validation_accuracy", "parameters", "latency", "training_time", "flops"]
    assert history.header["values"] == names
    assert history.header["constraints"] == ["flops<=100000000"]
    for i, (trial, told) in enumerate(searcher.told):
        metrics = TABLE.query(trial.architecture, run=int(history.runs[i]))
        assert told == {name: float(getattr(metrics, name)) for name in names}
        assert history.values[i].tolist() == [told[name] for name in names]


def test_a_search_without_objectives_is_told_accuracy_alone_and_all_is_recorded():
    searcher = Script([Trial((i % 5,) * 6) for i in range(9)])
    history = run(searcher, TABLE, Budget(9), seed=0, objectives=OBJECTIVES[:2], workers=3)
    assert sorted(told for _, told in searcher.told) == sorted(history.validation_accuracy.tolist())
    assert history.values[:, 1].tolist() == [TABLE.space.parameters(tuple(a)) for a in history.architectures.tolist()]


def test_what_is_recorded_comes_back_from_a_file(tmp_path):
    histories = [
        run(
            Script([Trial(c, Fidelity(4, e), i) for e in (1, 4) for i, c in enumerate(CELLS)]),
            CONV5,
            Budget(40),
            seed=seed,
            workers=4,
            objectives=objectives_of(CONV5, ["validation_accuracy", "parameters"]),
        )
        for seed in range(3)
    ]
    save_histories(tmp_path / "new.h5", histories)
    assert load_histories(tmp_path / "new.h5") == histories
    save_histories(tmp_path / "again.h5", load_histories(tmp_path / "new.h5"))
    assert (tmp_path / "new.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_what_no_search_may_see():
    for ask in (
        lambda: objectives_of(TABLE, ["test_accuracy"]),
        lambda: run(Script([], [METRICS["test_accuracy"]]), TABLE, Budget(1), seed=0),
        lambda: run(Script([]), TABLE, Budget(1), seed=0, constraints=[Constraint("test_accuracy", least=0.9)]),
    ):
        with pytest.raises(SearcherError, match="test_accuracy is no objective and no constraint"):
            ask()


def test_unknown_objectives_say_the_nearest_name():
    with pytest.raises(NotRecordedError, match=r"'latencyy'.* Did you mean 'latency'"):
        objectives_of(TABLE, ["latencyy"])
    with pytest.raises(SearcherError, match="flops: is an objective already"):
        objectives_of(TABLE, ["flops", "flops"])


def test_known_answers_only_what_costs_nothing():
    known = Known(TABLE, ["validation_accuracy", "parameters", "training_time", "latency"])
    assert known.names == ("parameters", "latency")
    cell = (3, 1, 2, 0, 4, 2)
    assert known(cell) == {"parameters": TABLE.space.parameters(cell), "latency": TABLE.query(cell).latency}


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("parameters<=500000", ("parameters", -np.inf, 500_000)),
        (" latency_pixel3 <= 1.5e-3 ", ("latency_pixel3", -np.inf, 0.0015)),
        ("validation_accuracy>=0.9", ("validation_accuracy", 0.9, np.inf)),
    ],
)
def test_constraints_as_text(text, constraint):
    assert Constraint.parse(text) == constraint
    assert Constraint.parse(str(Constraint.parse(text))) == constraint


@pytest.mark.parametrize(
    "text", ["", "parameters", "parameters<5", "<=5", "parameters<=many", "parameters=>5", "a<=nan"]
)
def test_texts_that_are_no_constraint(text):
    with pytest.raises(ConstraintError, match="such as parameters<=500000"):
        Constraint.parse(text)


def test_bounds_that_nothing_satisfies():
    with pytest.raises(ConstraintError, match="at least 5 and at most 4"):
        Constraint("parameters", 5, 4)
    assert [Constraint("x", 1, 2).violation(value) for value in (0.5, 1, 1.5, 2, 4)] == [0.5, 0, 0, 0, 2]


def test_public_names():
    assert nasbench.Trial._fields == ("architecture", "fidelity", "training")
    assert issubclass(ConstraintError, AnalysisError.__base__)


def test_a_free_answer_comes_from_a_training_that_has_ended():
    """Twins of a trial that still runs are trained anew: nobody is told a result before it is there."""
    table = load("nasbench201")
    trials = [Trial((3,) * 6)] * 9 + [Trial((i % 5, 1, 2, 3, 4, i // 5)) for i in range(12)]
    rules = Rules(repeats_cost=False)
    history = run(Script(trials), table, Budget(12), seed=0, rules=rules, workers=4)
    twins = (history.architectures == 3).all(axis=1)
    paid = history.seconds > 0
    assert (twins & paid).sum() == 4, "four were asked for at once, and none had ended"
    assert (twins & ~paid).sum() == 5
    assert history.ends[0] == history.seconds[0] > 0
    assert (history.ends[~paid] >= history.ends[paid].min()).all()
    assert set(history.runs[twins & ~paid]) == {history.runs[0]}, "the first to end answers"
