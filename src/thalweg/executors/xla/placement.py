"""On which devices states, data and batches lie."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from thalweg.executors.xla.devices import by_name
from thalweg.executors.xla.distribution import Axes, Distribution
from thalweg.executors.xla.lowerings.table import Array
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType
from thalweg.state.names import PARAMETERS, level, parameter_of


def on_one(device: Any) -> Placement:
    """Everything on this device."""
    return Placement(jax.sharding.SingleDeviceSharding(device))


def over(distribution: Distribution) -> Spread:
    """Over the devices of a distribution. Raises as ``devices`` if they are not there any more."""
    mesh = distribution.device_mesh
    devices = np.array(by_name(mesh.devices.flat)).reshape(mesh.shape)
    whole = NamedSharding(Mesh(devices, mesh.axis_names), PartitionSpec())
    if not whole.is_fully_addressable:
        _meet(whole)
    return Spread(whole, distribution)


def _meet(whole: NamedSharding) -> None:
    """Let the processes find each other. On CPUs Gloo says so on standard output, where results may be expected."""
    split = NamedSharding(whole.mesh, PartitionSpec(whole.mesh.axis_names))
    numbers = jax.make_array_from_callback((whole.mesh.size,), split, lambda part: np.ones(1, np.float32))
    with _silent():
        jax.block_until_ready(jax.jit(jnp.sum, out_shardings=whole)(numbers))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Inside, what is written to standard output goes nowhere, also where Python does not write it."""
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@dataclass(frozen=True)
class Placement:
    """Everything on one device.

    Attributes:
        whole: where that lies of which every device needs all: data, counters, results.
    """

    whole: jax.sharding.Sharding

    def state(self, name: str, kind: TensorType) -> jax.sharding.Sharding:
        """Where a state lies."""
        return self.whole

    def split(self, batch: Array) -> Array:
        """Inside a step: each device takes its part of the rows of a batch."""
        return batch

    def settled(self, name: str, value: Array) -> Array:
        """Inside a step: the new value of a state, where it lies."""
        return value

    def put(self, array: np.ndarray, sharding: jax.sharding.Sharding) -> jax.Array:
        """A copy of an array, of which each process puts what its devices need."""
        if sharding.is_fully_addressable:
            return jax.device_put(array, sharding, may_alias=False)
        return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part].copy())

    def read(self, array: jax.Array) -> np.ndarray:
        """The whole array on the host. What is split over several processes they put together."""
        if array.is_fully_addressable or array.is_fully_replicated:
            return np.asarray(array)
        whole: np.ndarray = multihost_utils.process_allgather(array, tiled=True)
        return whole


@dataclass(frozen=True)
class Spread(Placement):
    """Over the devices of a distribution. How to split all else XLA derives from where states and batches lie.

    The parts of a batch need not be of one size: XLA fills it up, and leaves out again what it has filled in.
    """

    distribution: Distribution

    def state(self, name: str, kind: TensorType) -> jax.sharding.Sharding:
        """By the rules for parameters; raises as ``Distribution.axes``. What is kept for one lies as it does."""
        path = parameter_of(name)
        if path is None or not kind.rank:
            return self.whole
        if level(name) == PARAMETERS:
            return self._by(self.distribution.axes(path, kind))
        return self._by(self.distribution.axes_if_possible(path, kind))

    def split(self, batch: Array) -> Array:
        return lax.with_sharding_constraint(batch, self._by((self.distribution.batch_dim_name,)))

    def settled(self, name: str, value: Array) -> Array:
        return lax.with_sharding_constraint(value, self.state(name, TensorType(value.shape, value.dtype.name)))

    def _by(self, axes: Axes) -> jax.sharding.Sharding:
        assert isinstance(self.whole, NamedSharding), "devices of a distribution have a mesh"
        return NamedSharding(self.whole.mesh, PartitionSpec(*axes))
