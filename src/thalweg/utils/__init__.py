"""Keras's small helpers, under the names that its users look for."""

import importlib
from typing import TYPE_CHECKING, Any

from thalweg import absent
from thalweg.backend import clear_session as clear_session
from thalweg.backend import is_keras_tensor as is_keras_tensor
from thalweg.backend import standardize_dtype as standardize_dtype
from thalweg.config import set_random_seed as set_random_seed
from thalweg.data.streams.py_dataset import PyDataset as PyDataset
from thalweg.saving import CustomObjectScope as CustomObjectScope
from thalweg.saving import custom_object_scope as custom_object_scope
from thalweg.saving import deserialize_keras_object as deserialize_keras_object
from thalweg.saving import get_custom_objects as get_custom_objects
from thalweg.saving import get_registered_name as get_registered_name
from thalweg.saving import get_registered_object as get_registered_object
from thalweg.saving import register_keras_serializable as register_keras_serializable
from thalweg.saving import serialize_keras_object as serialize_keras_object
from thalweg.training.own import pack as pack_x_y_sample_weight
from thalweg.training.own import unpack as unpack_x_y_sample_weight
from thalweg.utils.arrays import normalize as normalize
from thalweg.utils.arrays import pad_sequences as pad_sequences
from thalweg.utils.arrays import to_categorical as to_categorical
from thalweg.utils.files import get_file as get_file
from thalweg.utils.folders import image_dataset_from_directory as image_dataset_from_directory
from thalweg.utils.images import array_to_img as array_to_img
from thalweg.utils.images import img_to_array as img_to_array
from thalweg.utils.images import load_img as load_img
from thalweg.utils.images import save_img as save_img

Sequence = PyDataset
"""Keras's older name."""

if TYPE_CHECKING:
    from thalweg.visualization.diagram import plot_model as plot_model


def _later(name: str) -> Any:
    """``plot_model`` is loaded when it is first used: who only wants a seed does not wait for it."""
    if name == "plot_model":
        return importlib.import_module("thalweg.visualization.diagram").plot_model
    return None


if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, _later)
