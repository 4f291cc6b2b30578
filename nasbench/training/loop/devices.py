"""What the device decides: how networks are computed on it, what makes it reproducible, and its clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from nasbench.errors import TrainingError

WORTH_COMPILING = 10_000
"""Steps from which on compilation, about a minute, is expected to pay: benchmarks/gpu_training.py measures it."""


def find_device(text: str) -> torch.device:
    """Return a device by name, ``"auto"`` being the first there is of cuda, mps and cpu.

    Raises:
        TrainingError: There is no such device; the message names those that are there.
    """
    there = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    there += ["mps"] if torch.backends.mps.is_available() else []
    there += ["cpu"]
    name = {"auto": there[0], "cuda": "cuda:0"}.get(text, text)
    if name not in there:
        raise TrainingError(f"there is no device {text!r} here. There are: {', '.join(there)}; auto takes {there[0]}.")
    return torch.device(name)


def without_auto(text: str) -> str:
    """Return what to tell workers, each of which looks for the device itself: the kind that ``"auto"`` finds.

    Raises:
        TrainingError: There is no such device.
    """
    place = find_device(text)
    return place.type if text == "auto" else text


def device_name(place: torch.device) -> str:
    """Return ``"cpu"``, ``"mps"``, or the name of the GPU."""
    return torch.cuda.get_device_name(place) if place.type == "cuda" else place.type


def now(place: torch.device) -> float:
    """Return the seconds of a clock, once everything that the device was asked to do is done."""
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    elif place.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


@contextmanager
def reproducible(place: torch.device) -> Iterator[None]:
    """Make PyTorch give the same bytes every time, and leave its settings and random numbers as they were."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    search = torch.backends.cudnn.benchmark
    memory: Any = torch.utils.deterministic  # has a property that is not declared
    fill = memory.fill_uninitialized_memory
    if place.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what PyTorch asks for, for sums in one order
    with torch.random.fork_rng([place] if place.type == "cuda" else []):
        try:
            torch.use_deterministic_algorithms(True)
            memory.fill_uninitialized_memory = False  # costs a tenth of the time, and changes nothing that is read
            torch.backends.cudnn.benchmark = False  # which takes what is fastest this time
            if place.type == "cpu":
                torch.set_num_threads(1)
            yield
        finally:
            torch.use_deterministic_algorithms(strict, warn_only=warn_only)
            memory.fill_uninitialized_memory = fill
            torch.backends.cudnn.benchmark = search
            torch.set_num_threads(threads)


def prepared(
    network: nn.Module, place: torch.device, *, side: int, batch: int, steps: int
) -> Callable[[Tensor], Tensor]:
    """Return what computes the logits of a network as the device does it best; what is compiled is compiled then.

    Args:
        network: On the device already.
        place: The device.
        side: Of the images.
        batch: How many images it will mostly get at once.
        steps: How many steps it will be trained.
    """
    compiled = place.type == "cuda" and steps >= WORTH_COMPILING
    half = place.type == "cuda" and torch.cuda.is_bf16_supported()
    function = torch.compile(network) if compiled else network

    def forward(pixels: Tensor) -> Tensor:
        with torch.autocast(place.type, torch.bfloat16, enabled=half):
            logits: Tensor = function(pixels)
        return logits.float()

    if compiled:
        before = deepcopy(network.state_dict())
        # A second size makes the compiler ready for all of them: the last batch may be smaller.
        for size in (batch, max(batch - 1, 1)):
            blank = torch.zeros(size, 3, side, side, device=place)
            blank = blank.contiguous(memory_format=torch.channels_last)
            network.train()
            forward(blank).sum().backward()  # type: ignore[no-untyped-call]
            network.eval()
            with torch.no_grad():
                forward(blank)
        network.load_state_dict(before)
        network.zero_grad()
    return forward
