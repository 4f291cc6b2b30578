"""Whether our three packages are what Python imports by their names, which others use too."""

from __future__ import annotations

import os

OURS = "nasbench-suite"
PACKAGES = ("nasbench", "surrogates", "baselines")
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def trouble_with(package: str) -> str:
    """Return one sentence and what to do if something else has the name of a package of ours; else nothing.

    Google's NAS-Bench-101 code also installs a folder ``nasbench``, and PyPI has a ``baselines``: one of the two comes
    first on Python's path, or, in the same place, whichever was installed last overwrote the other.
    """
    from importlib.metadata import distribution, packages_distributions  # costs more than opening a table

    others = [name for name in sorted(set(packages_distributions().get(package, ()))) if name != OURS]
    found, own = _found(package), os.path.join(_ROOT, package)
    if not found:
        return f"the package {package!r} of {OURS} is not there. Run: pip install --force-reinstall {OURS}"
    if found not in (own, os.path.join(own, "__init__.py")):
        folders = {name: os.path.realpath(str(distribution(name).locate_file(""))) for name in others}
        whose = " ".join(name for name, folder in folders.items() if found.startswith(os.path.join(folder, "")))
        return f"the package {package!r} of {OURS} in {own} is hidden by {found}, " + (
            f"of {whose}. Run: pip uninstall {whose}, or use an environment without it"
            if whose
            else "which no distribution installed. Rename it, or start Python in another folder"
        )
    if others:
        return (
            f"the package {package!r} is also installed by {', '.join(others)}; one overwrites the other. "
            f"Run: pip uninstall {' '.join(others)} && pip install --force-reinstall {OURS}"
        )
    return ""


def _found(package: str) -> str:
    """Return the file, or the folder without ``__init__.py``, that an import of this name takes."""
    from importlib.util import find_spec

    try:
        spec = find_spec(package)
    except ValueError:  # a module that was put together by hand
        spec = None
    places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
    return next((os.path.realpath(place) for place in places if place), "")
