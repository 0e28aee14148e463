"""The programs that did not learn: they are built as their askers did, and counted as the table counts."""

import pytest
from benchmarks.real_faults import data
from benchmarks.real_faults.__main__ import KINDS, Answer, counts
from benchmarks.real_faults.programs import FAULTS, Fault

import thalweg
from thalweg.doctor.finding import LABELS
from thalweg.errors import ThalwegError


def said(kinds, *labels):
    return Answer(Fault(1, "1", kinds, FAULTS[0].program), labels, (), "", 1.0)


def test_every_label_has_a_kind():
    assert {*KINDS} == {*LABELS}
    assert len({fault.number for fault in FAULTS}) == len(FAULTS)


def test_a_program_is_diagnosed_if_one_fault_of_it_is_named():
    assert said(("lr", "epoch"), "undertrained").diagnosed
    assert not said(("lr",), "undertrained").diagnosed
    assert said(("lr",), "undertrained").detected
    assert not said(("lr",)).detected
    assert said(()).diagnosed
    assert not said((), "plateau").detected
    assert "| 1 (50%) | 1 (50%) |" in counts([said(("lr",), "lr_too_low"), said(("act",))])


@pytest.mark.parametrize("number", [3, 20])
def test_programs_compile_and_say_what_they_are_given(number):
    model, given = next(fault.program for fault in FAULTS if fault.number == number)()
    assert isinstance(model, thalweg.Model)
    assert len(given["x"]) == len(given["y"])


def test_a_program_may_be_refused():
    model, given = next(fault.program for fault in FAULTS if fault.number == 10)()
    with pytest.raises(ThalwegError, match="softmax"):
        model.fit(**given, verbose=0)


def test_made_up_tables_have_the_scales_of_the_real_ones():
    assert data.packets()[0].max() > 3e9
    assert data.census(50)[0][:, 2].mean() > 1e5
    fields, following = data.life(3)
    assert fields.shape[1] == following.shape[1] + 2
