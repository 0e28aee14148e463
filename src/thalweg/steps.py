"""Gradients in steps that a user writes: ``train_step`` of a model, as in Keras's guide on customizing ``fit``."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from thalweg import ops
from thalweg.backprop import gradients as slopes_of
from thalweg.errors import ArgumentError, GraphError
from thalweg.graph.node import Node, topological
from thalweg.layers.tracing import Parameter, tracing_now
from thalweg.trees import flatten, unflatten

__all__ = ["GradientTape", "gradients"]


class GradientTape:
    """Marks the lines that compute a loss, in the manner of TensorFlow; ``gradient`` differentiates it.

    The step is one graph that is there as a whole, so nothing has to be recorded: ``watch`` does nothing, every tape is
    persistent, and ``gradient`` may stand inside of the block or behind it.

    Example:
        ``with GradientTape() as tape: loss = self.compute_loss(y=y, y_pred=self(x, training=True))``
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = persistent
        self.watch_accessed_variables = watch_accessed_variables

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def watch(self, tensor: Any) -> None:
        """Accepted: any tensor of the step may be differentiated by."""

    def gradient(
        self, target: Any, sources: Any, output_gradients: None = None, unconnected_gradients: str = "none"
    ) -> Any:
        """The derivatives of ``target`` as ``gradients`` gives them; ``unconnected_gradients="zero"``: 0 for None."""
        if output_gradients is not None:
            raise ArgumentError(
                "GradientTape.gradient: output_gradients are not there",
                expected="output_gradients=None",
                got=f"{output_gradients!r:.60}",
                fix="multiply the target by them, and add up: tape.gradient(ops.reduce_sum(target * g), sources)",
            )
        found = gradients(target, sources)
        if unconnected_gradients != "zero":
            return found
        leaves, form = flatten(sources)
        filled = [_zero(x) if g is None else g for x, g in zip(leaves, _leaves(found), strict=True)]
        return unflatten(form, iter(filled))


def gradients(loss: Any, sources: Any) -> Any:
    """The derivatives of a loss by weights or other tensors of the step; None where it does not depend on one.

    Arguments:
        loss: a tensor, of which all numbers are added up, or a list of such.
        sources: a weight or tensor, or nested lists and mappings of such; the result looks like it.

    Raises: GraphError outside of a step.
    """
    leaves, form = flatten(sources)
    losses, _ = flatten(loss)
    for x in (*losses, *leaves):
        if not isinstance(x, Node | Parameter):
            raise _no_step(x)
    trace = tracing_now()
    if trace is None and any(isinstance(x, Parameter) for x in leaves):
        raise _no_step(leaves[0])
    total = None
    for part in losses:
        summed = ops.reduce_sum(part.node if isinstance(part, Parameter) else part)
        total = summed if total is None else total + summed
    if total is None:
        raise _no_step(loss)
    versions = [trace.versions(x) if trace is not None and isinstance(x, Parameter) else [x] for x in leaves]
    reached = set(topological([total]))
    used = [[node for node in nodes if node in reached] for nodes in versions]
    found = iter(slopes_of(total, [node for nodes in used for node in nodes]))
    results: list[Node | None] = []
    for nodes in used:
        parts = [next(found) for _ in nodes]
        results.append(sum(parts[1:], parts[0]) if parts else None)
    if trace is not None:
        trace.objectives.append(total)
        trace.slopes += [g for g in results if g is not None]
    return unflatten(form, iter(results))


def _leaves(tree: Any) -> list[Any]:
    """As ``flatten`` gives them, None among them."""
    if isinstance(tree, dict):
        return [leaf for key in sorted(tree, key=str) for leaf in _leaves(tree[key])]
    return [leaf for part in tree for leaf in _leaves(part)] if isinstance(tree, list | tuple) else [tree]


def _zero(x: Any) -> Node:
    node = x.node if isinstance(x, Parameter) else x
    return ops.broadcast(ops.constant(0, node.dtype), node.shape, ())


def _no_step(x: Any) -> GraphError:
    return GraphError(
        "a gradient is asked for outside of a compiled step",
        expected="a tensor of the step: in train_step(self, data) of a model, what layers and thalweg.ops give",
        got=f"{x!r:.60} ({type(x).__name__})",
        fix="write these lines into train_step of a class derived from Model, and call fit or train_on_batch; for a "
        "function of arrays there is thalweg.value_and_grad",
    )
