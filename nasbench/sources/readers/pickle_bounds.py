"""How much a pickle may ask for: checked before Python's own reader follows it.

That reader is fast, and checks nothing. Seven bytes make it ask for 64 GB (a place in its memo); a tuple of
tuples of tuples that share their items is hashed item by item for hours, or until the stack of the processor overflows;
ten thousand keys with one hash take as long as their square. So the instructions are gone through first, without
building anything (pickletools.py documents each): what they push, what they remember, and how much of it tuples hold.
Long curves, nearly all of a file, are passed over in bulk, and files that differ in numbers and texts alone at once.
"""

from __future__ import annotations

import numpy as np

from nasbench.sources.readers.pickle_limits import VALUES
from nasbench.sources.readers.pickle_walk import MOST_STRETCHES, Walk

_MOST_LAYOUTS, _LARGEST_LAYOUT = 32, 2**20


def end_of_pickle(data: bytes, values: int = VALUES) -> int:
    """Return where the pickle at the start of the data ends.

    Args:
        data: The pickle, and what follows it.
        values: How many values it may hold; what tuples hold counts each time that they are put somewhere.

    Raises:
        TooMuchError: It asks for more than real results do.
        ValueError: Its instructions make no sense.
        EOFError: It has no end.
    """
    key = len(data), values
    known = _layouts.get(key)
    if known is not None and known.fits(data):
        return known.end
    walk = Walk(data, values)
    end = walk.end()
    if len(data) <= _LARGEST_LAYOUT and len(walk.free) < MOST_STRETCHES:
        while len(_layouts) >= _MOST_LAYOUTS:
            _layouts.pop(next(iter(_layouts)), None)
        _layouts[key] = _Layout(data, end, walk.free)
    return end


class _Layout:
    """The bytes of a pickle that was gone through, without those that any number or text may stand for.

    Files of one archive are alike in all others, and need no second walk.
    """

    def __init__(self, data: bytes, end: int, free: list[tuple[int, ...]]) -> None:
        self.end = end
        fixed = np.ones(len(data), bool)
        for start, stop, width, first, last in free:
            fixed[start:stop].reshape(-1, width)[:, first:last] = False
        self._places = np.flatnonzero(fixed)
        self._bytes = np.frombuffer(data, np.uint8)[self._places].tobytes()

    def fits(self, data: bytes) -> bool:
        """Tell whether a pickle of the same length has the same bytes."""
        return np.frombuffer(data, np.uint8).take(self._places).tobytes() == self._bytes


_layouts: dict[tuple[int, int], _Layout] = {}
