"""Attack the package and write docs/reliability.md: ``python benchmarks/faults.py [--quick] [--only SECTION ...]``.

Kills commands, fills the disk under them, damages and forges files, and lets a server misbehave, with fixed seeds. What
a section found is kept in ``FOLDER/SECTION.json``; with ``--keep`` such a section is not measured again, so that a
campaign may be cut and go on. Needs Linux, and the extras ``surrogates`` and ``train``. The page is written by the full
campaign alone; any wrong value, crash, half-written file or raw exception ends it with exit status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
sys.path.insert(0, str(ROOT))  # this checkout is attacked, whatever is installed
SECTIONS = ("damages", "crafted", "servers", "disks", "kills")
FULL = {"damages": 20_000, "crafted": 60, "servers": 1, "disks": 400, "kills": 200}
"""How many of each, of which a share is made; servers are always all met."""


def main() -> int:
    """Run the sections that were asked for; return how much was found wrong, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="SECTION", help=str(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, short waits, and no page")
    parser.add_argument("--share", type=float, help="another share of everything, from 0 to 1")
    parser.add_argument("--folder", type=Path, help="where to work and to keep what was found; a temporary one")
    parser.add_argument("--keep", action="store_true", help="do not measure again the sections that --folder has")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    share = options.share or (0.1 if options.quick else 1.0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        found = {
            name: measured(name, folder, share, options.workers, quick=options.quick, keep=options.keep)
            for name in options.only
        }
    if not options.quick:
        write({name: section["block"] for name, section in found.items()})
    wrong = {name: section["bad"] for name, section in found.items()}
    print(json.dumps(wrong))
    return int(any(wrong.values()))


def measured(name: str, folder: Path, share: float, workers: int, *, quick: bool, keep: bool) -> dict[str, Any]:
    """Return what a section found: its numbers, its part of the page, and how much of it is bad."""
    from importlib import import_module

    from _faults.processes import preload

    path = folder / f"{name}.json"
    if keep and path.is_file():
        return dict(json.loads(path.read_text()))
    begin = time.monotonic()
    preload()
    section = import_module(f"_faults.{name}")
    results = section.measure(folder, max(round(FULL[name] * share), 1), workers, quick=quick)
    took = time.monotonic() - begin
    kept = {
        "share": share,
        "seconds": round(took, 1),
        "bad": section.bad(results),
        "block": section.block(results),
        "found": results,
    }
    path.write_text(json.dumps(kept, indent=1, default=str))
    print(f"{name}: {took:.0f} s, {kept['bad']} bad\n{kept['block']}\n", flush=True)
    return kept


def write(blocks: dict[str, str]) -> None:
    """Fill the blocks of the page; those of sections that were not measured stay."""
    import h5py
    import numpy as np

    page = PAGE.read_text(encoding="utf-8")
    blocks["made"] = (
        f"Last made with Python {platform.python_version()}, numpy {np.__version__}, h5py {h5py.__version__} (HDF5 "
        f"{h5py.version.hdf5_version}) on {platform.system()} with {os.cpu_count()} cores."
    )
    for name, text in blocks.items():
        place = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)
        assert place.search(page), f"{PAGE}: no block for {name}"
        page = place.sub(lambda _, text=text: text + "\n", page, count=1)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
