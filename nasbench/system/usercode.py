"""What of an exception concerns the user whose code raised it: their own frames, not those of what called it."""

from __future__ import annotations

import os
import sys
import traceback

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def frames_of(error: BaseException, kind: type | None = None, file: str = "") -> str:
    """Return the traceback of an exception, as Python prints it, with the frames of a user's own files only.

    These are the files in the folder of the user's file. Where the exception passed through none of them, as in a
    class that was typed into an interpreter, they are all that do not belong to this package; where there are none
    either, as when arguments do not fit, there is nothing to show.

    Args:
        error: What was caught.
        kind: The user's class, in whose file the frames are.
        file: That file, where there is no class yet.
    """
    module = sys.modules.get(kind.__module__) if kind else None
    own_file = file or getattr(module, "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    # Python's own importing, which runs from no file, is nobody's.
    others = [f for f in frames if not _lies_in(f.filename, _HERE) and not f.filename.startswith("<frozen ")]
    folder = os.path.dirname(os.path.abspath(own_file)) if own_file else ""
    own = [frame for frame in others if folder and _lies_in(frame.filename, folder)] or others
    if not own and not isinstance(error, SyntaxError):  # which says itself where
        return ""
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(own)] if own else []
    return "".join([*lines, *traceback.format_exception_only(error)]).rstrip("\n")


def _lies_in(file: str, folder: str) -> bool:
    return os.path.abspath(file).startswith(os.path.join(folder, ""))
