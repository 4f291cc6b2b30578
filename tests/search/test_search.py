"""run(): who pays for what, what is seen, what is refused. The benchmark here is a small hand-written one."""

from __future__ import annotations

import importlib
import pickle
import re
import sys

import numpy as np
import pytest

from nasbench import Budget, Fidelity, Metrics, Rules, Trial, load, run
from nasbench.errors import BudgetError, InvalidArchitectureError, NotRecordedError, SearcherError
from nasbench.spaces.nb201 import NB201

SPACE = NB201()
ARCHITECTURES = [tuple(row) for row in SPACE.sample_many(50, np.random.default_rng(0)).tolist()]
SHORT, LONG = Fidelity(4, 4), Fidelity(20, 20)


class Bench:
    """Accuracy 0.1 times run, plus the schedule in hundredths; 10 seconds an epoch; the run counts its queries."""

    name, dataset, digest, origin, space = "hand-written", "none", "0", "recorded", SPACE
    fidelities = (SHORT, LONG)

    def __init__(self, runs=(0, 1, 2)):
        self.recorded, self.asked = runs, []

    def runs(self, architecture, *, schedule=None, epoch=None):
        return self.recorded

    def query(self, architecture, *, schedule=None, epoch=None, run=None):
        SPACE.check(architecture)
        self.asked.append((architecture, schedule, epoch, run))
        schedule, epoch = schedule or 20, epoch or 20
        accuracy = 0.1 * (1 if run is None else run) + schedule / 100
        return Metrics(accuracy, 0.99, 0.98, 10.0 * epoch, 0.01, 1, 1, schedule, epoch, run)


class Script:
    """Asks for the trials it was given, in turn; remembers what it was told."""

    def __init__(self, trials):
        self.trials, self.told = iter(trials), []

    def ask(self):
        return next(self.trials)

    def tell(self, trial, validation_accuracy):
        self.told.append((trial, validation_accuracy))


def script(n=50, fidelity=None):
    return Script([Trial(ARCHITECTURES[i % 50], fidelity) for i in range(n)])


def test_a_budget_of_evaluations_is_spent_exactly():
    searcher = script(60)
    history = run(searcher, Bench(), Budget(37), seed=0)
    assert len(history) == len(searcher.told) == 37
    assert history.cost.tolist() == [1.0] * 37


@pytest.mark.parametrize(("seconds", "evaluations"), [(199.99, 0), (200, 1), (399, 1), (400, 2), (1999, 9), (2000, 10)])
def test_the_evaluation_that_passes_a_budget_of_seconds_does_not_count(seconds, evaluations):
    searcher = script()
    history = run(searcher, Bench(), Budget(seconds, "seconds"), seed=0)
    assert len(history) == len(searcher.told) == evaluations
    assert history.seconds.sum() == 200 * evaluations <= seconds


def test_a_budget_of_epochs_counts_epochs_of_each_fidelity():
    trials = [Trial(ARCHITECTURES[i], SHORT if i % 2 else LONG) for i in range(50)]
    history = run(Script(trials), Bench(), Budget(50, "epochs"), seed=0)
    assert history.epochs.tolist() == [20, 4, 20, 4]  # 48; another 20 would pass 50
    assert history.schedules.tolist() == [20, 4, 20, 4]


def test_repeats_cost_again_unless_the_rules_say_otherwise():
    same = [Trial(ARCHITECTURES[0]), Trial(ARCHITECTURES[0]), Trial(ARCHITECTURES[1])] * 10
    assert len(run(Script(same), Bench(), Budget(6), seed=0)) == 6
    free = run(Script(same), Bench(), Budget(2), seed=0, rules=Rules(repeats_cost=False))
    assert free.cost.tolist() == [1.0, 0.0, 1.0]
    assert free.seconds.tolist() == [200.0, 0.0, 200.0]


def test_another_fidelity_of_the_same_architecture_is_no_repeat():
    trials = [Trial(ARCHITECTURES[0], SHORT), Trial(ARCHITECTURES[0], LONG)]
    history = run(Script(trials), Bench(), Budget(2), seed=0, rules=Rules(repeats_cost=False))
    assert history.cost.tolist() == [1.0, 1.0]


def test_a_search_that_only_repeats_what_is_free_is_ended():
    class Stuck(Script):
        def ask(self):
            return Trial(ARCHITECTURES[0])

    with pytest.raises(SearcherError, match="would never end"):
        run(Stuck([]), Bench(), Budget(2), seed=0, rules=Rules(repeats_cost=False))


def test_each_query_sees_one_recorded_run_drawn_uniformly():
    history = run(script(3000), Bench(), Budget(3000), seed=1)
    counts = np.bincount(history.runs, minlength=3)
    assert counts.sum() == 3000
    # Chi-square with two degrees of freedom: 13.8 is passed once in a thousand.
    assert ((counts - 1000) ** 2 / 1000).sum() < 13.8
    assert set(run(script(30), Bench(runs=(0, 2)), Budget(30), seed=1).runs) == {0, 2}


def test_the_mean_is_seen_without_noise():
    bench = Bench()
    history = run(script(), bench, Budget(5), seed=0, rules=Rules(observe="mean"))
    assert history.runs.tolist() == [-1] * 5
    assert {asked[3] for asked in bench.asked} == {None}


def test_run_draws_from_its_own_seed_only():
    first, second, other = (run(script(), Bench(), Budget(40), seed=seed) for seed in (3, 3, 4))
    assert first.runs.tolist() == second.runs.tolist()
    assert first.runs.tolist() != other.runs.tolist()


def test_test_accuracy_is_recorded_and_never_told():
    searcher = script()
    history = run(searcher, Bench(), Budget(5), seed=0)
    assert history.test_accuracy.tolist() == [0.99] * 5
    assert [accuracy for _, accuracy in searcher.told] == history.validation_accuracy.tolist()
    assert 0.99 not in [accuracy for _, accuracy in searcher.told]


def test_the_trial_comes_back_as_it_was_asked_for():
    searcher = script(3, SHORT)
    run(searcher, Bench(), Budget(3), seed=0)
    assert [trial for trial, _ in searcher.told] == [Trial(ARCHITECTURES[i], SHORT) for i in range(3)]


@pytest.mark.parametrize("junk", [3, "cell", (1, 2), Trial((9,) * 6), Trial((0,) * 5), Trial(None)])
def test_what_is_no_trial_is_refused_with_what_came(junk):
    with pytest.raises(SearcherError, match=r"Script\.ask\(\) returned"):
        run(Script([junk]), Bench(), Budget(1), seed=0)


@pytest.mark.parametrize("junk", [3, "cell", (1, 2, 3, 4)])
def test_what_should_have_come_is_said_in_plain_words(junk):
    with pytest.raises(SearcherError, match=r"cannot answer: expected Trial\(architecture\), which is a pair of"):
        run(Script([junk]), Bench(), Budget(1), seed=0)


@pytest.mark.parametrize("junk", ["text", 5, SPACE.format(ARCHITECTURES[0]), list(ARCHITECTURES[0]), (1.0,) * 6])
def test_what_a_table_would_take_for_an_architecture_is_refused_where_it_occurs(junk):
    """Texts, indexes, and what equals a tuple of integers: after one evaluation, not once the budget is spent."""
    table, good = load("nasbench201"), [Trial(ARCHITECTURES[0]), Trial((1,) * 6)]
    searcher = Script([*good, Trial(junk), *good])
    with pytest.raises(
        SearcherError, match=r"Script\.ask\(\) returned .* at evaluation 3 \(seed \[0, 1\]\)"
    ) as refusal:
        run(searcher, table, Budget(1000), seed=[0, 1])
    assert repr(junk) in str(refusal.value)
    assert len(searcher.told) == 2


OWN = """
import helper_of_own

from nasbench import Trial
from nasbench.spaces.nb201 import NB201


class Own:
    def __init__(self, space, *, seed=0):
        self.left = 3

    def ask(self):
        self.left -= 1
        return Trial((0,) * 6) if self.left else NB201().parse("no cell")

    def tell(self, trial, validation_accuracy):
        pass


class Deaf(Own):
    def tell(self, trial, validation_accuracy):
        helper_of_own.divide(1, 0)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A user's module and its neighbour; undone at the end."""
    (tmp_path / "own_search.py").write_text(OWN)
    (tmp_path / "helper_of_own.py").write_text("def divide(a, b):\n    return a / b\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("own_search")
    del sys.modules["own_search"], sys.modules["helper_of_own"]


def test_what_ask_raises_is_told_with_where_it_failed(own):
    with pytest.raises(SearcherError) as refusal:
        run(own.Own(SPACE), Bench(), Budget(9), seed=4)
    message = str(refusal.value)
    assert message.startswith("Own.ask() raised InvalidArchitectureError at evaluation 3 (seed 4): 'no cell' is no ")
    assert "\n" not in message
    lines = refusal.value.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == f'  File "{own.__file__}", line 14, in ask'
    assert [line for line in lines if "File" in line] == [lines[1]], "frames that are not the user's"
    assert isinstance(refusal.value.__cause__, InvalidArchitectureError)


def test_what_tell_raises_is_told_with_the_frames_of_its_neighbours(own):
    with pytest.raises(SearcherError, match=r"^Deaf\.tell\(\) raised ZeroDivisionError at evaluation 1 ") as refusal:
        run(own.Deaf(SPACE), Bench(), Budget(9), seed=4)
    found = pickle.loads(pickle.dumps(refusal.value))  # as it comes from a worker
    assert (str(found), found.traceback) == (str(refusal.value), refusal.value.traceback)
    assert re.findall(r"in (\w+)\n", found.traceback) == ["tell", "divide"]
    assert found.traceback.endswith("\nZeroDivisionError: division by zero")


def test_a_table_of_some_architectures_says_what_to_do():
    table = load("conv5_16px_4epochs")
    elsewhere = next(a for a in map(table.space.sample, [np.random.default_rng(1)] * 9) if a not in table)
    with pytest.raises(SearcherError, match="It has 301 of 7,962,624 architectures of conv5") as refusal:
        run(Script([Trial(elsewhere)]), table, Budget(1), seed=0)
    for words in ("nasbench fit --table ", "--table surrogate:FOLDER", "--table live:conv5", "only what conv5_16px"):
        assert words in str(refusal.value)
    recorded = [Trial(tuple(row)) for row in table.architectures[:5].tolist()]
    assert len(run(Script(recorded), table, Budget(5), seed=0)) == 5


def test_what_cannot_ask_is_no_searcher():
    with pytest.raises(SearcherError, match=r"object has no method ask\(\)"):
        run(object(), Bench(), Budget(1), seed=0)


def test_a_fidelity_that_is_not_recorded_is_refused():
    table = load("nasbench201")
    with pytest.raises(SearcherError, match="epoch 200 of schedule 200, not epoch 12"):
        run(Script([Trial(ARCHITECTURES[0], Fidelity(200, 12))]), table, Budget(1), seed=0)


def test_a_benchmark_without_validation_accuracy_is_refused():
    class TestOnly(Bench):
        def query(self, architecture, **fidelity):
            return super().query(architecture, **fidelity)._replace(validation_accuracy=float("nan"))

    with pytest.raises(NotRecordedError, match="must not see test accuracy"):
        run(script(), TestOnly(), Budget(1), seed=0)


def test_the_header_is_enough_to_repeat_a_search():
    from importlib import import_module

    from baselines.regularized_evolution import RegularizedEvolution

    table = load("nasbench201", "cifar100")
    searcher = RegularizedEvolution(table.space, seed=[1, 2], population_size=7)
    history = run(searcher, table, Budget(60), seed=5, rules=Rules(observe="mean"))
    header = history.header
    module, name = header["searcher"].split(":")
    again = getattr(import_module(module), name)(table.space, seed=header["searcher_seed"], **header["arguments"])
    assert header["arguments"] == {
        "population_size": 7,
        "sample_size": 3,
        "initial": None,
        "replacement": True,
        "mutation": "space",
    }
    assert header["benchmark"]["digest"] == table.digest
    repeated = run(again, table, Budget(**header["budget"]), seed=header["seed"], rules=Rules(**header["rules"]))
    assert repeated == history


@pytest.mark.parametrize(
    ("amount", "unit", "message"),
    [
        (0, "evaluations", "positive"),
        (float("inf"), "seconds", "finite"),
        (1.5, "epochs", "whole"),
        (1, "days", "unknown"),
    ],
)
def test_budgets_that_make_no_sense(amount, unit, message):
    with pytest.raises(BudgetError, match=message):
        Budget(amount, unit)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("1000", (1000, "evaluations")),
        ("2e4s", (20000, "seconds")),
        ("1.5s", (1.5, "seconds")),
        ("30epochs", (30, "epochs")),
    ],
)
def test_budgets_as_text(text, budget):
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "many", "-3", "10 days", "1.5", "0", "nan"])
def test_texts_that_are_no_budget(text):
    with pytest.raises(BudgetError):
        Budget.parse(text)
