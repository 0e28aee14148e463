"""A head, a loss and targets that do not go together."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment.material import Material
from thalweg.diagnosis.treatment.patient import Group, Patient, prescribes
from thalweg.diagnosis.treatment.program import Change, Edit, Program

BINARY = "binary_crossentropy"


@prescribes("wrong_loss")
def cures(patient: Patient) -> Iterator[Group]:
    """The table: what the targets are says what head and loss have to be."""
    material = patient.material
    if patient.program.head is None:
        return
    if material.task == "regression" and material.answers:
        words = "a sigmoid for each unit and binary crossentropy: targets are answers of yes and no"
        yield at_rates(patient.program, words, lambda p: edits.with_head(p, None, "sigmoid").with_loss(BINARY))
        return
    if material.task == "regression":
        targets = edits.scaled_targets(material)
        plain = "a linear head and mean squared error: targets are numbers"
        unit = Change(f"{plain}; a Rescaling behind it gives them in their unit", lambda p: targets(squared(p)))
        yield (Change(plain, squared),) if is_usual(material) else (unit, Change(plain, squared))
        return
    units = patient.program.head.size
    if material.classes <= 2 and not material.one_hot and units != material.classes:
        words = "one sigmoid unit and binary crossentropy: targets are 0 and 1"
        yield at_rates(patient.program, words, lambda p: edits.with_head(p, 1, "sigmoid").with_loss(BINARY))
        return
    loss = "categorical_crossentropy" if material.one_hot else "sparse_categorical_crossentropy"
    classes = material.classes
    words = f"{classes} softmax units and {loss.replace('_', ' ')}: targets are {classes} classes"
    yield at_rates(patient.program, words, lambda p: edits.with_head(p, classes, "softmax").with_loss(loss))


def at_rates(program: Program, words: str, edit: Edit) -> Group:
    """The change, and the same at larger rates: what suited another loss need not suit this one."""
    if program.optimizer in edits.ADAPTIVE or not program.has_rate:
        return (Change(words, edit),)
    rates = [float(f"{program.rate * factor:.2g}") for factor in (1.0, 4.0, 16.0)]

    def change(rate: float) -> Change:
        also = "" if rate == program.rate else f"; learning rate {rate:g}, because another loss has other gradients"
        return Change(words + also, lambda p: edit(p).with_rate(rate))

    return tuple(map(change, rates))


def is_usual(material: Material) -> bool:
    """Whether targets are numbers that an output has without being scaled."""
    return 0.2 < material.target_deviation < 5 and abs(material.target_mean) < 3


def squared(program: Program) -> Program:
    """Any number, judged by squared errors; a loss between numbers stays."""
    between = ("mean_squared_error", "mse", "mean_absolute_error", "mae", "huber", "log_cosh")
    program = edits.linear_head(program)
    return program if program.loss in between else program.with_loss("mean_squared_error")
