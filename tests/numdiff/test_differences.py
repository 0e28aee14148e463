"""numdiff's formulas: by hand on polynomials, their orders, shapes, and what is refused."""

import math
import sys

import numpy as np
import pytest

import thalweg
from thalweg import numdiff, ops
from thalweg.errors import ArgumentError, DataError, DTypeError, MissingPackageError, ShapeError

FORMULAS = [numdiff.forward, numdiff.backward, numdiff.central, numdiff.richardson]


def cubic(x):
    return x**3


def test_by_hand_on_a_cubic():
    """f = x^3 at 2, h = 1/2: f' = 12; exact are 12 + 3xh + h^2, 12 - 3xh + h^2, 12 + h^2 and 12."""
    assert numdiff.forward(cubic, 2.0, h=0.5) == 15.25
    assert numdiff.backward(cubic, 2.0, h=0.5) == 9.25
    assert numdiff.central(cubic, 2.0, h=0.5) == 12.25
    assert numdiff.richardson(cubic, 2.0, h=0.5, levels=1) == 12.25
    assert numdiff.richardson(cubic, 2.0, h=0.5, levels=2) == 12


@pytest.mark.parametrize(("formula", "digits"), [*zip(FORMULAS, (7, 7, 10, 12), strict=True)])
def test_the_default_step_keeps_the_digits_that_the_formula_can(formula, digits):
    for x in (1.0, -0.3, 30.0):
        assert abs(float(formula(math.sin, x)) - math.cos(x)) < 10.0**-digits * max(abs(x), 1)


def test_derivatives_by_every_entry():
    a, x = np.arange(6.0).reshape(2, 3), np.array([1.0, 2.0, 3.0])
    for formula in FORMULAS:
        np.testing.assert_allclose(formula(lambda x: a @ x, x), a, atol=1e-6)
        np.testing.assert_allclose(formula(lambda a: np.sum(a @ x), a), np.tile(x, (2, 1)), atol=1e-6)
        assert formula(lambda x: np.stack([x, x]), 1.0).shape == (2,)
        assert formula(np.sum, np.zeros((0, 2))).shape == (0, 2)


def test_integers_are_points_too_and_x_stays_as_it_was():
    x = np.array([1.0, 2.0])
    numdiff.central(lambda x: np.sum(x * x), x)
    assert x.tolist() == [1, 2]
    assert numdiff.central(cubic, 2, h=0.5) == 12.25


def test_steps_fit_functions_in_float32():
    """Differences of float32 numbers at float64's best step would be nothing but rounding."""
    f = thalweg.compile_function(lambda x: ops.reduce_sum(ops.tanh(x)))
    x = np.array([0.5, -1.0], np.float32)
    for formula, error in zip(FORMULAS, (2e-3, 2e-3, 2e-4, 2e-4), strict=True):
        np.testing.assert_allclose(formula(f, x), 1 - np.tanh(x) ** 2, atol=error)


@pytest.mark.parametrize("formula", FORMULAS)
def test_refused_in_four_parts(formula):
    cases = [
        (lambda: formula(cubic, 1.0, h=0.0), ArgumentError),
        (lambda: formula(cubic, 1.0, h=-1.0), ArgumentError),
        (lambda: formula(cubic, 1e10, h=1e-9), ArgumentError),
        (lambda: formula(lambda x: "text", 1.0), DTypeError),
        (lambda: formula(lambda x: x + 1j, 1.0), DTypeError),
        (lambda: formula(lambda x: np.zeros(int(x * 8)), 1.0, h=0.5), ShapeError),
        (lambda: formula(cubic, "text"), DTypeError),
    ]
    for act, kind in cases:
        with pytest.raises(kind) as caught:
            act()
        assert all((caught.value.problem, caught.value.expected, caught.value.got, caught.value.fix))
    with pytest.raises(ArgumentError):
        numdiff.richardson(cubic, 1.0, levels=0)


# The study of errors

STUDIES = {
    "exp": (np.exp, 1.0, np.exp),
    "sin": (np.sin, -2.0, np.cos),
    "steep": (lambda x: np.sin(30 * x), 0.7, lambda x: 30 * np.cos(30 * x)),
    "far": (lambda x: 1 / x, 100.0, lambda x: -1 / x**2),
    "log": (np.log, 0.9, lambda x: 1 / x),
}


@pytest.mark.parametrize("name", STUDIES)
def test_the_study_measures_the_orders_and_picks_good_steps(name):
    f, x, exact = STUDIES[name]
    study = numdiff.error_study(f, x, exact)
    for formula, order in (("forward", 1), ("backward", 1), ("central", 2), ("richardson", 6)):
        found = study.formulas[formula]
        assert found.order == pytest.approx(order, abs=0.15), formula
        # What the step promises it keeps, and around it no step is much better. (Single errors may be 0 by luck.)
        error = abs(float(getattr(numdiff, formula)(f, x, found.best_h)) - study.exact)
        assert error <= 10 * found.floor
        for factor in (0.01, 100.0):
            steps = np.minimum(found.best_h * factor, 0.3) * np.linspace(0.5, 1.5, 25)
            away = [float(getattr(numdiff, formula)(f, x, h)) for h in steps]
            assert np.median(np.abs(np.array(away) - study.exact)) > 0.1 * found.floor
    assert study.best == "richardson"
    floors = [study.formulas[formula].floor for formula in ("forward", "central", "richardson")]
    assert floors == sorted(floors, reverse=True)


def test_the_floor_rises_as_the_step_shrinks():
    """Errors of rounding are about eps |f| / h: a hundred times smaller steps make them a hundred times larger."""
    study = numdiff.error_study(np.exp, 1.0, np.exp)
    errors = study.formulas["central"].errors * study.steps / (np.finfo(float).eps * np.e)
    assert errors[study.steps < 1e-7].max() < 4
    assert np.median(errors[study.steps < 1e-7]) > 0.01


def test_a_parabola_has_no_second_order_error():
    study = numdiff.error_study(lambda x: x * x, 3.0, 6.0)
    assert math.isnan(study.formulas["central"].order)
    assert study.formulas["forward"].order == pytest.approx(1, abs=0.01)
    assert "-" in str(study).splitlines()[-3]


def test_a_constant_has_no_errors_at_all():
    study = numdiff.error_study(lambda x: 0.0 * x + 5, 3.0, 0.0)
    assert all(math.isnan(found.order) for found in study.formulas.values())
    assert str(study)


def test_the_table_has_a_row_for_each_power_of_ten_and_the_findings():
    lines = str(numdiff.error_study(np.exp, 1.0, np.exp)).splitlines()
    assert lines[0] == "errors of f'(1) = 2.71828182845905"
    assert lines[1].split() == ["h", "forward", "backward", "central", "richardson"]
    assert [line.split()[0] for line in lines[2:17]] == [f"1e-{i:02d}" for i in range(1, 16)]
    assert lines[17].split() == ["order", "1.00", "1.00", "2.00", "6.00"]
    assert [line[:8].strip() for line in lines[17:]] == ["order", "floor", "best h"]


def test_a_derivative_that_thalweg_gives_may_be_the_exact_one():
    def f(x):
        return ops.exp(ops.tanh(x))

    study = numdiff.error_study(thalweg.compile_function(f), 0.3, thalweg.grad(f))
    assert study.formulas["central"].order == pytest.approx(2, abs=0.05)
    assert study.formulas["richardson"].floor < 1e-12


@pytest.mark.parametrize(
    ("f", "x", "exact"), [(np.sqrt, 0.1, 1.0), (np.exp, 1000.0, 1.0), (np.exp, 1.0, math.nan), (np.exp, 1.0, math.inf)]
)
def test_a_study_where_the_function_ends_is_refused(f, x, exact):
    with np.errstate(all="ignore"), pytest.raises(DataError, match="is not finite"):
        numdiff.error_study(f, x, exact)


@pytest.mark.needs("matplotlib")
def test_plot(tmp_path):
    from matplotlib.figure import Figure

    figure = Figure()
    study = numdiff.error_study(np.exp, 1.0, np.exp)
    axes = study.plot(figure.add_subplot())
    figure.savefig(tmp_path / "errors.png")
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(study.formulas)
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")


def test_plot_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingPackageError, match="matplotlib") as caught:
        numdiff.error_study(np.exp, 1.0, np.exp).plot()
    assert "thalweg[plots]" in caught.value.fix
