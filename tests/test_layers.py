"""The architecture of design and safety, held by the syntax trees: who imports whom, and what nobody may call."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("nasbench", "surrogates", "baselines")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# Lower layers first: a module imports modules of its own layer or a lower one.
LAYERS = [
    {"nasbench._packages"},
    {
        "nasbench.errors",
        "nasbench._files",
        "nasbench._hdf5",
        "nasbench._hdf5_values",
        "nasbench._text",
        "nasbench.registry",
    },
    {"nasbench._lock", "nasbench._processes", "nasbench._usercode"},
    {"nasbench.types", "nasbench.randomness"},
    {"nasbench.spaces"},
    {"nasbench.store"},
    {"nasbench.attach", "nasbench.data"},
    {"nasbench.convert"},
    {"nasbench._download", "nasbench._http"},
    {"nasbench.fetch", "nasbench.cached"},
    {"nasbench.table", "nasbench._row_index", "nasbench._runs", "nasbench.metrics"},
    {"nasbench.benchmark"},
    {"nasbench.export"},
    {"nasbench.search", "nasbench.history"},
    {"nasbench.analysis"},
    {"nasbench.algorithms", "nasbench._comparison_folder"},
    {"nasbench.compare", "nasbench.testing", "nasbench.doctor"},
    {"nasbench.report", "nasbench.plot"},
    {"nasbench.training"},
    {"nasbench.api", "nasbench.lib", "nasbench.compat"},
    {"surrogates"},
    {"baselines"},
    {"nasbench.cli", "nasbench.__main__"},
]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def layer(module: str) -> int | None:
    found = [(name, i) for i, names in enumerate(LAYERS) for name in names if f"{module}.".startswith(f"{name}.")]
    return max(found, key=lambda pair: len(pair[0]))[1] if found else None


def imports(path: Path) -> Iterator[str]:
    """What a file imports when it runs: not what it imports for the type checker."""
    skipped: set[ast.AST] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped.update(inner for statement in node.body for inner in ast.walk(statement))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_lead_downwards(path: Path) -> None:
    module = module_of(path)
    if module == "nasbench":  # loads its public names when they are asked for
        return
    own = layer(module)
    assert own is not None, f"{module} has no layer yet: give it one in {Path(__file__).name}"
    for imported in imports(path):
        other = layer(imported)
        assert other is None or other <= own, f"{module} imports {imported}, which lies above it"


def test_nobody_imports_the_command_line() -> None:
    for path in SOURCES:
        if "cli" in path.parts or module_of(path) == "nasbench.__main__":
            continue
        assert not any(name.startswith("nasbench.cli") for name in imports(path)), module_of(path)


@pytest.mark.parametrize(
    ("library", "allowed"),
    [
        ("h5py", ("nasbench._hdf5", "nasbench.store")),
        ("torch", ("nasbench.training", "surrogates", "baselines._lstm_policy")),
        ("safetensors", ("nasbench.training.export",)),
        ("onnx", ("nasbench.training.export",)),
        ("onnxscript", ("nasbench.training.export",)),
        ("sklearn", ("surrogates",)),
        ("xgboost", ("surrogates",)),
        ("matplotlib", ("nasbench.plot", "surrogates.report", "nasbench.training.verify_report")),
        ("pooch", ("nasbench._download",)),
        ("certifi", ("nasbench._http",)),
        ("platformdirs", ("nasbench.fetch",)),
        ("pandas", ("nasbench.export", "surrogates.export")),
        ("ray", ("nasbench.training._ray",)),
    ],
)
def test_a_library_is_used_in_its_place_only(library: str, allowed: tuple[str, ...]) -> None:
    for path in SOURCES:
        if any(name.split(".")[0] == library for name in imports(path)):
            assert module_of(path).startswith(allowed), f"{module_of(path)} imports {library}"


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_nothing_executes_data(path: Path) -> None:
    forbidden = {"eval", "exec", "pickle.load", "pickle.loads", "joblib.load", "marshal.loads", "os.system"}
    if module_of(path) == "nasbench.testing":
        forbidden.remove("pickle.loads")  # of what it pickled itself a line before
    for name, call in calls(path):
        assert name not in forbidden, f"{module_of(path)}:{call.lineno} calls {name}"
        keywords = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert keywords.get("allow_pickle", "False") == "False", f"{module_of(path)}:{call.lineno}"
        if name.endswith("torch.load"):
            assert keywords.get("weights_only") == "True", f"{module_of(path)}:{call.lineno}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_no_global_randomness(path: Path) -> None:
    # Generators of one's own, and in the contract tests a look at the global state, to see that it stays as it was.
    numpy_s = r"(np|numpy)\.random\.(default_rng|Generator|SeedSequence|get_state)\b.*"
    own = re.compile(numpy_s + r"|random\.(Random\b.*|getstate)")
    for name, call in calls(path):
        global_state = name.startswith(("np.random.", "numpy.random.", "random.")) and not own.fullmatch(name)
        # `random = rng.random` inside functions makes calls named `random()`, without a dot.
        assert not global_state, f"{module_of(path)}:{call.lineno} calls {name}"


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
