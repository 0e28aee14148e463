"""Layers. Importing a module registers what is in it; the same line makes it public."""

from thalweg.layers.activation import Activation as Activation
from thalweg.layers.activation import ReLU as ReLU
from thalweg.layers.activation import Softmax as Softmax
from thalweg.layers.dense import Dense as Dense
from thalweg.layers.dropout import Dropout as Dropout
from thalweg.layers.layer import Input as Input
from thalweg.layers.layer import Layer as Layer
from thalweg.layers.layer import Parameter as Parameter
from thalweg.layers.layer import Symbol as Symbol
from thalweg.layers.layer import registry as registry
from thalweg.layers.rescaling import Rescaling as Rescaling
from thalweg.layers.reshaping import Flatten as Flatten
from thalweg.layers.reshaping import Reshape as Reshape

get = registry.get
