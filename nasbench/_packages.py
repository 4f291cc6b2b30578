"""Whether our three packages are what Python imports by their names, which others use too."""

from __future__ import annotations

import importlib.util
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

OURS = "nasbench-suite"
PACKAGES = ("nasbench", "surrogates", "baselines")
_ROOT = Path(__file__).resolve().parent.parent


def trouble_with(package: str) -> str:
    """Return one sentence and what to do if something else has the name of a package of ours; else nothing.

    Google's NAS-Bench-101 code also installs a folder ``nasbench``, and PyPI has a ``baselines``: one of the two comes
    first on Python's path, or, in the same place, whichever was installed last overwrote the other.
    """
    others = [name for name in sorted(set(packages_distributions().get(package, ()))) if name != OURS]
    found = _found(package)
    if found is None:
        return f"the package {package!r} of {OURS} is not there. Run: pip install --force-reinstall {OURS}"
    if found not in (_ROOT / package, _ROOT / package / "__init__.py"):
        whose = [
            name for name in others if found.is_relative_to(Path(str(distribution(name).locate_file(""))).resolve())
        ]
        return f"the package {package!r} of {OURS} in {_ROOT / package} is hidden by {found}, " + (
            f"of {' and '.join(whose)}. Run: pip uninstall {' '.join(whose)}, or use an environment without it"
            if whose
            else "which no distribution installed. Rename it, or start Python in another folder"
        )
    if others:
        return (
            f"the package {package!r} is also installed by {', '.join(others)}; one overwrites the other. "
            f"Run: pip uninstall {' '.join(others)} && pip install --force-reinstall {OURS}"
        )
    return ""


def _found(package: str) -> Path | None:
    """Return the file, or the folder without ``__init__.py``, that an import of this name takes."""
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # a module that was put together by hand
        spec = None
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    return next((Path(place).resolve() for place in places if place), None)
