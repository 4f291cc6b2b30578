"""The sections of ``benchmarks/faults.py``."""
