"""Single uniform random numbers at the price of a list access."""

from collections.abc import Iterator

import numpy as np


class Uniforms:
    """The numbers that ``rng.random()`` would give one by one, drawn in blocks of 1,024.

    A call of a numpy Generator costs about a microsecond, as much as a whole query of a table; drawing blocks
    costs a tenth of it and gives the very same sequence.

    Args:
        rng: The generator that is drawn from; it runs ahead by up to one block.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.random = _stream(rng).__next__


def _stream(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(1024).tolist()
