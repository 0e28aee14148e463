"""Layers. Importing a module registers what is in it; the same line makes it public."""

from thalweg.layers.activation import ELU as ELU
from thalweg.layers.activation import Activation as Activation
from thalweg.layers.activation import LeakyReLU as LeakyReLU
from thalweg.layers.activation import PReLU as PReLU
from thalweg.layers.activation import ReLU as ReLU
from thalweg.layers.activation import Softmax as Softmax
from thalweg.layers.dense import Dense as Dense
from thalweg.layers.dropout import Dropout as Dropout
from thalweg.layers.dropout import SpatialDropout1D as SpatialDropout1D
from thalweg.layers.dropout import SpatialDropout2D as SpatialDropout2D
from thalweg.layers.layer import Input as Input
from thalweg.layers.layer import Layer as Layer
from thalweg.layers.layer import Parameter as Parameter
from thalweg.layers.layer import Symbol as Symbol
from thalweg.layers.layer import registry as registry
from thalweg.layers.merging import Add as Add
from thalweg.layers.merging import Average as Average
from thalweg.layers.merging import Concatenate as Concatenate
from thalweg.layers.merging import Dot as Dot
from thalweg.layers.merging import Maximum as Maximum
from thalweg.layers.merging import Minimum as Minimum
from thalweg.layers.merging import Multiply as Multiply
from thalweg.layers.merging import Subtract as Subtract
from thalweg.layers.nested import Nested as Nested
from thalweg.layers.noise import AlphaDropout as AlphaDropout
from thalweg.layers.noise import GaussianDropout as GaussianDropout
from thalweg.layers.noise import GaussianNoise as GaussianNoise
from thalweg.layers.normalization import BatchNormalization as BatchNormalization
from thalweg.layers.normalization import GroupNormalization as GroupNormalization
from thalweg.layers.normalization import LayerNormalization as LayerNormalization
from thalweg.layers.normalization import RMSNormalization as RMSNormalization
from thalweg.layers.normalization import UnitNormalization as UnitNormalization
from thalweg.layers.preprocessing import CategoryEncoding as CategoryEncoding
from thalweg.layers.preprocessing import Discretization as Discretization
from thalweg.layers.preprocessing import Normalization as Normalization
from thalweg.layers.rescaling import Rescaling as Rescaling
from thalweg.layers.reshaping import Flatten as Flatten
from thalweg.layers.reshaping import Identity as Identity
from thalweg.layers.reshaping import Permute as Permute
from thalweg.layers.reshaping import RepeatVector as RepeatVector
from thalweg.layers.reshaping import Reshape as Reshape

get = registry.get
