"""Single uniform random numbers at the price of a list access."""

from collections.abc import Iterator

import numpy as np


class Uniforms:
    """The numbers that ``rng.random()`` would give one by one, drawn in blocks of 1,024.

    A call of a numpy Generator costs about a microsecond, as much as a whole query of a table; drawing blocks
    costs a tenth of it and gives the very same sequence.

    It can be pickled: the copy goes on with the same numbers.

    Args:
        rng: The generator that is drawn from; it runs ahead by up to one block.

    >>> Uniforms(np.random.default_rng(0)).random() == np.random.default_rng(0).random()
    True
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._go_on(rng, iter([]))

    def _go_on(self, rng: np.random.Generator, block: Iterator[float]) -> None:
        self._rng, self._block = rng, block
        self.random = self._stream().__next__

    def _stream(self) -> Iterator[float]:
        while True:
            yield from self._block  # which knows how far it is, and can be pickled
            self._block = iter(self._rng.random(1024).tolist())

    def __getstate__(self) -> tuple[np.random.Generator, Iterator[float]]:
        return self._rng, self._block

    def __setstate__(self, state: tuple[np.random.Generator, Iterator[float]]) -> None:
        self._go_on(*state)
