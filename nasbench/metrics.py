"""What is known of a metric by its name or unit: whether more of it is better."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from nasbench.errors import NotRecordedError, unknown_name

Better = Literal["higher", "lower"]


class Metric(NamedTuple):
    """What is known of a metric: it describes a column, an objective, an axis.

    >>> METRICS["latency"]
    Metric(name='latency', unit='seconds', better='lower')
    """

    name: str
    unit: str
    better: Better


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("validation_accuracy", "fraction", "higher"),
        Metric("test_accuracy", "fraction", "higher"),
        Metric("train_accuracy", "fraction", "higher"),
        Metric("training_time", "seconds", "lower"),
        Metric("latency", "seconds", "lower"),
        Metric("parameters", "parameters", "lower"),
        Metric("flops", "multiply-accumulates", "lower"),
    )
}
"""Those that every benchmark names alike: the fields of :class:`nasbench.types.Metrics`."""

# Words in the names of other columns; an underscore, a digit or a point ends a word.
_HIGHER = ("accuracy", "acc", "auc", "psnr", "throughput")
_LOWER = (
    *("latency", "time", "energy", "co2", "co2e", "carbon", "emissions", "power", "memory"),
    *("loss", "error", "perplexity", "parameters", "params", "flops", "macs"),
)
_LOWER_UNITS = frozenset(
    f"{prefix}{unit}"
    for prefix in ("", "milli", "micro", "nano", "kilo", "mega", "giga")
    for unit in ("seconds", "joules", "watts", "watt-hours", "grams", "bytes", "parameters", "multiply-accumulates")
) | {"kg", "g", "ms", "s", "J", "mJ", "W", "kWh", "Wh", "MB", "GB", "MiB", "GiB", "hours", "minutes"}


def better_of(metric: str, unit: str = "", stated: str = "") -> Better:
    """Say whether more or less of a metric is better.

    Args:
        metric: Its name.
        unit: Its unit.
        stated: What its file says: ``"higher"``, ``"lower"`` or nothing.

    Raises:
        NotRecordedError: Neither the file nor name or unit says it.
    """
    if metric in METRICS:
        return METRICS[metric].better
    if stated in ("higher", "lower"):
        return "higher" if stated == "higher" else "lower"
    words = set(re.split(r"[^a-z0-9]+", metric.lower()))
    higher, lower = words & set(_HIGHER), words & set(_LOWER) or unit in _LOWER_UNITS
    if higher and not lower:
        return "higher"
    if lower and not higher:
        return "lower"
    raise NotRecordedError(
        f"nothing says whether more {metric} [{unit}] is better: give better='higher' or better='lower'."
    )


COUNTS = ("parameters", "flops")
"""Metrics that every search space can tell of an architecture, whatever a benchmark records."""


def metric_among(name: str, known: Iterable[str], benchmark: str) -> Metric:
    """Return one of the metrics that every benchmark names alike, if this one knows it.

    Args:
        name: Its name.
        known: What the benchmark records or predicts; counts are known of every architecture.
        benchmark: The name of the benchmark.

    Raises:
        NotRecordedError: It does not; the message has the nearest name.
    """
    names = {*known, *COUNTS}
    if name not in names:
        raise NotRecordedError(str(unknown_name(f"metric of {benchmark}:", name, names)))
    return METRICS[name]
