"""The architecture of design and safety, held by the syntax trees: who imports whom, and what nobody may call."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("nasbench", "surrogates", "baselines")
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
# The folders, and the files beside them, from the ground up: each line may import itself and the lines above it.
ROOMS = """
    nasbench.errors
    nasbench.system
    nasbench.registry nasbench.types nasbench.metrics nasbench.randomness
    nasbench.spaces
    nasbench.single_metrics
    nasbench.tables
    nasbench.sources
    nasbench.benchmark
    nasbench.search
    nasbench.analysis
    nasbench.training
    nasbench.testing
    nasbench.api nasbench.lib nasbench.compat
    surrogates.features
    surrogates.encodings
    surrogates.models
    surrogates.evaluation
    surrogates.benchmark
    baselines
    nasbench.cli nasbench.__main__
"""
LINES = [line.split() for line in ROOMS.split("\n") if line.strip()]
# Names that the pages of release 0.1 show: ours import the places of now, others may go on.
FORMER = {
    "nasbench.convert": "nasbench.sources",
    "nasbench.convert.nats_bench": "nasbench.sources.nats.nats_bench",
    "nasbench.data": "nasbench.tables.data",
    "nasbench.store": "nasbench.tables",
    "nasbench.training.cifar10": "nasbench.training.images.cifar10",
    "nasbench.training.train": "nasbench.training.loop.train",
    "surrogates.default": "surrogates.models.default",
    "surrogates.inputs": "surrogates.encodings.inputs",
}
MODULES = [name for name in FILES if name not in FORMER and name not in PACKAGES]


def imports(module: str) -> Iterator[str]:
    """What a file imports when it runs, as full names: not what it imports for the type checker."""
    skipped: set[ast.AST] = set()
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(name: str) -> str | None:
    """The file of ours that an imported name stands for, or stands in."""
    return next((known for known in (name, name.rpartition(".")[0]) if known in FILES), None)


def line_of(module: str) -> int | None:
    return next((i for i, rooms in enumerate(LINES) if any(f"{module}.".startswith(f"{r}.") for r in rooms)), None)


@pytest.mark.parametrize("module", MODULES)
def test_imports_lead_downwards(module: str) -> None:
    own = line_of(module)
    assert own is not None, f"{module} lies in no room of {Path(__file__).name}"
    for name in imports(module):
        other = file_of(name)
        assert other not in FORMER, f"{module} imports {name}: its place is {FORMER.get(other or '')} now"
        line = line_of(other) if other else None
        assert line is None or line <= own, f"{module} imports {name}, which lies above it"


def test_no_file_needs_itself() -> None:
    """Not even in a round, or inside of a function. A cycle raises graphlib.CycleError, which names its files."""
    needs = {module: {file_of(name) for name in imports(module)} - {module, None} for module in FILES}
    TopologicalSorter(needs).prepare()


@pytest.mark.parametrize("module", FILES)
def test_what_begins_with_an_underscore_stays_in_its_folder(module: str) -> None:
    folder = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    for name in imports(module):
        owner, _, private = re.sub(r"\.__.*", "", name).partition("._")
        ours = name.split(".")[0] in PACKAGES
        assert not (ours and private) or owner == folder, f"{module} imports {name}"


# Public methods of named tuples, and what libraries have no other name for.
PUBLIC = {"_asdict", "_fields", "_field_defaults", "_make", "_replace"}
LIBRARIES = {"_ActionsContainer", "_SubParsersAction", "_exit", "_foreach_lerp_"}


def private_names(folder: str) -> set[str]:
    """All names with an underscore that the files of a folder define: functions, classes, and attributes of self."""
    found = set()
    for module in FILES:
        if FILES[module].parent == Path(folder):
            for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    found.add(node.name)
                elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                    found.add(node.attr)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
    return found


@pytest.mark.parametrize("folder", sorted({str(path.parent) for path in FILES.values()}))
def test_what_begins_with_an_underscore_belongs_to_the_folder(folder: str) -> None:
    """No object of another folder is asked for it either."""
    own = private_names(folder) | PUBLIC | LIBRARIES
    for module, path in FILES.items():
        if path.parent == Path(folder):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
                    inherited = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
                    assert inherited or node.attr in own, f"{module}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("module", FILES)
def test_no_file_is_long(module: str) -> None:
    """One idea a file: around 100 lines is best, and 300 are enough."""
    assert len(FILES[module].read_text(encoding="utf-8").splitlines()) <= 300


def test_no_two_classes_have_one_name() -> None:
    """A name that does not begin with an underscore has one meaning in all packages: that of docs/terms.md."""
    owners: dict[str, list[str]] = {}
    for module, path in FILES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners.setdefault(node.name, []).append(module)
    assert {name: modules for name, modules in owners.items() if len(modules) > 1} == {}


@pytest.mark.parametrize("name", [name for name in FORMER if name != "nasbench.convert"])
def test_former_names_stand_for_the_same(name: str) -> None:
    old, new = (importlib.import_module(module) for module in (name, FORMER[name]))
    assert old.__all__
    assert all(getattr(old, public) is getattr(new, public) for public in old.__all__)


def test_nobody_imports_the_command_line() -> None:
    for module in FILES:
        if not module.startswith(("nasbench.cli", "nasbench.__main__")):
            assert not any(name.startswith("nasbench.cli") for name in imports(module)), module


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("h5py", ("nasbench.tables.",)),
        ("torch", ("nasbench.training.", "surrogates.models.", "baselines.models.lstm_policy")),
        ("safetensors", ("nasbench.training.export",)),
        ("onnx", ("nasbench.training.export",)),
        ("onnxscript", ("nasbench.training.export",)),
        ("sklearn", ("surrogates.encodings.", "surrogates.models.")),
        ("xgboost", ("surrogates.models.",)),
        (
            "matplotlib",
            (
                "nasbench.analysis.plot",
                "nasbench.analysis.front_plot",
                "surrogates.evaluation.report",
                "nasbench.training.verify.report",
            ),
        ),
        ("pooch", ("nasbench.sources.download",)),
        ("google_crc32c", ("nasbench.sources.readers.tfrecord",)),
        ("certifi", ("nasbench.sources.http",)),
        ("platformdirs", ("nasbench.sources.fetch",)),
        ("pandas", ("nasbench.tables.export", "surrogates.benchmark.export")),
        ("ray", ("nasbench.training.campaign.cluster",)),
    ],
)
def test_a_library_is_used_in_its_place_only(library: str, allowed: tuple[str, ...]) -> None:
    for module in FILES:
        if any(name.split(".")[0] == library for name in imports(module)):
            assert module.startswith(allowed), f"{module} imports {library}"


def calls(module: str) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("module", FILES)
def test_nothing_executes_data(module: str) -> None:
    forbidden = {"eval", "exec", "pickle.load", "pickle.loads", "joblib.load", "marshal.loads", "os.system"}
    if module.startswith("nasbench.testing."):
        forbidden.remove("pickle.loads")  # of what it pickled itself a line before
    for name, call in calls(module):
        assert name not in forbidden, f"{module}:{call.lineno} calls {name}"
        keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert keywords.get("allow_pickle", "False") == "False", f"{module}:{call.lineno}"
        if name.endswith("torch.load"):
            assert keywords.get("weights_only") == "True", f"{module}:{call.lineno}"


@pytest.mark.parametrize("module", FILES)
def test_no_global_randomness(module: str) -> None:
    # Generators of one's own, and in the contract tests a look at the global state, to see that it stays as it was.
    numpy_s = r"(np|numpy)\.random\.(default_rng|Generator|SeedSequence|get_state)\b.*"
    own = re.compile(numpy_s + r"|random\.(Random\b.*|getstate)")
    for name, call in calls(module):
        global_state = name.startswith(("np.random.", "numpy.random.", "random.")) and not own.fullmatch(name)
        # `random = rng.random` inside functions makes calls named `random()`, without a dot.
        assert not global_state, f"{module}:{call.lineno} calls {name}"


def test_importing_nasbench_loads_no_library() -> None:
    heavy = ["numpy", "h5py", "scipy", "sklearn", "xgboost", "torch", "matplotlib", "rich", "joblib"]
    code = f"import sys, nasbench; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_a_table_loads_no_more_than_numpy_and_h5py() -> None:
    heavy = ["scipy", "sklearn", "xgboost", "torch", "matplotlib", "rich", "joblib"]
    code = (
        f"import sys, nasbench; nasbench.load('nasbench201').query(0); print([n for n in {heavy} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    import nasbench

    assert set(nasbench.__all__) == set(nasbench._PUBLIC)
    for name in nasbench.__all__:
        assert getattr(nasbench, name).__name__ == name or name == "Architecture"
