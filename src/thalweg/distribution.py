"""Trainings on many devices, through JAX: names as in ``keras.distribution``."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.executors.xla.distribution import DataParallel as DataParallel
from thalweg.executors.xla.distribution import DeviceMesh as DeviceMesh
from thalweg.executors.xla.distribution import Distribution as Distribution
from thalweg.executors.xla.distribution import LayoutMap as LayoutMap
from thalweg.executors.xla.distribution import ModelParallel as ModelParallel
from thalweg.executors.xla.distribution import TensorLayout as TensorLayout
from thalweg.executors.xla.distribution import distribution as distribution
from thalweg.executors.xla.distribution import get_device_count as get_device_count
from thalweg.executors.xla.distribution import list_devices as list_devices
from thalweg.executors.xla.distribution import set_distribution as set_distribution
from thalweg.processes.joining import initialize as initialize

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
