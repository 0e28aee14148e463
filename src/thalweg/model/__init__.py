"""The front door: models are built, compiled, trained, used and saved here."""

from thalweg.model.files import clone_model as clone_model
from thalweg.model.files import load_model as load_model
from thalweg.model.files import model_from_json as model_from_json
from thalweg.model.files import save_model as save_model
from thalweg.model.model import Model as Model
from thalweg.model.sequential import Sequential as Sequential
