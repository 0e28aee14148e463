"""On which devices states, data and batches lie."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from thalweg import memory
from thalweg.executors.xla.lowerings.table import Array
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType

DATA_SHARE = 1 / 2
"""Of the memory of a device, what data may take that stay there for many passes."""


@dataclass(frozen=True)
class Placement:
    """Everything on one device."""

    device: Any

    @property
    def whole(self) -> jax.sharding.Sharding:
        """Of what every device needs all of: data, counters, results."""
        return jax.sharding.SingleDeviceSharding(self.device)

    @property
    def devices(self) -> tuple[Any, ...]:
        """All that take part."""
        return tuple(sorted(self.whole.device_set, key=lambda device: device.id))

    @property
    def counts(self) -> bool:
        """Whether a loop of an unknown number of steps costs nothing: a GPU would have to ask the host before each."""
        return all(device.platform == "cpu" for device in self.devices)

    @property
    def room(self) -> int:
        """Bytes of data that may stay on each device; the rest of its memory is for states and steps."""
        limits = [(device.memory_stats() or {}).get("bytes_limit") for device in self.devices]
        known = [limit for limit in limits if limit is not None]
        return int(DATA_SHARE * (min(known) if known else memory.available()))

    @property
    def gathers_on_host(self) -> bool:
        """Whether the rows of each step are put together on the host, whatever room there is."""
        return False

    def state(self, name: str, kind: TensorType) -> jax.sharding.Sharding:
        """Where a state lies."""
        return self.whole

    def gathered(self, batch: Array) -> Array:
        """The rows of a batch, when they have been put together."""
        return batch

    def put(self, array: np.ndarray, sharding: jax.sharding.Sharding, *, lent: bool = False) -> jax.Array:
        """A copy of an array.

        Arguments:
            lent: whether it may be the array itself, where that lies right: nobody changes it as long as it is used.
        """
        return jax.device_put(array, sharding, may_alias=lent)

    def put_batches(self, batches: np.ndarray) -> jax.Array:
        """Rows of some steps, (steps, batch, ...), which nobody changes as long as they are used."""
        return self.put(batches, self.whole, lent=True)

    def read(self, array: jax.Array) -> np.ndarray:
        """The whole array on the host."""
        return np.asarray(array)
