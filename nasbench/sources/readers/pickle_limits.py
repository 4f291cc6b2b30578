"""What all readers of pickles refuse."""

VALUES = 2**20
"""Values that a pickle may hold, unless a reader allows more; an architecture of NATS-Bench has 50,000."""
LONGEST = 2**26
"""Bytes of a pickle that is read whole."""


class TooMuchError(ValueError):
    """A pickle asks for more than any results; the text says for what."""
