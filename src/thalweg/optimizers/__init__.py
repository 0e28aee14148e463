"""Optimizers."""

from typing import TYPE_CHECKING

from thalweg.optimizers import schedules as schedules
from thalweg.optimizers.adagrad import Adadelta as Adadelta
from thalweg.optimizers.adagrad import Adagrad as Adagrad
from thalweg.optimizers.adam import Adam as Adam
from thalweg.optimizers.adam import Adamax as Adamax
from thalweg.optimizers.adam import AdamW as AdamW
from thalweg.optimizers.adam import Nadam as Nadam
from thalweg.optimizers.lamb import Lamb as Lamb
from thalweg.optimizers.lbfgs import LBFGS as LBFGS
from thalweg.optimizers.lion import Lion as Lion
from thalweg.optimizers.muon import Muon as Muon
from thalweg.optimizers.optimizer import Optimizer as Optimizer
from thalweg.optimizers.optimizer import registry as registry
from thalweg.optimizers.rmsprop import RMSprop as RMSprop
from thalweg.optimizers.sgd import SGD as SGD

get = registry.get
if not TYPE_CHECKING:
    __getattr__ = registry.attribute
