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

from thalweg import memory
from thalweg.executors.xla.devices import by_name
from thalweg.executors.xla.distribution import Axes, Distribution
from thalweg.executors.xla.lowerings.table import Array
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType
from thalweg.state.names import PARAMETERS, level, parameter_of

DATA_SHARE = 1 / 2
"""Of the memory of a device, what data may take that stay there for many passes."""


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

    @property
    def devices(self) -> tuple[Any, ...]:
        """All that take part."""
        return tuple(sorted(self.whole.device_set, key=lambda device: device.id))

    @property
    def counts(self) -> bool:
        """Whether a loop of an unknown number of steps costs nothing: a GPU would have to ask the host before each."""
        return self.on_host

    @property
    def on_host(self) -> bool:
        """Whether XLA computes in the memory of this machine."""
        return all(device.platform == "cpu" for device in self.devices)

    @property
    def room(self) -> int:
        """Bytes of data that may stay on each device; the rest of its memory is for states and steps."""
        limits = [(device.memory_stats() or {}).get("bytes_limit") for device in self.devices]
        known = [limit for limit in limits if limit is not None]
        return int(DATA_SHARE * (min(known) if known else memory.available()))

    @property
    def is_shared(self) -> bool:
        """Whether some of the devices belong to other processes."""
        return False

    @property
    def gathers_on_host(self) -> bool:
        """Whether the rows of each step are put together on the host, whatever room there is."""
        return False

    def state(self, name: str, kind: TensorType) -> jax.sharding.Sharding:
        """Where a state lies."""
        return self.whole

    def split(self, batch: Array) -> Array:
        """Inside a step: each device takes its part of the rows of a batch."""
        return batch

    def settled(self, name: str, value: Array) -> Array:
        """Inside a step: the new value of a state, where it lies."""
        return value

    def put(self, array: np.ndarray, sharding: jax.sharding.Sharding, *, lent: bool = False) -> jax.Array:
        """A copy of an array, of which each process puts what its devices need.

        Arguments:
            lent: whether it may be the array itself, where that lies right: nobody changes it as long as it is used.
        """
        if not self.is_shared:
            return jax.device_put(array, sharding, may_alias=lent)
        return jax.make_array_from_callback(
            array.shape, sharding, lambda part: array[part] if lent else array[part].copy()
        )

    def put_batches(self, batches: np.ndarray) -> jax.Array:
        """Rows of some steps, (steps, batch, ...), which nobody changes as long as they are used."""
        return self.put(batches, self.whole, lent=True)

    def put_rows(self, array: np.ndarray, rows: np.ndarray) -> jax.Array:
        """The rows of these numbers, (steps, batch), of an array, of which each process reads those of its devices."""
        return self.put_batches(array[rows])

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

    @property
    def is_shared(self) -> bool:
        return not self.whole.is_fully_addressable

    @property
    def room(self) -> int:
        """None in several processes: of data that are not small each reads its part only."""
        return 0 if self.is_shared else super().room

    def put_batches(self, batches: np.ndarray) -> jax.Array:
        return self.put(batches, self._of_batches(batches.shape[1]), lent=True)

    def put_rows(self, array: np.ndarray, rows: np.ndarray) -> jax.Array:
        where = self._of_batches(rows.shape[1])
        return jax.make_array_from_callback((*rows.shape, *array.shape[1:]), where, lambda part: array[rows[part[:2]]])

    def _of_batches(self, batch: int) -> jax.sharding.Sharding:
        """To each device its part, where all parts are of one size."""
        divided = batch % self.distribution.num_model_replicas == 0
        return self._by((None, self.distribution.batch_dim_name)) if divided else self.whole

    def settled(self, name: str, value: Array) -> Array:
        return lax.with_sharding_constraint(value, self.state(name, TensorType(value.shape, value.dtype.name)))

    def _by(self, axes: Axes) -> jax.sharding.Sharding:
        assert isinstance(self.whole, NamedSharding), "devices of a distribution have a mesh"
        return NamedSharding(self.whole.mesh, PartitionSpec(*axes))
