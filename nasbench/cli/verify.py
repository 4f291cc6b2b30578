"""``nasbench verify``: train the best architectures of a comparison."""

from __future__ import annotations

import argparse
from pathlib import Path

from nasbench.cli.architectures import choices_of
from nasbench.cli.options import Commands, add_devices, add_images, add_output, command
from nasbench.cli.terminal import progress_bar, tell, tell_failures
from nasbench.errors import ComparisonError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands, "verify", do, "train the best architectures of a comparison, and hold them against the table"
    )
    parser.add_argument("results", nargs="+", metavar="RESULTS", help="folder of compare, or architectures of --table")
    parser.add_argument("--table", help="where the comparison's table is now; of architectures, nasbench201 by default")
    parser.add_argument("--dataset", help="image dataset, of architectures; the file's first by default")
    parser.add_argument("--top", type=int, default=5, help="architectures of a comparison")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each")
    parser.add_argument("--epochs", type=int, help="of each training; the table's longest schedule by default")
    add_images(parser)
    add_devices(parser)
    add_output(parser)
    parser.add_argument("--out", type=Path, default=Path("verification"), help="folder of the result")


def do(options: argparse.Namespace) -> int:
    """Run the command; return its exit status."""
    from rich.console import Console

    from nasbench.benchmark import load
    from nasbench.system.files import write_json
    from nasbench.training import needing_torch

    with needing_torch("verify needs"):
        from nasbench.training.campaign.journal import Journal
        from nasbench.training.images import cifar10
        from nasbench.training.loop.devices import without_auto
        from nasbench.training.verify.candidates import best_of, named
        from nasbench.training.verify.report import draw, render
        from nasbench.training.verify.verification import failures_of, verify

    first, out = Path(options.results[0]), options.out
    if first.is_dir():
        if options.results[1:] or options.dataset:
            raise ComparisonError(f"{first}: a comparison is verified alone, on its own image dataset.")
        candidates = best_of(first, options.top, options.table)
    else:
        benchmark = load(options.table or "nasbench201", options.dataset)
        candidates = named(benchmark, [choices_of(text, benchmark) for text in options.results])
    benchmark = candidates.benchmark
    epochs = benchmark.fidelities[-1].schedule if options.epochs is None else options.epochs
    device = without_auto(options.device)
    images = cifar10.images_for(benchmark.space, options.data, tenth=options.subset, side=options.side or 32)
    with progress_bar("training", "trainings", quiet=options.quiet) as progress:
        found = verify(
            candidates,
            images,
            Journal(out / "journal.db"),
            epochs=epochs,
            seeds=options.seeds,
            device=device,
            workers=options.workers,
            progress=progress,
        )
    write_json(out / "verification.json", found)
    draw(found, out / "verification.png")
    names = ("verification.json", "verification.png", "journal.db")
    tell(options, found, lambda: Console().print(render(found)), [out / name for name in names])
    return tell_failures(failures_of(found))
