"""Users' own functions of arrays: compiled (``compile_function``) and differentiated (``grad`` and its kin).

A function written with ``thalweg.ops`` takes and gives nodes of the graph. What is made of it here takes and gives
NumPy arrays: the first call with arrays of some shapes and dtypes draws the graph and compiles it, later ones only run
it. Called inside another such function, or on nodes in a layer or a loss, it becomes a part of that graph; so
``grad(grad(f))`` is a second derivative.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from functools import partial
from typing import Any

import numpy as np

from thalweg import config, cores, executors, ops
from thalweg.backprop import gradients
from thalweg.checks import check_value, checked
from thalweg.data.arrays import as_array
from thalweg.errors import ArgumentError, DTypeError, GraphError, ShapeError
from thalweg.executors.executor import Executor, Program
from thalweg.executors.explain import check_stage, explain
from thalweg.fields import dataclass
from thalweg.graph.node import Graph, Node, apply
from thalweg.graph.types import DTYPES, TensorType
from thalweg.ops.cast import Cast
from thalweg.ops.leaf import Input, State
from thalweg.trees import Tree, TreeForm, flatten, paths, unflatten

__all__ = ["Function", "compile_function", "grad", "hessian_vector_product", "value_and_grad"]

_inside: ContextVar[bool] = ContextVar("thalweg_inside_function", default=False)
"""Whether a function is being traced: one that is called then belongs to the same graph, whatever its arguments."""


class Function:
    """A function of arrays that runs compiled. Made by ``compile_function``, ``grad`` and their kin.

    Arguments and results are trees: arrays and numbers, or lists, tuples and dicts of them. Arrays keep their dtype.
    Python numbers become floating point scalars: float64 if an array among the arguments is, else floatx.
    """

    __name__: str

    def __init__(
        self, function: Callable[..., Tree], executor: str | Executor | None = None, threads: int | None = None
    ) -> None:
        self._function = function
        self._executor = None if executor is None else executors.meant(executor)
        self._threads = threads
        self._compiled: dict[Hashable, _Compiled] = {}
        functools.update_wrapper(self, function)

    def __repr__(self) -> str:
        return f"<compiled function {_name(self._function)}>"

    def __call__(self, *args: Tree, **kwargs: Tree) -> Tree:
        """The results, as NumPy arrays; scalars have the shape ().

        Raises: DTypeError for what holds no numbers or has a dtype that graphs lack, naming the argument; GraphError
            if the function gives nothing or uses a node from elsewhere; what its operations raise.
        """
        leaves, structure = flatten((args, kwargs))
        if _inside.get() or any(isinstance(leaf, Node) for leaf in leaves):
            return self._function(*args, **kwargs)
        arrays = self._arrays(leaves, structure)
        key = structure, tuple((array.shape, array.dtype) for array in arrays)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = self._compile(structure, [TensorType.of(array) for array in arrays])
        return compiled.run(arrays, cores.wanted(self._threads))

    def explain(self, stage: str = "graph") -> str:
        """What the function was compiled to for the last new shapes and dtypes that it was called with, as text.

        Arguments:
            stage: as in ``Model.explain``.

        Raises: NameNotFoundError for an unknown stage; ExecutorError for one that the executor does not go through;
            GraphError if the function has not been called yet.
        """
        check_stage(stage)
        if not self._compiled:
            raise GraphError(
                f"{_name(self._function)} is not compiled yet",
                expected="a call with arrays, whose shapes and dtypes it is compiled for",
                got="no call",
                fix="call it first",
            )
        graph = list(self._compiled.values())[-1].graph
        return explain(self._executor or executors.default(), graph, stage, gather=False)

    def _arrays(self, leaves: Sequence[Any], structure: TreeForm) -> list[np.ndarray]:
        double = any(getattr(leaf, "dtype", None) == np.float64 for leaf in leaves)
        number_dtype = "float64" if double else config.floatx()
        arrays = []
        for i, leaf in enumerate(leaves):
            if type(leaf) in (int, float):
                arrays.append(np.asarray(leaf, number_dtype))
            elif type(leaf) is np.ndarray and leaf.dtype.name in DTYPES:
                arrays.append(leaf)
            else:
                arrays.append(_checked(leaf, partial(self._path, structure, i)))
        return arrays

    def _path(self, structure: TreeForm, index: int) -> str:
        positional, named = structure.parts
        names = [path for i, part in enumerate(positional.parts) for path in paths(part, f"argument {i}")] + [
            path for key, part in zip(named.keys, named.parts, strict=True) for path in paths(part, f"argument {key!r}")
        ]
        return f"{_name(self._function)}: {names[index]}"

    def _compile(self, structure: TreeForm, types: Sequence[TensorType]) -> _Compiled:
        inputs = {f"x{i}": ops.input_node(f"x{i}", kind.shape, kind.dtype) for i, kind in enumerate(types)}
        args, kwargs = unflatten(structure, iter(inputs.values()))
        token = _inside.set(True)
        try:
            result = self._function(*args, **kwargs)
        finally:
            _inside.reset(token)
        leaves, results = flatten(result)
        nodes = [_result(leaf, self._function) for leaf in leaves]
        if not nodes:
            raise GraphError(
                f"{_name(self._function)} gives nothing",
                expected="an array, or a list, tuple or dict of arrays",
                got=repr(result),
                fix="return what the function computes",
            )
        graph = Graph({f"y{i}": node for i, node in enumerate(nodes)})
        _require_closed(graph, set(inputs.values()), self._function)
        executor = self._executor or executors.default()
        program = executor.compile(graph, gather=False)
        return _Compiled(
            graph, program, list(inputs), {name: node.type for name, node in graph.outputs.items()}, results
        )


@dataclass(frozen=True)
class _Compiled:
    """A function for arguments of certain types."""

    graph: Graph
    program: Program
    inputs: list[str]
    outputs: dict[str, TensorType]
    results: TreeForm

    def run(self, arrays: Sequence[np.ndarray], threads: int) -> Tree:
        outputs = {name: np.empty(kind.shape, kind.dtype) for name, kind in self.outputs.items()}
        self.program.run({}, dict(zip(self.inputs, arrays, strict=True)), None, outputs, threads)
        return unflatten(self.results, iter(outputs.values()))


@checked
def compile_function(
    function: Callable[..., Tree], *, executor: str | Executor | None = None, threads: int | None = None
) -> Function:
    """``function``, written with ``thalweg.ops`` on nodes, as a compiled function of NumPy arrays.

    It is traced and compiled once for each combination of shapes and dtypes, and must depend on nothing but its
    arguments: Python's ``if`` on an array's value, and arrays from outside, are errors. Can be used as a decorator.

    Arguments:
        executor: ``"native"``, ``"numpy"``, ``"xla"`` or an executor; ``thalweg.executors.default()`` unless given.
        threads: exactly so many; unless given or set in ``THALWEG_THREADS``, as many as are quickest. Results do not
            depend on it.

    Example:
        >>> @compile_function
        ... def squared_distance(x, y):
        ...     return ops.reduce_sum(ops.square(x - y), -1)
        >>> squared_distance(np.array([[0.0, 0.0], [3.0, 4.0]]), np.zeros((2, 2)))
        array([ 0., 25.])
    """
    return Function(function, executor, threads)


@checked
def grad(function: Callable[..., Tree], argnums: int | Sequence[int] = 0) -> Function:
    """The gradient of a function with a scalar result, as a compiled function of the same arguments.

    Its result has the structure of the argument; a tuple of such if ``argnums`` is a sequence.

    Arguments:
        argnums: by which positional argument, or arguments; every array in it must be floating point.

    Raises: when called, ArgumentError if there is no such argument; DTypeError if it is not floating point;
        GraphError if the function's result is not one floating point number.

    Example:
        >>> grad(lambda x: x**3)(2.0)
        array(12., dtype=float32)
        >>> grad(grad(lambda x: x**3))(np.float64(2.0))
        array(12.)
    """
    both = _value_and_grad(function, argnums)
    return Function(_named(lambda *args, **kwargs: both(*args, **kwargs)[1], f"grad({_name(function)})"))


@checked
def value_and_grad(function: Callable[..., Tree], argnums: int | Sequence[int] = 0) -> Function:
    """As :func:`grad`, with the function's value in front: ``loss, slopes = value_and_grad(f)(w)``."""
    return Function(_named(_value_and_grad(function, argnums), f"value_and_grad({_name(function)})"))


def _value_and_grad(function: Callable[..., Tree], argnums: int | Sequence[int]) -> Callable[..., Tree]:
    numbers = _argument_numbers(argnums)

    def traced(*args: Tree, **kwargs: Tree) -> Tree:
        args, leaves, structure = _by_arguments(function, args, numbers)
        loss = _scalar(function, function(*args, **kwargs))
        slopes = unflatten(structure, iter(gradients(loss, leaves)))
        return loss, slopes[0] if isinstance(argnums, int) else slopes

    return traced


@checked
def hessian_vector_product(function: Callable[..., Tree], argnum: int = 0) -> Function:
    """``product(vector, *args)``: the second derivatives of a scalar function, times a vector, without the matrix.

    The gradient's inner product with the vector is differentiated once more: two passes backwards, whatever the size.

    Arguments:
        argnum: by which positional argument of ``function``. ``vector`` has its structure, shapes and dtypes.

    Raises: when called, what :func:`grad` raises; ShapeError or DTypeError if the vector does not fit.
    Source: Pearlmutter (1994), Neural Computation 6(1), eq. 1.

    Example:
        >>> product = hessian_vector_product(lambda x: x[0] ** 2 * x[1])
        >>> product(np.array([1.0, 0.0]), np.array([3.0, 5.0]))  # the first column of [[2 y, 2 x], [2 x, 0]]
        array([10.,  6.])
    """
    (number,) = numbers = _argument_numbers(argnum)

    def traced(vector: Tree, *args: Tree, **kwargs: Tree) -> Tree:
        args, leaves, structure = _by_arguments(function, args, numbers)
        slopes = gradients(_scalar(function, function(*args, **kwargs)), leaves)
        parts = _vector(vector, structure.parts[0], leaves, f"{_name(function)}: the vector for argument {number}")
        # in double precision, in which slopes of different dtypes can be added up
        terms = [ops.cast(ops.reduce_sum(g * v), "float64") for g, v in zip(slopes, parts, strict=True)]
        return unflatten(structure, iter(gradients(sum(terms[1:], terms[0]), leaves)))[0]

    return Function(_named(traced, f"hessian_vector_product({_name(function)})"))


def _argument_numbers(argnums: int | Sequence[int]) -> tuple[int, ...]:
    given = (argnums,) if isinstance(argnums, int) else argnums
    numbers: tuple[int, ...] = check_value("grad", "argnums", tuple[int, ...], given)
    return numbers


def _by_arguments(
    function: Callable[..., Tree], args: tuple[Tree, ...], numbers: tuple[int, ...]
) -> tuple[tuple[Tree, ...], list[Node], TreeForm]:
    """The arguments with new nodes for those to differentiate by, these nodes, and what they are the leaves of.

    New nodes, because the same node may stand for two arguments, or be used by the function in another way too.
    """
    for number in numbers:
        if not -len(args) <= number < len(args):
            raise ArgumentError(
                f"{_name(function)}: there is no positional argument {number} to differentiate by",
                expected=f"argnums from 0 to {len(args) - 1}" if args else "a positional argument",
                got=f"argnums={number} in a call with {len(args)} positional arguments",
                fix="pass the argument by position, or choose another argnums",
            )
    leaves, structure = flatten(tuple(args[number] for number in numbers))
    if not leaves:
        raise ArgumentError(
            f"{_name(function)}: there is nothing to differentiate by",
            expected=f"arrays in argument {numbers[0] if numbers else 0}",
            got=f"{[args[number] for number in numbers]}",
            fix="choose another argnums",
        )
    names = [path for number, part in zip(numbers, structure.parts, strict=True) for path in paths(part, f"{number}")]
    fresh = [_fresh(leaf, f"{_name(function)}: argument {path}") for leaf, path in zip(leaves, names, strict=True)]
    new = list(args)
    for number, tree in zip(numbers, unflatten(structure, iter(fresh)), strict=True):
        new[number] = tree
    return tuple(new), fresh, structure


def _fresh(leaf: Any, path: str) -> Node:
    node = _node(leaf, config.floatx(), path)
    if not node.type.is_float:
        raise DTypeError(
            f"{path} cannot be differentiated by",
            expected="floating point numbers",
            got=str(node.type),
            fix="pass array.astype('float32'), or choose another argnums",
        )
    return apply(Cast(node.dtype), node)  # to the dtype that it has: the identity


def _vector(vector: Tree, structure: TreeForm, leaves: Sequence[Node], owner: str) -> list[Node]:
    given, shape = flatten(vector)
    if shape != structure:
        raise ShapeError(
            f"{owner} has another structure than that argument",
            expected=f"{len(leaves)} arrays, nested as in the argument",
            got=f"{len(given)} arrays in a {type(vector).__name__}",
            fix="pass one array for each array of the argument, in equal lists and dicts",
        )
    parts = [_node(part, leaf.dtype, owner) for part, leaf in zip(given, leaves, strict=True)]
    for part, leaf in zip(parts, leaves, strict=True):
        if part.type != leaf.type:
            raise (ShapeError if part.shape != leaf.shape else DTypeError)(
                f"{owner} does not fit that argument",
                expected=str(leaf.type),
                got=str(part.type),
                fix="pass a vector of the argument's shape and dtype",
            )
    return parts


def _scalar(function: Callable[..., Tree], result: Tree) -> Node:
    if isinstance(result, Node) and result.shape == () and result.type.is_float:
        return result
    what = str(result.type) if isinstance(result, Node) else f"{result!r:.60} ({type(result).__name__})"
    raise GraphError(
        f"{_name(function)} cannot be differentiated: its result is not one number",
        expected="a floating point scalar, a node of shape ()",
        got=what,
        fix="sum or average it, for example with ops.reduce_mean, and return only that",
    )


def _node(leaf: Any, dtype: str, path: str) -> Node:
    """A node, or a number in this dtype as one."""
    if isinstance(leaf, Node):
        return leaf
    if isinstance(leaf, int | float | np.number):
        return ops.constant(leaf.item() if isinstance(leaf, np.number) else leaf, dtype)
    raise DTypeError(
        f"{path} comes from outside of the function that is traced",
        expected="a node, or a number",
        got=type(leaf).__name__,
        fix="make the array an argument of the outer function",
    )


def _checked(leaf: Any, path: Callable[[], str]) -> np.ndarray:
    """An array of a dtype that graphs have."""
    try:
        array = np.asarray(leaf)
        if array.dtype.name in DTYPES:
            return array
    except (TypeError, ValueError):
        pass
    name = path()
    array = as_array(leaf, name)
    raise DTypeError(
        f"{name} has a dtype that graphs do not have",
        expected=", ".join(DTYPES),
        got=str(array.dtype),
        fix=f"pass array.astype({'float32' if array.dtype.kind == 'f' else 'int32'!r})",
    )


def _result(leaf: Any, function: Callable[..., Tree]) -> Node:
    if isinstance(leaf, Node):
        return leaf
    if isinstance(leaf, bool | int | float):
        dtype = "bool" if isinstance(leaf, bool) else "int64" if isinstance(leaf, int) else config.floatx()
        return ops.constant(leaf, dtype)
    raise DTypeError(
        f"{_name(function)} gives something that is neither a node nor a number",
        expected="what operations of thalweg.ops give",
        got=f"{leaf!r:.60} ({type(leaf).__name__})",
        fix="compute with thalweg.ops in place of NumPy inside the function, and pass arrays as arguments",
    )


def _require_closed(graph: Graph, inputs: set[Node], function: Callable[..., Tree]) -> None:
    """Raise GraphError if the graph has leaves that are not the function's own arguments."""
    for node in graph.nodes():
        if isinstance(node.op, Input | State) and node not in inputs:
            raise GraphError(
                f"{_name(function)} uses a node that is none of its arguments",
                expected="a function of its arguments alone",
                got=f"the {type(node.op).__name__.lower()} {node.op.label!r} {node.type}, made elsewhere",
                fix="keep no nodes from one call to the next; pass as an argument what the function needs",
            )


def _name(function: Callable[..., Tree]) -> str:
    return str(getattr(function, "__name__", None) or repr(function))


def _named(function: Callable[..., Tree], name: str) -> Callable[..., Tree]:
    function.__name__ = name
    return function
