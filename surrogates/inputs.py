"""The name of :mod:`surrogates.encodings.inputs` in release 0.1, for what was written with it."""

from surrogates.encodings.inputs import Extra, InputError, WithInputs, column_of, read, recorded_runs

__all__ = ["Extra", "InputError", "WithInputs", "column_of", "read", "recorded_runs"]
