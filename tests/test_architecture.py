"""The import order of src/thalweg, read from the source; what packages offer is asked of themselves."""

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

SOURCE = Path(__file__).parent.parent / "src"

# Top to bottom as the data flows (docs/style.md, section 2): a module imports only what stands above it, or its own
# stage. "thalweg" is the package's __init__, the public names: what shows things to people may use those. Names that do
# not exist yet keep a place for what is planned.
ORDER = (
    # the ground
    *("version", "errors", "advice", "absent", "extras", "fields", "spelling", "checks"),
    *("processes", "registry", "dtype_policies", "config", "cores", "memory", "table", "plotting", "trees"),
    # numbers in files and in graphs
    *("data", "datasets", "graph", "ops", "backprop", "state"),
    # what a network is made of
    *(
        "activations",
        "initializers",
        "regularizers",
        "constraints",
        "layers",
        "random",
        "losses",
        "metrics",
        "optimizers",
    ),
    # one step, and what runs it
    *("statistics", "steps", "passes", "executors", "distribution", "functions"),
    # training
    *("record", "training", "callbacks", "files", "doctor", "model", "models", "runs"),
    # looking at models
    *(
        "evaluation",
        "tables",
        "numdiff",
        "tuning",
        "diagnosis",
        "visualization",
        "sklearn",
        "backend",
        "saving",
        "streams",
        "utils",
        "mixed_precision",
    ),
    # for people
    *("thalweg", "cli", "web"),
)

# The same inside of a package.
INSIDE = {"executors.native": ("host", "families", "scaling", "plan", "code", "run", "machine", "explain", "executor")}

# What `import thalweg` must not load: each takes longer than all of thalweg.
HEAVY = (
    *("llvmlite", "rich", "typer", "duckdb", "narwhals", "polars", "pyarrow", "pandas", "matplotlib"),
    *("torch", "jax", "keras", "sklearn", "scipy", "onnx", "optuna"),
)


def module_name(path: Path) -> str:
    """``src/thalweg/graph/__init__.py`` -> ``thalweg.graph``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SOURCE / "thalweg").rglob("*.py"))}


def stage(module: str) -> str:
    """The top-level name that a module belongs to: ``thalweg.graph.node`` -> ``graph``."""
    return module.split(".")[1] if "." in module else module


def imported_modules(module: str, statements: Iterable[ast.AST]) -> set[str]:
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


TREES = {name: ast.parse(path.read_bytes()) for name, path in MODULES.items()}
# Those in functions and under `if TYPE_CHECKING` too: they tie modules together as much as the others.
IMPORTS = {name: imported_modules(name, ast.walk(tree)) for name, tree in TREES.items()}


def test_no_stage_has_two_places():
    assert len(set(ORDER)) == len(ORDER)


def test_every_top_level_module_has_its_place_in_the_order():
    assert {stage(module) for module in MODULES} - set(ORDER) == set()


@pytest.mark.parametrize("module", [name for name in MODULES if name != "thalweg"])
def test_a_module_imports_only_what_stands_above_it(module):
    place = ORDER.index(stage(module))
    below = {name for name in IMPORTS[module] if ORDER.index(stage(name)) > place}
    assert below == set(), f"{module} stands above what it imports; move the code, not the order"


@pytest.mark.parametrize("package", INSIDE)
def test_folders_inside_of_a_package_have_an_order_too(package):
    def place(module: str) -> int:
        return INSIDE[package].index(module.removeprefix(f"thalweg.{package}.").split(".")[0])

    modules = [module for module in MODULES if module.startswith(f"thalweg.{package}.")]
    upwards = {
        f"{module} imports {name}"
        for module in modules
        for name in IMPORTS[module] & set(modules)
        if place(name) > place(module)
    }
    assert upwards == set()


def test_no_module_imports_itself_by_way_of_others():
    cycles = []
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            cycles.append(" -> ".join((*path[path.index(module) :], module)))
        elif module not in done:
            for name in sorted(IMPORTS.get(module, ())):
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())
    assert cycles == []


@pytest.mark.parametrize("module", MODULES)
def test_private_names_stay_in_their_module(module):
    """``_name`` of another object is used only where the name is defined; a class may use what it has inherited."""
    tree = TREES[module]
    own = set(defined_names(tree))
    imported = [f"line {line}: {name} is imported" for line, name in private_imports(tree)]
    taken = [f"line {line}: {text}" for line, name, text in private_attributes(tree) if name not in own]
    assert imported + taken == [], f"{module}: make it public where it is defined, or ask its owner for the answer"


NAMED_TUPLE = ("_asdict", "_fields", "_make", "_replace")
"""Public, in spite of their look: the underscore keeps them from the names of fields."""


EXIT = "_exit"
"""That of ``os``, which has no other name."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") or name == "_" or name in (*NAMED_TUPLE, EXIT))


def defined_names(tree: ast.AST) -> Iterator[str]:
    """Functions, classes, variables, and attributes that are set on ``self`` or ``cls``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
            yield node.attr


def private_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, alias.name) for alias in node.names if is_private(alias.name))


def private_attributes(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Line, name and text of each ``object._name``; also as ``getattr(object, "_name")``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_self(node.value):
            yield node.lineno, node.attr, ast.unparse(node)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr"):
            values = [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
            yield from ((node.lineno, v, ast.unparse(node)) for v in values if isinstance(v, str) and is_private(v))


def is_self(node: ast.AST) -> bool:
    """``self``, ``cls`` or ``super()``."""
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


@pytest.mark.parametrize("module", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_public_names_are_listed_once(module):
    imports = [node for node in ast.walk(TREES[module]) if isinstance(node, ast.ImportFrom)]
    names = [alias.asname or alias.name for node in imports for alias in node.names if alias.name != "*"]
    assert len(set(names)) == len(names)


def test_no_module_can_take_the_place_of_a_public_name():
    """Python puts a module there if it is imported when its package has the name; those imported before do no harm."""
    found = []
    for package in (name for name, path in MODULES.items() if path.name == "__init__.py" and name.count(".") == 1):
        loaded, new = set(), {package}
        while new:
            loaded |= new
            new = {other for name in new for other in imported_modules(name, TREES[name].body)} - loaded
        home = importlib.import_module(package)
        for name in dir(home):
            module = f"{package}.{name}"
            if module in MODULES.keys() - loaded and not isinstance(getattr(home, name), ModuleType):
                found.append(module)
    assert found == []


def test_import_thalweg_loads_nothing_heavy():
    command = f"import sys, thalweg; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    result = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
