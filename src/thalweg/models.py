"""The public names of models, where Keras's users look for them."""

from thalweg.model import Model as Model
from thalweg.model import Sequential as Sequential
from thalweg.model import clone_model as clone_model
from thalweg.model import load_model as load_model
