"""What is inside a model: its layers by name, the filters that they learned, and what they give for some data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from thalweg import cores
from thalweg.checks import checked
from thalweg.data.source import Arrays, Rows
from thalweg.errors import ArgumentError, ShapeError, did_you_mean
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.connecting import OF_BATCH, without_batch
from thalweg.layers.layer import Layer
from thalweg.layers.signature import SOME_BATCH
from thalweg.layers.tracing import Trace, current_trace
from thalweg.model import Model
from thalweg.training.inference import BATCH, Prediction
from thalweg.training.programs import Programs
from thalweg.training.step import Net, prediction_label, prediction_step

Watched = Callable[[Mapping[str, Node]], Node]
"""From the inputs of a model, and further ones, to what is wanted of it; called while a graph is drawn."""


@checked
def filters(model: Model, layer: Any = None) -> np.ndarray:
    """The filters of a convolution as images.

    Shapes: -> (filters, height, width, channels); of a layer of series (filters, time, channels), and so on. Of
    depthwise and separable ones each filter has one channel.

    Arguments:
        layer: or its name, in a model inside the model ``"encoder/conv2d"``; the first convolution unless given.

    Raises: ArgumentError if there is no such layer, or it is no convolution.
    """
    model.runner.require_built("filters")
    known = model.runner.structure.layers_by_path()
    there = {path: each for path, each in known.items() if is_convolution(each)}
    found = next(iter(there.values()), None) if layer is None else find(model, layer)
    if found is None or not is_convolution(found):
        raise ArgumentError(
            "filters: there is no convolution",
            expected="a layer such as Conv2D",
            got="a model without one" if found is None else str(found),
            fix="choose from " + (", ".join(map(repr, there)) or "the layers of another model"),
        )
    model.runner.give_values()
    kernel = next(iter(found.own_parameters.values())).numpy()  # (*size, channels, filters)
    if "depth_multiplier" in vars(found):
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    elif "output_padding" in vars(found):  # of a transposed one: (*size, filters, channels)
        kernel = np.swapaxes(kernel, -1, -2)
    return np.moveaxis(kernel, -1, 0)


@checked
def activations(model: Model, x: Any, layer: Any) -> np.ndarray:
    """What a layer gives for these data, as in prediction. ``Model(model.inputs, layer.output)`` predicts the same.

    Shapes: x as ``model.predict`` takes it -> (rows, *the layer's output).

    Arguments:
        layer: or its name; in a model inside the model ``"encoder/conv2d"``.

    Raises: ArgumentError if there is no such layer, if it is used several times or has several results; what
        ``predict`` raises for data that do not fit.
    """
    found = find(model, layer)

    def watched(inputs: Mapping[str, Node]) -> Node:
        model.runner.call(inputs, False)
        return result_of(found, current_trace())

    model.build_for(x)
    return run(model, model.runner.rows(x), watched)


def find(model: Model, wanted: Any) -> Layer:
    """The layer of this name or path. Raises ArgumentError if there is none."""
    known = model.runner.structure.layers_by_path()
    if isinstance(wanted, Model):
        wanted = wanted.as_layer()
    if isinstance(wanted, Layer) and wanted in known.values():
        return wanted
    if isinstance(wanted, str) and wanted in known:
        return known[wanted]
    name = wanted if isinstance(wanted, str) else getattr(wanted, "label", repr(wanted))
    raise ArgumentError(
        f"there is no such layer in {model.name!r}",
        expected=", ".join(map(repr, known)) or "a model with layers",
        got=f"{name!r:.80}",
        fix=did_you_mean(str(name), known),
    )


def result_of(layer: Layer, trace: Trace) -> Node:
    """The node that a layer gave in a trace. Raises ArgumentError if it is not one."""
    uses = trace.results.get(layer, [])
    if len(uses) == 1 and isinstance(uses[0], Node):
        return uses[0]
    raise ArgumentError(
        f"{layer} does not have one result in this model",
        expected="a layer that is called once and gives one tensor",
        got=f"{len(uses)} calls" if len(uses) != 1 else "several results",
        fix="keep the symbol that you mean when you connect the layers: Model(inputs, symbol).predict(x)",
    )


def run(model: Model, rows: Rows, watched: Watched, further: Arrays | None = None) -> np.ndarray:
    """What ``watched`` makes of the rows, in pieces like ``predict``.

    Arguments:
        further: arrays of as many rows, for inputs beside the model's.
    """
    rows = rows.beside(further or {})
    net = _watching(model.runner.net(rows), watched, further or {})
    programs = model.runner.programs(rows)
    prediction = Prediction(net, Programs(programs.executor, programs.state))
    results = prediction.run(rows, BATCH, cores.wanted(None), lambda done: True)
    return results[prediction_label("")]


def _watching(net: Net, watched: Watched, further: Arrays) -> Net:
    inputs = dict(net.inputs)
    for label, array in further.items():
        inputs[label] = TensorType((SOME_BATCH, *array.shape[1:]), array.dtype.name)
    watching = replace(net, inputs=inputs, call=lambda nodes, training: {"": watched(nodes)})
    try:
        (kind,) = without_batch(lambda batch: (prediction_step(watching, batch).graph.outputs["prediction"].type,))
    except ShapeError as error:
        if error.problem in OF_BATCH:
            error.problem = "the layer's result has no axis of samples"
            error.fix = "choose a layer that keeps the axis of samples as it is"
        raise
    return replace(watching, outputs={"": kind.with_shape((SOME_BATCH, *kind.shape))})


def is_convolution(layer: Layer) -> bool:
    """Whether a layer has a kernel that moves over an image."""
    return hasattr(layer, "kernel_size")
