"""Prescriptions: each disease has some, and what they make of a training can be trained."""

from __future__ import annotations

import numpy as np
import pytest
from tests.diagnosis.treatment.networks import pictures, program, rows, stack, with_skip

from thalweg.diagnosis.treatment import edits
from thalweg.diagnosis.treatment import network as networks
from thalweg.diagnosis.treatment.code import code, difference
from thalweg.diagnosis.treatment.material import Material
from thalweg.diagnosis.treatment.patient import Group, Patient, groups_for, prescriptions
from thalweg.diagnosis.treatment.program import Program
from thalweg.doctor.finding import LABELS, Finding

PROGRAMS = {
    "stack": (lambda: program(stack(), "binary_crossentropy", batch_size="full"), lambda: rows("binary")),
    "linear": (lambda: program(stack("linear", 1, "sigmoid", 0), "mse"), lambda: rows("binary")),
    "classes": (lambda: program(stack("tanh", 3, "softmax"), "mse", "adam"), lambda: rows("multiclass")),
    "pictures": (
        lambda: program(pictures(), "sparse_categorical_crossentropy"),
        lambda: rows("multiclass", (6, 6, 1)),
    ),
    "skip": (lambda: program(with_skip(), "mse"), lambda: rows("regression", (4,))),
    "numbers": (lambda: program(stack("relu", 1, "sigmoid"), "mae"), lambda: rows("regression")),
}


def patient(code: str, made: Program, of: Material, *found: str) -> Patient:
    finding = Finding(code, "diagnosed", None, None, {}, "", "")
    return Patient(made, finding, of, 4, (code, *found))


def groups(code: str, which: str, *found: str) -> list[Group]:
    made, of = PROGRAMS[which]
    return groups_for(patient(code, made(), of(), *found))


def test_every_disease_has_a_file() -> None:
    assert set(prescriptions()) == set(LABELS)


@pytest.mark.parametrize("which", PROGRAMS)
@pytest.mark.parametrize("disease", LABELS)
def test_what_is_prescribed_can_be_made_and_written(disease: str, which: str) -> None:
    made, of = PROGRAMS[which]
    before = made()
    for group in groups_for(patient(disease, before, of(), "bad_init")):
        for change in group:
            after = change.edit(before)
            model = after.make()
            assert model.output_shape[0] is None
            assert difference(before, after), f"{change.words} changes nothing that can be seen"
            assert change.words
    assert difference(before, made()) == "", "the program that is given stays as it is"


def test_a_prescription_for_what_is_no_array_of_numbers_does_not_fail() -> None:
    of = rows("binary")
    named = Material("binary", {"left": of.x, "right": of.x}, of.y, None, {"left": of.x}, of.y, "some rows")
    for disease in LABELS:
        groups_for(patient(disease, PROGRAMS["stack"][0](), named))


def test_initial_weights_by_activation() -> None:
    mixed = program(stack("relu"), "mse")
    settings = {place.name: place.settings for place in edits.initialised(mixed).weighted}
    assert [own["kernel_initializer"] for own in settings.values()] == ["he_normal"] * 3 + ["glorot_uniform"]


def test_an_activation_of_its_own_counts_as_the_layers() -> None:
    own = program(pictures(), "sparse_categorical_crossentropy")
    assert edits.acting(own, own.hidden[0]) == "relu"
    leaky = edits.activated(own, "leaky_relu", ("relu",))
    assert [p.activation for p in networks.places(leaky.network or {}) if p.kind == "activation"] == ["leaky_relu"]


def test_inputs_are_scaled_inside_by_the_training_rows() -> None:
    made, of = PROGRAMS["stack"]
    ((change,),) = groups("unscaled_inputs", "stack")
    model = change.edit(made()).make()
    material = of()
    model.executor = "numpy"
    model.build_for(material.x)
    model.runner.give_values(0)
    scaled = np.asarray(model.layers[0](material.x))
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(0), 1, rtol=1e-4)


def test_targets_are_scaled_inside_and_the_loss_with_them() -> None:
    _, of = PROGRAMS["skip"]
    change = groups("unscaled_targets", "skip")[0][0]
    after = change.edit(PROGRAMS["skip"][0]())
    last = networks.places(after.network or {})[-1]
    assert last.kind == "rescaling"
    assert last.settings["scale"] == pytest.approx(of().target_deviation, rel=1e-3)
    assert after.compile["loss_weights"] == pytest.approx(of().target_deviation ** -2, rel=2e-3)


def test_the_table_of_heads_and_losses() -> None:
    made = {which: groups("wrong_loss", which)[0][0].edit(PROGRAMS[which][0]()) for which in ("classes", "numbers")}
    classes, numbers = made["classes"], made["numbers"]
    assert (classes.loss, networks.head_activation(classes.network or {})) == (
        "sparse_categorical_crossentropy",
        "softmax",
    )
    assert networks.head_activation(numbers.network or {}) == "linear"
    assert numbers.loss == "mae"


def test_several_answers_get_a_sigmoid_for_each() -> None:
    x, y = np.zeros((40, 3)), np.arange(120).reshape(40, 3) % 5 % 2.0
    before = program(stack("relu", 3, "softmax"), "mse", "adam")
    ((only,),) = groups_for(patient("wrong_loss", before, Material("regression", x, y, None, x, y, "")))
    after = only.edit(before)
    assert networks.head_activation(after.model["config"]) == "sigmoid"
    assert after.loss == "binary_crossentropy"


def test_copies_of_validation_rows_are_left_out() -> None:
    of = rows("binary")
    leaked = Material(
        "binary", np.concatenate([of.x, of.x_val]), np.concatenate([of.y, of.y_val]), None, of.x_val, of.y_val, ""
    )
    ((change,),) = groups_for(patient("data_leakage", PROGRAMS["stack"][0](), leaked))
    kept = change.edit(PROGRAMS["stack"][0]()).kept
    assert kept is not None
    assert kept.tolist() == list(range(len(of.x)))


def test_missing_numbers_are_filled_and_rows_without_a_target_left_out() -> None:
    of = rows("regression", (4,))
    x, y = of.x.copy(), of.y.copy()
    x[3, 1], x[4, 0], y[7] = np.nan, np.inf, np.nan
    bad = Material("regression", x, y, None, of.x_val, of.y_val, "")
    ((change,),) = groups_for(patient("nan_inf", PROGRAMS["skip"][0](), bad))
    after = change.edit(PROGRAMS["skip"][0]())
    first = networks.places(after.network or {})[0]
    assert (first.kind, len(first.settings["values"])) == ("fill_missing", 4)
    assert after.kept is not None
    assert after.kept.tolist() == [row for row in range(len(y)) if row != 7]
    assert np.isnan(x[3, 1]), "the arrays stay as they are"


@pytest.mark.parametrize("which", PROGRAMS)
def test_the_code_of_a_program_makes_it(which: str) -> None:
    names: dict[str, object] = {}
    exec("from thalweg import Input, Model, Sequential; from thalweg.layers import *", names)
    exec("from thalweg.optimizers import *; from thalweg.regularizers import *", names)
    before = PROGRAMS[which][0]()
    lines = code(before)
    exec(lines[: lines.index("model.fit(")], names)
    again = Program.of(names["model"], before.fit)
    assert code(again) == lines
