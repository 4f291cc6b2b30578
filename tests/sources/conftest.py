"""Files of NATS-Bench with random figures, for several test files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from _nats_synthetic import (
    Figures,
    forget,
    write_folder,
)


@pytest.fixture(scope="module")
def drawn() -> tuple[dict[int, Any], dict[int, dict[Any, dict[int, int]]]]:
    """Raw results of two size architectures, one of which lacks some trainings, and the counts behind them."""
    states, counts = {}, {}
    for index in (5, 40):
        figures = Figures(index)
        states[index] = figures.states("sss", index, seconds=index + 0.1)
        counts[index] = figures.counts
    forget(states[5], "12", "cifar10-valid", 777)
    forget(states[5], "12", "ImageNet16-120", 999)
    return states, counts


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, drawn: Any) -> Path:
    return write_folder(tmp_path_factory.mktemp("nats") / "NATS-sss-simple", "sss", drawn[0])
