"""Training through Keras's API, for the two that have it: Keras and thalweg."""

from collections.abc import Iterator
from typing import Any

from benchmarks.arrays import Arrays
from benchmarks.peers.task import Clock, Task
from benchmarks.workloads import MOMENTUM, NORM_EPSILON, NORM_MOMENTUM, WEIGHT_DECAY, Dense, Workload


def train_with(api: Any, task: Task, arrays: Arrays, clock: Clock) -> float:
    """Build, compile and fit as Keras's first example does. ``api`` is the module ``keras`` or ``thalweg``."""
    api.utils.set_random_seed(task.seed)
    model = compiled_model(api, task.workload, uint8=task.peer.uint8)
    clock.ready()
    model.fit(
        arrays.x_train,
        arrays.y_train,
        batch_size=task.workload.batch_size,
        epochs=task.epochs,
        verbose=0,
        callbacks=[epoch_clock(api, clock)],
    )
    _, accuracy = model.evaluate(arrays.x_test, arrays.y_test, batch_size=1000, verbose=0)
    return float(accuracy)


def compiled_model(api: Any, workload: Workload, *, uint8: bool = False) -> Any:
    """The network, ready to fit; with ``uint8`` it takes images and scales and flattens them itself."""
    layers = api.layers
    if uint8:
        first = [
            layers.Input(shape=workload.source.image_shape, dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
        ]
    else:
        first = [layers.Input(shape=(workload.source.features,))]
    rest = [part for layer in workload.layers for part in parts(api, layer)]
    model = api.Sequential([*first, *rest])
    model.compile(optimizer=optimizer(api, workload), loss=workload.loss, metrics=["accuracy"])
    return model


def parts(api: Any, layer: Dense) -> Iterator[Any]:
    """The layers that make one of the workload's."""
    if layer.normalized:
        yield api.layers.Dense(layer.units)
        yield api.layers.BatchNormalization(momentum=NORM_MOMENTUM, epsilon=NORM_EPSILON)
        yield api.layers.Activation(layer.activation)
    else:
        yield api.layers.Dense(layer.units, layer.activation)
    if layer.dropout:
        yield api.layers.Dropout(layer.dropout)


def optimizer(api: Any, workload: Workload) -> Any:
    """The workload's optimizer; its other constants are Keras's defaults."""
    name, rate = workload.optimizer
    if name == "adamw":
        return api.optimizers.AdamW(learning_rate=rate, weight_decay=WEIGHT_DECAY)
    if name == "sgd":
        return api.optimizers.SGD(learning_rate=rate, momentum=MOMENTUM)
    return {"adam": api.optimizers.Adam, "rmsprop": api.optimizers.RMSprop}[name](learning_rate=rate)


def epoch_clock(api: Any, clock: Clock) -> Any:
    """A callback that reports each epoch."""

    class EpochClock(api.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            clock.epoch((logs or {})["loss"])

    return EpochClock()
