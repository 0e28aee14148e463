"""What in an image speaks for a class: the score's derivatives by the pixels, and by the feature maps of a layer.

The score of a class is what the last softmax or sigmoid is given, as in the papers: probabilities hardly change where a
model is sure. The derivatives are back-propagation's own, compiled into one function with the forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from thalweg import config, ops
from thalweg.backprop import gradients
from thalweg.checks import checked
from thalweg.data.arrays import as_array, converted
from thalweg.data.source import Arrays
from thalweg.errors import ArgumentError, DataError, DTypeError, ShapeError
from thalweg.graph.node import Node
from thalweg.layers.layer import Layer
from thalweg.layers.tracing import Trace, current_trace
from thalweg.model import Model
from thalweg.ops.elementwise import Sigmoid
from thalweg.ops.shape import unreshaped
from thalweg.ops.softmax import Softmax
from thalweg.visualization.inside import find, is_convolution, result_of, run

CLASSES = "classes"


@checked
def saliency(model: Model, images: Any, classes: Any = None) -> np.ndarray:
    """``max over the channels of |d score / d pixel|``: which pixels would change the score most.

    Shapes: images (n, height, width, channels) -> (n, height, width). Data of other axes keep them.

    Arguments:
        model: of one input and one output (n, classes).
        images: as ``model.predict`` takes them; bytes are differentiated by as if they were floats.
        classes: one class number for all, or (n,); what the model answers unless given. With a single unit the classes
            are 1, of which the unit's value is the score, and 0, of which its negative is.

    Raises: ShapeError or DTypeError for models or data of another kind, DataError for a class that does not exist.
    Source: Simonyan, Vedaldi & Zisserman (2013), arXiv:1312.6034, section 3.1.
    """

    def watched(inputs: Mapping[str, Node], choose: _Choice) -> Node:
        pixels = ops.cast(inputs["x"], _float_for(inputs["x"]))
        (slopes,) = gradients(choose(_outputs(model, {**inputs, "x": pixels})), [pixels])
        sizes = ops.absolute(slopes)
        return ops.reduce_max(sizes, -1) if sizes.rank == 4 else sizes

    return _explained(model, images, classes, watched, "saliency")


@checked
def grad_cam(model: Model, images: Any, layer: Any = None, classes: Any = None) -> np.ndarray:
    """``relu(sum over k of alpha_k A^k)``: where the feature maps A of a layer speak for a class, at their resolution.

    ``alpha_k`` is the mean over all places of ``d score / d A^k`` (the paper's eq. 1; the sum is its eq. 2).
    ``plot_heatmaps`` lays the result over the images.

    Shapes: images (n, height, width, channels), A (n, rows, columns, k) -> (n, rows, columns).

    Arguments:
        layer: or its name, in a model inside the model ``"encoder/conv2d"``. Unless given the last one whose maps have
            the size that the last convolution gives, so with its normalization, addition and activation.
        model, images, classes: as in ``saliency``.

    Raises: ArgumentError if there is no such layer, ShapeError if it gives no maps; and as ``saliency``.
    Source: Selvaraju et al. (2017), arXiv:1610.02391.
    """
    wanted = None if layer is None else find(model, layer)

    def watched(inputs: Mapping[str, Node], choose: _Choice) -> Node:
        score = choose(_outputs(model, inputs))
        maps, first = _feature_maps(model, wanted, current_trace())
        (slopes,) = gradients(score, [maps])
        if first:
            maps, slopes = (ops.transpose(node, (0, 2, 3, 1)) for node in (maps, slopes))
        alpha = ops.reduce_mean(slopes, (1, 2), keepdims=True)
        return ops.relu(ops.reduce_sum(maps * ops.broadcast_to(alpha, maps.shape), -1))

    return _explained(model, images, classes, watched, "grad_cam")


_Choice = Callable[[Node], Node]
"""From the scores (n, classes) to the sum of those of the classes asked for: samples do not meet in a model."""


def _explained(
    model: Model, images: Any, classes: Any, watched: Callable[[Mapping[str, Node], _Choice], Node], owner: str
) -> np.ndarray:
    model.build_for(images)
    rows = model.runner.rows(images)
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.outputs[0].shape) != 2:
        raise ShapeError(
            f"{owner} is for models that tell classes apart",
            expected="one input, and one output of shape (n, classes)",
            got=f"inputs {[s.shape for s in model.inputs]}, outputs {[s.shape for s in model.outputs]}",
            fix="pass the part that gives classes: Model(input, output)",
        )
    units = model.outputs[0].type(1).shape[1]
    further: Arrays = {} if classes is None else {CLASSES: _class_numbers(classes, rows.count, max(units, 2), owner)}

    def of_nodes(inputs: Mapping[str, Node]) -> Node:
        return watched(inputs, lambda scores: _chosen(scores, inputs.get(CLASSES)))

    return run(model, rows, of_nodes, further)


def _class_numbers(classes: Any, count: int, known: int, owner: str) -> np.ndarray:
    array = as_array(classes, CLASSES)
    given = converted(array.reshape(-1), "int32", CLASSES).reshape(array.shape)
    if given.shape not in ((), (count,)):
        raise ShapeError(
            f"{owner}: the classes do not fit the images",
            expected=f"one class, or ({count},)",
            got=str(given.shape),
            fix="pass one class number for each image",
        )
    outside = given[(given < 0) | (given >= known)]
    if outside.size:
        raise DataError(
            f"{owner}: there is no such class",
            expected=f"numbers from 0 to {known - 1}",
            got=str(outside.flat[0]),
            fix="number the classes as the model's outputs",
        )
    return np.ascontiguousarray(np.broadcast_to(given, (count,)))


def _outputs(model: Model, inputs: Mapping[str, Node]) -> Node:
    """The scores: the output, or what its softmax or sigmoid was given."""
    (output,) = model.runner.call(inputs, False).values()
    made_by = unreshaped(output)
    return ops.reshape(made_by.inputs[0], output.shape) if isinstance(made_by.op, Softmax | Sigmoid) else output


def _chosen(scores: Node, classes: Node | None) -> Node:
    if scores.shape[1] == 1:
        positive = scores > 0.0 if classes is None else ops.reshape(ops.equal(classes, 1), scores.shape)
        return ops.reduce_sum(ops.select(positive, scores, -scores))
    numbers = ops.argmax(scores, -1) if classes is None else classes
    units = ops.iota(scores.shape, 1, numbers.dtype)
    return ops.reduce_sum(ops.select(ops.equal(ops.broadcast(numbers, scores.shape, (0,)), units), scores, 0.0))


def _float_for(x: Node) -> str:
    if x.type.is_float:
        return x.dtype
    if x.dtype == "uint8":
        return config.floatx()
    raise DTypeError(
        "saliency: there is no derivative by this input",
        expected="floating point numbers, or bytes",
        got=str(x.type),
        fix="for words or categories ask for that of the embedding: Model(embedded, output)",
    )


def _feature_maps(model: Model, layer: Layer | None, trace: Trace) -> tuple[Node, bool]:
    """The maps, and whether their channels come first."""
    if layer is None:
        layer = _last_maps(model, trace)
    maps = result_of(layer, trace)
    if maps.rank != 4:
        raise ShapeError(
            "grad_cam: the layer gives no feature maps",
            expected="(batch, height, width, channels)",
            got=str(("batch", *maps.shape[1:])),
            fix="choose a convolution, or a layer between it and Flatten or GlobalAveragePooling2D",
            layer=str(layer),
        )
    return maps, getattr(layer, "data_format", None) == "channels_first"


def _last_maps(model: Model, trace: Trace) -> Layer:
    """The last layer whose maps have the size of those of the last convolution."""
    maps = {
        layer: uses[0]
        for layer, uses in trace.results.items()
        if isinstance(layer, Layer) and len(uses) == 1 and isinstance(uses[0], Node) and uses[0].rank == 4
    }
    convolutions = [layer for layer in maps if is_convolution(layer)]
    if not convolutions:
        raise ArgumentError(
            "grad_cam: there is no convolution",
            expected="layer=, or a model with a layer such as Conv2D",
            got=f"{model.name!r} without one",
            fix="pass the layer whose maps are wanted",
        )
    last = convolutions[-1]
    if getattr(last, "data_format", None) == "channels_first":
        return last
    return [layer for layer, node in maps.items() if node.shape[:3] == maps[last].shape[:3]][-1]
