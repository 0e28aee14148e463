"""The import order of src/thalweg: read from the source, so that nothing has to be imported to check it."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"

# Top to bottom as the data flows (style.md, section 2). A module imports only what stands above it, or its own stage.
# "thalweg" is the package's __init__: the public names. What shows things to people may use those.
ORDER = (
    "version",
    "errors",
    "fields",
    "spelling",
    "checks",
    "registry",
    "config",
    "table",
    "plotting",
    "data",
    "datasets",
    "graph",
    "ops",
    "state",
    "activations",
    "initializers",
    "regularizers",
    "constraints",
    "layers",
    "losses",
    "metrics",
    "backprop",
    "optimizers",
    "statistics",
    "passes",
    "executors",
    "trees",
    "functions",
    "export",
    "record",
    "training",
    "diagnosis",
    "model",
    "models",  # ready ones
    "numdiff",
    "callbacks",  # the public names of training.callbacks
    "models",  # those of model
    "evaluation",  # many models
    "visualization",
    "utils",  # the public names that Keras's users look for there
    "sklearn",
    "thalweg",
    "cli",
    "web",
    "__main__",
)

# What `import thalweg` must not load: each takes longer than all of thalweg.
HEAVY = ("llvmlite", "rich", "typer", "pandas", "matplotlib", "torch", "jax", "keras", "sklearn", "scipy", "onnx")


def module_name(path: Path) -> str:
    """``src/thalweg/graph/__init__.py`` -> ``thalweg.graph``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SOURCE / "thalweg").rglob("*.py"))}


def stage(module: str) -> str:
    """The top-level name that a module belongs to: ``thalweg.graph.node`` -> ``graph``."""
    return module.split(".")[1] if "." in module else module


def imported_modules(module: str, statements: Iterator[ast.AST]) -> set[str]:
    """The modules of thalweg that these statements import; of ``from package import name`` the module, if it is one."""
    found = set()
    for statement in statements:
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            package = absolute(module, statement)
            names = {f"{package}.{alias.name}" for alias in statement.names}
            submodules = names & MODULES.keys()
            found |= submodules if submodules == names else submodules | {package}
    return {name for name in found if name.split(".")[0] == "thalweg"} - {module}


def absolute(module: str, statement: ast.ImportFrom) -> str:
    """The package that a relative import means."""
    if not statement.level:
        return statement.module or ""
    parts = module.split(".")
    if MODULES[module].name != "__init__.py":
        parts.pop()
    parts = parts[: len(parts) - statement.level + 1]
    return ".".join([*parts, statement.module] if statement.module else parts)


def at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: not those in functions or under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_import(child)


TREES = {name: ast.parse(path.read_bytes()) for name, path in MODULES.items()}
ALL_IMPORTS = {name: imported_modules(name, ast.walk(tree)) for name, tree in TREES.items()}
IMPORTS_WHEN_IMPORTED = {name: imported_modules(name, at_import(tree)) for name, tree in TREES.items()}


def test_every_top_level_module_has_its_place_in_the_order():
    assert {stage(module) for module in MODULES} - set(ORDER) == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name != "thalweg"])
def test_a_module_imports_only_what_stands_above_it(module):
    place = ORDER.index(stage(module))
    below = {name for name in ALL_IMPORTS[module] if ORDER.index(stage(name)) > place}
    assert below == set(), f"{module} stands above what it imports; move the code, not the order"


def test_no_module_imports_itself_by_way_of_others():
    cycles = []
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            cycles.append(" -> ".join((*path[path.index(module) :], module)))
        elif module not in done:
            for name in sorted(IMPORTS_WHEN_IMPORTED.get(module, ())):
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())
    assert cycles == []


def test_import_thalweg_loads_nothing_heavy():
    command = f"import sys, thalweg; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    result = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
