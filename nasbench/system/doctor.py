"""What can be wrong with an installation: missing extras, and other distributions that share our folder names."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from nasbench.system.packages import OURS, PACKAGES, trouble_with

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
    for name in (OURS, "numpy", "h5py", "scipy", "matplotlib", "rich", "joblib", "pooch", *_OPTIONAL):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            extra = _OPTIONAL.get(name)
            found[name] = f"not installed (pip install '{OURS}[{extra}]')" if extra else "not installed"
    return found


def problems() -> list[str]:
    """Return one sentence a problem: another distribution, or a file, that has the name of a package of ours."""
    return [trouble for trouble in map(trouble_with, PACKAGES) if trouble]
