"""``nasbench fit``: fit a surrogate and save it."""

from __future__ import annotations

import argparse
from pathlib import Path

from nasbench.cli.options import Commands, add_table, command
from nasbench.cli.terminal import needing_surrogates, progress_bar


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(
        commands, "fit", do, "fit a surrogate to some rows of a table, and save it: use it as surrogate:FOLDER"
    )
    add_table(parser)
    parser.add_argument("--metric", help="the accuracy it is about; validation_accuracy by default, or test_accuracy")
    parser.add_argument("--model", default="default", help="default, ridge, extra_trees, ... or A+B")
    parser.add_argument("--train-size", type=int, help="rows to learn from; 1,000 by default, or four fifths")
    parser.add_argument(
        "--seeds", type=int, default=3, help="draws of rows, each fitted and scored; the first is saved"
    )
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--out", type=Path, default=Path("surrogate"), help="folder to write")
    parser.add_argument("--force", action="store_true", help="replace a surrogate that is there")


def do(options: argparse.Namespace) -> None:
    """Run the command."""
    from rich.console import Console

    from nasbench.sources.named import load

    with needing_surrogates("fit"):
        from surrogates.benchmark import saved
        from surrogates.benchmark.fitting import fit
        from surrogates.evaluation.report import score_card

    table = load(options.table, options.dataset)
    saved.check_free(options.out, table, force=options.force)
    chosen = {name: getattr(options, name) for name in ("metric", "model", "train_size", "seeds", "seed")}
    with progress_bar("fitting", "models") as progress:
        fitted = fit(table, **chosen, progress=progress)
    digest = saved.save(options.out, fitted, table, force=options.force)
    Console(width=100).print(score_card(fitted, table))
    print(f"{options.out}: digest {digest}\nUse it as --table surrogate:{options.out}")
