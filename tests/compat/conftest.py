"""Tables of the real NATS-Bench files of three architectures, converted once for all tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasbench.sources.nats.nats_bench import convert
from nasbench.tables import write

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def raw() -> dict[str, Path]:
    """The real folders of both search spaces."""
    folders = {space: (DATA / f"nats_{space}").resolve() for space in ("tss", "sss")}
    if not all(folder.is_dir() for folder in folders.values()):
        pytest.skip("the real files of NATS-Bench are not in ../shared/data")
    return folders


@pytest.fixture(scope="session")
def tables(raw: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    for space, source in raw.items():
        write(folder / f"{space}.h5", convert(source))
    return {space: folder / f"{space}.h5" for space in raw}
