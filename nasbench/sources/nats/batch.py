"""The numbers of one architecture, gathered, checked and converted at once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nasbench.errors import ConversionError

# The source sums percentages of batches of 256 images in single precision. Those of full batches are exact; that of the
# last, smaller one is off by at most 2e-5 of an image (two roundings of a number up to 100), and ori-test may join two.
# The largest deviation in the sample files is 7.4e-6 of an image.
_TOLERANCE = 1e-4
LOSS, SECONDS = 0, -1
"""What values are that are no accuracy on so many images."""
_LARGEST_LOSS = np.finfo(np.float32).max


class Batch:
    """All numbers of an architecture, converted at once: numpy costs by the call more than by the number."""

    def __init__(self) -> None:
        self._values: list[float] = []
        self._parts: list[tuple[int, int, str, str]] = []

    def add(self, values: Sequence[Any], images: int, place: str, key: str) -> int:
        """Take some values, and return where they begin.

        Args:
            values: Numbers of one kind.
            images: Of how many images they are accuracies in percent; or LOSS or SECONDS.
            place: The training, for errors.
            key: What the source calls them, for errors.
        """
        start = len(self._values)
        self._values += values
        self._parts.append((len(values), images, place, key))
        return start

    def converted(self) -> tuple[NDArray[np.float64], int]:
        """Return all values, percentages as counts of images, and how many losses are not finite.

        Raises:
            ConversionError: An accuracy is no whole count of its images.
        """
        values = np.frombuffer(array("d", self._values))  # refuses what is no number
        lengths = [length for length, *_ in self._parts]
        images = np.repeat([images for _, images, *_ in self._parts], lengths)
        possible = (values >= 0) & (values <= 100)
        exact = np.where(possible, values, 0) * images / 100
        counts = np.rint(exact)
        good = (images <= 0) | (possible & (np.abs(exact - counts) <= _TOLERANCE))
        if not good.all():
            worst = int(np.argmin(good))
            _, of, place, key = self._parts[np.searchsorted(np.cumsum(lengths), worst, side="right")]
            raise ConversionError(
                f"{place}: {key}: an accuracy of {values[worst]} percent is no whole count of {of:,} images."
            )
        infinite = (images == LOSS) & ~(np.abs(values) <= _LARGEST_LOSS)
        return np.where(images > 0, counts, values), int(infinite.sum())
