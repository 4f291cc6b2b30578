"""The protocol buffer ``ModelMetrics`` of NAS-Bench-101 (nasbench/lib/model_metrics.proto), and that of EC-NAS.

It holds the number of parameters and three evaluations: after initialisation (not kept, as in the official reader),
half-way, and at the end. EC-NAS adds the energy, and its second evaluation is the one after the first epoch.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from nasbench.sources.readers.protobuf import fields, varint

ACCURACIES = ("train_accuracy", "validation_accuracy", "test_accuracy")
OTHERS = ("training_time", "energy", "co2")
"""In seconds, kWh and g; the last two in EC-NAS only."""

_EVALUATION, _PARAMETERS = 1, 2  # fields of ModelMetrics
_EPOCH, _OTHERS, _ACCURACIES = 1, (2, 6, 7), (3, 4, 5)  # fields of EvaluationData, in the order of the names above
_ENERGY = 6


class Metrics(NamedTuple):
    """What is kept of one training."""

    parameters: int
    epochs: tuple[float, ...]
    """The epochs of the three evaluations."""
    accuracies: tuple[float, ...]
    """The ``ACCURACIES`` of the second evaluation, then those of the third."""
    others: tuple[float, ...]
    """The ``OTHERS`` likewise: 2, or for EC-NAS 6 numbers."""


class MetricsReader:
    """Reads messages; quickly those that differ from one of the same length before them in nothing but numbers."""

    def __init__(self) -> None:
        self._layouts: dict[int, _Layout] = {}

    def read(self, message: bytes) -> Metrics:
        """Read one message.

        Raises:
            ValueError: It is no protocol buffer, or lacks a number; the text says which.
        """
        layout = self._layouts.get(len(message))
        metrics = layout.read(message) if layout is not None else None
        if metrics is None:
            layout = self._layouts[len(message)] = _Layout(message)
            metrics = layout.read(message)
            assert metrics is not None
        return metrics


class _Layout:
    """Where the numbers of a message lie, between stretches of bytes that name the fields.

    Raises:
        ValueError: As for :meth:`MetricsReader.read`.
    """

    def __init__(self, message: bytes) -> None:
        self._format, self._end = "<", 0
        self._between: tuple[bytes, ...] = ()
        found: dict[tuple[int, int], int] = {}  # (evaluation, field) -> which number it is; of several the last counts
        evaluations, parameters = 0, None
        for field, value, begin, end in fields(message):
            if field == _EVALUATION and isinstance(value, bytes):
                for number, content, first, last in fields(value):
                    if isinstance(content, float):
                        found[evaluations, number] = self._number(message, "d", begin + first, begin + last)
                evaluations += 1
            elif field == _PARAMETERS and isinstance(value, int):
                parameters = self._number(message, f"{end - begin}s", begin, end)
            elif isinstance(value, float):
                self._number(message, "d", begin, end)
        self._number(message, "0s", len(message), len(message))
        if parameters is None or evaluations != 3:
            has = "no" if parameters is None else "a"
            raise ValueError(f"{has} number of parameters and {evaluations} evaluations, expected one and 3")
        # Field 6 is a number (the energy) in EC-NAS, a text (the path of a checkpoint) in NAS-Bench-101.
        others = _OTHERS if any((i, _ENERGY) in found for i in range(3)) else _OTHERS[:1]
        try:
            self._epochs = itemgetter(*(found[i, _EPOCH] for i in range(3)))
            self._accuracies = itemgetter(*(found[i, number] for i in (1, 2) for number in _ACCURACIES))
            self._others = itemgetter(*(found[i, number] for i in (1, 2) for number in others))
        except KeyError as missing:
            raise ValueError("evaluation {} has no number in field {}".format(*missing.args[0])) from None
        self._parameters = parameters
        self._parts = struct.Struct(self._format).unpack

    def _number(self, message: bytes, kind: str, begin: int, end: int) -> int:
        """Note a number and the bytes between it and the one before, and return which it is."""
        self._format += f"{begin - self._end}s{kind}"
        self._between += (message[self._end : begin],)
        self._end = end
        return len(self._between) - 1

    def read(self, message: bytes) -> Metrics | None:
        """Return the numbers of a message of the same length, or None if it has another layout."""
        parts = self._parts(message)
        if parts[::2] != self._between:
            return None
        numbers = parts[1::2]
        parameters = _whole(numbers[self._parameters])
        if parameters is None:
            return None
        return Metrics(parameters, self._epochs(numbers), self._accuracies(numbers), self._others(numbers))


@lru_cache(maxsize=2**16)
def _whole(number: bytes) -> int | None:
    """Return the integer that takes exactly these bytes, or None."""
    try:
        value, end = varint(number)
    except ValueError:
        return None
    return value if end == len(number) else None
