"""What can be wrong with an installation: missing extras, and other distributions that share our folder names."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, packages_distributions, version

_OURS = "nasbench-suite"
_PACKAGES = ("nasbench", "surrogates", "baselines")
_OPTIONAL = {
    "scikit-learn": "surrogates",
    "xgboost": "surrogates",
    "torch": "train",
    "pandas": "export",
    "pyarrow": "export",
}


def versions() -> dict[str, str]:
    """Return what is installed of all that the project uses."""
    found = {"python": platform.python_version()}
    for name in (_OURS, "numpy", "h5py", "scipy", "matplotlib", "rich", "joblib", "pooch", *_OPTIONAL):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            extra = _OPTIONAL.get(name)
            found[name] = f"not installed (pip install '{_OURS}[{extra}]')" if extra else "not installed"
    return found


def problems() -> list[str]:
    """Return one sentence a problem.

    Google's NAS-Bench-101 code also installs a folder ``nasbench``, and PyPI has a ``baselines``: whichever was
    installed last overwrote the other.
    """
    owners = packages_distributions()
    found = []
    for package in _PACKAGES:
        others = sorted({owner for owner in owners.get(package, []) if owner != _OURS})
        if others:
            found.append(
                f"the package {package!r} is also installed by {', '.join(others)}; one overwrites the other. "
                f"Run: pip uninstall {' '.join(others)} && pip install --force-reinstall {_OURS}"
            )
    return found
