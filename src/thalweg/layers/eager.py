"""Layers called on arrays: ``Dense(3)(np.ones((2, 4)))`` builds the layer and gives an array."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from thalweg import config, ops
from thalweg.data.arrays import as_array
from thalweg.errors import ThalwegError
from thalweg.graph.node import Node, topological
from thalweg.graph.types import DTYPES, TensorType
from thalweg.layers.layer import Layer, called_on
from thalweg.layers.signature import Arguments
from thalweg.layers.tracing import Parameter, Trace, mask_of, tracing, tracing_now
from thalweg.ops.leaf import State
from thalweg.ops.reference import reference_values
from thalweg.state.names import DRAW_STATE, SEED_STATE
from thalweg.trees import flatten, unflatten

# Which places of an array that a layer gave count: by the array's identity, as long as it lives.
_masks: dict[int, tuple[ref[np.ndarray], np.ndarray]] = {}

# Of each layer that was called on arrays: its seed, and numbers for its draws.
_seeds: WeakKeyDictionary[Layer, tuple[int, Iterator[int]]] = WeakKeyDictionary()


@called_on(np.ndarray)
def on_arrays(layer: Layer, inputs: tuple[np.ndarray, ...], training: bool | None, arguments: Arguments) -> Any:
    """What the layer gives for these arrays, nested as ``call`` gives it; computed at once, operation by operation.

    Parameters get values, which models that the layer is put into later share. With ``training=True`` it behaves as in
    a step of training: dropout drops, others in every call, and moving means move. A mask goes with the array itself to
    the next layer, not with what else is made of it.

    Inside of ``call`` the array is part of the graph, the same at each step: ``ops.arange`` for one.

    Raises: DTypeError for arrays of anything but numbers; inside of ``call`` GraphError for a long one that is not
        regular.
    """
    if tracing_now() is not None:
        return layer.on_nodes(tuple(map(ops.literal, inputs)), training, arguments)
    try:
        arrays = [_of_known_dtype(array, number) for number, array in enumerate(inputs)]
    except ThalwegError as error:
        error.layer = str(layer)
        raise
    masks = [mask_of_array(array) for array in inputs]
    types = [TensorType.of(array) for array in arrays]
    if not layer.built:
        layer.outcome(types, arguments, [None if mask is None else TensorType.of(mask) for mask in masks])
    parameters = give_values(layer)
    nodes = tuple(ops.input_node(f"x{number}", kind.shape, kind.dtype) for number, kind in enumerate(types))
    known = dict(zip(nodes, arrays, strict=True))
    with tracing(parameters, counter=DRAW_STATE) as trace:
        for number, (node, mask) in enumerate(zip(nodes, masks, strict=True)):
            if mask is not None:
                trace.masks[node] = ops.input_node(f"mask{number}", mask.shape, "bool")
                known[trace.masks[node]] = mask
        leaves, form = flatten(layer.on_nodes(nodes, bool(training), arguments))
        masks_of_results = [mask_of(leaf) for leaf in leaves]
    updates = trace.updates
    wanted = [*leaves, *updates.values(), *(mask for mask in masks_of_results if mask is not None)]
    known |= _states(wanted, parameters, trace, layer)
    values = reference_values(wanted, known)
    counting = iter(values[len(leaves) + len(updates) :])
    for value, mask_node in zip(values, masks_of_results, strict=False):
        if mask_node is not None:
            _remember_mask(value, next(counting))
    for name, value in zip(updates, values[len(leaves) :], strict=False):
        next(p for p in parameters.values() if trace.state(p) == name).assign(value)
    return unflatten(form, iter(values[: len(leaves)]))


def mask_of_array(array: np.ndarray) -> np.ndarray | None:
    """Which places of an array that a layer gave count; None where all do."""
    known = _masks.get(id(array))
    return known[1] if known is not None and known[0]() is array else None


def _remember_mask(array: np.ndarray, mask: np.ndarray) -> None:
    key = id(array)
    _masks[key] = (ref(array, lambda _: _masks.pop(key, None)), mask)


def give_values(layer: Layer) -> dict[str, Parameter]:
    """The parameters of a built layer by path; those that no model has given a value get one."""
    parameters = layer.named_parameters()
    for path, parameter in parameters.items():
        if parameter.variable is None:
            parameter.make(_seed(layer)[0], f"{layer.label}/{path}")
    return parameters


def _seed(layer: Layer) -> tuple[int, Iterator[int]]:
    if layer not in _seeds:
        _seeds[layer] = (config.new_seed(), count())
    return _seeds[layer]


def _states(wanted: list[Node], parameters: dict[str, Parameter], trace: Trace, layer: Layer) -> dict[Node, np.ndarray]:
    """The values of the states that the nodes depend on."""
    values = {trace.state(parameter): parameter.numpy() for parameter in parameters.values()}
    if trace.drawn:
        seed, draws = _seed(layer)
        values |= {SEED_STATE: np.array(seed, np.uint32), DRAW_STATE: np.array(next(draws) % 2**32, np.uint32)}
    return {node: values[node.op.label] for node in topological(wanted) if isinstance(node.op, State)}


def _of_known_dtype(array: np.ndarray, number: int) -> np.ndarray:
    """As it is, if the graph has its dtype; small integers and half precision in a larger one. Raises DTypeError."""
    if array.dtype.name in DTYPES:
        return array
    array = as_array(array, f"input {number}")
    return array.astype("float32" if array.dtype.kind == "f" else "int32")
