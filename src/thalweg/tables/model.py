"""A network together with the table that it was trained on: it takes rows as they are, columns found by their names."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from thalweg import layers
from thalweg.data.tables.opening import open_table
from thalweg.data.tables.table import Table
from thalweg.errors import ArgumentError, DataError, listed
from thalweg.evaluation.conformal import Conformal
from thalweg.evaluation.of_tables import with_target
from thalweg.layers import Symbol
from thalweg.model import Model
from thalweg.model.description import bad_entry
from thalweg.models import registry
from thalweg.optimizers import SGD  # which keeps nothing beside the weights in the file
from thalweg.record.history import History
from thalweg.tables.features import DTYPES, inputs_of
from thalweg.tables.oddities import Oddities
from thalweg.tables.rows import RowReader, columns_missing, is_row, single_row
from thalweg.tables.schema import Schema
from thalweg.tables.targets import encoded_targets

__all__ = ["TableModel", "TableNotice"]

Arrays = dict[str, np.ndarray]

CONFORMAL = "conformal"
"""In files: what intervals are made from."""


class TableNotice(UserWarning):
    """A column does not look as it did in training."""


@registry.register("TableModel")
class TableModel(Model):
    """A network for the rows of a table, with all that is done to the columns on the way.

    ``predict``, ``evaluate`` and ``fit`` take raw data: a path, a data frame, a mapping from names to columns or, for
    one row, to values, a list of such rows. Columns are found by name, in any order; others may be there too.

    What ``predict`` gives: for classes the probability of each, (rows, classes) in the order of ``schema.classes``;
    for numbers (rows, targets), in the units of the targets.

    Attributes:
        schema: what is known of the columns.
        conformal: how far predictions were off on rows held out, if ``conform`` has been told such; of numbers.
        histories: how the training of each of the networks went; none of a model from a file.
    """

    base_name: ClassVar[str] = "table_model"

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, *, schema: Schema) -> None:
        super().__init__(inputs, outputs, name)
        self.schema = schema

    def _begin(self, name: str | None, trainable: bool) -> None:
        super()._begin(name, trainable)
        self._reader: RowReader | None = None
        self.conformal: Conformal | None = None
        self.histories: list[History] = []

    # Raw rows

    def encode(self, data: Any) -> Arrays:
        """The columns that the network looks at as arrays, by the names of its inputs.

        Raises: NameNotFoundError for a column that is missing; DataError for one that has another type now.
        """
        table = self.opened(data)
        self.require_columns(table)
        arrays = table.encoded(self.schema.encodings())
        odd = Oddities(self.schema)
        odd.add(arrays)
        for sentence in odd.sentences():
            warnings.warn(f"{table.name}: {sentence}", TableNotice, stacklevel=3)
        return arrays

    def encoded_target(self, data: Any) -> np.ndarray:
        """What was to be told: class numbers (rows,), -1 where they are missing, or numbers (rows, targets).

        Raises: NameNotFoundError for a target that is not there; DataError for a class that training did not have.
        """
        table = self.opened(data)
        _require(table, self.schema.targets, "the target")
        return encoded_targets(table, self.schema.targets, self.schema.classes)

    def opened(self, data: Any) -> Table:
        """A table of this, if it is none yet."""
        if isinstance(data, Table):
            return data
        if isinstance(data, dict) and is_row(data):
            data = [data]
        return open_table(data, types=self.schema.types if isinstance(data, str | os.PathLike) else None)

    def labels(self, probabilities: np.ndarray) -> np.ndarray:
        """The most probable class of each row. Shapes: (rows, classes) -> (rows,)."""
        classes = self.schema.classes
        kind = None if len({type(one) for one in classes}) == 1 else object
        named: np.ndarray = np.array(classes, kind)[probabilities.argmax(1)]
        return named

    # Intervals

    def conform(self, held_out: Any) -> Conformal:
        """Keep how far predictions are off on rows that the model was neither trained nor chosen by, with their
        targets: from that intervals are made. Rows without a target are left out.

        Raises: ArgumentError for a model of classes; DataError if no row has a target.
        """
        self._require_numbers()
        table = self.opened(held_out)
        truth = self.encoded_target(table)
        rows = with_target(truth)
        if not len(rows):
            raise DataError(
                "there are no rows to measure errors on",
                expected=f"rows that have {listed(self.schema.targets)}",
                got=f"{len(table)} rows, none with a target",
                fix="pass held-out rows with their targets",
            )
        self.conformal = Conformal.of(truth[rows], self.predict(table.take(rows), verbose=0))
        return self.conformal

    def predict_interval(self, x: Any, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Between what bounds so many of new rows lie: (low, high), each shaped as what ``predict`` gives.

        Raises: as ``known_errors``; DataError if too few rows were held out for this coverage.
        """
        return self.known_errors().interval(self.predict(x, verbose=0), coverage)

    def known_errors(self) -> Conformal:
        """``conformal``. Raises: ArgumentError for a model of classes; DataError if there is none."""
        self._require_numbers()
        if self.conformal is None:
            raise DataError(
                "the model does not know how far its predictions are off",
                expected="a model that thalweg train has written, which holds rows out, or that was told such rows",
                got="a model without errors on held-out rows",
                fix="train it with thalweg train, or call model.conform(rows) with rows that it has not seen",
            )
        return self.conformal

    def _require_numbers(self) -> None:
        if self.schema.is_of_classes:
            raise ArgumentError(
                "intervals are for predictions of numbers",
                expected="a model of numbers",
                got=f"a model of the classes {listed(map(str, self.schema.classes))}",
                fix="leave the interval out: the probabilities say how sure the model is",
            )

    def require_columns(self, table: Table) -> None:
        """Raise NameNotFoundError that names all columns that are missing."""
        _require(table, [column.name for column in self.schema.used], "a column")

    def _numbers_of(self, x: Any) -> Any:
        """Inputs as the network takes them."""
        return x if self._is_encoded(x) else self.encode(x)

    def _is_encoded(self, x: Any) -> bool:
        """Whether these are the arrays of the inputs already, rather than columns of a table."""
        groups = self.schema.groups
        return (
            isinstance(x, Mapping)
            and x.keys() == groups.keys()
            and all(getattr(x[name], "ndim", 0) == 2 and x[name].dtype == DTYPES[name] for name in groups)
        )

    def _with_target(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Inputs and targets of raw data; rows without a target are left out."""
        if self._is_encoded(x):
            return x, y
        table = self.opened(x)
        if y is not None:
            return self.encode(table), y
        target = self.encoded_target(table)
        known = with_target(target)
        if len(known) < len(target):
            table, target = table.take(known), target[known]
        return self.encode(table), target if target.ndim == 1 else target.astype(np.float32)

    # What every model does

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        if callbacks is None and (row := single_row(x)) is not None:
            return self._predict_row(row)
        return super().predict(self._numbers_of(x), batch_size, verbose, steps, callbacks)

    def _predict_row(self, row: Mapping[str, Any]) -> np.ndarray:
        """What ``predict`` gives for one row, with nothing on the way."""
        if self._reader is None:
            self._reader = RowReader(self.schema, list(self.runner.structure.inputs))
        arrays = self._reader.arrays(row)
        one_row = self.runner.one_row
        return (self.runner.single() if one_row is None else one_row).of(arrays)

    def evaluate(self, x: Any = None, y: Any = None, *arguments: Any, **options: Any) -> Any:
        """Loss and metrics; of raw data the targets are columns. Arguments as those of every model."""
        x, y = self._with_target(x, y)
        return super().evaluate(x, y, *arguments, **options)

    def fit(self, x: Any = None, y: Any = None, *arguments: Any, **options: Any) -> History:
        """Train on; of raw data the targets are columns. Arguments as those of every model."""
        x, y = self._with_target(x, y)
        held_out = options.get("validation_data")
        if held_out is not None and not isinstance(held_out, tuple):
            options["validation_data"] = self._with_target(held_out, None)
        return super().fit(x, y, *arguments, **options)

    # Files

    def file_config(self) -> dict[str, Any]:
        whole = {"network": super().file_config(), "schema": self.schema.to_dict()}
        return whole if self.conformal is None else {**whole, CONFORMAL: self.conformal.to_dict()}

    @classmethod
    def from_file_config(cls, settings: Mapping[str, Any]) -> Self:
        if settings.keys() - {CONFORMAL} != {"network", "schema"}:
            raise bad_entry("a model for tables is described otherwise", "network and schema", list(settings))
        model = super().from_file_config(settings["network"])
        model.schema = Schema.from_dict(settings["schema"])
        if CONFORMAL in settings:
            model.conformal = Conformal.from_dict(settings[CONFORMAL])
        return model


def combined(schema: Schema, members: Sequence[Model]) -> TableModel:
    """One model of several networks that were trained for this schema: it gives their mean, in the targets' units."""
    inputs = inputs_of(schema)
    for number, member in enumerate(members):
        member.as_layer().name = f"network_{number}" if number else "network"
    given = [member(list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values()))) for member in members]
    output: Symbol = given[0] if len(given) == 1 else layers.Average()(given)
    if not schema.is_of_classes:
        variances = tuple(scale**2 for scale in schema.scales)
        output = layers.Normalization(mean=schema.centers, variance=variances, invert=True)(output)
        # What no training row came near is no better guess than the extremes are: as RealMLP, arXiv:2407.04491.
        output = layers.ColumnLimits(schema.lows, schema.highs)(output)
    model = TableModel(inputs, output, schema=schema)
    model.class_names = tuple(map(str, schema.classes))
    if schema.is_of_classes:
        model.compile(SGD(), "sparse_categorical_crossentropy", metrics=["accuracy"])
    else:
        model.compile(SGD(), "mean_squared_error", metrics=["root_mean_squared_error", "r2_score"])
    return model


def _require(table: Table, names: Sequence[str], what: str) -> None:
    if any(name not in table.types for name in names):
        raise columns_missing(table.name, names, table.columns, what)
