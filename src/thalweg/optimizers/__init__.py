"""Optimizers."""

from thalweg.optimizers.adam import Adam as Adam
from thalweg.optimizers.optimizer import Optimizer as Optimizer
from thalweg.optimizers.optimizer import registry as registry
from thalweg.optimizers.rmsprop import RMSprop as RMSprop
from thalweg.optimizers.sgd import SGD as SGD

get = registry.get
