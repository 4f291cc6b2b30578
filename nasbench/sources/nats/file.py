"""One file of all architectures, as NATS-Bench and NAS-Bench-201 have them, read architecture by architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

from nasbench.errors import ConversionError
from nasbench.sources import Progress
from nasbench.sources.nats.columns import tabulate
from nasbench.sources.nats.results import Results, read_results
from nasbench.sources.nats.space import Space, read_space
from nasbench.sources.readers.pickle_stream import stream_items
from nasbench.sources.readers.safe_pickle import PLAIN_GLOBALS
from nasbench.tables import TableContent

_RESULTS = "arch2infos"


def tabulate_file(
    file: IO[bytes],
    schedules: Mapping[str, Mapping[str, int]],
    place: str,
    source: Mapping[str, str],
    converter: str,
    progress: Progress,
    *,
    advice: str,
    alone: bool,
) -> TableContent:
    """Make a table of a pickled dictionary of everything: ``meta_archs``, then ``arch2infos``.

    Args:
        file: At the beginning of the pickle.
        schedules: By name of the search space, the names of its schedules in this format, and the epochs of each.
        place: What errors call the file.
        source: As in :class:`nasbench.tables.TableContent`.
        converter: Its name and version, for the report.
        progress: Called after each architecture.
        advice: What to do instead, for the refusal of an unsafe file.
        alone: Whether nothing may follow; otherwise the file is left where the pickle ends.

    Raises:
        ConversionError: Something in it is not as the format says.
        UnsafeFileError: It asks to run code, or holds trained weights.
    """
    items = stream_items(file, place, PLAIN_GLOBALS, _RESULTS, advice=advice, alone=alone)
    listed = None
    for path, value in items:
        if path[0] == _RESULTS:
            raise ConversionError(
                f"{place}: expected the list 'meta_archs' before the results, as in the official files."
            )
        if path == ("meta_archs",):
            listed = value
            break
    space = read_space({"meta_archs": listed}, place)
    if space.space.name not in schedules:
        raise ConversionError(f"{place}: results of {space.space.name}, expected {', '.join(schedules)}.")
    results = _results(items, space, schedules[space.space.name], place)
    return tabulate(space, results, len(space.texts), source, converter, progress)


def _results(
    items: Iterator[tuple[tuple[Any, ...], Any]], space: Space, schedules: Mapping[str, int], place: str
) -> Iterator[tuple[int, Results]]:
    came: set[int] = set()
    for path, states in items:
        if path[0] != _RESULTS or len(path) < 2:
            continue
        index = path[1]
        if type(index) is not int or not 0 <= index < len(space.texts):
            raise ConversionError(f"{place}: {_RESULTS} has a key that is no index below {len(space.texts)}.")
        if index in came:
            raise ConversionError(f"{place}: architecture {index} comes twice.")
        came.add(index)
        yield index, read_results(states, schedules, index, space.texts[index], f"{place}: architecture {index}")
    if not came:
        raise ConversionError(
            f"{place}: lists architectures, but has no results. If it is the meta file of a folder, give the folder."
        )
