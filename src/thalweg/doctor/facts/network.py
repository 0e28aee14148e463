"""What the graph of a network says of it: what stands in front of its weights, what follows them, what goes round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from thalweg.graph.node import Node, topological
from thalweg.layers.layer import Layer
from thalweg.layers.tracing import tracing
from thalweg.ops.contraction import Contraction
from thalweg.ops.convolution import Convolution, TransposedConvolution
from thalweg.ops.elementwise import Add
from thalweg.ops.leaf import Input, State
from thalweg.state.names import DRAW_STATE, PARAMETERS
from thalweg.training.step import Net, inputs_of

PRODUCTS = (Contraction, Convolution, TransposedConvolution)
FRONT = f"{PARAMETERS}/"


class Network:
    """A network as a graph.

    Arguments:
        predictions: its outputs in a graph, as ``Step.predictions``, in the order of the model's outputs.
        layers: path -> layer, those inside of others too.
    """

    def __init__(self, predictions: Sequence[Node], layers: Mapping[str, Layer]) -> None:
        self.predictions = tuple(predictions)
        self.layers = dict(layers)

    @classmethod
    def of(cls, net: Net, layers: Mapping[str, Layer]) -> Network:
        """Of what a model hands to its steps, as it predicts."""
        with tracing(net.parameters, DRAW_STATE):
            return cls(tuple(net.call(inputs_of(net, 2), False).values()), layers)

    @cached_property
    def nodes(self) -> list[Node]:
        """All, each after those that it needs."""
        return topological(self.predictions)

    @cached_property
    def users(self) -> dict[Node, list[Node]]:
        """Of each node those that take it."""
        users: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for x in node.inputs:
                users[x].append(node)
        return users

    @cached_property
    def of_data(self) -> frozenset[Node]:
        """Those that depend on the rows."""
        found: set[Node] = set()
        for node in self.nodes:
            if isinstance(node.op, Input) or any(x in found for x in node.inputs):
                found.add(node)
        return frozenset(found)

    @cached_property
    def parameters(self) -> list[str]:
        """The paths of all, in the order in which the data meet them."""
        return list(dict.fromkeys(path for node in self.nodes for path in self.weights_in(node)))

    @cached_property
    def weighing(self) -> dict[str, Node]:
        """Path of a layer -> its last product of data with weights."""
        found: dict[str, Node] = {}
        for node in self.nodes:
            if self.weighs(node):
                found[self.layer_of(node)] = node
        return found

    def weighs(self, node: Node) -> bool:
        """Whether it multiplies data with parameters."""
        return isinstance(node.op, PRODUCTS) and bool(self.weights_in(node))

    def weights_in(self, node: Node) -> list[str]:
        """The paths of the parameters that something made of data takes beside them."""
        if node not in self.of_data:
            return []
        found = [leaf for x in node.inputs if x not in self.of_data for leaf in topological([x])]
        states = [leaf.op.label for leaf in found if isinstance(leaf.op, State)]
        return [label.removeprefix(FRONT) for label in states if label.startswith(FRONT)]

    def layer_of(self, node: Node) -> str:
        """The path of the layer that made a node: the name of the innermost one that is known."""
        path = node.layer
        while path and path not in self.layers:
            path = path.rpartition("/")[0]
        return path or node.layer

    def maker(self, node: Node) -> Layer | None:
        """The layer that made a node."""
        return self.layers.get(self.layer_of(node))

    def inputs(self) -> list[Node]:
        """Where rows come in."""
        return [node for node in self.nodes if isinstance(node.op, Input)]

    def before_weights(self, start: Node, end: tuple[type[Layer], ...]) -> tuple[list[Node], bool]:
        """The nodes on the way from ``start`` to the first products with weights, and whether any is reached.

        Arguments:
            end: layers behind which nobody looks.
        """
        passed: dict[Node, None] = {}
        stack, reached = [start], False
        while stack:
            node = stack.pop()
            if node in passed:
                continue
            passed[node] = None
            for user in self.users[node]:
                if self.weighs(user):
                    reached = True
                elif not isinstance(self.maker(user), end):
                    stack.append(user)
        return list(passed), reached

    def reaches_weights(self, start: Node, end: tuple[type[Layer], ...]) -> bool:
        """Whether there is a way from ``start`` to a product with weights that no layer of these kinds stands in."""
        return self.before_weights(start, end)[1]

    @cached_property
    def residual(self) -> frozenset[str]:
        """The layers whose results are added to what went around them."""
        found: set[str] = set()
        for node in self.nodes:
            if isinstance(node.op, Add) and all(x in self.of_data for x in node.inputs):
                left, right = (self._needs(x) for x in node.inputs)
                if left & right & self.of_data:
                    found |= {self.layer_of(x) for x in left ^ right if self.weighs(x)}
        return frozenset(found)

    def _needs(self, node: Node) -> set[Node]:
        return set(topological([node]))
