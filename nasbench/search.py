"""run(): the only ask/tell loop, and the only keeper of budget and noise."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np

from nasbench._usercode import frames_of
from nasbench.errors import InvalidArchitectureError, NotRecordedError, RulesError, SearcherError
from nasbench.history import History
from nasbench.randomness import Uniforms
from nasbench.types import Architecture, Benchmark, Budget, Fidelity, Metrics, Searcher, Seed

_LONGEST = (None, None)
_LONGEST_FREE_STREAK = 100_000
_LONGEST_TEXT = 300


class Rules(NamedTuple("Rules", [("observe", Literal["run", "mean"]), ("repeats_cost", bool)])):
    """What the searcher gets to see, and what it pays.

    Args:
        observe: ``"run"``: each query answers with one recorded run, drawn uniformly at random, as NAS-Bench-101 and
            NATS-Bench do; ``"mean"``: with the mean over runs, without noise.
        repeats_cost: Whether an architecture that was evaluated at this fidelity before costs again.

    Raises:
        RulesError: ``observe`` is neither, or ``repeats_cost`` is not True or False.
    """

    __slots__ = ()

    def __new__(cls, observe: Literal["run", "mean"] = "run", repeats_cost: bool = True) -> Rules:
        """Make rules, or refuse them."""
        if observe not in ("run", "mean"):
            raise RulesError(f"observe must be 'run' or 'mean', not {observe!r}.")
        if not isinstance(repeats_cost, bool):
            raise RulesError(f"repeats_cost must be True or False, not {repeats_cost!r}.")
        return super().__new__(cls, observe, repeats_cost)


def run(searcher: Searcher, benchmark: Benchmark, budget: Budget, *, seed: Seed, rules: Rules = Rules()) -> History:
    """Let a searcher spend a budget on a benchmark, and return all that it did.

    Test accuracy is recorded but never told. The evaluation that would pass the budget does not count.

    Args:
        searcher: Fresh, or one that goes on from an earlier run.
        benchmark: A table, or whatever answers queries like one.
        budget: In evaluations, simulated training seconds, or epochs.
        seed: Seed of the draws of runs; the searcher has its own.
        rules: See :class:`Rules`.

    Raises:
        SearcherError: The searcher lacks ask() or tell(), or one of them raised something; it proposed something that
            is no trial, no architecture of the space, or not recorded; or it repeated what costs nothing so long that
            the budget would never end. The message names evaluation and seed, ``traceback`` holds where it failed.
        NotRecordedError: The benchmark has no validation accuracy to tell.
    """
    random = Uniforms(np.random.default_rng(seed)).random
    draws = rules.observe == "run"
    amount, unit = budget
    seen: set[tuple[Architecture, Fidelity | None]] = set()
    architectures: list[bytes] = []
    answers: list[Metrics] = []
    costs: list[float] = []
    seconds: list[float] = []
    spent: float = 0
    free = 0
    chosen: int | None = None
    check_methods(searcher)
    ask, tell, query, recorded_runs = searcher.ask, searcher.tell, benchmark.query, benchmark.runs
    while spent < amount:
        try:
            trial = ask()
        except Exception as error:
            raise _raised(searcher, "ask", error, len(answers), seed) from error
        try:
            architecture, fidelity = trial
            if not isinstance(architecture, tuple):  # a table would take text and indexes too
                raise TypeError("expected Trial(architecture), with the architecture as a tuple of integers.")
            choices = bytes(architecture)
            schedule, epoch = fidelity or _LONGEST
            if draws:
                runs = recorded_runs(architecture, schedule=schedule, epoch=epoch)
                chosen = runs[int(random() * len(runs))]
            metrics = query(architecture, schedule=schedule, epoch=epoch, run=chosen)
        except (InvalidArchitectureError, NotRecordedError, TypeError, ValueError) as error:
            pair = isinstance(trial, tuple) and len(trial) == 2
            reason = error if pair else "expected Trial(architecture), which is a pair of architecture and fidelity."
            raise SearcherError(
                f"{type(searcher).__name__}.ask() returned {_line(repr(trial))} at {_when(len(answers), seed)}, which "
                f"{benchmark.name} cannot answer: {reason}{what_to_do(benchmark, trial)}"
            ) from error
        accuracy = metrics.validation_accuracy
        if accuracy != accuracy:
            raise NotRecordedError(
                f"{benchmark.name} records no validation accuracy at schedule {metrics.schedule}, epoch "
                f"{metrics.epoch}: nothing to tell a searcher. It must not see test accuracy."
            )
        time = metrics.training_time
        cost: float = 1 if unit == "evaluations" else time if unit == "seconds" else metrics.epoch
        if not rules.repeats_cost:
            if (architecture, fidelity) in seen:
                cost = time = 0.0
                free += 1
                if free > _LONGEST_FREE_STREAK:
                    raise SearcherError(
                        f"{type(searcher).__name__} repeated {free:,} evaluated architectures in a row, which costs "
                        "nothing under these rules: the budget would never end. Use Rules(repeats_cost=True)."
                    )
            else:
                free = 0
                seen.add((architecture, fidelity))
        spent += cost
        if spent > amount:
            break
        architectures.append(choices)
        answers.append(metrics)
        costs.append(cost)
        seconds.append(time)
        try:
            tell(trial, accuracy)
        except Exception as error:
            raise _raised(searcher, "tell", error, len(answers) - 1, seed) from error
    decisions = len(benchmark.space.choices)
    return History(
        header=_header(searcher, benchmark, budget, seed, rules),
        architectures=np.frombuffer(b"".join(architectures), np.uint8).reshape(len(architectures), decisions),
        schedules=np.array([metrics.schedule for metrics in answers], np.int32),
        epochs=np.array([metrics.epoch for metrics in answers], np.int32),
        runs=np.array([-1 if metrics.run is None else metrics.run for metrics in answers], np.int32),
        validation_accuracy=np.array([metrics.validation_accuracy for metrics in answers], np.float64),
        test_accuracy=np.array([metrics.test_accuracy for metrics in answers], np.float64),
        cost=np.array(costs, np.float64),
        seconds=np.array(seconds, np.float64),
    )


def check_methods(searcher: object) -> None:
    """Make sure that a searcher has what it needs.

    Raises:
        SearcherError: It lacks ask() or tell().
    """
    for method in ("ask", "tell"):
        if not callable(getattr(searcher, method, None)):
            raise SearcherError(
                f"{type(searcher).__name__} has no method {method}(): a searcher needs ask() and tell()."
            )


def what_to_do(benchmark: Benchmark, trial: object, table: str = "") -> str:
    """Return what helps where a searcher asks a table of some architectures for another one; else nothing.

    Args:
        benchmark: What was asked.
        trial: For what.
        table: The name by which people open it; by default its path.
    """
    from nasbench.table import Table

    space = benchmark.space
    architecture = trial[0] if isinstance(trial, tuple) and trial else None
    if not isinstance(benchmark, Table) or not space.is_valid(architecture) or architecture in benchmark:
        return ""
    of = "" if space.constrained else f"of {space.size:,} "  # how many are valid is known of no other space
    return (
        f" It has {len(benchmark):,} {of}architectures of {space.name}. Fit a surrogate, which answers for all of "
        f"them (nasbench fit --table {table or benchmark.path} --out FOLDER), and search with --table "
        f"surrogate:FOLDER; or train what is asked for, with --table live:{space.name}; or write a search that "
        f"proposes only what {benchmark.name} has."
    )


def _raised(searcher: Searcher, method: str, error: Exception, done: int, seed: Seed) -> SearcherError:
    """Return the error for an exception out of a searcher's own code."""
    name = type(searcher).__name__
    found = SearcherError(f"{name}.{method}() raised {type(error).__name__} at {_when(done, seed)}: {_line(error)}")
    found.traceback = frames_of(error, type(searcher))
    return found


def _line(value: object) -> str:
    """Return a text on one line, cut where it is long: of an array, or a message of many lines."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def _when(done: int, seed: Seed) -> str:
    return f"evaluation {done + 1} (seed {seed})"


def _header(searcher: Searcher, benchmark: Benchmark, budget: Budget, seed: Seed, rules: Rules) -> dict[str, Any]:
    """All that anyone needs to repeat the search."""
    import nasbench

    kind = type(searcher)
    return {
        "nasbench": nasbench.__version__,
        "benchmark": {
            "name": benchmark.name,
            "dataset": benchmark.dataset,
            "digest": benchmark.digest,
            "space": benchmark.space.name,
            "origin": benchmark.origin,
        },
        "searcher": f"{kind.__module__}:{kind.__qualname__}",
        "arguments": {name: _plain(getattr(searcher, name)) for name in _parameters(kind) if hasattr(searcher, name)},
        "searcher_seed": _plain(getattr(searcher, "seed", None)),
        "seed": _plain(seed),
        "budget": {"amount": budget.amount, "unit": budget.unit},
        "rules": rules._asdict(),
    }


@cache
def _parameters(kind: type) -> tuple[str, ...]:
    return tuple(name for name in inspect.signature(kind).parameters if name not in ("space", "seed"))


def _plain(value: Any) -> Any:
    """Return what JSON can hold; anything else as its repr."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else repr(value)
