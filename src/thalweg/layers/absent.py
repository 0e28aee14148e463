"""What to use in place of methods of Keras's layers and models that are not here."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.errors import AbsentAttributeError

INSTEAD: Mapping[str, str] = {
    "stateless_call": "call it on arrays, y = model(x); in a step the weights are states of the compiled program",
    "stateless_compute_loss": "write compute_loss or train_step, which is compiled with its gradients",
    "quantize": "there are float32 and float64; small integers go in with Input(dtype='uint8')",
    "enable_lora": "freeze the layer and add a product of two small Dense layers to what it gives",
    "export": "save(path) writes everything that load_model reads; get_weights() gives arrays for other programs",
    "save_own_variables": "weights are saved by their paths: model.save_weights(path)",
    "load_own_variables": "weights are loaded by their paths: model.load_weights(path)",
    "dtype_policy": "layer.dtype; a layer computes in one dtype",
    "get_build_config": "get_config says how a layer is made; a model says what it was built for",
}


def absent_attribute(owner: str, name: str) -> AttributeError:
    """The error for an attribute that is not there; with advice if Keras has it."""
    if name not in INSTEAD:
        return AttributeError(f"{owner!r} has no attribute {name!r}")
    return AbsentAttributeError(
        f"{owner} has no {name}", expected="the names in docs/keras.md", got=f".{name}", fix=INSTEAD[name]
    )
