"""Bad calls over the whole public API: read from the signatures, judged by the annotations.

A case is the text of a Python expression: ``used(layers.Dense(3, activation=np.nan))``. It has to end in an error of
four parts or in something that can be meant; Python's own TypeError is one where an argument is missing or unknown.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import operator
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from tests import nets
from tests.contracts import cases
from tests.fuzz.running import Outcome, tried

import thalweg
from thalweg import constraints, errors, initializers, layers, losses, metrics, optimizers, regularizers
from thalweg.checks import Rule, check_value
from thalweg.graph.types import TensorType
from thalweg.registry import Registered

# --- what is handed in -----------------------------------------------------------------------------------------------

BAD = (
    *("None", "True", "False", "0", "-1", "1", "3", "1.5", "-0.5", "0.0", "1e-9", "10.0", "1e300"),
    *("2**31", "2**62", "2**70", "-(2**70)", "np.nan", "np.inf", "-np.inf", "1j"),
    *("''", "'a'", "'relu'", "'mse'", "'adam'", "'\\0'", "'a/b'", "'x' * 300", "b''", "b'a'", "'\\ud800'"),
    *(
        "()",
        "[]",
        "{}",
        "(1,)",
        "(1, 2)",
        "(-1, 0)",
        "(1.5, 2)",
        "(0,) * 40",
        "[[1, 2], [3]]",
        "[[1.0, 2.0], [3.0, 4.0]]",
    ),
    *("[None]", "[np.nan]", "['a']", "{0: 1}", "{'a': 1}", "{'a': None}", "{1, 2}", "object()", "object", "int"),
    *("lambda: None", "lambda *a, **k: a[0]", "lambda *a, **k: 'a'", "range(3)", "iter([1])", "(x for x in [1])"),
    *("np.float32(1)", "np.float64('nan')", "np.int64(3)", "np.uint8(255)", "np.bool_(True)", "np.str_('a')"),
    *("np.datetime64('2020-01-01')", "np.array(1.0)", "np.array(0)", "np.zeros(0)", "np.zeros((0, 3))"),
    *("np.zeros((3, 0))", "np.ones(3)", "np.ones((20, 4))", "np.ones((20, 4), 'float16')", "-np.ones((20, 4))"),
    *("np.full((20, 4), np.nan)", "np.full((20, 4), np.inf)", "np.full((20, 4), 1e300)", "np.ones((1,) * 8)"),
    *(
        "np.array(['a', 'b'])",
        "np.array([b'a'])",
        "np.array([None, 1])",
        "np.array([{}, []], object)",
        "np.ones(3) * 1j",
    ),
    *("np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0])", "np.zeros(3, [('a', 'f4')])", "np.ones((4, 20)).T"),
    *("np.ones((20, 4), '>f4')", "np.array([2**63], 'uint64')", "np.arange(20)", "np.arange(20) % 3", "np.eye(3)"),
    *(
        "np.matrix([[1.0, 2.0]])",
        "Decimal('1.5')",
        "Fraction(1, 3)",
        "Path('a')",
        "np",
        "slice(2)",
        "...",
        "NotImplemented",
    ),
    *("symbol()", "layers.Dense(2)", "layers.Dense", "model()", "optimizers.SGD", "losses.Huber()", "lambda x: x"),
    *("np.float32", "'float16'", "'int32'", "Exception()", "10**400", "float('1e-320')", "-0.0", "[[]]", "[[[1]]]"),
)
"""From the simplest on: a failure is shrunk towards the front."""

TABLES = (
    *("pd.DataFrame({'a': [1.0, 2.0], 'b': ['x', 'y']})", "pd.Series(['x', 'y'])", "pd.Series([1.0, 2.0])"),
    *(
        "pd.Series([1, None], dtype='Int64')",
        "pl.DataFrame({'a': [1.0, 2.0], 'b': ['x', 'y']})",
        "pl.Series(['x', 'y'])",
    ),
    *("pd.Series(['x', 'y'], dtype='category')", "pd.date_range('2020-01-01', periods=3)", "torch.ones(3, 4)"),
    *("sparse.eye(4).tocsr()", "pd.DataFrame({'a': [1.0, 2.0]})"),
)
"""What other packages have."""

OTHERS = {"pd": "pandas", "pl": "polars", "sparse": "scipy.sparse", "torch": "torch"}


def is_installed(package: str) -> bool:
    return importlib.util.find_spec(package.partition(".")[0]) is not None


TABLES_HERE = tuple(text for text in TABLES if is_installed(OTHERS[text.partition(".")[0]]))
"""Those of packages that are there."""

GOOD = {
    **dict.fromkeys(("x", "x1", "inputs", "a", "b", "logits", "values"), ("X", "symbol()")),
    **dict.fromkeys(("y", "y_true", "target", "targets", "labels"), ("Y", "Y % 2")),
    **dict.fromkeys(("filepath", "filename", "path", "file"), ("'file'",)),
    "y_pred": ("np.full((20, 3), 0.25)",),
    "model": ("model()",),
    "models": ("[model(), model()]",),
    "loss": ("'mse'", "'auto'"),
    "optimizer": ("'adam'", "optimizers.SGD(0.1)"),
    "fn": ("lambda x: x * 2.0",),
    "function": ("lambda x: x * 2.0",),
    "layers": ("[layers.Dense(2)]",),
    "layer": ("layers.Dense(2)",),
    "outputs": ("symbol()",),
    "units": ("3",),
    "filters": ("2",),
    "kernel_size": ("2",),
    "pool_size": ("2",),
    "rate": ("0.5",),
    "shape": ("(3,)",),
    "axis": ("0", "-1"),
    "epochs": ("1",),
    "verbose": ("0",),
    "name": ("'name'",),
    "identifier": ("'mse'", "'l2'"),
    "batch_size": ("8",),
    "num_classes": ("3",),
    "dtype": ("'float32'",),
    "seed": ("1",),
}
"""By the name of a parameter: what it can be, for those beside a bad one."""

PUBLIC = tuple(vars(thalweg)["__all__"])

LEFT_OUT = ("errors", "sklearn")
"""Modules whose functions are there for thalweg itself, or whose classes are scikit-learn's to try."""

FOR_US = (
    *("result", "of_sums", "start", "check_symbols", "margins", "window", "frame", "factors", "check_fit", "stepper"),
    *(
        "use_as",
        "build_on",
        "build_for",
        "require_ready",
        "augment",
        "base_name",
        "sublayers",
        "as_layer",
        "said",
        "takes_missing",
    ),
    *(
        "train_step",
        "test_step",
        "predict_step",
        "compute_loss",
        "compute_metrics",
        "compiled_loss",
        "compute_mask",
        "value_of",
    ),
    *("resolve", "with_layers", "call", "keep_in", "for_weights"),
)
"""Methods by which layers, losses, metrics and optimizers speak with thalweg, beside those that take nodes."""

ARITHMETIC = ("ops", "backend", "activations", "random")
"""Modules whose functions compute with NaN as with any number."""

MADE_BY_USERS = (Registered, thalweg.Model, thalweg.callbacks.Callback)
"""Classes derived from these; the others are results."""

ABSTRACT = (layers.Layer, losses.Loss, metrics.Metric, optimizers.Optimizer, thalweg.callbacks.Callback)
"""Bases whose methods say that a subclass has to write them."""


X, Y = nets.points(20)


def model(built: bool = True) -> thalweg.Sequential:
    """A small classifier on the executor that compiles nothing."""
    made = nets.classifier()
    made.executor = "numpy"
    return made


def symbol(*shape: int) -> Any:
    return thalweg.Input(shape or (4,))


def sample(package: str, name: str) -> Any:
    """One of the things that the contract tests know how to make."""
    return _SAMPLES[package][name]()


_SAMPLES: dict[str, dict[str, Callable[[], Any]]] = {
    "layers": {name: case[0] for name, case in cases.LAYERS.items()},
    "losses": {name: case[0] for name, case in cases.LOSSES.items()},
    "metrics": {name: case[0] for name, case in cases.METRICS.items()},
    "optimizers": {name: ways[0] for name, ways in cases.OPTIMIZERS.items()},
}


def used(made: Any) -> Any:
    """Use what was made as a model would, so that nothing is accepted that fails later."""
    if isinstance(made, layers.Layer) and type(made) is not layers.Layer:
        name = layers.registry.first_name(type(made))
        if name in cases.LAYERS:
            _, shape, dtype = cases.LAYERS[name]
            shapes = shape if isinstance(shape, list) else [shape]
            made.infer(*(TensorType((2, *one), dtype) for one in shapes))
    for package in (layers, losses, metrics, optimizers, initializers, regularizers, constraints):
        base = package.registry.base
        if base is not None and isinstance(made, base) and type(made) is not base:
            repr(made)
            if package.registry.first_name(type(made)):
                package.registry.config(made)
    return made


@cache
def namespace() -> dict[str, Any]:
    """What the cases' texts may name."""
    import decimal
    import fractions
    import pathlib

    names: dict[str, Any] = {name: getattr(thalweg, name) for name in PUBLIC}
    names |= {"np": np, "thalweg": thalweg, "Decimal": decimal.Decimal, "Fraction": fractions.Fraction}
    names |= {"Path": pathlib.Path, "X": X, "Y": Y, "model": model, "symbol": symbol, "sample": sample, "used": used}
    names |= {name: importlib.import_module(package) for name, package in OTHERS.items() if is_installed(package)}
    return names


# --- what is called --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """Something to call.

    Attributes:
        text: the expression of what is called, ``layers.Dense``.
        called: that itself, for its signature.
        makes: whether it is a class, whose instance is then used.
    """

    text: str
    called: Any
    makes: bool = False

    def parameters(self) -> list[inspect.Parameter]:
        try:
            found = list(inspect.signature(self.called).parameters.values())
        except (TypeError, ValueError):
            return []
        if found and found[0].name == "self":
            found = found[1:]
        return found

    def annotations(self) -> dict[str, Any]:
        try:
            if self.makes and "__init__" not in vars(self.called):
                return typing.get_type_hints(self.called, include_extras=True)
            if self.makes:
                hints = {}
                for cls in reversed(self.called.__mro__):
                    hints |= typing.get_type_hints(cls, include_extras=True) if hasattr(cls, "__annotations__") else {}
                return hints | typing.get_type_hints(self.called.__init__, include_extras=True)
            return typing.get_type_hints(inspect.unwrap(self.called), include_extras=True)
        except Exception:
            return {}


@cache
def targets() -> tuple[Target, ...]:
    """Every public function, class and method."""
    found: dict[str, Target] = {}
    for name in (*PUBLIC, "optimizers.schedules", "datasets.mnist"):
        value = operator.attrgetter(name)(thalweg)
        for inner in _names_of(value) if inspect.ismodule(value) and name not in LEFT_OUT else ():
            one = getattr(value, inner, None)
            if callable(one):
                found[f"{name}.{inner}"] = Target(f"{name}.{inner}", one, inspect.isclass(one))
        if callable(value):
            found[name] = Target(name, value, inspect.isclass(value))
    found = {text: target for text, target in found.items() if not target.makes or _is_made_by_users(target.called)}
    objects = {f"sample({p!r}, {n!r})": make() for p, all_ in _SAMPLES.items() for n, make in all_.items()}
    objects["model()"] = model()
    seen: set[Any] = set()  # what many inherit is called on the first that has it
    for text, instance in objects.items():
        for inner in sorted(dir(type(instance))):
            method = getattr(type(instance), inner, None)
            called = inner == "__call__" or (inner[0] != "_" and inner not in FOR_US)
            if called and inspect.isfunction(method) and method not in seen and not _is_on_nodes(method):
                seen.add(method)
                found[f"{text}.{inner}"] = Target(f"{text}.{inner}", method)
    return tuple(target for target in found.values() if target.parameters())


def _is_made_by_users(cls: type) -> bool:
    return issubclass(cls, MADE_BY_USERS) and cls not in ABSTRACT and not inspect.isabstract(cls)


def _is_on_nodes(method: Any) -> bool:
    """Whether it is what a subclass writes and thalweg calls, with nodes: ``call``, ``per_sample``, ``update``."""
    written = " ".join(map(str, inspect.get_annotations(method).values()))
    return any(word in written for word in ("Node", "TensorType", "Parameter", "State"))


def _names_of(module: Any) -> list[str]:
    """What is written in a module or its package and has a public name; what it only imports is not its own."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    if module is thalweg.callbacks:
        return sorted(name for name in dir(module) if inspect.isclass(getattr(module, name)))
    inside = {name: str(getattr(value, "__module__", "")) for name, value in vars(module).items() if name[0] != "_"}
    return sorted(name for name, place in inside.items() if f"{place}.".startswith(f"{module.__name__}."))


@cache
def _groups() -> tuple[tuple[Target, ...], ...]:
    """The targets by where they come from, so that the many methods of layers do not crowd out the rest."""
    groups: dict[str, list[Target]] = {}
    for target in targets():
        key = target.text.partition(".")[0]
        groups.setdefault("methods" if key.startswith("sample") else key, []).append(target)
    return tuple(tuple(group) for group in groups.values())


# --- cases -----------------------------------------------------------------------------------------------------------


def make(random: Random) -> str:
    """A call with one to three arguments that are probably wrong."""
    groups = _groups()
    return of_target(random.choice(random.choices(groups, [len(group) ** 0.5 for group in groups])[0]), random)


def sample_of_all(share: float) -> Iterator[str]:
    """A case for every so many of the targets. What is new brings a case of its own, and changes no other."""
    for target in targets():
        random = Random(target.text)
        if random.random() < share:
            yield of_target(target, random)


def of_target(target: Target, random: Random) -> str:
    """A call of this."""
    parameters = target.parameters()
    bad = {p.name for p in random.sample(parameters, min(len(parameters), random.choice((1, 1, 2, 3))))}
    arguments = []
    for parameter in parameters:
        if parameter.name in bad:
            pool = TABLES_HERE if TABLES_HERE and random.random() < 0.05 else BAD
            value = random.choice(pool)
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        elif parameter.default is parameter.empty or random.random() < 0.1:
            value = random.choice(GOOD.get(parameter.name, BAD))
        else:
            continue
        arguments.append(_argument(parameter, value))
    return _text(target, arguments)


def _argument(parameter: inspect.Parameter, value: str) -> str:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return f"*[{value}]"
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{{'surplus': {value}}}"
    return value if parameter.kind is parameter.POSITIONAL_ONLY else f"{parameter.name}={value}"


def _text(target: Target, arguments: list[str]) -> str:
    call = f"{target.text}({', '.join(arguments)})"
    return f"used({call})" if target.makes else call


def run(case: str) -> Outcome:
    """How the call ends; what is accepted against the annotation of a parameter has failed."""
    names = namespace()
    outcome = tried(lambda: eval(case, dict(names)))
    _as_before()
    if outcome.result == "accepted" and (told := _against_annotation(case)):
        return Outcome("failed", f"accepted: {told}", "the annotation says otherwise")
    return outcome


def _as_before() -> None:
    """Undo what calls of ``config`` and ``utils`` may have set."""
    thalweg.config.set_floatx("float32")
    thalweg.utils.set_random_seed(1)


def _against_annotation(case: str) -> str:
    """An argument that was accepted although its annotation, where it is one of plain values, admits no such."""
    call, target = _parsed(case)
    if target is None:
        return ""
    annotations = target.annotations()
    for keyword in call.keywords:
        annotation = annotations.get(keyword.arg or "")
        if annotation is None or not _is_plain(annotation):
            continue
        value = eval(ast.unparse(keyword.value), dict(namespace()))
        if isinstance(value, float) and value != value and target.text.partition(".")[0] in ARITHMETIC:
            continue
        try:
            check_value("", "", annotation, value)
        except errors.ArgumentError:
            return f"{target.text}, {keyword.arg}"
        except Exception:
            continue
    return ""


def _is_plain(annotation: Any) -> bool:
    """Whether an annotation speaks of numbers, truth values and strings only, or of tuples of them."""
    origin = get_origin(annotation)
    if annotation in (bool, int, float, str, type(None), None, Ellipsis) or origin is Literal:
        return True
    if origin is typing.Annotated:
        return all(_is_plain(one) or isinstance(one, Rule) for one in get_args(annotation))
    if origin in (Union, tuple, list) or isinstance(annotation, type(int | str)):
        return all(map(_is_plain, get_args(annotation)))
    return False


def _parsed(case: str) -> tuple[ast.Call, Target | None]:
    tree = ast.parse(case, mode="eval").body
    assert isinstance(tree, ast.Call)
    if isinstance(tree.func, ast.Name) and tree.func.id == "used":
        (inner,) = tree.args
        assert isinstance(inner, ast.Call)
        tree = inner
    text = ast.unparse(tree.func)
    return tree, next((target for target in targets() if target.text == text), None)


def smaller(case: str) -> Iterator[str]:
    """With an argument less, or a simpler one."""
    call, target = _parsed(case)
    if target is None:
        return
    # kept as they are written; ast.unparse may write a value in another way
    arguments = [(None, ast.unparse(a)) for a in call.args] + [(k.arg, ast.unparse(k.value)) for k in call.keywords]

    def shown(parts: list[tuple[str | None, str]]) -> str:
        return _text(target, [value if name is None else f"{name}={value}" for name, value in parts])

    for at in range(len(arguments)):
        yield shown(arguments[:at] + arguments[at + 1 :])
    simple = {ast.unparse(ast.parse(text, mode="eval").body): rank for rank, text in enumerate(BAD)}
    for at, (name, value) in enumerate(arguments):
        good = GOOD.get(name or "", ())
        if value in good:
            continue
        for candidate in (*good, *BAD[: min(simple.get(value, 30), 30)]):
            yield shown([*arguments[:at], (name, candidate), *arguments[at + 1 :]])
