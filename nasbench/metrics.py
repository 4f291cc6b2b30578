"""What is known of a metric by its name or unit: whether more of it is better."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from nasbench.errors import NotRecordedError

Better = Literal["higher", "lower"]


class Metric(NamedTuple):
    """A metric that every table names alike."""

    unit: str
    better: Better


METRICS: dict[str, Metric] = {
    "validation_accuracy": Metric("fraction", "higher"),
    "test_accuracy": Metric("fraction", "higher"),
    "train_accuracy": Metric("fraction", "higher"),
    "training_time": Metric("seconds", "lower"),
    "latency": Metric("seconds", "lower"),
    "parameters": Metric("parameters", "lower"),
    "flops": Metric("multiply-accumulates", "lower"),
}

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
