"""Reading the large dictionary inside of a pickle item by item, so that memory never holds more than a few.

Python's own reader builds a pickle whole: 29 GB for a file of NATS-Bench. This one follows the same instructions
(pickletools.py documents each) and hands over every item of one dictionary as soon as it is complete. It knows only
those instructions that containers, texts and numbers need, and builds only what it was given by name, as
:mod:`nasbench.sources.readers.safe_pickle` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

from nasbench.errors import ConversionError
from nasbench.sources.readers.pickle_bounds import TooMuchError
from nasbench.sources.readers.pickle_machine import MOST_KEPT, Machine
from nasbench.sources.readers.safe_pickle import DType


def stream_items(
    file: IO[bytes], name: str, allowed: Mapping[str, Any], at: str, *, advice: str = "", alone: bool = False
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Read a pickled dictionary, and yield ``((key,), value)`` of each of its entries, as they come.

    Of the entry ``at``, itself a dictionary, ``((at, key), value)`` of each of its items.

    Args:
        file: A binary file, at the beginning of the pickle.
        name: What errors call it.
        allowed: ``"module.name"`` to the object to use for it.
        at: The key of the large dictionary.
        advice: What to do instead, for the refusal of an unsafe file.
        alone: Whether nothing may follow; otherwise the file, which must be able to seek, is left at the pickle's end.

    Raises:
        UnsafeFileError: The pickle asks for any other global, or for a persistent object; nothing was run.
        ConversionError: This is no complete pickle of a dictionary, it needs an instruction that no results need, an
            item refers to another one or asks for more than any results, or something follows it.
    """
    try:
        machine = _Items(file, name, allowed, at, advice and f" {advice}")
        yield from machine.items()
        if alone and machine.left():
            raise ConversionError(f"{name}: more data after the pickle. Download it again.")
        if not alone:
            file.seek(-machine.left(), 1)
    except ConversionError:
        raise
    except TooMuchError as excess:
        raise ConversionError(
            f"{name}: refused. It asks for {excess}, and no results do.{advice and ' '}{advice}"
        ) from None
    except Exception as error:  # a damaged pickle may cause anything
        raise ConversionError(
            f"{name}: not a complete pickle ({type(error).__name__}: {str(error)[:160]}). Download it again."
        ) from None


class _Items(Machine):
    """The machine, as it runs through the large dictionary at the key ``at``."""

    def __init__(self, file: IO[bytes], name: str, allowed: Mapping[str, Any], at: str, advice: str) -> None:
        super().__init__(file, name, allowed, advice)
        self._at = at

    def items(self) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """Run the pickle to its end."""
        told = 0
        while (code := self._next()) != ord("."):
            if code == ord("u") and self._in_large():
                ended, self._stack = self._stack, self._below.pop()
                for key, value in zip(ended[::2], ended[1::2], strict=True):
                    yield self._item(key), value
                self._forget()
                continue
            try:
                do = self._done[code]
            except KeyError:
                raise ValueError(f"instruction {bytes([code])!r}, which no results need") from None
            do()
            if code == ord("(") and self._in_large():
                entries = self._below[-1]
                while len(self._below) == 2 and told < len(entries) - 2:
                    yield (entries[told],), entries[told + 1]
                    told += 2
            # The next key says that an item is complete; behind an empty dictionary it may be that one's first.
            elif len(self._stack) > 2 and type(self._stack[1]) is dict and self._stack[1] and self._in_large():
                key, value = self._stack[:2]
                del self._stack[:2]
                yield self._item(key), value
                self._forget()
        yield from self._rest(told)

    def _rest(self, told: int) -> Iterator[tuple[tuple[Any, ...], Any]]:
        """Yield what follows the items of the large dictionary."""
        (whole,) = self._stack
        if type(whole) is not dict:
            raise ConversionError(f"{self._name}: expected a pickled dictionary, found {type(whole).__name__}.")
        for key, value in [*whole.items()][told // 2 :]:
            if key == self._at and type(value) is dict:
                yield from (((key, of), item) for of, item in value.items())
            else:
                yield (key,), value

    def _item(self, key: Any) -> tuple[Any, ...]:
        hash(key)  # or it is no key
        return self._at, key

    def _in_large(self) -> bool:
        """Tell whether the items of the large dictionary lie on the stack now.

        Below them lie the whole dictionary, a mark if it has several entries, its entries up to this one, and a mark.
        """
        if not 1 <= len(self._below) <= 2:
            return False
        parent = self._below[-1]
        entries = len(parent) - (1 if len(self._below) == 1 else 0)
        if entries < 2 or entries % 2:
            return False
        return type(parent[-1]) is dict and type(parent[-2]) is str and parent[-2] == self._at

    def _forget(self) -> None:
        """Drop what only the item that is complete could refer to: types go on, and texts but those of its own.

        Names of fields are shared by all architectures; names of evaluations, ``x-valid@199``, are nearly all texts
        that a file has, and are made anew for each.
        """
        memo = self._memo
        for place in self._recent:
            value = memo[place]
            if "@" in value if type(value) is str else not isinstance(value, (type, DType)):
                del memo[place]
            elif type(value) is str:
                self._kept += len(value)
        self._recent.clear()
        if self._kept > MOST_KEPT:
            raise TooMuchError(f"more than {MOST_KEPT:,} letters that all items share")
        self._new_item()
