"""The words of the project as types: Architecture, Trial, Metrics, Budget; what a benchmark and a searcher are.

A search space says what can be built, a benchmark says how good it is, a searcher says what to try next.
They meet only in :func:`nasbench.search.run`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from nasbench.errors import BudgetError, ConstraintError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from nasbench.metrics import Metric
    from nasbench.spaces import SearchSpace

Architecture = tuple[int, ...]
"""One small integer per decision of its search space: hashable, picklable, sortable."""

Origin = Literal["recorded", "predicted", "trained"]
"""Where a value comes from: a table's source measured it, a surrogate predicts it, or we trained the network."""

Seed = int | Sequence[int]
"""What ``numpy.random.default_rng`` takes and a header can record: a non-negative integer or several."""


class Fidelity(NamedTuple):
    """How an architecture was trained: a whole schedule, and the epoch of its curve that is looked at.

    An early epoch of a long schedule is not a short schedule: the learning rate differs.
    """

    schedule: int
    epoch: int


class Trial(NamedTuple):
    """What a searcher asks for."""

    architecture: Architecture
    fidelity: Fidelity | None = None
    """How it is trained, and which epoch is looked at; None is the last epoch of the longest schedule."""
    training: int | None = None
    """A number that the searcher chooses. Trials of one number are one training: a later epoch of the same schedule
    goes on from where it stands, sees the same recorded run, and costs only the difference. None: a training of its
    own."""


class Constraint(NamedTuple("Constraint", [("metric", str), ("least", float), ("most", float)])):
    """A bound on a metric: ``least <= value <= most``.

    Args:
        metric: Name of a metric that the benchmark knows.
        least: The smallest value that is allowed, in the unit of the metric.
        most: The largest.

    Raises:
        ConstraintError: No value could satisfy it.

    >>> Constraint.parse("parameters<=500000").violation(600000.0)
    100000.0
    """

    __slots__ = ()

    def __new__(cls, metric: str, least: float = -math.inf, most: float = math.inf) -> Constraint:
        """Make a constraint, or refuse it."""
        if not least <= most or least == math.inf or most == -math.inf:
            raise ConstraintError(f"no value of {metric} is at least {least:g} and at most {most:g}.")
        return super().__new__(cls, metric, float(least), float(most))

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read ``"parameters<=500000"`` or ``"validation_accuracy>=0.9"``, in the unit of the metric.

        Raises:
            ConstraintError: The text is neither.
        """
        match = re.fullmatch(r"\s*([\w.-]+)\s*(<=|>=)\s*([+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*", text)
        if match is None:
            raise ConstraintError(
                f"cannot read the constraint {text!r}: write METRIC<=NUMBER or METRIC>=NUMBER, such as "
                "parameters<=500000."
            )
        bound = float(match[3])
        return cls(match[1], most=bound) if match[2] == "<=" else cls(match[1], least=bound)

    def violation(self, value: float) -> float:
        """Return how far a value lies outside, 0 where it is allowed; nan of a value that is not known."""
        return value if value != value else max(self.least - value, value - self.most, 0.0)

    def __str__(self) -> str:
        bounds = [f"{self.metric}>={self.least:.15g}"] if self.least > -math.inf else []
        return " ".join([*bounds, *([f"{self.metric}<={self.most:.15g}"] if self.most < math.inf else [])])


class Metrics(NamedTuple):
    """What one query answers.

    Accuracies are fractions in [0, 1]; ``nan`` means not recorded. The splits behind each accuracy are in
    :meth:`nasbench.tables.table.Table.describe`.
    """

    validation_accuracy: float
    test_accuracy: float
    train_accuracy: float
    training_time: float
    """Seconds of training up to ``epoch``, without evaluation."""
    latency: float
    """Seconds of one forward pass, as the source measured it."""
    parameters: int | None
    """Number of trainable parameters; None where the table does not record it."""
    flops: int | None
    """Multiply-accumulates of one forward pass of one image; None where the table does not record them."""
    schedule: int
    epoch: int
    run: int | None
    """Index of the repeated training, or None for the mean over the recorded ones."""
    origin: Origin = "recorded"


class Graph(NamedTuple):
    """A cell as a directed graph with one operation a vertex, in topological order.

    ``adjacency[i, j]`` is True for an edge from vertex i to vertex j, with i < j; shape (vertices, vertices).
    """

    adjacency: NDArray[np.bool_]
    operations: tuple[str, ...]


class Budget(NamedTuple("Budget", [("amount", float), ("unit", str)])):
    """How much a search may spend, in one unit.

    Args:
        amount: A positive number.
        unit: ``"evaluations"``, ``"seconds"`` (simulated training seconds of the table) or ``"epochs"``.

    Raises:
        BudgetError: The amount is not positive and finite, is not whole where evaluations or epochs are
            counted, or the unit is unknown.
    """

    __slots__ = ()

    def __new__(cls, amount: float, unit: str = "evaluations") -> Budget:
        """Make a budget, or refuse it."""
        if unit not in ("evaluations", "seconds", "epochs"):
            raise BudgetError(f"unknown budget unit {unit!r}: expected evaluations, seconds or epochs.")
        if not 0 < amount < float("inf"):
            raise BudgetError(f"a budget must be positive and finite, not {amount} {unit}.")
        if unit != "seconds" and amount != int(amount):
            raise BudgetError(f"a budget of {unit} must be a whole number, not {amount}.")
        return super().__new__(cls, float(amount), unit)  # the same header, however the number was written

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``"1000"`` (evaluations), ``"20000s"`` (simulated seconds) or ``"3000epochs"``.

        Raises:
            BudgetError: The text is none of these.
        """
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*(|evaluations|s|seconds|epochs)\s*", text)
        if match is None:
            raise BudgetError(
                f"cannot read the budget {text!r}: write 1000 (evaluations), 20000s (simulated seconds) or 3000epochs."
            )
        unit = {"": "evaluations", "s": "seconds"}.get(match[2], match[2])
        return cls(float(match[1]), unit)

    def __str__(self) -> str:
        return f"{self.amount:.15g} {self.unit}"


class RandomSource(Protocol):
    """Anything with numpy's ``random()``: a ``numpy.random.Generator`` or a faster :class:`Uniforms`."""

    def random(self) -> float:
        """Return the next number, uniform in [0, 1)."""


class Benchmark(Protocol):
    """How good an architecture is: a Table, a SurrogateBenchmark, or a LiveBenchmark that trains when asked.

    Queries are pure: no random numbers, no counters.
    """

    @property
    def name(self) -> str:
        """What answers, for people."""

    @property
    def dataset(self) -> str:
        """The image dataset."""

    @property
    def locator(self) -> str:
        """What :func:`nasbench.load` opens it by, from any working folder."""

    @property
    def digest(self) -> str:
        """Which data answers, exactly; it stands in every History."""

    @property
    def source(self) -> dict[str, str]:
        """Where the data comes from; name, address, licence and citation at least."""

    @property
    def origin(self) -> Origin:
        """Where its answers come from; it stands in every answer and every History."""

    @property
    def space(self) -> SearchSpace:
        """The search space."""

    @property
    def fidelities(self) -> Sequence[Fidelity]:
        """From cheap to expensive; the last is the default."""

    def runs(
        self, architecture: Architecture, *, schedule: int | None = None, epoch: int | None = None
    ) -> Sequence[int]:
        """Return the indexes of the recorded runs of one architecture, in rising order."""

    def query(
        self,
        architecture: Architecture,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> Metrics:
        """Return what was measured: by default the longest schedule, its last epoch, the mean over runs."""

    def means(
        self,
        architectures: ArrayLike,
        metric: str = "validation_accuracy",
        *,
        runs: Sequence[Iterable[int]] | None = None,
    ) -> NDArray[np.float64]:
        """Return the means over runs at the last epoch of the longest schedule, shape (n,), nan where not recorded.

        Args:
            architectures: Choices, shape (n, decisions).
            metric: A metric that is recorded; NotRecordedError otherwise.
            runs: Of each architecture the runs that count; all by default. What only predicts, and knows the mean that
                its runs are drawn around, is never asked for less.
        """

    def best(self, metric: str = "validation_accuracy") -> float | None:
        """Return the largest of these means over the whole space, None where nobody knows it."""

    def metric(self, name: str) -> Metric:
        """Describe a metric: name, unit, and whether more or less of it is better.

        Raises:
            NotRecordedError: It knows no such metric; the message has the nearest one.
        """

    def value(
        self,
        architecture: Architecture,
        metric: str,
        *,
        schedule: int | None = None,
        epoch: int | None = None,
        run: int | None = None,
    ) -> float:
        """Return one metric of one architecture, nan where nothing is recorded; arguments as for :meth:`query`."""

    def known(self, metric: str) -> bool:
        """Say whether a metric is known of every architecture before it is trained, so that knowing it costs nothing.

        So are counts of parameters, and latency or energy that belong to the architecture and not to one training.
        """


class Searcher(Protocol):
    """An algorithm that proposes architectures and learns how good they are.

    The constructor takes ``(space, *, seed, **arguments)`` and stores every argument under its own name, so
    that a History can say how to repeat the search. What it names besides, it is given: ``fidelities``, those of the
    benchmark, rising; ``objectives``, a sequence of :class:`nasbench.metrics.Metric`; ``constraints``, a sequence of
    :class:`Constraint`; ``known``, a function that returns for an architecture, by name, those of their metrics that
    cost nothing to know.
    """

    def ask(self) -> Trial | None:
        """Return the next trial to evaluate, or None to wait until another one is told."""

    def tell(self, trial: Trial, validation_accuracy: Any) -> None:
        """Learn the validation accuracy, a fraction in [0, 1], of a trial that was asked for.

        A searcher with ``objectives`` gets the values of all of them instead, and of the metrics that are constrained:
        a dictionary of floats by name, in their own units. Trials are told in the order in which they end.
        """
