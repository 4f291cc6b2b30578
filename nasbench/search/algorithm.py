"""Algorithms as people write them: a registered name, or a class in a file, with its arguments."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from nasbench import registry
from nasbench.errors import ComparisonError, MissingPackageError, unknown_name
from nasbench.metrics import Metric
from nasbench.search.loop import check_methods
from nasbench.search.objectives import Known
from nasbench.system.usercode import frames_of
from nasbench.types import Benchmark, Constraint, Searcher


class Algorithm(NamedTuple):
    """A searcher and its arguments.

    Written as ``regularized_evolution`` (a registered searcher) or ``my_search.py:MySearcher`` (a class in a file),
    either followed by ``:population_size=50,sample_size=10`` to set arguments, by ``:naszilla`` for the arguments that
    the class has under that name in its ``presets``, or by ``:naszilla,sample_size=5`` for both.
    """

    text: str
    source: str
    """The registered name, or the absolute path of the file."""
    attribute: str
    """The class in the file; empty for a registered name."""
    settings: str
    """What stands after the second colon."""
    sha256: str | None
    """The digest of the file when this was read; None for a registered name."""

    @classmethod
    def parse(cls, text: str) -> Algorithm:
        """Read one algorithm.

        Raises:
            ComparisonError: The text is not of that form, or there is no such file or preset.
            UnknownNameError: A preset is named of a searcher that nobody registered.
        """
        source, _, settings = text.partition(":")
        attribute = ""
        if source.endswith(".py"):
            attribute, _, settings = settings.partition(":")
            if not attribute.isidentifier():
                raise ComparisonError(f"{text!r}: write FILE.py:CLASS, such as my_search.py:MySearcher.")
            if not os.path.isfile(source):
                raise ComparisonError(f"{text!r}: there is no file {source!r} in {os.getcwd()}.")
        if settings and not re.fullmatch(r"\w+(=[\w.+-]+)?(,\w+=[\w.+-]+)*", settings):
            raise ComparisonError(
                f"{text!r}: arguments are written NAME=VALUE,NAME=VALUE, such as "
                "regularized_evolution:population_size=50,sample_size=10."
            )
        path, sha256 = (os.path.abspath(source), _sha256(source)) if attribute else (source, None)
        algorithm = cls(text, path, attribute, settings, sha256)
        algorithm._preset()  # an unknown one is refused now
        return algorithm

    @property
    def label(self) -> str:
        """The name in tables, plots and files."""
        name = self.attribute or self.source
        return f"{name}({self.settings})" if self.settings else name

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments by name: those of the preset, and over them what was set, read as JSON or else as text."""
        pairs = (pair.split("=") for pair in self.settings.split(",") if "=" in pair)
        return self._preset() | {name: _value(value) for name, value in pairs}

    def _kind(self) -> Any:
        """Return the class."""
        if self.sha256:
            return _class_in_file(self.source, self.attribute, self.sha256)
        return registry.find("searchers", self.source)

    def _preset(self) -> dict[str, Any]:
        """Return the arguments of the preset; none where none is named."""
        name = self.settings.partition(",")[0]
        if not name or "=" in name:
            return {}
        presets: dict[str, dict[str, Any]] = getattr(self._kind(), "presets", {})
        if name not in presets:
            hint = "Other arguments are written NAME=VALUE,NAME=VALUE, such as population_size=50,sample_size=10."
            raise ComparisonError(f"{self.text!r}: {unknown_name('preset', name, presets, hint=hint)}")
        return dict(presets[name])

    def build(
        self,
        benchmark: Benchmark,
        seed: Sequence[int],
        *,
        objectives: Sequence[Metric] = (),
        constraints: Sequence[Constraint] = (),
    ) -> Searcher:
        """Make the searcher. What its constructor names besides space and seed, it is given.

        Args:
            benchmark: What it will search: its search space, its ``fidelities``, and what is ``known`` of an
                architecture before it is trained.
            seed: Of the searcher.
            objectives: For a constructor that names ``objectives``.
            constraints: For a constructor that names ``constraints``.

        Raises:
            UnknownNameError: Nobody registered this name.
            ComparisonError: The file cannot be imported, has changed or has no such class, or the class refuses the
                arguments or fails; then ``traceback`` holds where.
            SearcherError: It lacks ask() or tell().
        """
        kind = self._kind()
        try:
            parameters = inspect.signature(kind).parameters
            if "objectives" in parameters and not objectives:
                raise ValueError(
                    "it searches for objectives: name them, such as --objectives validation_accuracy,flops."
                )
            names = [*(metric.name for metric in objectives), *(bound.metric for bound in constraints)]
            offered: dict[str, Callable[[], Any]] = {
                "fidelities": lambda: tuple(benchmark.fidelities),
                "objectives": lambda: tuple(objectives),
                "constraints": lambda: tuple(constraints),
                "known": lambda: Known(benchmark, tuple(dict.fromkeys(names))),
            }
            given = {name: offer() for name, offer in offered.items() if name in parameters}
            searcher: Searcher = kind(benchmark.space, seed=seed, **given, **self.arguments)
        except MissingPackageError:
            raise
        except Exception as error:
            # Whoever gave an argument that is refused knows its name already; other failures say what they are.
            what = str(error) if isinstance(error, (TypeError, ValueError)) else f"{type(error).__name__}: {error}"
            message = f"{self.text}: cannot be made: {what}"
            failure = ComparisonError(" ".join(message.split()))
            failure.traceback = frames_of(error, file=self.source) if self.sha256 else ""
            raise failure from error
        check_methods(searcher)
        return searcher


def _sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@cache
def _class_in_file(path: str, name: str, sha256: str) -> Any:
    if _sha256(path) != sha256:  # each worker imports it once: all must get what the manifest states
        raise ComparisonError(f"{path}: has changed since the comparison started. Choose another --out.")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise ComparisonError(f"{path}: cannot be imported as a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)  # where dataclasses look for it
    sys.path.insert(0, str(Path(path).resolve().parent))  # as for a script: it may import its neighbours
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        expected = isinstance(error, (ImportError, SyntaxError))  # whose messages say enough
        what = str(error) if expected else f"{type(error).__name__}: {error}"
        failure = ComparisonError(" ".join(f"{path}: cannot be imported: {what}".split()))
        failure.traceback = frames_of(error, file=path)
        raise failure from error
    if not hasattr(module, name):
        raise ComparisonError(f"{path}: has no class {name!r}.")
    return getattr(module, name)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
