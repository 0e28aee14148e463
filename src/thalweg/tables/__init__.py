"""Models for tables: what the columns are is found out, and all that is done to them is a part of the model."""

from typing import TYPE_CHECKING

from thalweg import absent
from thalweg.tables.columns import understand as understand
from thalweg.tables.model import TableModel as TableModel
from thalweg.tables.model import TableNotice as TableNotice
from thalweg.tables.schema import Column as Column
from thalweg.tables.schema import Schema as Schema
from thalweg.tables.settings import Settings as Settings
from thalweg.tables.training import train as train

train_table = train
"""The same under a name that says at the top of the package what is trained."""

__all__ = ["Column", "Schema", "Settings", "TableModel", "TableNotice", "train", "train_table", "understand"]

if not TYPE_CHECKING:
    __getattr__ = absent.answers(__name__)
