"""Models for tables: what the columns are is found out, and all that is done to them is a part of the model."""

from thalweg.tables.columns import understand as understand
from thalweg.tables.model import TableModel as TableModel
from thalweg.tables.schema import Column as Column
from thalweg.tables.schema import Schema as Schema
from thalweg.tables.training import train as train

__all__ = ["Column", "Schema", "TableModel", "train", "understand"]
