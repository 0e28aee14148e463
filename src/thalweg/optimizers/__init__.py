"""Optimizers."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.optimizers import schedules as schedules
from thalweg.optimizers.adafactor import *
from thalweg.optimizers.adagrad import *
from thalweg.optimizers.adam import *
from thalweg.optimizers.ftrl import *
from thalweg.optimizers.lamb import *
from thalweg.optimizers.lbfgs import *
from thalweg.optimizers.lion import *
from thalweg.optimizers.muon import *
from thalweg.optimizers.optimizer import LossScaleOptimizer as LossScaleOptimizer
from thalweg.optimizers.optimizer import Optimizer as Optimizer
from thalweg.optimizers.optimizer import registry as registry
from thalweg.optimizers.rmsprop import *
from thalweg.optimizers.sgd import *

get, serialize, deserialize = registry.get, registry.config, registry.deserialize
if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__, registry.attribute)
