"""What the network of an estimator is: a value, of which layers, nets and first weights are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from thalweg import layers
from thalweg.dtype_policies import DTypePolicy
from thalweg.fields import dataclass
from thalweg.graph.node import Node
from thalweg.graph.types import TensorType
from thalweg.layers.layer import Layer
from thalweg.layers.signature import SOME_BATCH
from thalweg.layers.tracing import Parameter
from thalweg.model.sequential import Sequential
from thalweg.model.structure import Structure, stacked
from thalweg.state import State, Variable
from thalweg.state.names import SEED_STATE, STEP_STATE, parameter_state
from thalweg.training.step import Net

Activation = str | Callable[[Node], Node]

OUR_NAMES = {"identity": "linear", "logistic": "sigmoid", "exp": "exponential"}
"""scikit-learn's names of activations that have another one here."""

KEPT = 32
"""How many designs keep in a process what is made of them: graphs and programs."""

OUTPUT = "output"
"""The name of the last layer with weights."""


@dataclass(frozen=True)
class Design:
    """A multilayer perceptron.

    Attributes:
        activations, dropouts: of the hidden layers, one each.
        out_activation: "identity", "logistic", "softmax" or "exp".
        batch_normalization: whether the sums of the hidden layers are normalized.
        policy: the layers' dtype, or policy of dtypes.
    """

    features: int
    hidden: tuple[int, ...]
    activations: tuple[Activation, ...]
    dropouts: tuple[float, ...]
    batch_normalization: bool
    outputs: int
    out_activation: str
    policy: str

    def __reduce__(self) -> tuple[Callable[..., Design], tuple[Any, ...]]:
        """Without what is made of it."""
        return design, tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @property
    def units(self) -> tuple[int, ...]:
        """The sizes of all layers, from the features to the outputs."""
        return (self.features, *self.hidden, self.outputs)

    @property
    def dtype(self) -> str:
        """Of weights, features and results."""
        return DTypePolicy(self.policy).variable_dtype

    @property
    def dense(self) -> tuple[str, ...]:
        """The names of the layers that ``coefs_`` and ``intercepts_`` are of."""
        return (*(f"hidden_{i + 1}" for i in range(len(self.hidden))), OUTPUT)

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers."""
        return any(self.dropouts)

    @property
    def by_row(self) -> bool:
        """Whether the rows of a batch do not matter to each other."""
        return not self.batch_normalization

    def layers(self) -> list[Layer]:
        """New layers."""
        made: list[Layer] = []
        each = zip(self.hidden, self.activations, self.dropouts, self.dense, strict=False)
        for number, (units, activation, rate, name) in enumerate(each, 1):
            function = ours(activation)
            if self.batch_normalization:
                made.append(layers.Dense(units, name=name, dtype=self.policy))
                made.append(layers.BatchNormalization(name=f"normalization_{number}", dtype=self.policy))
                made.append(layers.Activation(function, name=f"activation_{number}", dtype=self.policy))
            else:
                made.append(layers.Dense(units, activation=function, name=name, dtype=self.policy))
            if rate:
                made.append(layers.Dropout(rate, name=f"dropout_{number}", dtype=self.policy))
        made.append(layers.Dense(self.outputs, name=OUTPUT, dtype=self.policy))
        if self.out_activation != "identity":
            made.append(layers.Activation(ours(self.out_activation), name=self.out_activation, dtype=self.policy))
        return made

    def model(self) -> Sequential:
        """A new model of this design."""
        return Sequential([layers.Input((self.features,), dtype=self.dtype), *self.layers()])

    @cached_property
    def structure(self) -> Structure:
        """The layers that graphs are drawn of; their parameters have no values."""
        return stacked(layers.Input((self.features,), dtype=self.dtype), self.layers())

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """By path."""
        return self.structure.parameters()

    @cached_property
    def net(self) -> Net:
        """What the graph of a prediction is made of."""
        return Net(
            inputs={"x": TensorType((SOME_BATCH, self.features), self.dtype)},
            outputs={"": TensorType((SOME_BATCH, self.outputs), self.dtype)},
            parameters=self.parameters,
            trainable=frozenset(path for path, parameter in self.parameters.items() if parameter.trainable),
            call=lambda inputs, training: {"": self.results(inputs["x"], training)[1]},
        )

    def results(self, x: Node, training: bool) -> tuple[Node, Node]:
        """The outputs before and after their activation; inside ``tracing`` only."""
        before = after = x
        for layer in self.structure.layers:
            after = layer.on_nodes((after,), training)
            if layer.label == OUTPUT:
                before = after
        return before, after

    # State

    def first_state(self, random: np.random.RandomState) -> State:
        """Weights and intercepts as scikit-learn draws them, in its order.

        Both are uniform within ``sqrt(6 / (fan_in + fan_out))``, of logistic layers ``sqrt(2 / ...)``.
        Source: Glorot & Bengio (2010), AISTATS, equation 16.
        """
        drawn: dict[str, np.ndarray] = {}
        activations = (*self.activations, *(self.activations[-1:] or (self.out_activation,)))
        for name, activation, (fan_in, fan_out) in zip(self.dense, activations, pairwise(self.units), strict=True):
            bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (fan_in + fan_out))
            drawn[f"{name}/kernel"] = random.uniform(-bound, bound, (fan_in, fan_out))
            drawn[f"{name}/bias"] = random.uniform(-bound, bound, fan_out)
        seed = random.randint(2**31 - 1) if self.draws else 0
        others = {path: p.initial(seed, path) for path, p in self.parameters.items() if path not in drawn}
        state = State()
        for path, value in (drawn | others).items():
            state.put(parameter_state(path), Variable(self.parameters[path].type, value))
        if self.draws:
            state.put(SEED_STATE, Variable(TensorType((), "uint32"), seed))
            state.put(STEP_STATE, Variable(TensorType((), "uint32"), 0))
        return state

    def arrays(self, state: State, kind: str) -> list[np.ndarray]:
        """The arrays of all layers' ``"kernel"`` or ``"bias"``: the memory itself, so that changing them changes it."""
        return [state.memory[parameter_state(f"{name}/{kind}")] for name in self.dense]


def design(*arguments: Any) -> Design:
    """A design of these attributes; for equal ones the same, so that what is made of it is made once."""
    try:
        return _kept(*arguments)
    except TypeError:  # an activation that cannot be hashed
        return Design(*arguments)


_kept = lru_cache(KEPT)(Design)


def ours(activation: Activation) -> Activation:
    """An activation as layers take it."""
    return OUR_NAMES.get(activation, activation) if isinstance(activation, str) else activation


def of_each_layer(value: Any, count: int) -> Iterator[Any]:
    """What is said for all hidden layers, or for each one."""
    several = isinstance(value, Sequence) and not isinstance(value, str)
    return iter(value) if several else iter([value] * count)
