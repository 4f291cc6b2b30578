"""The table behind the API of NATS-Bench: opening it, its attributes, and what an index or a text stands for."""

from __future__ import annotations

import operator
import os
import random
from collections.abc import Mapping
from functools import cached_property
from itertools import count
from typing import Any, ClassVar

from nasbench.compat.nats_bench._answers import Plan
from nasbench.compat.nats_bench._archive import Archive
from nasbench.compat.nats_bench._files import find_table, time_string


class OpenedTable:
    """The methods of the original that concern the table as a whole: its attributes, indexes and texts.

    Arguments and errors are those of :class:`nasbench.compat.nats_bench._api.NASBenchMetaAPI`.
    """

    # Name of the official archive, of its table in the cache, of the search space here and in tables; longest schedule.
    _ABOUT: ClassVar[tuple[str, str, str, str, int]]

    def __init__(
        self,
        file_path_or_dict: str | os.PathLike[str] | Mapping[str, Any] | None = None,
        fast_mode: bool = False,
        verbose: bool = True,
        *,
        seed: int | None = None,
    ) -> None:
        base, cached_name, self._search_space_name, _, self._full_train_epochs = self._ABOUT
        path = find_table(file_path_or_dict, base, cached_name)
        self._archive = self._open(path)
        given = path if file_path_or_dict is None else os.fspath(file_path_or_dict)  # type: ignore[arg-type]
        self.filename = os.path.basename(given)
        self.verbose = verbose
        self._archive_dir: str | None = given if fast_mode else None
        self._fast_mode = fast_mode
        self._used_time: float = 0
        self._random = random.Random(_unseeded() if seed is None else seed)
        self._plans: dict[Any, Plan] = {}
        if verbose:
            print(f"{time_string()} Opened {self!r}")

    def _open(self, path: str) -> Archive:
        archive = Archive(path)
        if archive.space.name != self._ABOUT[3]:
            raise ValueError(
                f"{path}: a table of {archive.space.name}, but the search space {self._search_space_name} was asked "
                "for: 'tss' or 'topology' is nb201, 'sss' or 'size' is nats_sss."
            )
        return archive

    def __getstate__(self) -> dict[str, Any]:
        kept = {name for name in vars(self) if name.startswith("_")} | {"filename", "verbose"}
        return {name: value for name, value in vars(self).items() if name in kept} | {"_plans": {}}

    @cached_property
    def meta_archs(self) -> list[str]:
        """The texts of all architectures of the search space, in the official order."""
        return self._archive.texts

    @cached_property
    def archstr2index(self) -> dict[str, int]:
        """The official index of each text."""
        return {text: index for index, text in enumerate(self.meta_archs)}

    @cached_property
    def evaluated_indexes(self) -> set[int]:
        """The official indexes of what is in the table."""
        return set(self._archive.indexes.tolist())

    def __len__(self) -> int:
        return self._archive.space.size

    def __getitem__(self, index: int) -> str:
        return self.meta_archs[index]

    def __repr__(self) -> str:
        found = f"{len(self._archive.indexes)}/{len(self)}"
        return f"{type(self).__name__}({found} architectures, fast_mode={self.fast_mode}, file={self.filename})"

    @property
    def avaliable_hps(self) -> list[str]:
        """The schedules, named by their epochs; the original spells it so."""
        return self._archive.hps

    @property
    def used_time(self) -> float:
        """Seconds that :meth:`simulate_train_eval` has charged."""
        return self._used_time

    @property
    def search_space_name(self) -> str:
        """``topology`` or ``size``."""
        return self._search_space_name

    @property
    def fast_mode(self) -> bool:
        """What was given."""
        return self._fast_mode

    @property
    def archive_dir(self) -> str | None:
        """The path that was given, in fast mode."""
        return self._archive_dir

    @property
    def full_train_epochs(self) -> int:
        """Epochs of the longest schedule."""
        return self._full_train_epochs

    def reset_time(self) -> None:
        """Forget what was charged."""
        self._used_time = 0

    def reset_archive_dir(self, archive_dir: str | None) -> None:
        """Change the attribute; the table stays the same."""
        self._archive_dir = archive_dir

    def reset_fast_mode(self, fast_mode: bool) -> None:
        """Change the attribute."""
        self._fast_mode = fast_mode

    def reload(self, archive_root: str | None = None, index: int | None = None) -> None:
        """Open the table again, or the one of another path; nothing needs to be loaded in advance.

        Raises:
            ValueError: There is nothing at the path, or it is a table of something else; an architecture that was
                asked for is not in it.
        """
        base, cached_name = self._ABOUT[:2]
        path = self._archive.path if archive_root is None else find_table(archive_root, base, cached_name)
        self._archive = self._open(path)
        self._plans = {}
        vars(self).pop("evaluated_indexes", None)
        if index is not None:
            self._row(index)

    def random(self) -> int:
        """Return the index of an architecture of the search space, drawn uniformly."""
        return self._random.randint(0, len(self) - 1)

    def arch(self, index: int) -> str:
        """Return the text of an architecture.

        Raises:
            ValueError: The index is out of range.
        """
        if 0 <= index < len(self):
            return self.meta_archs[index]
        raise ValueError(f"invalid index : {index} vs. {len(self)}.")

    def query_index_by_arch(self, arch: Any) -> int:
        """Return the official index of an index, a text, or an object with ``tostr()``; -1 for anything else.

        Raises:
            ValueError: The index is out of range.
        """
        if isinstance(arch, int):
            if 0 <= arch < len(self):
                return arch
            raise ValueError(f"Invalid architecture index {arch} vs [0, {len(self)}].")
        if isinstance(arch, str):
            return self.archstr2index.get(arch, -1)
        if hasattr(arch, "tostr"):
            return self.archstr2index.get(arch.tostr(), -1)
        return -1

    def _row(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise ValueError(f"invalid index of {index}")
        return self._archive.row(index)

    def _checked(self, index: int, hp: str | int) -> tuple[int, str]:
        """Return an index that is in the table, and the name of a schedule."""
        index, hp = operator.index(index), str(hp)
        self._row(index)
        if hp not in self.avaliable_hps:
            raise ValueError(
                f"The {index}-th architecture only has hyper-parameters of {self.avaliable_hps} instead of {hp}."
            )
        return index, hp


_created = count()


def _unseeded() -> str:
    """Return a seed that follows from the random numbers of the process, and differs from one object to the next.

    Old scripts call ``random.seed`` and expect the same results again.
    """
    return f"{next(_created)} {random.getstate()}"
