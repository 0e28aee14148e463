"""Seconds from ``fit`` to the end of its first step: ``python -m benchmarks.first_step WORKLOAD DATA``.

The import of thalweg and the loading of the data are not in it; whatever ``fit`` imports, compiles or loads is.
"""

import sys
from pathlib import Path
from time import perf_counter

import thalweg
import thalweg.callbacks
import thalweg.layers
import thalweg.optimizers
from benchmarks.arrays import load_arrays
from benchmarks.peers.keras_like import compiled_model
from benchmarks.workloads import WORKLOADS


class StopAfterFirstStep(thalweg.callbacks.Callback):  # type: ignore[misc, unused-ignore]
    """Notes when the first step was done, and asks for no more."""

    ended: float | None = None

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Called after each step; the first one counts."""
        self.ended = self.ended or perf_counter()
        self.model.stop_training = True


def main() -> None:
    """Print the seconds."""
    workload, data = WORKLOADS[sys.argv[1]], Path(sys.argv[2])
    arrays = load_arrays(data / workload.source.name)
    model = compiled_model(thalweg, workload)
    watch = StopAfterFirstStep()
    start = perf_counter()
    model.fit(arrays.x_train, arrays.y_train, batch_size=workload.batch_size, verbose=0, callbacks=[watch])
    if watch.ended is None:
        raise SystemExit("fit called on_train_batch_end for no step")
    print(watch.ended - start)


if __name__ == "__main__":
    main()
