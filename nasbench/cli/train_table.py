"""``nasbench train-table``: train architectures and make a table of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nasbench import registry
from nasbench.cli.options import Commands, add_devices, add_images, command
from nasbench.cli.terminal import print_report, progress_bar, tell_failures
from nasbench.errors import CampaignError

if TYPE_CHECKING:
    from nasbench.spaces import SearchSpace
    from nasbench.training.campaign.resume import TrainingsTable
    from nasbench.types import Architecture


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = command(commands, "train-table", do, "train architectures of a search space, and make a table of them")
    parser.add_argument(
        "space", nargs="?", choices=registry.names("spaces"), metavar="SPACE", help="see `nasbench tables`"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--sample", type=int, metavar="N", help="train so many, drawn at random")
    which.add_argument("--architectures", type=Path, metavar="FILE", help="train those of a file, one a line")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument("--seeds", type=int, help="trainings of each; 1 by default, or with --from its seeds")
    parser.add_argument("--epochs", type=int, help="of each training; with --from by default its only schedule")
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="TABLE",
        help="go on from a table of trainings: they count as done; by default its own architectures are trained",
    )
    add_images(parser)
    add_devices(parser)
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="this machine or a ray cluster")
    parser.add_argument("--journal", type=Path, default=Path("trainings.db"), help="what was trained, once for all")
    parser.add_argument("--out", type=Path, help="the .h5 file to write; named after the setting by default")


def do(options: argparse.Namespace) -> int:
    """Run the command; return its exit status."""
    from nasbench.tables import write
    from nasbench.training import needing_torch

    with needing_torch("train-table needs"):
        from nasbench.training.campaign.campaign import Job, run_campaign
        from nasbench.training.campaign.entries import About
        from nasbench.training.campaign.journal import Journal, Setting
        from nasbench.training.campaign.pack import pack, table_name
        from nasbench.training.campaign.resume import read_trainings, take_over
        from nasbench.training.images import cifar10
        from nasbench.training.loop.devices import without_auto
        from nasbench.training.recipes import recipe_for

    start = read_trainings(options.start) if options.start else None
    space, epochs, seeds = _setting(options, start)
    recipe = recipe_for(space.name)
    architectures = _architectures(options, space, start)
    device = without_auto(options.device)
    side = options.side or (start.trainings.about.side if start else 32)
    images = cifar10.images_for(space.name, options.data, tenth=options.subset, side=side)
    job, journal = Job(space, images, recipe, epochs, device), Journal(options.journal)
    setting = Setting.of(space, recipe, images, epochs)
    asked = {(identity, seed) for identity in map(space.identity, architectures) for seed in seeds}
    if start:
        new = take_over(start, setting, About.of(recipe, images), journal)
        asked |= {(entry.identity, entry.seed) for entry in start.trainings.entries[epochs]}
        print(f"{new:,} trainings taken over from {options.start}")
    with progress_bar("training", "trainings") as progress:
        failures = run_campaign(
            job,
            architectures,
            journal,
            seeds=seeds,
            workers=options.workers,
            engine=options.engine,
            progress=progress,
        )
    status = tell_failures(failures)
    out = options.out or Path(f"{table_name([setting])}.h5")
    content = pack(journal, [setting], dataset=start.dataset if start else "cifar10", only=asked)
    write(out, content, force=True)  # made anew from the journal, which has all that the old one had
    print_report(content.report)
    print(options.journal, out, sep="\n")
    return status


def _setting(options: argparse.Namespace, start: TrainingsTable | None) -> tuple[SearchSpace, int, Sequence[int]]:
    """Return the search space, epochs and seeds: as they were given, or as the table has them."""
    epochs, seeds = options.epochs, [0] if options.seeds is None else range(options.seeds)
    name = options.space or (start and start.trainings.space)
    if start and options.seeds is None:
        seeds = start.seeds
    if start and epochs is None and len(start.settings) == 1:
        epochs = start.settings[0].epochs
    if name is None or epochs is None:
        raise CampaignError(
            f"{'of which space' if name is None else 'of how many epochs'} should trainings be? Give "
            f"{'SPACE' if name is None else '--epochs'}, or --from a table of one schedule."
        )
    return registry.find("spaces", name)(), epochs, seeds


def _architectures(
    options: argparse.Namespace, space: SearchSpace, start: TrainingsTable | None
) -> Sequence[Architecture]:
    """Return what to train."""
    from nasbench.training.campaign.campaign import read_architectures, sample

    if options.architectures:
        return read_architectures(space, options.architectures)
    if options.sample is not None:
        return sample(space, options.sample, options.seed)
    if start is None:
        raise CampaignError("what should be trained? Give --sample N, --architectures FILE, or --from TABLE.")
    texts = dict.fromkeys(entry.architecture for found in start.trainings.entries.values() for entry in found)
    return [space.parse(text) for text in texts]
