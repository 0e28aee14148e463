"""Whole training runs: each executor against the numpy one, 50 steps of nets whose step graph is made here by hand."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import pytest

from thalweg.backprop import gradients
from thalweg.executors.executor import leaf_types
from thalweg.executors.numpy import NumpyExecutor
from thalweg.graph.node import Graph
from thalweg.ops import (
    add,
    cast,
    constant,
    equal,
    input_node,
    iota,
    log_softmax,
    power,
    reduce_mean,
    reduce_sum,
    relu,
    select,
    sqrt,
    square,
    state_node,
    tanh,
)
from thalweg.state.layout import empty

STEPS = 50


@dataclass(frozen=True)
class Net:
    """A multilayer perceptron with softmax cross-entropy: ``sizes`` are input, hidden layers and classes."""

    sizes: tuple[int, ...]
    batch: int
    update: str = "sgd"
    activation: str = "tanh"
    data: str = "float32"
    dtype: str = "float32"

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.sizes))} batch {self.batch} {self.update} {self.activation} {self.data}"

    def graph(self) -> Graph:
        x = cast(
            input_node("x", (self.batch, self.sizes[0]), self.data if self.data == "uint8" else self.dtype), self.dtype
        )
        if self.data == "uint8":
            x = x * (1 / 255)
        labels = input_node("y", (self.batch,), "int32")
        layers = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        parameters = []
        for i, shape in enumerate(layers):
            kernel, bias = state_node(f"kernel_{i}", shape, self.dtype), state_node(f"bias_{i}", shape[1:], self.dtype)
            parameters += [kernel, bias]
            x = x @ kernel + bias
            if i < len(layers) - 1:
                x = relu(x) if self.activation == "relu" else tanh(x)
        right = equal(iota(x.shape, 1), labels[:, None])
        loss = reduce_mean(-reduce_sum(select(right, log_softmax(x), 0.0), 1))
        t = add(state_node("t", (), "int64"), 1)
        updates = {"t": t, "total": state_node("total", (), self.dtype) + loss}
        for w, g in zip(parameters, gradients(loss, parameters), strict=True):
            updates |= self.updates_of(w, g, cast(t, "float64"))
        return Graph({"loss": loss}, updates)

    def updates_of(self, w, g, t):
        name = w.op.label
        m, v = state_node(f"{name}/m", w.shape, self.dtype), state_node(f"{name}/v", w.shape, self.dtype)
        if self.update == "sgd":
            return {name: w - 0.1 * g}
        if self.update == "momentum":
            m = 0.9 * m - 0.05 * g
            return {name: w + m, f"{name}/m": m}
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * square(g)
        rate = 0.003 * sqrt(1.0 - power(constant(0.999, "float64"), t)) / (1.0 - power(constant(0.9, "float64"), t))
        return {name: w - cast(rate, self.dtype) * m / (sqrt(v) + 1e-4), f"{name}/m": m, f"{name}/v": v}

    def arrays(self):
        r = np.random.default_rng(sum(self.sizes) + self.batch)
        rows = 3 * self.batch + 7
        x = r.integers(0, 256, (rows, self.sizes[0])).astype(np.uint8)
        if self.data != "uint8":
            x = (x / 255 - 0.5).astype(self.dtype)
        y = r.integers(0, self.sizes[-1], rows).astype(np.int32)
        index = r.integers(0, rows, (STEPS, self.batch))
        state = {}
        for name, kind in leaf_types(self.graph())[1].items():
            state[name] = empty(kind)
            if name.startswith("kernel") and "/" not in name:
                state[name][...] = r.standard_normal(kind.shape) / np.sqrt(kind.shape[0])
        return state, {"x": x, "y": y}, index


def train(net: Net, executor, threads: int = 1):
    """The loss of each step and the final state."""
    state, data, index = net.arrays()
    losses = np.zeros(STEPS, net.dtype)
    executor.compile(net.graph(), gather=True).run(state, data, index, {"loss": losses}, threads)
    return losses, {name: np.array(array) for name, array in state.items()}


@functools.cache
def defined(net: Net):
    """What the numpy executor makes of it."""
    return train(net, NumpyExecutor())


NETS = [
    Net((784, 32, 10), 32, "adam", "relu"),
    Net((784, 32, 10), 32, "sgd", "relu", "uint8"),
    Net((784, 33, 10), 17, "momentum", "tanh", "uint8"),
    Net((5, 7, 3), 1, "sgd"),
    Net((5, 7, 3), 1, "adam"),
    Net((5, 7, 3), 33, "momentum"),
    Net((4, 16, 3), 16, "adam"),
    Net((1, 1, 2), 2, "sgd"),
    Net((13, 256, 31, 2), 8, "adam"),
    Net((64, 64, 64, 64, 10), 64, "momentum", "relu"),
    Net((3, 2), 5, "adam"),
]


def tolerance(dtype: str) -> float:
    """Relative to the largest number of an array, after 50 steps of a stable training.

    A step adds a rounding error of about sqrt(n) units of the last place to each gradient, n up to 784; over 50 steps
    they add up, and the tanh nets do not amplify them (no chaos at these rates). 28 * 50 units of 2^-24 are 8e-5; in
    double precision the same count is 3e-13. Adam's division by a small sqrt(v) is what the factor 4 is for.
    """
    return 4 * 28 * STEPS * float(np.finfo(dtype).eps) / 2


def in_float64(net: Net) -> Net:
    return replace(net, dtype="float64", data="uint8" if net.data == "uint8" else "float64")


def compare(net: Net, got, want) -> None:
    allowed = tolerance(net.dtype)
    np.testing.assert_allclose(got[0], want[0], rtol=allowed, err_msg=f"{net}: losses")
    for name, right in want[1].items():
        scale = float(np.abs(right).max(initial=0.0))
        np.testing.assert_allclose(got[1][name], right, rtol=0, atol=allowed * scale, err_msg=f"{net}: {name}")


@pytest.mark.parametrize("net", NETS, ids=str)
def test_training_in_float32(net, compiled):
    compare(net, train(net, compiled), defined(net))


@pytest.mark.parametrize("net", NETS, ids=str)
def test_training_in_float64(net, engine):
    wide = in_float64(net)
    compare(wide, train(wide, engine), defined(wide))


@pytest.mark.parametrize("net", NETS, ids=str)
def test_threads_do_not_change_a_bit(net, native, teams):
    one = train(net, native, 1)
    for threads in range(2, 9):
        more = train(net, native, threads)
        assert one[0].tobytes() == more[0].tobytes()
        assert all(array.tobytes() == more[1][name].tobytes() for name, array in one[1].items())
    assert teams == set(range(2, 9))


@pytest.mark.parametrize("net", NETS, ids=str)
def test_in_two_parts_is_the_same_as_at_once(net, native):
    state, data, index = net.arrays()
    program = native.compile(net.graph(), gather=True)
    for part in (index[:20], index[20:]):
        program.run(state, data, part, {"loss": np.zeros(len(part), net.dtype)})
    whole = train(net, native)[1]
    assert all(np.array_equal(state[name], array) for name, array in whole.items())


@pytest.mark.parametrize("net", NETS, ids=str)
def test_it_learns(net):
    """The graphs above do train: a comparison of two executors would not notice a step that does nothing."""
    losses, state = defined(net)
    assert state["t"] == STEPS
    assert state["total"] == pytest.approx(losses.sum(), rel=1e-5)
    assert losses[-25:].mean() < 1.1 * losses[:5].mean()  # the labels are random: a small net cannot learn them
    assert not np.array_equal(state["kernel_0"], net.arrays()[0]["kernel_0"])


def test_the_numpy_executor_in_float32_is_within_the_tolerance_of_float64():
    """That the tolerance is neither too narrow for float32 nor so wide as to be empty."""
    for net in NETS:
        wide = in_float64(net)
        np.testing.assert_allclose(defined(net)[0], defined(wide)[0], rtol=tolerance("float32"), err_msg=str(net))


def test_no_steps_on_two_threads(native):
    net = Net((784, 512, 10), 128, "adam")
    state, data, index = net.arrays()
    native.compile(net.graph(), gather=True).run(state, data, index[:0], {"loss": np.zeros(0, net.dtype)}, 2)
    assert state["t"] == 0
