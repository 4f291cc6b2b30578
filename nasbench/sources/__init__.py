"""Converters of raw benchmark files, one file each; each makes the content of one table, or refuses.

Every converter is ``convert(source, *, progress=silent) -> TableContent``. It never repairs silently and never
imputes: what it noticed stands in the table's report.
"""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is: of bytes, files or architectures."""


def silent(done: int, total: int) -> None:
    """Report progress to nobody."""
