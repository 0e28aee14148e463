"""On which devices states, data and batches lie."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from thalweg.executors.xla.lowerings.table import Array
from thalweg.fields import dataclass
from thalweg.graph.types import TensorType


@dataclass(frozen=True)
class Placement:
    """Everything on one device."""

    device: Any

    @property
    def whole(self) -> jax.sharding.Sharding:
        """Of what every device needs all of: data, counters, results."""
        return jax.sharding.SingleDeviceSharding(self.device)

    def state(self, name: str, kind: TensorType) -> jax.sharding.Sharding:
        """Where a state lies."""
        return self.whole

    def gathered(self, batch: Array) -> Array:
        """The rows of a batch, when they have been put together."""
        return batch

    def put(self, array: np.ndarray, sharding: jax.sharding.Sharding) -> jax.Array:
        """A copy of an array."""
        return jax.device_put(array, sharding, may_alias=False)

    def read(self, array: jax.Array) -> np.ndarray:
        """The whole array on the host."""
        return np.asarray(array)
