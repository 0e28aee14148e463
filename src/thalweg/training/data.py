"""The data of a fit, an evaluation or a prediction: checked, converted, split, before anything runs."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from thalweg.data.arrays import as_array, converted, require_finite
from thalweg.data.source import WEIGHT, Arrays, LateRows, Rows, slices
from thalweg.errors import ArgumentError, DataError, DTypeError, ShapeError, did_you_mean
from thalweg.graph.types import Shape, TensorType
from thalweg.layers.symbols import Symbol, by_data
from thalweg.training.goals import Goal, Goals
from thalweg.training.own import DataForm
from thalweg.trees import LEAF

Entries = Mapping[str, Symbol]
"""Label of an input ("x", "x/left") -> its shape, in which None is open, and its dtype."""


class ClassNotice(UserWarning):
    """A class has a weight, but no sample."""


def prepare_inputs(x: Any, entries: Entries) -> Rows:
    """The arrays of a model's inputs.

    Arguments:
        x: one array for a model of one input; else a list in the order of the inputs, or a mapping by their names.

    Raises: ShapeError, DTypeError or DataError naming the input and what does not fit.
    """
    parts = _parts(x, entries)
    arrays = {label: _input_array(parts[label], entry, label) for label, entry in entries.items()}
    late = {label: entry.dtype for label, entry in entries.items() if isinstance(arrays[label], np.memmap)}
    return LateRows(arrays, late) if late else Rows(arrays)


def _parts(x: Any, entries: Entries) -> dict[str, Any]:
    """What there is for each input, by label."""
    only = _of_the_only_input(x, *entries.values()) if len(entries) == 1 else None
    return by_label(x, list(entries), "x") if only is None else dict.fromkeys(entries, only)


def _of_the_only_input(x: Any, entry: Symbol) -> Any:
    """What a list of one array, or a mapping of one by the input's name, holds; anything else as it is, and None for a
    mapping of others.
    """
    if isinstance(x, Mapping) and not hasattr(x, "columns"):
        return x[entry.name] if set(x) == {entry.name} else None
    inner = of_the_only_part(x)
    if inner is not x and inner.ndim < len(entry.shape) and (len(x), *inner.shape)[1:] == entry.shape[1:]:
        return x  # a list of one sample
    return inner


def of_the_only_part(value: Any) -> Any:
    """What a list of one array holds, as Keras allows for a model of one input or output; anything else as it is."""
    alone = isinstance(value, list | tuple) and len(value) == 1
    return value[0] if alone and getattr(value[0], "ndim", 0) > 0 else value


def opened(x: Any, entries: Entries) -> dict[str, Symbol] | None:
    """The inputs with those axes open on which these data differ from the data that the inputs were made by.

    None if they are as they should be, or differ in more than sizes.
    """
    if not any(entry.by_data for entry in entries.values()):
        return None
    parts = _parts(x, entries)
    wider = {}
    for label, entry in entries.items():
        given, shape = np.shape(parts[label])[1:], entry.shape[1:]
        if len(given) != len(shape):
            return None
        sizes = tuple(n if n in (None, m) else None for n, m in zip(shape, given, strict=True))
        wider[label] = entry if sizes == shape else by_data(sizes, entry.dtype, entry.name)
    return None if list(wider.values()) == list(entries.values()) else wider


def check_inputs(rows: Rows, x: Any, with_gaps: Collection[str] = ()) -> None:
    """Raise DataError at a NaN or infinity. Apart from :func:`prepare_inputs`: prediction takes whatever it gets.

    Arguments:
        with_gaps: labels of inputs whose layers know what to do there.
    """
    seen = 0
    for chunk in rows.gathered(None, 0, rows.count, 1):
        for label, array in chunk.arrays.items():
            if label in with_gaps:
                continue
            require_finite(array, label, getattr(x, "columns", None), first_row=seen)
        seen += len(chunk.index)


def _input_array(value: Any, entry: Symbol, label: str) -> np.ndarray:
    if value is None:
        raise DataError(
            f"there are no data for {label}", expected="an array of samples", got="None", fix=f"pass {label}"
        )
    array = as_array(value, label)
    shape = _closed(entry.shape[1:], array)
    fitted = _fit_rank(array, shape)
    if fitted is None or (0 in shape and None in entry.shape[1:]):  # over no places there is no mean and no largest
        raise _misfit(array, entry.shape[1:], label)
    if not isinstance(fitted, np.memmap) or (fitted.dtype == entry.dtype and fitted.flags.c_contiguous):
        return converted(fitted, entry.dtype, label)
    for part in slices(fitted):  # a file may be larger than memory: its rows are converted when they are used
        converted(fitted[part], entry.dtype, label)
    return fitted


def _closed(shape: Sequence[int | None], array: np.ndarray) -> Shape:
    """The shape of a sample with the array's sizes where it is open; 1 for a last axis that the array lacks."""
    given = array.shape[1:] if array.ndim > len(shape) else (*array.shape[1:], 1)
    return tuple((given[axis] if axis < len(given) else 0) if size is None else size for axis, size in enumerate(shape))


def _fit_rank(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The array, with a last axis of size 1 added or dropped as in Keras; None if it cannot be a batch of ``shape``."""
    if array.ndim == 0:
        return None
    if array.shape[1:] == shape:
        return array
    if array.shape[1:] in ((*shape, 1), shape[:-1]) and (array.ndim > len(shape) or shape[-1:] == (1,)):
        return array.reshape(array.shape[0], *shape)
    return None


def _misfit(array: np.ndarray, wanted: Sequence[int | None], label: str) -> ShapeError:
    sizes = ", ".join(map(str, wanted))
    given, shape = array.shape[1:], _closed(wanted, array)
    problem = f"{label} does not fit the model's input"
    fix = f"build the model with Input({given or (1,)}), or pass data of the expected shape"
    if len(given) == len(wanted) and len(given) > 1:
        fix += "; None in the shape of an Input leaves an axis open"
    if array.shape == shape:
        fix = f"add the axis of the samples: {label}[None]"
    elif found := _misfit_of_images(array.shape, shape, label):
        problem, fix = f"{problem}: {found[0]}", found[1]
    elif array.ndim > 1 and math.prod(given) == math.prod(shape) and None not in wanted:
        fix = f"{label}.reshape(-1, {sizes}), or build the model with Input({given})"
    return ShapeError(problem, expected=f"(samples, {sizes})", got=str(array.shape), fix=fix)


def _misfit_of_images(array: tuple[int, ...], shape: tuple[int, ...], label: str) -> tuple[str, str] | None:
    """What is wrong with images of this shape for an input of that one, and what to do; None if it is something else.

    Where the channels stand in another place a reshape would fit too, and mix up the pixels.
    """
    given, (*places, channels) = array[1:], shape
    if len(shape) > 2 and given == (channels, *places):
        order = ", ".join(map(str, (*range(2, len(array)), 1)))
        return "its channels come first", f"transpose the data once: {label}.transpose(0, {order})"
    if len(shape) > 2 and given == (*shape[1:], shape[0]):
        order = ", ".join(map(str, (len(shape), *range(1, len(shape)))))
        return "its channels come last", f"transpose the data once: {label}.transpose(0, {order})"
    if len(shape) == 3 and given == (shape[1], shape[0], channels):
        return (
            "height and width are exchanged",
            f"{label}.transpose(0, 2, 1, 3), or build the model with Input({given})",
        )
    if len(shape) == 3 and array == tuple(places):
        return "it is one image without an axis of channels", f"pass {label}[None, ..., None], which adds both axes"
    if len(shape) == 3 and channels == 3 and given in (tuple(places), (*places, 1)):
        grey = f"{label}[..., None]" if len(given) == 2 else label
        return (
            "the images are grey, and the model takes colours",
            f"np.repeat({grey}, 3, axis=-1), or build the model with Input({(*places, 1)})",
        )
    if given in ((*shape, 3), (*places, 3)) and len(given) == 3:
        return (
            "the images are in colour, and the model takes grey ones",
            f"{label}.mean(-1, keepdims=True), or build the model with Input({given})",
        )
    return None


def by_label(value: Any, labels: Sequence[str], what: str) -> dict[str, Any]:
    """The parts of ``value`` by label."""
    names = [label.removeprefix(f"{what}/") for label in labels]
    if isinstance(value, Mapping) and not hasattr(value, "columns"):
        unknown = [name for name in value if name not in names]
        missing = [name for name in names if name not in value]
        if unknown or missing:
            raise ArgumentError(
                f"{what} does not name what the model has",
                expected=", ".join(map(repr, names)),
                got=", ".join(map(repr, value)) or "nothing",
                fix=f"pass the array itself, without a mapping: {what}={what}[{next(iter(value), None)!r}]"
                if names == [what]
                else did_you_mean(str(unknown[0]), names)
                if unknown
                else f"add {missing[0]!r}",
            )
        return {label: value[name] for label, name in zip(labels, names, strict=True)}
    if len(labels) == 1:
        (label,) = labels
        return {label: of_the_only_part(value)}
    if isinstance(value, list | tuple) and len(value) == len(labels):
        return dict(zip(labels, value, strict=True))
    raise ArgumentError(
        f"{what} does not have as many parts as the model",
        expected=f"a list of {len(labels)} arrays, or a mapping with the names {', '.join(map(repr, names))}",
        got=f"{type(value).__name__}" + (f" of {len(value)}" if isinstance(value, list | tuple) else ""),
        fix=f"pass one array for each of {', '.join(map(repr, names))}",
    )


def prepare(inputs: Rows, x: Any, y: Any, sample_weight: Any, goals: Goals, with_gaps: Collection[str] = ()) -> Rows:
    """Everything that a step of training or evaluation takes.

    Arguments:
        inputs: what ``prepare_inputs`` made of ``x``.
        y: shaped like ``x`` for a model of several outputs.
        sample_weight: one number per sample, or one such array per output.
        with_gaps: as for ``check_inputs``.

    Raises: ShapeError, DTypeError, DataError or ArgumentError, before anything has run.
    """
    require_rows(inputs)
    check_inputs(inputs, x, with_gaps)
    targets = _prepare_targets(_wanted(y, goals), goals.outputs)
    weights = _prepare_weights(_wanted(sample_weight, goals), targets, goals.outputs)
    return inputs.beside({**targets, **weights})


def require_rows(rows: Rows) -> None:
    """Raises DataError if there are none."""
    if rows.count == 0:
        raise DataError("there are no data", expected="at least 1 row in x", got="0 rows", fix="pass some data")


def targets(y: Any, outputs: Iterable[str]) -> dict[str, np.ndarray]:
    """The targets by output, as they are. Raises DataError or DTypeError if they are no finite numbers."""
    names = list(outputs)
    if y is None:
        raise DataError("there are no targets", expected="y, one row per sample", got="y=None", fix="pass y")
    labels = [f"y/{name}" if name else "y" for name in names]
    parts = by_label(y, labels, "y")
    arrays = {name: as_array(parts[label], label) for name, label in zip(names, labels, strict=True)}
    for name, array in arrays.items():
        if not array.size or not np.isfinite(array).all():
            raise DataError(
                "loss='auto' cannot be chosen from these targets",
                expected="finite numbers, at least one",
                got="numbers that are not finite" if array.size else f"shape {array.shape}",
                fix="mend the targets" + (f" of output {name!r}" if name else "") + ", or name the loss in compile",
            )
    return arrays


def _wanted(parts: Any, goals: Goals) -> Any:
    """Without the parts for outputs that have neither loss nor metrics: they may be there, and are left alone."""
    names, every = [goal.name for goal in goals.outputs], goals.names_of_outputs
    if len(names) == len(every):
        return parts
    if isinstance(parts, Mapping) and not hasattr(parts, "columns"):
        parts = {name: part for name, part in parts.items() if name in names or name not in every}
        return parts if len(names) > 1 or set(parts) != set(names) else parts[names[0]]
    if isinstance(parts, list | tuple) and len(parts) == len(every):
        kept = [part for name, part in zip(every, parts, strict=True) if name in names]
        return kept if len(kept) > 1 else kept[0]
    return parts


def _prepare_targets(y: Any, goals: Sequence[Goal]) -> Arrays:
    if y is None:
        raise DataError("there are no targets", expected="y, one row per sample", got="y=None", fix="pass y")
    parts = by_label(y, [goal.label for goal in goals], "y")
    targets = {}
    for goal in goals:
        targets[goal.label] = goal.prepare(as_array(parts[goal.label], goal.label))
    return targets


def _prepare_weights(sample_weight: Any, targets: Arrays, goals: Sequence[Goal]) -> Arrays:
    if sample_weight is None:
        return {}
    if isinstance(sample_weight, Mapping) and [goal.name for goal in goals] == [""]:
        raise ArgumentError(
            "sample_weight is a mapping, and the model has one output",
            expected="one number per sample, as an array; or class_weight={class: weight}",
            got=f"a mapping with the keys {', '.join(map(repr, list(sample_weight)[:5]))}",
            fix="pass class_weight= for weights of classes, or the array of weights itself",
        )
    several = isinstance(sample_weight, Mapping) or (len(goals) > 1 and isinstance(sample_weight, list | tuple))
    labels = [goal.label for goal in goals]
    parts = by_label(sample_weight, labels, "y") if several else dict.fromkeys(labels, of_the_only_part(sample_weight))
    return {goal.weight_label: _weights(parts[goal.label], len(targets[goal.label]), goal) for goal in goals}


def weigh_classes(rows: Rows, class_weight: Any, goals: Goals | None, whole: bool = True) -> Rows:
    """The rows, each with the weight of its class. Rows held out for validation are none of these, and have none.

    Arguments:
        class_weight: class -> weight (classes without one count 1), or ``"balanced"``: n / (classes * samples of the
            class), as in scikit-learn; None for no weights.
        goals: None where a step that the model says itself gets the rows.
        whole: whether these are all rows; of a part of them "balanced" cannot be worked out.

    Raises: ArgumentError if the rows have weights already, or the targets are no classes; DataError for a weight that
        is none.
    """
    if class_weight is None:
        return rows
    if not whole and isinstance(class_weight, str):
        raise ArgumentError(
            f"class_weight={class_weight!r} for a stream, whose classes nobody has counted",
            expected="a mapping from class numbers to weights",
            got=repr(class_weight),
            fix="count the classes, and pass for example class_weight={0: 1.0, 1: 5.0}",
        )
    if rows.weighted:
        raise ArgumentError(
            "class_weight and sample_weight are given both",
            expected="one of them, as in Keras",
            got="both",
            fix="multiply them: sample_weight * np.array([class_weight[c] for c in y])",
        )
    target = rows.ready().get("y")  # targets are read and converted at once, whatever the inputs come from
    if goals is None and target is not None and isinstance(rows.form, DataForm):
        units = target.shape[-1] if target.ndim > 1 else 1
        weights = _class_weights(class_weight, target, units, sparse=False, whole=whole)
        kind = TensorType(weights.shape[1:], weights.dtype.name)
        form = dataclasses.replace(rows.form, further=(*rows.form.further, (WEIGHT, kind)), sample_weight=LEAF)
        return rows.beside({WEIGHT: weights}, form)
    if goals is None or len(goals.outputs) > 1:
        raise ArgumentError(
            "class_weight with a model of several outputs",
            expected="a model of one output, as in Keras",
            got="other targets" if goals is None else f"{len(goals.outputs)} outputs",
            fix="pass sample_weight={output: weights} instead",
        )
    (goal,) = goals.outputs
    units = goal.output.shape[-1] if goal.output.rank > 1 else 1
    target = rows.ready()[goal.label]
    return rows.beside({goal.weight_label: _class_weights(class_weight, target, units, goal.kind.sparse, whole)})


def _weights(value: Any, rows: int, goal: Goal) -> np.ndarray:
    """Weights of samples (rows,) or of places of samples (rows, time), (rows, height, width)."""
    weights = converted(as_array(value, WEIGHT), "float32", WEIGHT)
    if weights.shape == (rows, 1):
        weights = weights.reshape(rows)
    places = goal.values_shape() if weights.ndim > 1 else ()
    if weights.shape[:1] != (rows,) or not _fits_places(weights.shape[1:], places):
        raise ShapeError(
            "sample_weight does not fit the data",
            expected=f"({rows},), one number per sample"
            + (f", or ({', '.join(map(str, (rows, *places)))}), one for each place" if places else ""),
            got=str(weights.shape),
            fix="pass one weight per row of x" + (", or per place" if places else ""),
        )
    return _checked(weights)


def _fits_places(given: Shape, places: Shape) -> bool:
    """Whether weights of this shape for a sample are those of the first axes of its places; (..., 1) says the same."""
    given = given[:-1] if len(given) > len(places) and given[-1:] == (1,) else given
    return given == places[: len(given)] or (
        len(given) == len(places) and all(n in (1, m) for n, m in zip(given, places, strict=True))
    )


def _checked(weights: np.ndarray) -> np.ndarray:
    """The weights. Raises DataError if one is not finite, or negative."""
    require_finite(weights, WEIGHT)
    if weights.size and weights.min() < 0:
        place = np.unravel_index(int(weights.argmin()), weights.shape)
        at = f"row {place[0]}" + (f", position {tuple(map(int, place[1:]))}" if len(place) > 1 else "")
        raise DataError(
            "a sample weight is negative",
            expected="numbers from 0 on",
            got=f"{weights[place]} in {at}",
            fix="use 0 for samples that should not count",
        )
    return weights


def _class_weights(class_weight: Any, target: np.ndarray, units: int, sparse: bool, whole: bool) -> np.ndarray:
    """One weight per target, by its class: a label (``sparse``), or the place of the largest number of a row.

    A weight for a class that the predictions, of so many units, have no place for is an error; for one without a
    sample, a warning.
    """
    one_hot = target.ndim > 1 and target.shape[-1] > 1 and not sparse
    labels = target.argmax(-1) if one_hot else target
    if one_hot and (np.count_nonzero(target == target.max(-1, keepdims=True), -1) > 1).any():
        raise ArgumentError(
            "class_weight with targets of several classes",
            expected="y of one class number or one one-hot row for each sample",
            got="a row with several largest numbers",
            fix="pass sample_weight instead",
        )
    if labels.ndim > 1 and labels.size == len(labels):
        labels = labels.reshape(len(labels))
    elif labels.ndim > 1 and labels.shape[-1] == 1 and not sparse:
        labels = labels[..., 0]
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        raise ArgumentError(
            "class_weight with targets that are no classes",
            expected="y of one class number or one one-hot row for each sample",
            got=f"y of shape {target.shape} and dtype {target.dtype}",
            fix="pass sample_weight instead",
        )
    classes, place, counts = np.unique(labels.astype(np.int64), return_inverse=True, return_counts=True)
    if isinstance(class_weight, str) and class_weight == "balanced":
        per_class = labels.size / (len(classes) * counts)
    elif isinstance(class_weight, Mapping) and all(
        isinstance(c, Integral) and isinstance(w, Real) for c, w in class_weight.items()
    ):
        _check_weighted_classes(sorted(map(int, class_weight)), classes, units, whole)
        per_class = np.array([float(class_weight.get(int(c), 1.0)) for c in classes])
    else:
        raise ArgumentError(
            "argument 'class_weight' does not fit its rule",
            expected="a mapping from class numbers to weights, or 'balanced'",
            got=f"{class_weight!r:.80} ({type(class_weight).__name__})",
            fix="pass for example class_weight={0: 1.0, 1: 5.0}",
        )
    return _checked(per_class[place].reshape(labels.shape).astype(np.float32))


def _check_weighted_classes(weighted: list[int], present: np.ndarray, units: int, whole: bool) -> None:
    known = range(min(0, present.min()), max(units, 2, present.max() + 1))  # hinge losses have a class -1
    impossible = [c for c in weighted if c not in known]
    if impossible:
        raise ArgumentError(
            "class_weight has a weight for a class that does not exist",
            expected=f"classes {known[0]} to {known[-1]}",
            got=f"class {impossible[0]}",
            fix="leave it out, or number the classes from 0",
        )
    absent = np.setdiff1d(weighted, present)
    if len(absent) and whole:
        warnings.warn(
            f"class_weight has a weight for class {absent[0]}, of which there is no sample", ClassNotice, stacklevel=2
        )


def split_tail(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """Training and validation rows: the last ``n - floor(n * (1 - share))`` are held out, as in Keras.

    Raises: ArgumentError if the share is not in (0, 1), DataError if one side would be empty.
    """
    if not isinstance(share, int | float) or not 0 < share < 1:
        raise ArgumentError(
            "argument 'validation_split' does not fit its rule",
            expected="a number in [0, 1)",
            got=repr(share),
            fix="pass for example validation_split=0.1",
        )
    kept = int(np.floor(rows.count * (1 - share)))
    if kept == 0 or kept == rows.count:
        raise DataError(
            "validation_split leaves one side without data",
            expected="at least 1 row for training and 1 for validation",
            got=f"{kept} and {rows.count - kept} of {rows.count} rows",
            fix="use another share, or pass validation_data",
        )
    return rows.take(slice(kept)), rows.take(slice(kept, None))


def unpack_validation(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y)`` or ``(x, y, sample_weight)``. Raises ArgumentError for anything else."""
    if isinstance(data, tuple | list) and len(data) in (2, 3):
        x, y, *weight = data
        return x, y, weight[0] if weight else None
    raise ArgumentError(
        "argument 'validation_data' does not fit its rule",
        expected="(x, y) or (x, y, sample_weight)",
        got=type(data).__name__ + (f" of {len(data)}" if isinstance(data, tuple | list) else ""),
        fix="pass validation_data=(x_val, y_val)",
    )


def input_type(x: Any, whole: bool = False) -> TensorType:
    """The type of input that a model gets which is built on these data: uint8 stays, all else becomes float32.

    Arguments:
        whole: whether the numbers are those of categories: whole ones become int32 then.

    Raises: ShapeError if there is no axis of samples; DTypeError if ``x`` cannot be one array; DataError at a NaN or
        infinity. All before there is a model that would take no other shape.
    """
    if isinstance(x, Mapping) and not hasattr(x, "columns"):
        raise DTypeError(
            "a Sequential model takes one array",
            expected="an array of samples",
            got="a mapping",
            fix="build a Model of several Inputs for data in several parts",
        )
    if x is None:
        raise DataError("there are no data", expected="an array of samples", got="x=None", fix="pass x")
    array = as_array(x, "x")
    if array.ndim == 0:
        raise ShapeError("x is one number", expected="(samples, ...)", got="()", fix="pass an array of samples")
    require_finite(array, "x", getattr(x, "columns", None))
    dtype = "uint8" if array.dtype == np.uint8 else "int32" if whole and array.dtype.kind in "iu" else "float32"
    return TensorType(array.shape[1:] or (1,), dtype)
