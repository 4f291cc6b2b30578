"""run(): the only ask/tell loop, and the only keeper of budget, time and noise.

A clock of simulated seconds plays one or more workers that train at the same time. Each free worker asks for a trial
and trains it for as long as the benchmark says; trials are told in the order in which they end, those that end together
in the order in which they were asked for. The time that a searcher itself takes is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush, heappushpop
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import InvalidArchitectureError, NotRecordedError, SearcherError
from nasbench.metrics import Metric
from nasbench.randomness import Uniforms
from nasbench.search.faults import check_methods, no_trial, raised, waits_for_nothing, what_to_do, when
from nasbench.search.header import header_of
from nasbench.search.history import History
from nasbench.search.objectives import observed_by
from nasbench.search.rules import Rules
from nasbench.search.trainings import Trainings
from nasbench.types import Benchmark, Budget, Constraint, Metrics, Searcher, Seed, Trial

__all__ = ["Rules", "check_methods", "run", "what_to_do"]

_LONGEST_FREE_STREAK = 100_000
_Record = tuple[Any, ...]
_NO_ANSWER = (InvalidArchitectureError, NotRecordedError, TypeError, ValueError)


def run(
    searcher: Searcher,
    benchmark: Benchmark,
    budget: Budget,
    *,
    seed: Seed,
    rules: Rules = Rules(),
    workers: int = 1,
    objectives: Sequence[Metric] = (),
    constraints: Sequence[Constraint] = (),
) -> History:
    """Let a searcher spend a budget on a benchmark, and return all that it did.

    Test accuracy is recorded but never told. The evaluation that would pass the budget does not count, and ends the
    search. A budget of seconds is the time on the clock, whatever the number of workers; budgets of evaluations and
    epochs count those of trials that ended.

    Args:
        searcher: Fresh, or one that goes on from an earlier run.
        benchmark: A table, or whatever answers queries like one.
        budget: In evaluations, simulated seconds, or epochs.
        seed: Seed of the draws of runs; the searcher has its own.
        rules: See :class:`Rules`.
        workers: How many trainings run at the same time.
        objectives: What the history records of each trial; by default the searcher's ``objectives``, and for one that
            has none validation accuracy alone.
        constraints: What the history records besides; by default the searcher's ``constraints``.

    Raises:
        SearcherError: The searcher lacks ask() or tell(), or one of them raised something; it proposed something that
            is no trial, no architecture of the space, or not recorded; it went on with a training that still runs, or
            to an epoch that was passed; it waited while nothing ran; it repeated what costs nothing so long that the
            budget would never end; or there is no worker. The message names evaluation and seed, ``traceback`` holds
            where it failed.
        NotRecordedError: The benchmark has no validation accuracy to tell, lacks an objective, or has no training time
            where time is counted or several workers run.
    """
    if type(workers) is not int or workers < 1:
        raise SearcherError(f"workers must be a whole number of at least 1, not {workers!r}.")
    check_methods(searcher)
    observed = observed_by(searcher, benchmark, objectives, constraints)
    told_names = observed.names if observed is not None and observed.told else ()
    random = Uniforms(np.random.default_rng(seed)).random
    trainings = Trainings(benchmark, rules, random)
    draws, run = rules.observe == "run", None
    ask, tell, query, recorded_runs = searcher.ask, searcher.tell, benchmark.query, benchmark.runs
    highest = benchmark.fidelities[-1]
    (amount, unit), repeats_cost = budget, rules.repeats_cost
    on_clock, counted = unit == "seconds", unit == "evaluations"
    several = workers > 1
    timed = on_clock or several
    records: list[_Record] = []
    running: list[_Record] = []  # a heap: who ends first is first
    idle = list(range(1, workers))
    worker: int | None = 0
    clock = spent = promised = 0.0
    asked = free = 0
    while True:
        trial = None
        if worker is not None and spent + promised < amount:
            try:
                trial = ask()
            except Exception as error:
                raise raised(searcher, "ask", error, len(records), seed) from error
            if trial is None and not running:
                raise waits_for_nothing(searcher, len(records), seed)
        if trial is not None:
            try:
                architecture, fidelity, training = trial if type(trial) is Trial else (trial := Trial(*trial))
                if not isinstance(architecture, tuple):  # a table would take text and indexes too
                    raise TypeError("expected Trial(architecture), with the architecture as a tuple of integers.")
                choices = bytes(architecture)
                if training is not None:
                    metrics, seconds, epochs = trainings.go_on(trial)
                elif repeats_cost:
                    schedule, epoch = fidelity or highest
                    if draws:
                        runs = recorded_runs(architecture, schedule=schedule, epoch=epoch)
                        run = runs[int(random() * len(runs))]
                    metrics = query(architecture, schedule=schedule, epoch=epoch, run=run)
                    seconds, epochs = metrics.training_time, metrics.epoch
                else:
                    metrics, seconds, epochs = trainings.repeat(trial)
                    free = 0 if epochs else free + 1
            except _NO_ANSWER as error:
                raise no_trial(searcher, trial, error, benchmark, when(len(records), seed)) from error
            if free > _LONGEST_FREE_STREAK:
                raise _would_never_end(searcher, free)
            cost: float = (1 if epochs else 0) if counted else seconds if on_clock else epochs
            told: Any = metrics.validation_accuracy
            values = () if observed is None else observed.values(architecture, metrics)
            if told_names:
                told = dict(zip(told_names, values, strict=True))
            elif told != told:
                raise _nothing_to_tell(benchmark, metrics)
            if timed and seconds != seconds:
                raise _no_time(benchmark, metrics)
            end = clock + seconds
            record = (end, asked, worker, clock, trial, choices, metrics, cost, seconds, told, values)
            if several:
                asked += 1
                if not on_clock:
                    promised += cost
                if idle:
                    heappush(running, record)
                    worker = heappop(idle)
                    continue
                record = heappushpop(running, record)
                end, _, worker, _, trial, _, _, cost, _, told, _ = record
        elif running:
            if worker is not None:
                heappush(idle, worker)
            record = heappop(running)
            end, _, worker, _, trial, _, _, cost, _, told, _ = record
        else:
            break
        clock = end
        if on_clock:
            spent = clock
        else:
            spent += cost
            promised -= cost if several else 0
        if spent > amount:
            break
        records.append(record)
        if trial[2] is not None:
            trainings.ended(trial[2])
        elif not repeats_cost:
            trainings.remember(trial, record[6])
        try:
            tell(trial, told)
        except Exception as error:
            raise raised(searcher, "tell", error, len(records) - 1, seed) from error
    header = header_of(searcher, benchmark, budget, seed, rules, workers, observed)
    return _history(header, records, len(benchmark.space.choices), numbered=trainings.numbered)


def _history(header: dict[str, Any], records: list[_Record], decisions: int, *, numbered: bool) -> History:
    """Lay the records of the trials out as arrays.

    Args:
        header: Of the search.
        records: In the order in which they were told.
        decisions: Of an architecture.
        numbered: Whether a trial named a training.
    """
    n = len(records)
    answers = [record[6] for record in records]

    def recorded(place: int, kind: Any) -> NDArray[Any]:
        return np.fromiter(map(itemgetter(place), records), kind, n)

    def answered(metric: str, kind: Any) -> NDArray[Any]:
        return np.fromiter(map(itemgetter(Metrics._fields.index(metric)), answers), kind, n)

    more: dict[str, NDArray[Any]] = {}
    if numbered:
        numbers = (record[4].training for record in records)
        more["trainings"] = np.array([-1 if number is None else number for number in numbers], np.int32)
    if "workers" in header:
        more |= {"workers": recorded(2, np.int32), "starts": recorded(3, np.float64)}
    if "values" in header:
        more["values"] = np.array([record[10] for record in records], np.float64).reshape(n, len(header["values"]))
    return History(
        header=header,
        architectures=np.frombuffer(b"".join(map(itemgetter(5), records)), np.uint8).reshape(n, decisions),
        schedules=answered("schedule", np.int32),
        epochs=answered("epoch", np.int32),
        runs=np.array([-1 if metrics.run is None else metrics.run for metrics in answers], np.int32),
        validation_accuracy=answered("validation_accuracy", np.float64),
        test_accuracy=answered("test_accuracy", np.float64),
        cost=recorded(7, np.float64),
        seconds=recorded(8, np.float64),
        **more,
    )


def _no_time(benchmark: Benchmark, metrics: Metrics) -> NotRecordedError:
    return NotRecordedError(
        f"{benchmark.name} records no training time at schedule {metrics.schedule}, epoch {metrics.epoch}: without it "
        "there is no clock for several workers or a budget of seconds. Give a budget of evaluations or epochs, on one "
        "worker."
    )


def _nothing_to_tell(benchmark: Benchmark, metrics: Metrics) -> NotRecordedError:
    return NotRecordedError(
        f"{benchmark.name} records no validation accuracy at schedule {metrics.schedule}, epoch {metrics.epoch}: "
        "nothing to tell a searcher. It must not see test accuracy."
    )


def _would_never_end(searcher: Searcher, free: int) -> SearcherError:
    return SearcherError(
        f"{type(searcher).__name__} repeated {free:,} evaluated architectures in a row, which costs nothing under "
        "these rules: the budget would never end. Use Rules(repeats_cost=True)."
    )
