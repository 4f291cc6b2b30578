"""The stack machine that the instructions of pickles are for, as far as results need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any

from nasbench.sources.readers.pickle_limits import TooMuchError
from nasbench.sources.readers.pickle_stack import MOST_INTEGERS, PickleStack
from nasbench.sources.readers.safe_pickle import DType, refused_global, refused_reference

_LONGEST_INTEGER = 8


class Machine(PickleStack):
    """Follows the instructions, which are its methods; their names are close to those in pickletools.

    Args:
        file: A binary file, at the beginning of the pickle.
        name: What errors call it.
        allowed: ``"module.name"`` to the object to use for it.
        advice: What to do instead, for the refusal of an unsafe file.
    """

    def __init__(self, file: IO[bytes], name: str, allowed: Mapping[str, Any], advice: str) -> None:
        super().__init__(file)
        self._name, self._allowed, self._advice = name, allowed, advice
        self._done: dict[int, Callable[[], None]] = {
            code: getattr(self, f"_{method}") for codes, method in _INSTRUCTIONS.items() for code in codes
        }

    def _ignore_1(self) -> None:  # PROTO
        self._take(1)

    def _ignore_8(self) -> None:  # FRAME
        self._take(8)

    def _pop(self) -> None:
        self._stack.pop()

    def _none(self) -> None:
        self._stack.append(None)

    def _true(self) -> None:
        self._stack.append(True)

    def _false(self) -> None:
        self._stack.append(False)

    def _empty_dict(self) -> None:
        self._stack.append({})
        self._made()

    def _empty_list(self) -> None:
        self._stack.append([])
        self._made()

    def _empty_tuple(self) -> None:
        self._stack.append(())

    def _empty_set(self) -> None:
        self._stack.append(set())
        self._made()

    def _int_1(self) -> None:
        self._stack.append(self._number("<B"))

    def _int_2(self) -> None:
        self._stack.append(self._number("<H"))

    def _int_4(self) -> None:
        self._stack.append(self._number("<i"))

    def _long_1(self) -> None:
        digits = self._take(self._number("<B"))
        self._integers -= len(digits) > _LONGEST_INTEGER  # such can all have one hash
        if self._integers < 0:
            raise TooMuchError(f"more than {MOST_INTEGERS} integers of more than 64 bits in one item")
        self._stack.append(int.from_bytes(digits, "little", signed=True))

    def _float(self) -> None:
        self._stack.append(self._number(">d"))

    def _text_1(self) -> None:
        self._stack.append(self._take(self._number("<B")).decode("utf-8", "surrogatepass"))

    def _text_4(self) -> None:
        self._stack.append(self._take(self._number("<I")).decode("utf-8", "surrogatepass"))

    def _bytes_1(self) -> None:
        self._stack.append(self._take(self._number("<B")))

    def _bytes_4(self) -> None:
        self._stack.append(self._take(self._number("<I")))

    def _tuple(self) -> None:
        self._keep_tuple(tuple(self._pop_mark()))

    def _tuple_1(self) -> None:
        self._tuple_of(1)

    def _tuple_2(self) -> None:
        self._tuple_of(2)

    def _tuple_3(self) -> None:
        self._tuple_of(3)

    def _append(self) -> None:
        item = self._stack.pop()
        self._container(list).append(item)

    def _appends(self) -> None:
        items = self._pop_mark()
        self._container(list).extend(items)

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._container(dict)[key] = value

    def _set_items(self) -> None:
        items = self._pop_mark()
        self._container(dict).update(zip(items[::2], items[1::2], strict=True))

    def _add_items(self) -> None:
        items = self._pop_mark()
        self._container(set).update(items)

    def _memoize(self) -> None:
        self._put(self._remembered)

    def _put_1(self) -> None:
        self._put(self._number("<B"))

    def _put_4(self) -> None:
        self._put(self._number("<I"))

    def _get_1(self) -> None:
        self._get(self._number("<B"))

    def _get_4(self) -> None:
        self._get(self._number("<I"))

    def _global(self) -> None:
        module, name = self._line(), self._line()
        self._stack.append(self._found(module, name))

    def _stack_global(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise TypeError("a global whose name is no text")
        self._stack.append(self._found(module, name))

    def _found(self, module: Any, name: Any) -> Any:
        try:
            return self._allowed[f"{module}.{name}"]
        except KeyError:
            raise refused_global(self._name, f"{module}.{name}", self._allowed, self._advice) from None

    def _reduce(self) -> None:
        arguments, call = self._stack.pop(), self._stack.pop()
        self._tuples += type(arguments) is tuple
        self._made()
        self._stack.append(call(*arguments))  # only what was given by name can be called

    def _build(self) -> None:
        state = self._stack.pop()
        self._tuples += type(state) is tuple
        if not isinstance(self._stack[-1], DType):
            raise TypeError(f"a state for a {type(self._stack[-1]).__name__}")
        self._stack[-1].__setstate__(state)

    def _persistent(self) -> None:
        raise refused_reference(self._name, self._advice)


_INSTRUCTIONS = {
    b"\x80": "ignore_1",
    b"\x95": "ignore_8",
    b"(": "mark",
    b"0": "pop",
    b"1": "pop_mark",
    b"N": "none",
    b"\x88": "true",
    b"\x89": "false",
    b"}": "empty_dict",
    b"]": "empty_list",
    b")": "empty_tuple",
    b"\x8f": "empty_set",
    b"K": "int_1",
    b"M": "int_2",
    b"J": "int_4",
    b"\x8a": "long_1",
    b"G": "float",
    b"\x8c": "text_1",
    b"X": "text_4",
    b"CU": "bytes_1",
    b"BT": "bytes_4",
    b"t": "tuple",
    b"\x85": "tuple_1",
    b"\x86": "tuple_2",
    b"\x87": "tuple_3",
    b"a": "append",
    b"e": "appends",
    b"s": "set_item",
    b"u": "set_items",
    b"\x90": "add_items",
    b"\x94": "memoize",
    b"q": "put_1",
    b"r": "put_4",
    b"h": "get_1",
    b"j": "get_4",
    b"c": "global",
    b"\x93": "stack_global",
    b"R": "reduce",
    b"b": "build",
    b"PQ": "persistent",
}
"""Codes to what each does: protocols 2 to 4, as far as results use them."""
