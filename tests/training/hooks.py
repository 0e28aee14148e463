"""What hooks of callbacks are called, with what: of thalweg, and, as a program, of Keras.

``KERAS_BACKEND=jax python tests/training/hooks.py`` prints what Keras calls: the answers in ``test_hooks``.
"""

import json
from typing import Any

import numpy as np

X, Y = np.ones((5, 2), "float32"), np.ones((5, 1), "float32")
PHASES = ("train", "test", "predict")
HOOKS = [
    *(f"on_{phase}_{when}" for phase in PHASES for when in ("begin", "end")),
    *("on_epoch_begin", "on_epoch_end"),
    *(f"on_{phase}_batch_{when}" for phase in PHASES for when in ("begin", "end")),
]


def recorder(base):
    """An object of a class derived from the library's Callback, and the list that it fills."""
    calls: list[Any] = []

    def hook(name):
        def called(self, *arguments, **options):
            *place, logs = (*arguments, *options.values())
            calls.append([name, *map(int, place), sorted(logs)])

        return called

    def set_params(self, params):
        base.set_params(self, params)
        calls.append(["set_params", {name: int(value) for name, value in params.items()}])

    def set_model(self, model):
        base.set_model(self, model)
        calls.append(["set_model"])

    methods = {name: hook(name) for name in HOOKS} | {"set_params": set_params, "set_model": set_model}
    return type("Recorder", (base,), methods)(), calls


def recorded(library):
    """Name of a call of a model -> what hooks it calls."""
    inputs = library.Input((2,))
    model = library.Model(inputs, library.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", metrics=["mae"])
    validated = {"validation_data": (X[:3], Y[:3])}
    uses = {
        "fit": lambda watch: model.fit(X, Y, 2, 2, 0, watch, **validated),
        "fit without validation": lambda watch: model.fit(X, Y, 2, 1, 0, watch),
        "evaluate": lambda watch: model.evaluate(X, Y, batch_size=2, verbose=0, callbacks=watch),
        "predict": lambda watch: model.predict(X, batch_size=2, verbose=0, callbacks=watch),
        "predict one row": lambda watch: model.predict(X[:1], verbose=0, callbacks=watch),
        "predict many rows": lambda watch: model.predict(np.ones((200, 2)), verbose=0, callbacks=watch),
    }
    answers = {}
    for name, use in uses.items():
        watch, calls = recorder(library.callbacks.Callback)
        use([watch])
        answers[name] = calls
    return answers


if __name__ == "__main__":
    import keras

    print(json.dumps(recorded(keras)))
