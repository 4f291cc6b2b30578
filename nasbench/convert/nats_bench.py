"""The name of :mod:`nasbench.sources.nats.nats_bench` in release 0.1, for what was written with it."""

from nasbench.sources.nats.nats_bench import convert

__all__ = ["convert"]
