"""Layers. Importing a module registers what is in it; the same line makes what its ``__all__`` names public."""

from typing import TYPE_CHECKING

import thalweg.layers.connecting  # says what layers give for symbols
import thalweg.layers.eager  # and for arrays
from thalweg import absent
from thalweg.layers.activation import *
from thalweg.layers.augmentation import *
from thalweg.layers.categories import *
from thalweg.layers.columns import *
from thalweg.layers.convolution import *
from thalweg.layers.dates import *
from thalweg.layers.dense import *
from thalweg.layers.distributed import *
from thalweg.layers.dropout import *
from thalweg.layers.embedding import *
from thalweg.layers.fitting import *
from thalweg.layers.function import *
from thalweg.layers.layer import Layer as Layer
from thalweg.layers.layer import registry as registry
from thalweg.layers.lookup import *
from thalweg.layers.masking import *
from thalweg.layers.merging import *
from thalweg.layers.missing import *
from thalweg.layers.mixing import *
from thalweg.layers.nested import *
from thalweg.layers.noise import *
from thalweg.layers.normalization import *
from thalweg.layers.operation import *
from thalweg.layers.pooling import *
from thalweg.layers.preprocessing import *
from thalweg.layers.rescaling import *
from thalweg.layers.reshaping import *
from thalweg.layers.resizing import *
from thalweg.layers.spec import *
from thalweg.layers.symbols import *
from thalweg.layers.tracing import *
from thalweg.layers.transposed import *
from thalweg.layers.variable import *

get, serialize, deserialize = registry.get, registry.config, registry.deserialize

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
