"""Run an old script as it is: ``python -m nasbench.compat script.py [arguments]``.

``import nats_bench`` and ``import nas_201_api`` in it give our stand-ins, even where the real packages are installed;
``from nasbench import api`` is ours anyway.
"""

from __future__ import annotations

import os
import runpy
import sys

from nasbench.compat.nats_bench import install


def main() -> None:
    """Run the script that the command line names, with the rest of it as its arguments."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit("usage: python -m nasbench.compat SCRIPT.py [ARGUMENT ...]")
    script = sys.argv[1]
    if not os.path.isfile(script):
        sys.exit(f"{script}: no such file.\nusage: python -m nasbench.compat SCRIPT.py [ARGUMENT ...]")
    install(force=True)
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
