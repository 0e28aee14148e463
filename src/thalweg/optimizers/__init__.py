"""Optimizers."""

from typing import TYPE_CHECKING

from thalweg.optimizers import schedules as schedules
from thalweg.optimizers.adagrad import *
from thalweg.optimizers.adam import *
from thalweg.optimizers.lamb import *
from thalweg.optimizers.lbfgs import *
from thalweg.optimizers.lion import *
from thalweg.optimizers.muon import *
from thalweg.optimizers.optimizer import Optimizer as Optimizer
from thalweg.optimizers.optimizer import registry as registry
from thalweg.optimizers.rmsprop import *
from thalweg.optimizers.sgd import *

get = registry.get
if not TYPE_CHECKING:
    __getattr__ = registry.attribute
