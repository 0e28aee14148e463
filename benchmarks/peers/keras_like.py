"""Training through Keras's API, for the two that have it: Keras and thalweg."""

from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.arrays import Arrays
from benchmarks.layers import Conv, Dense, Flatten, GlobalAveragePool, Layer, MaxPool, Residual
from benchmarks.peers.quickest import quickest
from benchmarks.peers.task import Clock, Task
from benchmarks.workloads import MOMENTUM, NORM_EPSILON, TEST_ROWS, WEIGHT_DECAY, Workload


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
    _, accuracy = model.evaluate(arrays.x_test, arrays.y_test, batch_size=TEST_ROWS, verbose=0)
    return float(accuracy)


def infer_with(api: Any, task: Task, arrays: Arrays, clock: Clock, *, any_size: bool = False) -> float:
    """Predict or evaluate all training rows, again and again.

    Finding the best batch size counts as set-up; with ``any_size`` it makes no difference.
    """
    api.utils.set_random_seed(task.seed)
    model = compiled_model(api, task.workload)
    x, y = arrays.x_train, arrays.y_train

    def once(batch_size: int) -> float:
        if task.workload.what == "predict":
            return float(model.predict(x, batch_size=batch_size, verbose=0).mean())
        return float(model.evaluate(x, y, batch_size=batch_size, verbose=0)[0])

    batch_size = task.workload.batch_size if any_size else quickest(once)
    clock.ready()
    for _ in range(task.epochs):
        clock.epoch(once(batch_size))
    return float(model.evaluate(arrays.x_test, arrays.y_test, batch_size=TEST_ROWS, verbose=0)[1])


def compiled_model(api: Any, workload: Workload, *, uint8: bool = False) -> Any:
    """The network, ready to fit; with ``uint8`` it takes uint8 images and scales and shapes them itself."""
    api.config.set_dtype_policy(workload.policy)
    layers, source = api.layers, workload.source
    if uint8:
        given = layers.Input(shape=source.uint8_shape, dtype="uint8")
        x = layers.Reshape(source.shape)(layers.Rescaling(1 / 255)(given))
    else:
        given = x = layers.Input(shape=source.shape)
    x = through(api, workload.layers, x, workload.norm_momentum)
    model = api.Model(given, x)
    model.compile(optimizer=optimizer(api, workload), loss=workload.loss, metrics=["accuracy"])
    return model


def through(api: Any, layers: Sequence[Layer], x: Any, momentum: float) -> Any:
    """What the layers make of x."""
    for layer in layers:
        if isinstance(layer, Residual):
            ways = [through(api, way, x, momentum) for way in (layer.body, layer.shortcut)]
            x = api.layers.ReLU()(api.layers.Add()(ways))
        else:
            for part in parts(api, layer, momentum):
                x = part(x)
    return x


def parts(api: Any, layer: Layer, momentum: float) -> Iterator[Any]:
    """The layers that make one of the workload's."""
    match layer:
        case Dense(units, activation, normalized):
            yield api.layers.Dense(units, None if normalized else activation)
        case Conv(None, size, strides, padding, activation, normalized):
            how = {"use_bias": not normalized, "activation": None if normalized else activation}
            yield api.layers.DepthwiseConv2D(size, strides, padding, **how)
        case Conv(filters, size, strides, padding, activation, normalized):
            how = {"use_bias": not normalized, "activation": None if normalized else activation}
            yield api.layers.Conv2D(filters, size, strides, padding, **how)
        case MaxPool(size):
            yield api.layers.MaxPooling2D(size)
        case GlobalAveragePool():
            yield api.layers.GlobalAveragePooling2D()
        case Flatten():
            yield api.layers.Flatten()
    if isinstance(layer, (Dense, Conv)) and layer.normalized:
        yield api.layers.BatchNormalization(momentum=momentum, epsilon=NORM_EPSILON)
        yield api.layers.Activation(layer.activation)
    if isinstance(layer, (Dense, MaxPool)) and layer.dropout:
        yield api.layers.Dropout(layer.dropout)


OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {  # the class, and what is not its default
    "adam": ("Adam", {}),
    "adamw": ("AdamW", {"weight_decay": WEIGHT_DECAY}),
    "rmsprop": ("RMSprop", {}),
    "sgd": ("SGD", {"momentum": MOMENTUM}),
    "nesterov": ("SGD", {"momentum": MOMENTUM, "nesterov": True}),
    "descent": ("SGD", {}),
    "adamax": ("Adamax", {}),
    "nadam": ("Nadam", {}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "lion": ("Lion", {}),
    "lamb": ("Lamb", {}),
    "ftrl": ("Ftrl", {}),
    "adafactor": ("Adafactor", {}),
}


def optimizer(api: Any, workload: Workload) -> Any:
    """The workload's optimizer; its other constants are Keras's defaults."""
    name, rate = workload.optimizer
    kind, arguments = OPTIMIZERS[name]
    return getattr(api.optimizers, kind)(learning_rate=rate, **arguments)


def epoch_clock(api: Any, clock: Clock) -> Any:
    """A callback that reports each epoch."""

    class EpochClock(api.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            clock.epoch((logs or {})["loss"])

    return EpochClock()
